-- What to tell the people who send the events: how much, since when, whom it touches.
with
    messages as (
        select event_id, event, source_id, coalesce(user_id, anonymous_id) as person
        from {{ ref("stg_segment__events") }}
    ),

    violations as (select * from {{ ref("event_violations") }}),

    volumes as (select event, source_id, count(*) as message_count from messages group by event, source_id),

    summed as (
        select
            violations.event,
            violations.event_version,
            violations.source_id,
            violations.violation_type,
            violations.field,
            violations.outcome,
            min(violations.event_id) as sample_event_id,
            count(*) as violation_count,
            count(distinct messages.person) as person_count,
            min(violations.occurred_at) as first_seen_at,
            max(violations.occurred_at) as last_seen_at
        from violations
        inner join messages on violations.event_id = messages.event_id
        group by
            violations.event,
            violations.event_version,
            violations.source_id,
            violations.violation_type,
            violations.field,
            violations.outcome
    )

select
    summed.event,
    summed.event_version,
    summed.source_id,
    summed.violation_type,
    summed.field,
    summed.outcome,
    summed.sample_event_id,
    summed.violation_count,
    volumes.message_count,
    summed.person_count,
    cast(summed.violation_count as {{ type_double() }}) / volumes.message_count as share_of_messages,
    summed.first_seen_at,
    summed.last_seen_at
from summed
inner join
    volumes
    on summed.source_id = volumes.source_id
    and coalesce(summed.event, '') = coalesce(volumes.event, '')
    and (summed.event is null) = (volumes.event is null)
