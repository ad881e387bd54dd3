{{ config(materialized="view") }}
-- Held since the moment it was received: the rules are those of today, so a message leaves when the rule
-- that held it goes.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    reasons as (
        select event_id, min(violation_type || ': ' || field || ' (' || detail || ')') as reason
        from {{ ref("event_violations") }}
        where outcome = 'quarantined'
        group by event_id
    )

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
    reasons.reason,
    messages.occurred_at,
    messages.received_at,
    messages.received_at as quarantined_at
from messages
inner join reasons on messages.event_id = reasons.event_id
