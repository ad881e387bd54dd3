{# As json_text, for a key that is a column's value, below the keys of `path`.
   Differs by engine: every engine has its own JSON path language. #}
{% macro json_text_of(column, path, key) -%}
    {{ adapter.dispatch("json_text_of", "tessera")(column, path, key) }}
{%- endmacro %}

{% macro duckdb__json_text_of(column, path, key) -%}
    {%- set keys %}{% for step in path %}."{{ step | replace('"', '\\"') }}"{% endfor %}."{% endset -%}
    json_extract_string({{ column }}, {{ text_literal("$" ~ keys) }} || replace({{ key }}, '"', '\"') || '"')
{%- endmacro %}

{% macro postgres__json_text_of(column, path, key) -%}
    (cast({{ column }} as json) #>> array[{% for step in path %}{{ text_literal(step) }}, {% endfor %}{{ key }}])
{%- endmacro %}

{% macro spark__json_text_of(column, path, key) -%}
    element_at(from_json({{ json_text(column, path) if path else column }}, 'map<string, string>'), {{ key }})
{%- endmacro %}

{% macro snowflake__json_text_of(column, path, key) -%}
    cast(get(get_path(parse_json({{ column }}), '"{{ path | join('"."') }}"'), {{ key }}) as {{ dbt.type_string() }})
{%- endmacro %}

{# A path must be a literal on BigQuery; a subscript of a JSON value need not be. #}
{% macro bigquery__json_text_of(column, path, key) -%}
    {%- set value -%}
        json_query(parse_json({{ column }}, wide_number_mode => 'round'), '${% for step in path %}."{{ step }}"{% endfor %}')[{{ key }}]
    {%- endset -%}
    coalesce(json_value({{ value }}), nullif(to_json_string({{ value }}), 'null'))
{%- endmacro %}
