{# What lies at each of several paths of a JSON text: an array of kinds, counted from 1, parsed once. A path is a list of keys, [] the
   whole. A kind is NULL, BOOLEAN, VARCHAR, ARRAY, OBJECT, or for numbers BIGINT, UBIGINT or DOUBLE; SQL null where nothing lies there.
   Differs by engine: JSON functions and their names of types. Spark counts from 0, so its array begins with a null. #}
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
