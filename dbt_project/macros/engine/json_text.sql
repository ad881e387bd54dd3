{# The value at a path of a JSON text, as text; null where it is absent or JSON null. `path` is a list of keys.
   Differs by engine: every engine has its own JSON path language. #}
{% macro json_text(column, path) -%} {{ adapter.dispatch("json_text", "tessera")(column, path) }} {%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '${% for key in path %}."{{ key }}"{% endfor %}')
{%- endmacro %}

{% macro postgres__json_text(column, path) -%} (cast({{ column }} as json) #>> array['{{ path | join("', '") }}']) {%- endmacro %}

{% macro spark__json_text(column, path) -%}
    get_json_object({{ column }}, '$.{{ path | join(".") }}')
{%- endmacro %}

{% macro snowflake__json_text(column, path) -%}
    json_extract_path_text({{ column }}, '"{{ path | join('"."') }}"')
{%- endmacro %}

{# json_value is null where the value is an object or an array. #}
{% macro bigquery__json_text(column, path) -%}
    {%- set steps -%} '${% for key in path %}."{{ key }}"{% endfor %}' {%- endset -%}
    coalesce(json_value({{ column }}, {{ steps }}), json_query({{ column }}, {{ steps }}))
{%- endmacro %}
