{# A JSON object (text) without some keys and then with others. `removed` is an SQL array of keys; `added` a list of [key, SQL of its value as
   JSON text], a null value adding nothing. Values keep the text they were delivered with, save that PostgreSQL and Spark write them anew.
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

{# The value of a key of a JSON object, as JSON text; null where the key is absent. #}
{% macro json_member(column, key) -%} {{ adapter.dispatch("json_member", "tessera")(column, key) }} {%- endmacro %}

{% macro duckdb__json_member(column, key) -%} cast(json_extract({{ column }}, {{ duckdb__json_pointer([key]) }}) as varchar) {%- endmacro %}

{% macro postgres__json_member(column, key) -%} cast({{ postgres__json_at(column, [key]) }} as text) {%- endmacro %}

{% macro spark__json_member(column, key) -%} to_json({{ spark__json_at(column, [key]) }}) {%- endmacro %}
