{# The first group of a regular expression's first match (see pattern_literal); null where there is none or the group is empty.
   Differs by engine: the function. #}
{% macro extract_group(column, pattern) -%} {{ adapter.dispatch("extract_group", "tessera")(column, pattern) }} {%- endmacro %}

{% macro duckdb__extract_group(column, pattern) -%}
    nullif(regexp_extract({{ column }}, {{ pattern_literal(pattern) }}, 1), '')
{%- endmacro %}

{% macro postgres__extract_group(column, pattern) -%}
    nullif((regexp_match({{ column }}, {{ pattern_literal(pattern) }}))[1], '')
{%- endmacro %}

{% macro spark__extract_group(column, pattern) -%}
    nullif(regexp_extract({{ column }}, {{ pattern_literal(pattern) }}, 1), '')
{%- endmacro %}
