{{ config(materialized="view") }}
select
    event_id,
    type,
    event,
    event_version,
    user_id,
    anonymous_id,
    group_id,
    email,
    phone,
    source_id,
    name,
    properties,
    traits,
    context,
    occurred_at,
    received_at
from {{ ref("int_events_accepted") }}
