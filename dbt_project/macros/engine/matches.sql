{# Whether a text has a match of a regular expression (see pattern_literal).
   Differs by engine: operator or function. #}
{% macro matches(column, pattern) -%} {{ adapter.dispatch("matches", "tessera")(column, pattern) }} {%- endmacro %}

{% macro duckdb__matches(column, pattern) -%} regexp_matches({{ column }}, {{ pattern_literal(pattern) }}) {%- endmacro %}

{% macro postgres__matches(column, pattern) -%} ({{ column }} ~ {{ pattern_literal(pattern) }}) {%- endmacro %}

{% macro spark__matches(column, pattern) -%} ({{ column }} rlike {{ pattern_literal(pattern) }}) {%- endmacro %}

{# Snowflake's regexp_like matches whole texts only. #}
{% macro snowflake__matches(column, pattern) -%} (regexp_instr({{ column }}, {{ pattern_literal(pattern) }}) > 0) {%- endmacro %}

{% macro bigquery__matches(column, pattern) -%} regexp_contains({{ column }}, {{ pattern_literal(pattern) }}) {%- endmacro %}
