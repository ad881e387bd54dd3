{{ config(materialized="increment", meta={"key": ["event_id"]}) }}
-- What the computed traits ask of events (config/traits.yml), read out of the JSON once and kept narrow: one
-- column a property, filled for the events whose traits ask for it. What an event says never changes, whose
-- it is may: `run_number` is the run that added the row or changed its profile (0: a whole one).
{% set properties = event_properties() %}
{% set objects = event_objects() %}
{%- set is_increment = is_increment("int_events_resolved", counted="int_runs_compared", also=["int_events_accepted", "int_files_counted"]) %}
with
    {% if is_increment -%}
        runs as (select max(run_number) as run_number from {{ ref("int_files_counted") }}),

        changed as (
            select resolved.event_id, resolved.profile_id, resolved.run_number
            from {{ ref("int_events_resolved") }} as resolved
            inner join runs on resolved.run_number = runs.run_number
        ),

        events as (
            select accepted.*, changed.profile_id, changed.run_number
            from {{ ref("int_events_accepted") }} as accepted
            inner join changed on accepted.event_id = changed.event_id
            where
                accepted.file_id in (select file_id from {{ ref("int_files_counted") }} where is_new)
                and {{ is_trait_event("accepted.event") }}
        ),
    {%- else -%}
        events as (
            select *, cast(0 as bigint) as run_number
            from {{ ref("profile_events") }}
            where {{ is_trait_event("event") }}
        ),
    {%- endif %}

    opened as (
        select
            event_id,
            profile_id,
            group_id,
            event,
            {% for object, paths in objects.items() -%}
                {{ json_opened(object, paths) }} as opened_{{ object }},
            {% endfor -%}
            run_number,
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
    case when profile_id is not null then {{ holder_key("profile_id") }} end as profile_key,
    run_number,
    occurred_at
from opened
{%- if is_increment %}
    union all
    select
        known.event_id,
        changed.profile_id,
        known.account_id,
        known.event,
        {% for property in properties.values() -%} known.{{ property.alias }}, {% endfor -%}
        case
            when changed.profile_id is not null then {{ holder_key("changed.profile_id") }}
        end as profile_key,
        changed.run_number,
        known.occurred_at
    from {{ this }} as known
    inner join changed on known.event_id = changed.event_id
{%- endif %}
