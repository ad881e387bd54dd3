{# The value at a path of a JSON text, as text; null where it is absent or JSON null. `path` is a list of keys.
   Differs by engine: every engine has its own JSON path language. #}
{% macro json_text(column, path) -%} {{ adapter.dispatch("json_text", "tessera")(column, path) }} {%- endmacro %}

{% macro default__json_text(column, path) -%}
    json_extract_string({{ column }}, '${% for key in path %}."{{ key }}"{% endfor %}')
{%- endmacro %}

{% macro postgres__json_text(column, path) -%} (cast({{ column }} as json) #>> array['{{ path | join("', '") }}']) {%- endmacro %}

{% macro spark__json_text(column, path) -%}
    get_json_object({{ column }}, '$.{{ path | join(".") }}')
{%- endmacro %}

{# The same for a key that is a column's value, below the keys of `path`. #}
{% macro json_text_of(column, path, key) -%}
    {{ adapter.dispatch("json_text_of", "tessera")(column, path, key) }}
{%- endmacro %}

{% macro default__json_text_of(column, path, key) -%}
    json_extract_string({{ column }}, '${% for step in path %}."{{ step }}"{% endfor %}."' || {{ key }} || '"')
{%- endmacro %}

{% macro postgres__json_text_of(column, path, key) -%}
    (cast({{ column }} as json) #>> array[{% for step in path %}'{{ step }}', {% endfor %}{{ key }}])
{%- endmacro %}

{% macro spark__json_text_of(column, path, key) -%}
    get_json_object({{ column }}, concat("$.{{ path | join('.') }}['", {{ key }}, "']"))
{%- endmacro %}
