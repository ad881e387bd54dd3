{# Between `as` and the bracket of a CTE that several others read and that is dear to compute: have it computed once.
   Differs by engine: DuckDB would compute it for each reader; the others have no such word, or need none. #}
{% macro materialized() -%} {{ adapter.dispatch("materialized", "tessera")() }} {%- endmacro %}

{% macro default__materialized() -%} {%- endmacro %}

{% macro duckdb__materialized() -%} materialized {%- endmacro %}
