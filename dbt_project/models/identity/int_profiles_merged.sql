{{ config(materialized="merge_replay", meta={"touched": "component", "touched_key": "node"}) }}
{%- set is_increment = is_increment("int_identifiers_touched") %}
select component, a, b, evidence_number
from {{ ref("int_evidence_ordered") }} {{ where_touched(is_increment, ["component"]) }}
