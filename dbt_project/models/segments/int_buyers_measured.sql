-- Buyers: profiles with at least one order that was not wholly refunded. Refunds lower the monetary
-- value, even below zero.
with
    orders as (
        select 0 as moment, profile_id, revenue, refunded, {{ as_of() }} as measured_at, ordered_at
        from {{ ref("orders") }}
        union all
        select moment, profile_id, revenue, refunded, measured_at, ordered_at
        from {{ ref("int_orders_remembered") }}
    ),

    buyers as (
        select
            moment,
            profile_id,
            measured_at,
            sum(case when revenue - refunded > 0 then 1 else 0 end) as frequency,
            sum(revenue - refunded) as monetary,
            max(case when revenue - refunded > 0 then ordered_at end) as last_ordered_at
        from orders
        where profile_id is not null
        group by moment, profile_id, measured_at
    )

select
    moment,
    profile_id,
    cast(floor({{ seconds_between("last_ordered_at", "measured_at") }} / 86400.0) as bigint) as recency_days,
    cast(frequency as bigint) as frequency,
    cast(monetary as {{ type_decimal() }}) as monetary,
    last_ordered_at,
    measured_at
from buyers
where frequency > 0
