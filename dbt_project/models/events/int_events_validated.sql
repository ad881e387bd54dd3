-- The messages that break a rule of the product's own, whatever the tracking plan says: no table could hold
-- them. One row a rule; most messages break none, so this table stays small.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    orders as (
        select
            event_id,
            event,
            event_version,
            nullif({{ json_text("properties", ["order_id"]) }}, '') as order_id,
            coalesce(
                {{ json_text("properties", ["revenue"]) }},
                {{ json_text("properties", ["subtotal"]) }},
                {{ json_text("properties", ["total"]) }}
            ) as revenue
        from messages
        where type = 'track' and event in ('Order Completed', 'Order Refunded', 'Order Cancelled')
    ),

    unknown_calls as (
        select
            event_id,
            event,
            event_version,
            'Unknown Call Type' as violation_type,
            'type' as field,
            'not one of track, identify, page, screen, group, alias' as detail
        from messages
        where coalesce(type, '') not in ('track', 'identify', 'page', 'screen', 'group', 'alias')
    ),

    without_ids as (
        select
            event_id,
            event,
            event_version,
            'Required' as violation_type,
            'userId' as field,
            'missing userId or anonymousId' as detail
        from messages
        where user_id is null and anonymous_id is null
    ),

    without_names as (
        select
            event_id,
            event,
            event_version,
            'Required' as violation_type,
            'event' as field,
            'missing event for track call' as detail
        from messages
        where type = 'track' and coalesce(event, '') = ''
    ),

    without_times as (
        select
            event_id,
            event,
            event_version,
            'Required' as violation_type,
            'receivedAt' as field,
            'no readable receivedAt, sentAt or timestamp' as detail
        from messages
        where received_at is null
    ),

    orders_without_ids as (
        select
            event_id,
            event,
            event_version,
            'Required' as violation_type,
            'properties.order_id' as field,
            'missing order_id' as detail
        from orders
        where order_id is null
    ),

    orders_without_amounts as (
        select
            event_id,
            event,
            event_version,
            'Required' as violation_type,
            'properties.revenue' as field,
            'missing revenue, subtotal and total' as detail
        from orders
        where event = 'Order Completed' and revenue is null
    ),

    orders_with_unreadable_amounts as (
        select
            event_id,
            event,
            event_version,
            'Invalid Type' as violation_type,
            'properties.revenue' as field,
            'not a number' as detail
        from orders
        where revenue is not null and {{ parse_decimal("revenue") }} is null
    ),

    orders_with_absurd_amounts as (
        select
            event_id,
            event,
            event_version,
            'Range' as violation_type,
            'properties.revenue' as field,
            'more than largest_amount ({{ var("largest_amount") }})' as detail
        from orders
        where abs({{ parse_decimal("revenue") }}) > {{ var("largest_amount") }}
    )

select *
from unknown_calls
union all
select *
from without_ids
union all
select *
from without_names
union all
select *
from without_times
union all
select *
from orders_without_ids
union all
select *
from orders_without_amounts
union all
select *
from orders_with_unreadable_amounts
union all
select *
from orders_with_absurd_amounts
