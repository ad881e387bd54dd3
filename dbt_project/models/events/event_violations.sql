-- The product's own rules hold a message back, the plan's do what it says. An impossible time is reported,
-- not held: the event keeps its place with the time it was received at.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    impossible_times as (
        select
            event_id,
            'Impossible Time' as violation_type,
            'timestamp' as field,
            time_problem || ': the time of receipt is used' as detail,
            'allowed' as outcome
        from messages
        where time_problem is not null
    ),

    broken as (
        select event_id, violation_type, field, detail, 'quarantined' as outcome
        from {{ ref("int_events_validated") }}
        union all
        select event_id, violation_type, field, detail, outcome
        from {{ ref("int_events_planned") }}
        union all
        select event_id, violation_type, field, detail, outcome
        from impossible_times
    ),

    -- One rule may be the product's and the plan's; the stricter outcome comes later in the alphabet.
    violations as (
        select event_id, violation_type, field, min(detail) as detail, max(outcome) as outcome
        from broken
        group by event_id, violation_type, field
    )

select
    violations.event_id,
    messages.event,
    messages.event_version,
    messages.source_id,
    violations.violation_type,
    violations.field,
    violations.detail,
    violations.outcome,
    messages.occurred_at,
    messages.received_at
from violations
inner join messages on violations.event_id = messages.event_id
