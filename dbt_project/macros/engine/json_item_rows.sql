{# The items of a JSON array, one row each as JSON text, behind a relation of `from` (no rows where the text is null); and how many there are.
   Differs by engine: the function that makes rows, and how it is joined. #}
{% macro json_item_rows(text, name) -%} {{ adapter.dispatch("json_item_rows", "tessera")(text, name) }} {%- endmacro %}

{# No `cross join (select unnest(…))`: it is quicker to run, but a plan of many of them takes DuckDB time by the square of their number. #}
{% macro duckdb__json_item_rows(text, name) -%}
    cross join unnest(json_extract({{ text }}, '$[*]')) as {{ name }}_rows ({{ name }})
{%- endmacro %}

{% macro postgres__json_item_rows(text, name) -%}
    cross join lateral (
        select cast(item as text) from json_array_elements(cast({{ text }} as json)) as items (item)
    ) as {{ name }}_rows ({{ name }})
{%- endmacro %}

{% macro spark__json_item_rows(text, name) -%}
    lateral view explode(
        transform(cast(try_parse_json({{ text }}) as array<variant>), item -> to_json(item))
    ) {{ name }}_rows as {{ name }}
{%- endmacro %}

{% macro snowflake__json_item_rows(text, name) -%}
    cross join lateral flatten(
        input => transform(as_array({{ snowflake__json_at(text, []) }}), item -> to_json(item))
    ) as {{ name }}_rows (seq, key, path, index, {{ name }}, this)
{%- endmacro %}

{% macro bigquery__json_item_rows(text, name) -%}
    cross join unnest(
        array(select to_json_string(item) from unnest(json_query_array({{ bigquery__json_at(text, []) }})) as item)
    ) as {{ name }}
{%- endmacro %}

{% macro json_item_count(text) -%} {{ adapter.dispatch("json_item_count", "tessera")(text) }} {%- endmacro %}

{% macro default__json_item_count(text) -%} json_array_length({{ text }}) {%- endmacro %}

{% macro postgres__json_item_count(text) -%} json_array_length(cast({{ text }} as json)) {%- endmacro %}

{% macro snowflake__json_item_count(text) -%} array_size({{ snowflake__json_at(text, []) }}) {%- endmacro %}

{% macro bigquery__json_item_count(text) -%} array_length(json_query_array({{ bigquery__json_at(text, []) }})) {%- endmacro %}
