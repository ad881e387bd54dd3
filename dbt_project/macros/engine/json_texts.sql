{# The values at several paths of a JSON text, as an array of texts counted from 1, parsed once: a string without its quotes, anything else
   as JSON. As json_kinds, whose paths it takes. Differs by engine: JSON functions. #}
{% macro json_texts(column, paths) -%}
    {%- if paths %} {{ adapter.dispatch("json_texts", "tessera")(column, paths) }} {%- else %} {{ text_array([]) }} {%- endif -%}
{%- endmacro %}

{% macro duckdb__json_texts(column, paths) -%}
    json_extract_string({{ column }}, [{% for path in paths %}{{ ", " if not loop.first }}{{ duckdb__json_pointer(path) }}{% endfor %}])
{%- endmacro %}

{% macro postgres__json_texts(column, paths) -%}
    array[{% for path in paths %}{{ ", " if not loop.first }}({{ postgres__json_at(column, path) }} #>> '{}'){% endfor %}]
{%- endmacro %}

{% macro spark__json_texts(column, paths) -%}
    array(cast(null as string){% for path in paths %},
        case
            when schema_of_variant({{ spark__json_at(column, path) }}) = 'STRING'
                then cast({{ spark__json_at(column, path) }} as string)
            else to_json({{ spark__json_at(column, path) }})
        end{% endfor %})
{%- endmacro %}

{% macro snowflake__json_texts(column, paths) -%}
    array_construct(null{% for path in paths %}, cast({{ snowflake__json_at(column, path) }} as {{ dbt.type_string() }}){% endfor %})
{%- endmacro %}

{% macro bigquery__json_texts(column, paths) -%}
    [cast(null as string){% for path in paths %},
        coalesce(json_value({{ bigquery__json_at(column, path) }}), nullif(to_json_string({{ bigquery__json_at(column, path) }}), 'null'))
    {%- endfor %}]
{%- endmacro %}
