{{ config(materialized="increment", meta={"key": ["identifier_id"]}) }}
{%- set is_increment = is_increment("int_identifiers_touched") %}
{%- set observed = ref("int_identifiers_observed") %}
select identifier_id, profile_id, identifier_type, identifier_value, event_count, first_seen_at, last_seen_at
from {{ ref("int_identifiers_held") }}
{% if is_increment -%}
    where
        node in (
            select node
            from {{ ref("int_identifiers_touched") }}
            union all
            select node
            from {{ observed }} {{ where_new(is_increment) }}
        )
{%- endif %}
