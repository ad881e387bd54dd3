{# The value at a path of a JSON text, as text; null where it is absent or JSON null. `path` is a list of keys. The text is JSON as it is
   loaded: without blanks, each key once.
   Differs by engine: every engine has its own JSON path language. #}
{% macro json_text(column, path) -%} {{ adapter.dispatch("json_text", "tessera")(column, path) }} {%- endmacro %}

{% macro duckdb__json_text(column, path) -%} json_extract_string({{ column }}, {{ duckdb__json_path(path) }}) {%- endmacro %}

{% macro duckdb__json_path(path) -%}
    {%- set keys %}{% for key in path %}."{{ key | replace('"', '\\"') }}"{% endfor %}{% endset -%}
    {{ text_literal("$" ~ keys) }}
{%- endmacro %}

{% macro postgres__json_text(column, path) -%}
    (cast({{ column }} as json) #>> array[{% for key in path %}{{ text_literal(key) }}{{ ", " if not loop.last }}{% endfor %}])
{%- endmacro %}

{# Spark's bracketed keys know no apostrophe and no question mark, its dotted keys no dot and no bracket. It writes numbers below 0.001 and
   from ten million on, if they have decimals, with an exponent (1.0E-5), which parse_decimal reads alike. #}
{% macro spark__json_text(column, path) -%}
    {%- set keys %}{% for key in path %}{{ "." ~ key if "'" in key or "?" in key else "['" ~ key ~ "']" }}{% endfor %}{% endset -%}
    get_json_object({{ column }}, {{ text_literal("$" ~ keys) }})
{%- endmacro %}

{% macro snowflake__json_text(column, path) -%}
    json_extract_path_text({{ column }}, '"{{ path | join('"."') }}"')
{%- endmacro %}

{# json_value is null where the value is an object or an array. #}
{% macro bigquery__json_text(column, path) -%}
    {%- set steps -%} '${% for key in path %}."{{ key }}"{% endfor %}' {%- endset -%}
    coalesce(json_value({{ column }}, {{ steps }}), json_query({{ column }}, {{ steps }}))
{%- endmacro %}
