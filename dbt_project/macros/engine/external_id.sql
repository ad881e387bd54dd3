{# The id of one type among context.externalIds, an array of {"id", "type", …}; null where it is absent or not such an array.
   Differs by engine: how an array in JSON is searched. #}
{% macro external_id(column, type) -%} {{ adapter.dispatch("external_id", "tessera")(column, type) }} {%- endmacro %}

{% macro duckdb__external_id(column, type) -%}
    list_extract(
        list_filter(
            case
                when json_type({{ column }}, '$.externalIds') = 'ARRAY'
                    then from_json(json_extract({{ column }}, '$.externalIds'), '[{"type": "VARCHAR", "id": "VARCHAR"}]')
            end,
            lambda item: item.type = '{{ type }}'
        ),
        1
    ).id
{%- endmacro %}

{% macro postgres__external_id(column, type) -%}
    (jsonb_path_query_first(cast({{ column }} as jsonb), 'strict $.externalIds[*] ? (@.type == "{{ type }}")', '{}', true) ->> 'id')
{%- endmacro %}

{# from_json would read an object as a list of one. #}
{% macro spark__external_id(column, type) -%}
    filter(
        case
            when get_json_object({{ column }}, '$.externalIds') like '[%'
                then from_json(get_json_object({{ column }}, '$.externalIds'), 'array<struct<type: string, id: string>>')
        end,
        item -> item.type = '{{ type }}'
    )[0].id
{%- endmacro %}

{% macro snowflake__external_id(column, type) -%}
    cast(
        get(
            get(
                filter(
                    as_array(get(parse_json({{ column }}), 'externalIds')),
                    item -> cast(get(item, 'type') as {{ dbt.type_string() }}) = '{{ type }}'
                ),
                0
            ),
            'id'
        ) as {{ dbt.type_string() }}
    )
{%- endmacro %}

{% macro bigquery__external_id(column, type) -%}
    (
        select json_value(item, '$.id')
        from unnest(json_query_array({{ column }}, '$.externalIds')) as item with offset as place
        where json_value(item, '$.type') = '{{ type }}'
        order by place
        limit 1
    )
{%- endmacro %}
