{{ config(materialized="view") }}
-- An identifier's first row in history: the profile when it was first observed.
with
    identifiers as (select * from {{ ref("profile_identifiers") }} where profile_id is not null),

    first_held as (
        select identifier_id, min(held_from) as held_from
        from {{ ref("identifier_history") }}
        group by identifier_id
    ),

    observed as (
        select history.identifier_id, history.profile_id, history.event_id, history.held_from
        from {{ ref("identifier_history") }} as history
        inner join
            {{ ref("int_identifiers_held") }} as held
            on history.identifier_id = held.identifier_id
            and history.event_id = held.first_event_id
        inner join
            first_held
            on history.identifier_id = first_held.identifier_id
            and history.held_from = first_held.held_from
    )

select
    {{ sha1_hex("concat(identifiers.identifier_type, identifiers.identifier_value)") }} as external_id_hash,
    identifiers.identifier_type as external_id_type,
    identifiers.identifier_value as external_id_value,
    identifiers.identifier_id as id,
    observed.profile_id as segment_id,
    observed.event_id as triggering_event_id,
    events.event as triggering_event_name,
    events.source_id as triggering_event_source_id,
    events.source_id as triggering_event_source_name,
    events.source_id as triggering_event_source_slug,
    events.type as triggering_event_type,
    {{ sequence_number("observed.held_from", ["observed.event_id", "identifiers.identifier_id"]) }} as seq,
    events.received_at,
    events.occurred_at as timestamp,
    observed.held_from as uuid_ts
from identifiers
inner join observed on identifiers.identifier_id = observed.identifier_id
left join {{ ref("events") }} as events on observed.event_id = events.event_id
