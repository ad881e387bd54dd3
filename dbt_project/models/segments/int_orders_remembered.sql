-- Orders as they were known when each of the last periods began: the rules of `orders`, on what had been
-- received before. Who is who is known as of today.
with
    moments as (select * from ({{ rfm_moment_rows() }}) as moments where moment > 0),

    reports as (
        select moments.moment, moments.measured_at, reports.*
        from moments
        inner join {{ ref("int_orders_reported") }} as reports on reports.received_at < moments.measured_at
    ),

    numbered as (
        select
            *,
            row_number() over (partition by moment, order_id order by occurred_at, event_id) as version_number
        from reports
        where event = 'Order Completed'
    ),

    sales as (select * from numbered where version_number = 1),

    refunds as (
        select
            refunds.moment,
            refunds.measured_at,
            refunds.order_id,
            {{ first_by("refunds.profile_id", ["refunds.occurred_at", "refunds.event_id"]) }} as profile_id,
            {{ first_by("refunds.account_id", ["refunds.occurred_at", "refunds.event_id"]) }} as account_id,
            case
                when max(case when refunds.event = 'Order Cancelled' then 1 else 0 end) = 1
                then coalesce(max(sales.amount), 0)
                else
                    greatest(
                        sum(abs(coalesce(refunds.amount, 0))),
                        max(case when refunds.amount is null then coalesce(sales.amount, 0) else 0 end)
                    )
            end as refunded,
            min(refunds.occurred_at) as first_refunded_at
        from reports as refunds
        left join sales on refunds.moment = sales.moment and refunds.order_id = sales.order_id
        where refunds.event in ('Order Refunded', 'Order Cancelled')
        group by refunds.moment, refunds.measured_at, refunds.order_id
    )

select
    coalesce(sales.moment, refunds.moment) as moment,
    coalesce(sales.order_id, refunds.order_id) as order_id,
    coalesce(sales.profile_id, case when sales.order_id is null then refunds.profile_id end) as profile_id,
    coalesce(sales.account_id, refunds.account_id) as account_id,
    cast(coalesce(sales.amount, 0) as {{ type_decimal() }}) as revenue,
    {{ limited_decimal("coalesce(refunds.refunded, 0)") }} as refunded,
    coalesce(sales.measured_at, refunds.measured_at) as measured_at,
    coalesce(sales.occurred_at, refunds.first_refunded_at) as ordered_at
from sales
full outer join refunds on sales.moment = refunds.moment and sales.order_id = refunds.order_id
