{{ config(materialized="increment", meta={"key": ["identifier_id"]}) }}
-- A profile is named after its first-seen identifier, so its id needs no memory: every rebuild finds the
-- same one, and an id that was ever published is some identifier's id and resolves to whoever holds that
-- identifier now.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    held as (select * from {{ ref("int_identifiers_held") }} {{ where_touched(is_increment, ["node"]) }}),

    founders as (
        select
            component,
            {{ first_by("identifier_id", ["first_received_at", "first_event_id", "priority", "identifier_value"]) }}
            as profile_id
        from held
        where component is not null
        group by component
    )

select
    held.identifier_id,
    founders.profile_id,
    held.identifier_type,
    held.identifier_value,
    held.event_count,
    held.first_seen_at,
    held.last_seen_at
from held
left join founders on held.component = founders.component
