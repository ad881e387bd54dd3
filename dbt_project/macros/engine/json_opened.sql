{# Several values of one JSON text, which is parsed once: `json_opened(column, paths)` is a column of a CTE, and `json_item` reads one of its
   paths below, as json_text would from the text.
   Differs by engine: DuckDB takes a list of paths and pays for each parse; elsewhere the text itself is handed on. #}
{% macro json_opened(column, paths) -%} {{ adapter.dispatch("json_opened", "tessera")(column, paths) }} {%- endmacro %}

{% macro default__json_opened(column, paths) -%} {{ column }} {%- endmacro %}

{% macro duckdb__json_opened(column, paths) -%}
    json_extract_string({{ column }}, [{% for path in paths %}{{ duckdb__json_path(path) }}{{ ", " if not loop.last }}{% endfor %}])
{%- endmacro %}

{% macro json_item(opened, paths, path) -%} {{ adapter.dispatch("json_item", "tessera")(opened, paths, path) }} {%- endmacro %}

{% macro default__json_item(opened, paths, path) -%} {{ json_text(opened, path) }} {%- endmacro %}

{% macro duckdb__json_item(opened, paths, path) -%} {{ opened }}[{{ paths.index(path) + 1 }}] {%- endmacro %}
