-- The boundaries that a moment's buyers are scored by: the frozen ones of its period, or those measured at
-- the moment itself where none are frozen.
with
    measured as (select * from {{ ref("int_boundaries_measured") }}),

    moments as ({{ rfm_moment_rows() }}),

    frozen as (select * from {{ ref("rfm_boundaries") }} where tile_count = {{ var("rfm_tiles") }})

select
    measured.moment,
    measured.dimension,
    measured.k,
    coalesce(frozen.lower_value, measured.lower_value) as lower_value,
    measured.lower_value as measured_value,
    frozen.dimension is not null as is_frozen,
    moments.period_at
from measured
inner join moments on measured.moment = moments.moment
left join
    frozen
    on moments.period_at = frozen.period_at
    and measured.dimension = frozen.dimension
    and measured.k = frozen.k
