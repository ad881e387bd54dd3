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
            {{ json_changed("messages.properties", "omissions.properties_omitted") }} as properties,
            {{ json_changed("messages.traits", "omissions.traits_omitted") }} as traits,
            messages.context
        from messages
        inner join omissions on messages.event_id = omissions.event_id
    )

select
    event_id,
    coalesce(
        nullif({{ json_text("traits", ["email"]) }}, ''),
        nullif({{ json_text("context", ["traits", "email"]) }}, '')
    ) as email,
    coalesce(
        nullif({{ json_text("traits", ["phone"]) }}, ''),
        nullif({{ json_text("context", ["traits", "phone"]) }}, '')
    ) as phone,
    properties,
    traits
from trimmed
