-- The messages that lose properties because the plan says so, with what is left. Raw keeps everything.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    omissions as (
        select
            event_id,
            {{ collected_texts("case when field like 'properties.%' then property end") }}
            as properties_omitted,
            {{ collected_texts("case when field like 'traits.%' then property end") }} as traits_omitted
        from {{ ref("int_events_planned") }}
        where outcome = 'omitted'
        group by event_id
    ),

    trimmed as (
        select
            messages.event_id,
            messages.type,
            messages.user_id,
            messages.anonymous_id,
            messages.group_id,
            {% for column in added_identifier_columns() if not column.places -%}
                messages.{{ column.name }},
            {% endfor -%}
            {{ json_changed("messages.properties", "omissions.properties_omitted") }} as properties,
            {{ json_changed("messages.traits", "omissions.traits_omitted") }} as traits,
            messages.context
        from messages
        inner join omissions on messages.event_id = omissions.event_id
    )

-- What is omitted identifies nobody: identifiers are looked for once more in what is left.
select
    event_id,
    {{ contact_found("email") }} as email,
    {{ contact_found("phone") }} as phone,
    {% for column in added_identifier_columns() -%}
        {{ identifier_found(column) if column.places else column.name }} as {{ column.name }},
    {% endfor -%}
    properties,
    traits
from trimmed
