{{ config(materialized="succession", meta={"touched": "identifier_id"}) }}
-- Whose profile an identifier was in, step by step: its own, the one that succeeded it, and so on.
{%- set is_increment = is_increment("int_identifiers_touched") %}
select identifier_id, successor_id, evidence_number, event_id, merged_at
from {{ ref("int_profiles_ended") }} {{ where_touched(is_increment, ["identifier_id"], key="identifier_id") }}
