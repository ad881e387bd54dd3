{{ config(materialized="view") }}
-- A profile first maps to itself; a merge adds a row for it and for every profile merged into it before.
with
    history as (select * from {{ ref("identifier_history") }}),

    -- Or a reviewed line joined it to an older one on its first event: until then it was a profile's id.
    names as (
        select identifier_id
        from history
        where identifier_id = profile_id
        union all
        select profile_id
        from {{ ref("profile_merges") }}
    ),

    named as (select distinct identifier_id from names)

select
    history.identifier_id as segment_id,
    history.profile_id as canonical_segment_id,
    events.type as triggering_event_type,
    history.event_id as triggering_event_id,
    {{ sequence_number("history.held_from", ["history.event_id", "history.identifier_id"]) }} as seq,
    events.occurred_at as timestamp,
    history.held_from as uuid_ts
from history
inner join named on history.identifier_id = named.identifier_id
left join {{ ref("events") }} as events on history.event_id = events.event_id
