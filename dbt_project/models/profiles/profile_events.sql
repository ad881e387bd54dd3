{{ config(materialized="view") }}
select
    events.event_id,
    resolved.profile_id,
    events.type,
    events.event,
    events.user_id,
    events.anonymous_id,
    events.group_id,
    events.source_id,
    events.name,
    events.properties,
    events.traits,
    events.context,
    events.occurred_at,
    events.received_at
from {{ ref("events") }} as events
inner join {{ ref("int_events_resolved") }} as resolved on events.event_id = resolved.event_id
