{# The id of one type among context.externalIds, an array of {"id", "type", "collection", …}; null where it is absent or not such an
   array. Ids of the collection `accounts` name companies, not people.
   Differs by engine: how an array in JSON is searched. #}
{% macro external_id(column, type) -%} {{ adapter.dispatch("external_id", "tessera")(column, type) }} {%- endmacro %}

{% macro duckdb__external_id(column, type) -%}
    list_extract(
        list_filter(
            case
                when json_type({{ column }}, '$.externalIds') = 'ARRAY'
                    then from_json(json_extract({{ column }}, '$.externalIds'), '[{"type": "VARCHAR", "id": "VARCHAR", "collection": "VARCHAR"}]')
            end,
            lambda item: item.type = '{{ type }}' and coalesce(item.collection, '') <> 'accounts'
        ),
        1
    ).id
{%- endmacro %}

{% macro postgres__external_id(column, type) -%}
    (
        jsonb_path_query_first(
            cast({{ column }} as jsonb),
            'strict $.externalIds[*] ? (@.type == "{{ type }}" && ((@.collection == "accounts") is unknown || @.collection != "accounts"))',
            '{}',
            true
        ) ->> 'id'
    )
{%- endmacro %}

{# from_json would read an object as a list of one. #}
{% macro spark__external_id(column, type) -%}
    filter(
        case
            when get_json_object({{ column }}, '$.externalIds') like '[%'
                then from_json(get_json_object({{ column }}, '$.externalIds'), 'array<struct<type: string, id: string, collection: string>>')
        end,
        item -> item.type = '{{ type }}' and coalesce(item.collection, '') <> 'accounts'
    )[0].id
{%- endmacro %}

{% macro snowflake__external_id(column, type) -%}
    cast(
        get(
            get(
                filter(
                    as_array(get(parse_json({{ column }}), 'externalIds')),
                    item -> cast(get(item, 'type') as {{ dbt.type_string() }}) = '{{ type }}'
                        and coalesce(cast(get(item, 'collection') as {{ dbt.type_string() }}), '') <> 'accounts'
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
        where json_value(item, '$.type') = '{{ type }}' and coalesce(json_value(item, '$.collection'), '') <> 'accounts'
        order by place
        limit 1
    )
{%- endmacro %}
