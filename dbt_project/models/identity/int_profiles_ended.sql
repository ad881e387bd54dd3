{{ config(materialized="increment", meta={"touched": "identifier_id"}) }}
-- When an identifier ceased to name a profile, by which event, and which one names it from then on.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    merged as (
        select * from {{ ref("int_profiles_merged") }} {{ where_touched(is_increment, ["component"]) }}
    ),

    evidence as (select * from {{ ref("int_evidence_ordered") }}),

    ranked as (select * from {{ ref("int_identifiers_ranked") }})

select
    former.component,
    former.identifier_id,
    successor.identifier_id as successor_id,
    former.first_event_id,
    evidence.first_event_id as event_id,
    evidence.is_reviewed,
    evidence.evidence_number,
    evidence.first_received_at as merged_at
from merged
inner join
    evidence on merged.component = evidence.component and merged.evidence_number = evidence.evidence_number
inner join ranked as former on merged.component = former.component and merged.seniority = former.seniority
inner join
    ranked as successor on merged.component = successor.component and merged.successor = successor.seniority
