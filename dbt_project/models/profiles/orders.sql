-- Revenue is what was sold; refunded is what was given back since. A refund whose sale is unknown keeps a
-- row of its own, so that no money disappears.
with
    events as (select * from {{ ref("int_orders_reported") }}),

    numbered as (
        select *, row_number() over (partition by order_id order by occurred_at, event_id) as version_number
        from events
        where event = 'Order Completed'
    ),

    sales as (select * from numbered where version_number = 1),

    -- A cancellation gives everything back, and so does a refund without an amount.
    refunds as (
        select
            refunds.order_id,
            {{ first_by("refunds.profile_id", ["refunds.occurred_at", "refunds.event_id"]) }} as profile_id,
            {{ first_by("refunds.account_id", ["refunds.occurred_at", "refunds.event_id"]) }} as account_id,
            {{ first_by("refunds.currency", ["refunds.occurred_at", "refunds.event_id"]) }} as currency,
            {{ first_by("refunds.event_id", ["refunds.occurred_at", "refunds.event_id"]) }} as event_id,
            case
                when max(case when refunds.event = 'Order Cancelled' then 1 else 0 end) = 1
                then coalesce(max(sales.amount), 0)
                else
                    greatest(
                        sum(abs(coalesce(refunds.amount, 0))),
                        max(case when refunds.amount is null then coalesce(sales.amount, 0) else 0 end)
                    )
            end as refunded,
            min(refunds.occurred_at) as first_refunded_at,
            max(refunds.occurred_at) as refunded_at
        from events as refunds
        left join sales on refunds.order_id = sales.order_id
        where refunds.event in ('Order Refunded', 'Order Cancelled')
        group by refunds.order_id
    )

select
    coalesce(sales.order_id, refunds.order_id) as order_id,
    coalesce(sales.profile_id, case when sales.order_id is null then refunds.profile_id end) as profile_id,
    coalesce(sales.account_id, refunds.account_id) as account_id,
    coalesce(sales.event_id, refunds.event_id) as event_id,
    coalesce(sales.currency, refunds.currency) as currency,
    cast(coalesce(sales.amount, 0) as {{ type_decimal() }}) as revenue,
    {{ limited_decimal("coalesce(refunds.refunded, 0)") }} as refunded,
    sales.order_id is not null as has_sale,
    coalesce(sales.occurred_at, refunds.first_refunded_at) as ordered_at,
    refunds.refunded_at
from sales
full outer join refunds on sales.order_id = refunds.order_id
