{{ config(materialized="view") }}
-- A view, so that the wide JSON columns are written once (in staging) and read only by those who ask for
-- them.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    held as (select distinct event_id from {{ ref("event_violations") }} where outcome = 'quarantined'),

    trimmed as (select * from {{ ref("int_events_trimmed") }})

select
    messages.event_id,
    messages.type,
    messages.event,
    messages.event_version,
    messages.user_id,
    messages.anonymous_id,
    messages.group_id,
    {% for column in ["email", "phone"] + added_identifier_columns() | map(attribute="name") | list -%}
        case
            when trimmed.event_id is null then messages.{{ column }} else trimmed.{{ column }}
        end as {{ column }},
    {% endfor -%}
    messages.source_id,
    messages.file_id,
    messages.name,
    case when trimmed.event_id is null then messages.properties else trimmed.properties end as properties,
    case when trimmed.event_id is null then messages.traits else trimmed.traits end as traits,
    messages.context,
    messages.occurred_at,
    messages.received_at
from messages
left join held on messages.event_id = held.event_id
left join trimmed on messages.event_id = trimmed.event_id
where held.event_id is null
