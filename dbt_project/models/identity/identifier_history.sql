{{ config(materialized="increment", meta={"touched": "identifier_id"}) }}
-- Replay of today's used evidence in the order of receipt: after each event, who held what.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    identifiers as (
        select identifier_id, first_event_id, first_received_at, profile_id
        from {{ ref("int_identifiers_held") }}
        where profile_id is not null {{ where_touched(is_increment, ["node"], "and") }}
    ),

    replayed as (
        select distinct component
        from {{ ref("int_evidence_ordered") }} {{ where_touched(is_increment, ["component"]) }}
    ),

    -- In a profile that never merged, everything belonged to its first identifier from the start.
    born as (
        select
            identifiers.identifier_id,
            case
                when replayed.component is null then identifiers.profile_id else identifiers.identifier_id
            end as profile_id,
            identifiers.first_event_id as event_id,
            0 as evidence_number,
            identifiers.first_received_at as held_from
        from identifiers
        left join
            {{ ref("int_identifiers_ranked") }} as ranked on identifiers.identifier_id = ranked.identifier_id
        left join replayed on ranked.component = replayed.component
    ),

    steps as (
        select identifier_id, profile_id, event_id, evidence_number, held_from
        from born
        union all
        select identifier_id, successor_id, event_id, evidence_number, merged_at
        from
            {{ ref("int_identifiers_passed") }}
            {{ where_touched(is_increment, ["identifier_id"], key="identifier_id") }}
    ),

    -- Of what one event brought about, only the end is history.
    numbered as (
        select
            *,
            row_number() over (
                partition by identifier_id, event_id order by evidence_number desc nulls last
            ) as from_last
        from steps
    )

select
    identifier_id,
    profile_id,
    event_id,
    held_from,
    lead(held_from) over (partition by identifier_id order by evidence_number) as held_until
from numbered
where from_last = 1
