{# The items of a JSON array, one row each as JSON text (in a select list); and how many there are.
   Differs by engine: the function that makes rows. #}
{% macro json_item_rows(text) -%} {{ adapter.dispatch("json_item_rows", "tessera")(text) }} {%- endmacro %}

{% macro duckdb__json_item_rows(text) -%} unnest(json_extract({{ text }}, '$[*]')) {%- endmacro %}

{% macro postgres__json_item_rows(text) -%} cast(json_array_elements(cast({{ text }} as json)) as text) {%- endmacro %}

{% macro spark__json_item_rows(text) -%}
    explode(transform(cast(try_parse_json({{ text }}) as array<variant>), item -> to_json(item)))
{%- endmacro %}

{% macro json_item_count(text) -%} {{ adapter.dispatch("json_item_count", "tessera")(text) }} {%- endmacro %}

{% macro default__json_item_count(text) -%} json_array_length({{ text }}) {%- endmacro %}

{% macro postgres__json_item_count(text) -%} json_array_length(cast({{ text }} as json)) {%- endmacro %}
