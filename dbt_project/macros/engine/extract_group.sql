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

{# Snowflake knows capturing groups only, so every group captures and the wanted one is the first that captured before. #}
{% macro snowflake__extract_group(column, pattern) -%}
    {%- set group = namespace(number=1, found=false) -%}
    {%- for part in pattern.split("(")[1:] -%}
        {%- if not part.startswith("?:") %}{% set group.found = true %}{% endif -%}
        {%- if not group.found %}{% set group.number = group.number + 1 %}{% endif -%}
    {%- endfor -%}
    nullif(
        regexp_substr({{ column }}, {{ pattern_literal(pattern) }}, 1, 1, 'e', {{ group.number }}), ''
    )
{%- endmacro %}

{% macro bigquery__extract_group(column, pattern) -%}
    nullif(regexp_extract({{ column }}, {{ pattern_literal(pattern) }}), '')
{%- endmacro %}
