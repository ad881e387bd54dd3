{# As json_text, for a key that is a column's value, below the keys of `path`.
   Differs by engine: every engine has its own JSON path language. #}
{% macro json_text_of(column, path, key) -%}
    {{ adapter.dispatch("json_text_of", "tessera")(column, path, key) }}
{%- endmacro %}

{% macro duckdb__json_text_of(column, path, key) -%}
    json_extract_string({{ column }}, '${% for step in path %}."{{ step }}"{% endfor %}."' || {{ key }} || '"')
{%- endmacro %}

{% macro postgres__json_text_of(column, path, key) -%}
    (cast({{ column }} as json) #>> array[{% for step in path %}'{{ step }}', {% endfor %}{{ key }}])
{%- endmacro %}

{% macro spark__json_text_of(column, path, key) -%}
    get_json_object({{ column }}, concat("$.{{ path | join('.') }}['", {{ key }}, "']"))
{%- endmacro %}
