{# How many keys a JSON object has, and the keys as one text, joined by a separator (a character). Null where the text is no object.
   Differs by engine: JSON functions. #}
{% macro json_key_count(text) -%} {{ adapter.dispatch("json_key_count", "tessera")(text) }} {%- endmacro %}

{% macro duckdb__json_key_count(text) -%} len(json_keys({{ text }})) {%- endmacro %}

{% macro postgres__json_key_count(text) -%} (select count(*) from json_object_keys(cast({{ text }} as json))) {%- endmacro %}

{% macro spark__json_key_count(text) -%} size(json_object_keys({{ text }})) {%- endmacro %}

{% macro json_key_list(text, separator) -%} {{ adapter.dispatch("json_key_list", "tessera")(text, separator) }} {%- endmacro %}

{% macro duckdb__json_key_list(text, separator) -%} array_to_string(json_keys({{ text }}), {{ separator }}) {%- endmacro %}

{% macro postgres__json_key_list(text, separator) -%}
    (select string_agg(keys.name, {{ separator }}) from json_object_keys(cast({{ text }} as json)) as keys (name))
{%- endmacro %}

{% macro spark__json_key_list(text, separator) -%} array_join(json_object_keys({{ text }}), {{ separator }}) {%- endmacro %}
