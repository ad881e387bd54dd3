{# Who held what at a time: identifier_id, profile_id, by replay of today's used evidence in the order of receipt. A sub-query:
   from {{ profile_at("timestamp '2026-03-01 00:00:00'") }} as holders. #}
{% macro profile_at(time) -%}
    (
        select identifier_id, profile_id
        from {{ ref("identifier_history") }}
        where held_from <= {{ time }} and (held_until is null or held_until > {{ time }})
    )
{%- endmacro %}
