-- What the computed traits ask of events (config/traits.yml), read out of the JSON once and kept narrow: one
-- column a property, filled for the events whose traits ask for it.
{% set properties = event_properties() %}
{% set objects = event_objects() %}
with
    events as (
        select *
        from {{ ref("profile_events") }}
        where (profile_id is not null or group_id is not null) and {{ is_trait_event("event") }}
    ),

    opened as (
        select
            event_id,
            profile_id,
            group_id,
            event,
            {% for object, paths in objects.items() -%}
                {{ json_opened(object, paths) }} as opened_{{ object }},
            {% endfor -%}
            occurred_at
        from events
    )

select
    event_id,
    profile_id,
    group_id as account_id,
    event,
    {% for property in properties.values() -%}
        {{ event_property(property, objects) }} as {{ property.alias }},
    {% endfor -%}
    occurred_at
from opened
