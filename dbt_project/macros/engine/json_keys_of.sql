{# How many keys a JSON object has, and the keys as one text, joined by a separator (a character). Null where the text is no object.
   Differs by engine: JSON functions. #}
{% macro json_key_count(text) -%} {{ adapter.dispatch("json_key_count", "tessera")(text) }} {%- endmacro %}

{% macro duckdb__json_key_count(text) -%} len(json_keys({{ text }})) {%- endmacro %}

{% macro postgres__json_key_count(text) -%} (select count(*) from json_object_keys(cast({{ text }} as json))) {%- endmacro %}

{% macro spark__json_key_count(text) -%} size(json_object_keys({{ text }})) {%- endmacro %}

{% macro snowflake__json_key_count(text) -%} array_size(object_keys(as_object({{ snowflake__json_at(text, []) }}))) {%- endmacro %}

{% macro bigquery__json_key_count(text) -%} array_length(json_keys({{ bigquery__json_at(text, []) }}, 1)) {%- endmacro %}

{% macro json_key_list(text, separator) -%} {{ adapter.dispatch("json_key_list", "tessera")(text, separator) }} {%- endmacro %}

{% macro duckdb__json_key_list(text, separator) -%} array_to_string(json_keys({{ text }}), {{ separator }}) {%- endmacro %}

{% macro postgres__json_key_list(text, separator) -%}
    (select string_agg(keys.name, {{ separator }}) from json_object_keys(cast({{ text }} as json)) as keys (name))
{%- endmacro %}

{% macro spark__json_key_list(text, separator) -%} array_join(json_object_keys({{ text }}), {{ separator }}) {%- endmacro %}

{% macro snowflake__json_key_list(text, separator) -%}
    array_to_string(object_keys(as_object({{ snowflake__json_at(text, []) }})), {{ separator }})
{%- endmacro %}

{% macro bigquery__json_key_list(text, separator) -%} array_to_string({{ bigquery__json_keys(text) }}, {{ separator }}) {%- endmacro %}

{# BigQuery gives keys as steps of a path: one with a dot or the like is quoted, as JSON quotes texts. #}
{% macro bigquery__json_keys(text) -%}
    array(
        select case when starts_with(step, '"') then json_value(step) else step end
        from unnest(json_keys({{ bigquery__json_at(text, []) }}, 1)) as step
    )
{%- endmacro %}
