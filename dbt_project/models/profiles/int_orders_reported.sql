-- What the shop said about its orders: sold, refunded, cancelled, one row a report.
select
    event_id,
    profile_id,
    event,
    {{ json_text("properties", ["order_id"]) }} as order_id,
    group_id as account_id,
    {{ json_text("properties", ["currency"]) }} as currency,
    {{ parse_decimal(
        "coalesce(" ~ json_text("properties", ["revenue"]) ~ ", "
        ~ json_text("properties", ["subtotal"]) ~ ", " ~ json_text("properties", ["total"]) ~ ")"
    ) }} as amount,
    occurred_at,
    received_at
from {{ ref("profile_events") }}
where type = 'track' and event in ('Order Completed', 'Order Refunded', 'Order Cancelled')
