{# Whether a text has a match of a regular expression (ASCII classes only, no look-around: the subset all engines share).
   Differs by engine: operator or function. #}
{% macro matches(column, pattern) -%} {{ adapter.dispatch("matches", "tessera")(column, pattern) }} {%- endmacro %}

{% macro duckdb__matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{% macro postgres__matches(column, pattern) -%} ({{ column }} ~ '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{% macro spark__matches(column, pattern) -%} ({{ column }} rlike '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{# Snowflake's regexp_like matches whole texts only, and knows capturing groups only. #}
{% macro snowflake__matches(column, pattern) -%}
    (regexp_instr({{ column }}, '{{ pattern | replace("(?:", "(") | replace("\\", "\\\\") | replace("'", "\\'") }}') > 0)
{%- endmacro %}

{% macro bigquery__matches(column, pattern) -%}
    regexp_contains({{ column }}, '{{ pattern | replace("\\", "\\\\") | replace("'", "\\'") }}')
{%- endmacro %}
