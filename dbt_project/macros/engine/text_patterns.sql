{# Whether a text has a match of a regular expression (ASCII classes only, no look-around: the subset all engines share).
   Differs by engine: operator or function. #}
{% macro matches(column, pattern) -%} {{ adapter.dispatch("matches", "tessera")(column, pattern) }} {%- endmacro %}

{% macro default__matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{# The first group of a regular expression's first match; null where there is none. #}
{% macro extract_group(column, pattern) -%} {{ adapter.dispatch("extract_group", "tessera")(column, pattern) }} {%- endmacro %}

{% macro default__extract_group(column, pattern) -%}
    nullif(regexp_extract({{ column }}, '{{ pattern | replace("'", "''") }}', 1), '')
{%- endmacro %}

{% macro postgres__matches(column, pattern) -%} ({{ column }} ~ '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{% macro postgres__extract_group(column, pattern) -%}
    nullif((regexp_match({{ column }}, '{{ pattern | replace("'", "''") }}'))[1], '')
{%- endmacro %}

{% macro spark__matches(column, pattern) -%} ({{ column }} rlike '{{ pattern | replace("'", "''") }}') {%- endmacro %}

{% macro spark__extract_group(column, pattern) -%}
    nullif(regexp_extract({{ column }}, '{{ pattern | replace("'", "''") }}', 1), '')
{%- endmacro %}
