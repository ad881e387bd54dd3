-- A tile is 1 plus the number of boundaries that the value lies above: a function of the value alone.
with
    buyers as (select * from {{ ref("int_buyers_measured") }}),

    boundaries as (select * from {{ ref("rfm_boundaries") }}),

    measured as (
        select
            profile_id,
            cast(frequency as bigint) as frequency,
            monetary,
            cast(
                {{ seconds_between("cast('1970-01-01' as timestamp)", "last_ordered_at") }}
                as {{ type_decimal() }}
            ) as recency,
            last_ordered_at
        from buyers
    ),

    tiled as (
        select
            measured.profile_id,
            1 + count(
                case
                    when boundaries.dimension = 'recency' and measured.recency > boundaries.lower_value then 1
                end
            ) as r_tile,
            1 + count(
                case
                    when boundaries.dimension = 'frequency' and measured.frequency > boundaries.lower_value
                    then 1
                end
            ) as f_tile,
            1 + count(
                case
                    when boundaries.dimension = 'monetary' and measured.monetary > boundaries.lower_value
                    then 1
                end
            ) as m_tile
        from measured
        cross join boundaries
        group by measured.profile_id
    )

select
    measured.profile_id,
    cast(
        floor({{ seconds_between("measured.last_ordered_at", as_of()) }} / 86400.0) as bigint
    ) as recency_days,
    measured.frequency,
    measured.monetary,
    cast(tiled.r_tile as bigint) as r_tile,
    cast(tiled.f_tile as bigint) as f_tile,
    -- A customer who gave back as much as was bought is never of high value, whatever the others did.
    cast(case when measured.monetary <= 0 then 1 else tiled.m_tile end as bigint) as m_tile,
    measured.last_ordered_at,
    {{ as_of() }} as as_of
from measured
inner join tiled on measured.profile_id = tiled.profile_id
