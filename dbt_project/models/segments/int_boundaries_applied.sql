-- The boundaries that a moment's buyers are scored by: those of its period, frozen, or measured again as of
-- its start for a date that the log does not reach back to; of too few buyers those of the moment itself.
with
    measured as (select * from {{ ref("int_boundaries_measured") }}),

    moments as ({{ rfm_moment_rows() }}),

    frozen as (
        select *, coalesce(level, 'profile') as buyer_level
        from {{ ref("rfm_boundaries") }}
        where tile_count = {{ var("rfm_tiles") }}
    ),

    began as (select * from measured where moment > 0 and buyer_count >= {{ rfm_buyers_needed() }})

select
    measured.level,
    measured.moment,
    measured.dimension,
    measured.k,
    coalesce(frozen.lower_value, began.lower_value, measured.lower_value) as lower_value,
    measured.lower_value as measured_value,
    frozen.dimension is not null as is_frozen,
    moments.period_at
from measured
inner join moments on measured.moment = moments.moment
left join
    frozen
    on measured.level = frozen.buyer_level
    and moments.period_at = frozen.period_at
    and measured.dimension = frozen.dimension
    and measured.k = frozen.k
left join
    began
    on measured.level = began.level
    and moments.period_at = began.measured_at
    and measured.dimension = began.dimension
    and measured.k = began.k
