{# What lies at each of several paths of a JSON text: an array of kinds, counted from 1, parsed once. A path is a list of keys, [] the
   whole. A kind is NULL, BOOLEAN, VARCHAR, ARRAY, OBJECT, or for numbers BIGINT, UBIGINT or DOUBLE; SQL null where nothing lies there.
   Differs by engine: JSON functions and their names of types. Spark, Snowflake and BigQuery count from 0, so their array begins
   with a null. #}
{% macro json_kinds(column, paths) -%} {{ adapter.dispatch("json_kinds", "tessera")(column, paths) }} {%- endmacro %}

{% macro duckdb__json_kinds(column, paths) -%}
    json_type({{ column }}, [{% for path in paths %}{{ ", " if not loop.first }}{{ duckdb__json_pointer(path) }}{% endfor %}])
{%- endmacro %}

{% macro duckdb__json_pointer(path) -%}
    {%- set steps = [] -%}
    {%- for key in path %}{% do steps.append("/" ~ (key | replace("~", "~0") | replace("/", "~1"))) %}{% endfor -%}
    {{ text_literal(steps | join if steps else "$") }}
{%- endmacro %}

{% macro postgres__json_kinds(column, paths) -%}
    array[{% for path in paths %}{{ ", " if not loop.first -}}
        case json_typeof({{ postgres__json_at(column, path) }})
            when 'string' then 'VARCHAR' when 'number' then 'DOUBLE' when 'null' then 'NULL'
            else upper(json_typeof({{ postgres__json_at(column, path) }}))
        end{% endfor %}]
{%- endmacro %}

{% macro postgres__json_at(column, path) -%}
    (cast({{ column }} as json) #> cast(array[{% for key in path %}{{ ", " if not loop.first }}{{ text_literal(key) }}{% endfor %}] as text[]))
{%- endmacro %}

{% macro spark__json_kinds(column, paths) -%}
    array(cast(null as string){% for path in paths %},
        case
            when schema_of_variant({{ spark__json_at(column, path) }}) = 'VOID' then 'NULL'
            when schema_of_variant({{ spark__json_at(column, path) }}) = 'STRING' then 'VARCHAR'
            when schema_of_variant({{ spark__json_at(column, path) }}) in ('BIGINT', 'BOOLEAN') then schema_of_variant({{ spark__json_at(column, path) }})
            when schema_of_variant({{ spark__json_at(column, path) }}) like 'ARRAY%' then 'ARRAY'
            when schema_of_variant({{ spark__json_at(column, path) }}) like 'OBJECT%' then 'OBJECT'
            when schema_of_variant({{ spark__json_at(column, path) }}) is not null then 'DOUBLE'
        end{% endfor %})
{%- endmacro %}

{% macro spark__json_at(column, path) -%}
    variant_get(try_parse_json({{ column }}), {{ spark__json_path(path) }}, 'variant')
{%- endmacro %}

{% macro spark__json_path(path) -%}
    {%- set steps = ["$"] -%}
    {%- for key in path %}{% do steps.append("['" ~ key ~ "']" if '"' in key else '["' ~ key ~ '"]') %}{% endfor -%}
    {{ text_literal(steps | join) }}
{%- endmacro %}

{% macro snowflake__json_kinds(column, paths) -%}
    array_construct(null{% for path in paths %},
        case typeof({{ snowflake__json_at(column, path) }})
            when 'NULL_VALUE' then 'NULL' when 'INTEGER' then 'BIGINT' when 'DECIMAL' then 'DOUBLE'
            else typeof({{ snowflake__json_at(column, path) }})
        end{% endfor %})
{%- endmacro %}

{# An item of an array is a variant, which holds the JSON as a text: hence the cast. #}
{% macro snowflake__json_at(column, path) -%}
    {%- for _ in path %}get({% endfor -%}
    try_parse_json(cast({{ column }} as {{ dbt.type_string() }}))
    {%- for key in path %}, {{ text_literal(key) }}){% endfor -%}
{%- endmacro %}

{% macro bigquery__json_kinds(column, paths) -%}
    [cast(null as string){% for path in paths %},
        case json_type({{ bigquery__json_at(column, path) }})
            when 'string' then 'VARCHAR' when 'number' then 'DOUBLE' else upper(json_type({{ bigquery__json_at(column, path) }}))
        end{% endfor %}]
{%- endmacro %}

{% macro bigquery__json_at(column, path) -%}
    safe.parse_json({{ column }}, wide_number_mode => 'round'){% for key in path %}[{{ text_literal(key) }}]{% endfor %}
{%- endmacro %}
