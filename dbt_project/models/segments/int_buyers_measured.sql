-- Buyers, people and accounts (level): with at least one order that was not wholly refunded. Refunds lower
-- the monetary value, even below zero.
with
    orders as (
        select
            0 as moment, profile_id, account_id, revenue, refunded, {{ as_of() }} as measured_at, ordered_at
        from {{ ref("orders") }}
        union all
        select moment, profile_id, account_id, revenue, refunded, measured_at, ordered_at
        from {{ ref("int_orders_remembered") }}
    ),

    placed as (
        {% for level in ["profile", "account"] -%}
            select
                '{{ level }}' as level,
                moment,
                {{ level }}_id as buyer_id,
                revenue,
                refunded,
                measured_at,
                ordered_at
            from orders
            where {{ level }}_id is not null {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    buyers as (
        select
            level,
            moment,
            buyer_id,
            measured_at,
            sum(case when revenue - refunded > 0 then 1 else 0 end) as frequency,
            sum(revenue - refunded) as monetary,
            max(case when revenue - refunded > 0 then ordered_at end) as last_ordered_at
        from placed
        group by level, moment, buyer_id, measured_at
    )

select
    level,
    moment,
    buyer_id,
    -- An order may be dated up to a day ahead of its receipt.
    greatest(
        cast(floor({{ seconds_between("last_ordered_at", "measured_at") }} / 86400.0) as bigint), 0
    ) as recency_days,
    cast(frequency as bigint) as frequency,
    {{ limited_decimal("monetary") }} as monetary,
    last_ordered_at,
    measured_at
from buyers
where frequency > 0
