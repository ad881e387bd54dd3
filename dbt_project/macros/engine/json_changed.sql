{# A JSON object (text) without some keys and then with others. `removed` is an SQL array of keys; `added` a list of [key, SQL of its value as
   JSON text], a null value adding nothing. Values keep the text they were delivered with, save that all but DuckDB write them anew.
   Differs by engine: JSON functions. #}
{% macro json_changed(column, removed, added=[]) -%} {{ adapter.dispatch("json_changed", "tessera")(column, removed, added) }} {%- endmacro %}

{% macro duckdb__json_changed(column, removed, added) -%}
    case when {{ column }} is not null then '{' || array_to_string(
        list_concat(
            list_transform(
                list_filter(json_keys({{ column }}), lambda key: not list_contains({{ removed }}, key)),
                lambda key: cast(to_json(key) as varchar) || ':' || cast(json_extract({{ column }}, '/' || replace(replace(key, '~', '~0'), '/', '~1')) as varchar)
            ),
            list_filter(
                cast([{% for key, value in added %}{{ ", " if not loop.first }}{{ text_literal(tojson(key) ~ ":") }} || {{ value }}{% endfor %}] as varchar[]),
                lambda member: member is not null
            )
        ),
        ','
    ) || '}' end
{%- endmacro %}

{% macro postgres__json_changed(column, removed, added) -%}
    cast(
        (cast({{ column }} as jsonb) - {{ removed }})
        {%- for key, value in added %}
            || case when {{ value }} is null then jsonb_build_object() else jsonb_build_object({{ text_literal(key) }}, cast({{ value }} as jsonb)) end
        {%- endfor %} as text
    )
{%- endmacro %}

{% macro spark__json_changed(column, removed, added) -%}
    to_json(map_concat(
        map_filter(cast(parse_json({{ column }}) as map<string, variant>), (key, value) -> not array_contains({{ removed }}, key))
        {%- for key, value in added %},
            case when {{ value }} is null then cast(map() as map<string, variant>) else map({{ text_literal(key) }}, parse_json({{ value }})) end
        {%- endfor %}
    ))
{%- endmacro %}

{% macro snowflake__json_changed(column, removed, added) -%}
    to_json(
        {%- for _ in added %}object_insert({% endfor -%}
        object_pick(
            as_object({{ snowflake__json_at(column, []) }}),
            array_except(object_keys(as_object({{ snowflake__json_at(column, []) }})), {{ removed }})
        )
        {#- A value that is null is not inserted. -#}
        {%- for key, value in added %}, {{ text_literal(key) }}, parse_json({{ value }}), true){% endfor -%}
    )
{%- endmacro %}

{% macro bigquery__json_changed(column, removed, added) -%}
    case when {{ column }} is not null then '{' || array_to_string(
        array_concat(
            array(
                select to_json_string(name) || ':' || to_json_string({{ bigquery__json_at(column, []) }}[name])
                from unnest({{ bigquery__json_keys(column) }}) as name
                where name not in unnest({{ removed }})
            ),
            array(
                select member
                from unnest(array<string>[{% for key, value in added %}{{ ", " if not loop.first }}{{ text_literal(tojson(key) ~ ":") }} || {{ value }}{% endfor %}]) as member
                where member is not null
            )
        ),
        ','
    ) || '}' end
{%- endmacro %}

{# The value of a key of a JSON object, as JSON text; null where the key is absent. #}
{% macro json_member(column, key) -%} {{ adapter.dispatch("json_member", "tessera")(column, key) }} {%- endmacro %}

{% macro duckdb__json_member(column, key) -%} cast(json_extract({{ column }}, {{ duckdb__json_pointer([key]) }}) as varchar) {%- endmacro %}

{% macro postgres__json_member(column, key) -%} cast({{ postgres__json_at(column, [key]) }} as text) {%- endmacro %}

{% macro spark__json_member(column, key) -%} to_json({{ spark__json_at(column, [key]) }}) {%- endmacro %}

{% macro snowflake__json_member(column, key) -%} to_json({{ snowflake__json_at(column, [key]) }}) {%- endmacro %}

{% macro bigquery__json_member(column, key) -%}
    case when {{ bigquery__json_at(column, [key]) }} is not null then to_json_string({{ bigquery__json_at(column, [key]) }}) end
{%- endmacro %}
