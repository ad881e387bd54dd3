{# Between `as` and the bracket of a CTE that several others read: have it computed once, if it is dear to compute, or else by each of them.
   Differs by engine: DuckDB does not always know; the others have no such words, or need none. #}
{% macro materialized(is_dear=true) -%} {{ adapter.dispatch("materialized", "tessera")(is_dear) }} {%- endmacro %}

{% macro default__materialized(is_dear) -%} {%- endmacro %}

{% macro duckdb__materialized(is_dear) -%} {{ "not " if not is_dear }}materialized {%- endmacro %}
