{{ config(materialized="view") }}
-- A view, so that the wide JSON columns are written once (in staging) and read only by those who ask for
-- them.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    held as (select distinct event_id from {{ ref("int_events_validated") }})

select
    messages.event_id,
    messages.type,
    messages.event,
    messages.event_version,
    messages.user_id,
    messages.anonymous_id,
    messages.group_id,
    messages.email,
    messages.phone,
    messages.source_id,
    messages.name,
    messages.properties,
    messages.traits,
    messages.context,
    messages.occurred_at,
    messages.received_at
from messages
left join held on messages.event_id = held.event_id
where held.event_id is null
