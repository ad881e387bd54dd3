-- Features and labels of the repurchase model: one row a buyer and cutoff. A cutoff sees only what had
-- happened and been received before it; its label looks at the days after it and is null where they are
-- not over. The cutoff at as_of is the one to score.
{% set horizon_seconds = var("repurchase_horizon_days") * 86400 %}
with
    cutoffs as (
        {%- for steps in range(0, 6) %}
            {#- as_of, then one horizon back (the test), then training cutoffs whose labels ended before the test cutoff. #}
            {%- set days = 0 if steps == 0 else var("repurchase_horizon_days") * (1 if steps == 1 else 2) + (steps - 2) * 30 * (1 if steps > 2 else 0) %}
            select
                {{ steps }} as cutoff_number,
                {{ add_seconds(as_of(), -days * 86400) }} as cutoff_at
                {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    reports as (select * from {{ ref("int_orders_reported") }}),

    orders as (
        select orders.order_id, orders.profile_id, orders.revenue, orders.ordered_at, reports.received_at
        from {{ ref("orders") }} as orders
        inner join reports on orders.event_id = reports.event_id
        where orders.profile_id is not null and orders.has_sale and orders.revenue > 0
    ),

    -- An order is the first version of it that had been received by the cutoff: a version told later may be
    -- dated earlier.
    versions as (
        select
            cutoffs.cutoff_number,
            cutoffs.cutoff_at,
            reports.order_id,
            reports.profile_id,
            reports.amount as revenue,
            reports.occurred_at as ordered_at,
            row_number() over (
                partition by cutoffs.cutoff_number, reports.order_id
                order by reports.occurred_at, reports.event_id
            ) as version_number
        from cutoffs
        inner join
            reports on reports.occurred_at < cutoffs.cutoff_at and reports.received_at <= cutoffs.cutoff_at
        where reports.event = 'Order Completed'
    ),

    sales as (select * from versions where version_number = 1 and profile_id is not null and revenue > 0),

    refunds as (
        select
            sales.cutoff_number,
            sales.order_id,
            -- A cancellation or a refund without an amount gives everything back; nothing gives back more.
            least(
                max(sales.revenue),
                sum(
                    case
                        when reports.event = 'Order Cancelled' or reports.amount is null
                        then sales.revenue
                        else abs(reports.amount)
                    end
                )
            ) as refunded
        from sales
        inner join
            reports
            on sales.order_id = reports.order_id
            and reports.occurred_at < sales.cutoff_at
            and reports.received_at <= sales.cutoff_at
        where reports.event in ('Order Refunded', 'Order Cancelled')
        group by sales.cutoff_number, sales.order_id
    ),

    buyers as (
        select
            sales.cutoff_number,
            sales.cutoff_at,
            sales.profile_id,
            count(*) as frequency,
            sum(sales.revenue - coalesce(refunds.refunded, 0)) as monetary,
            min(sales.ordered_at) as first_ordered_at,
            max(sales.ordered_at) as last_ordered_at,
            sum(
                case
                    when sales.ordered_at >= {{ add_seconds("sales.cutoff_at", -90 * 86400) }} then 1 else 0
                end
            ) as recent_orders
        from sales
        left join refunds on sales.cutoff_number = refunds.cutoff_number and sales.order_id = refunds.order_id
        group by sales.cutoff_number, sales.cutoff_at, sales.profile_id
    ),

    visits as (
        select
            cutoffs.cutoff_number,
            events.profile_id,
            max(events.occurred_at) as last_visited_at,
            sum(
                case
                    when events.occurred_at >= {{ add_seconds("cutoffs.cutoff_at", -30 * 86400) }}
                    then 1
                    else 0
                end
            ) as recent_events,
            sum(
                case
                    when
                        events.event = 'Product Viewed'
                        and events.occurred_at >= {{ add_seconds("cutoffs.cutoff_at", -30 * 86400) }}
                    then 1
                    else 0
                end
            ) as recent_product_views
        from cutoffs
        inner join
            {{ ref("profile_events") }} as events
            on events.occurred_at < cutoffs.cutoff_at
            and events.received_at <= cutoffs.cutoff_at
        where events.profile_id is not null and events.anonymous_id is not null
        group by cutoffs.cutoff_number, events.profile_id
    ),

    repurchases as (
        select cutoffs.cutoff_number, orders.profile_id, count(*) as order_count
        from cutoffs
        inner join
            orders
            on orders.ordered_at >= cutoffs.cutoff_at
            and orders.ordered_at < {{ add_seconds("cutoffs.cutoff_at", horizon_seconds) }}
        group by cutoffs.cutoff_number, orders.profile_id
    )

select
    buyers.profile_id,
    cast(buyers.cutoff_number as bigint) as cutoff_number,
    cast({{ seconds_between("buyers.last_ordered_at", "buyers.cutoff_at") }} as {{ type_double() }})
    / 86400 as recency_days,
    cast(buyers.frequency as {{ type_double() }}) as frequency,
    cast(buyers.monetary as {{ type_double() }}) as monetary,
    cast({{ seconds_between("buyers.first_ordered_at", "buyers.cutoff_at") }} as {{ type_double() }})
    / 86400 as tenure_days,
    cast(buyers.recent_orders as {{ type_double() }}) as orders_90_days,
    cast({{ seconds_between("visits.last_visited_at", "buyers.cutoff_at") }} as {{ type_double() }})
    / 86400 as days_since_visit,
    cast(coalesce(visits.recent_events, 0) as {{ type_double() }}) as events_30_days,
    cast(coalesce(visits.recent_product_views, 0) as {{ type_double() }}) as product_views_30_days,
    case when buyers.cutoff_number > 0 then repurchases.order_count is not null end as has_bought_again,
    buyers.cutoff_at
from buyers
left join visits on buyers.cutoff_number = visits.cutoff_number and buyers.profile_id = visits.profile_id
left join
    repurchases
    on buyers.cutoff_number = repurchases.cutoff_number
    and buyers.profile_id = repurchases.profile_id
