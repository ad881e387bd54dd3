-- An impossible time is reported, not held: the event keeps its place with the time it was received at.
with
    rules_broken as (select * from {{ ref("int_events_validated") }}),

    impossible_times as (
        select
            event_id,
            event,
            event_version,
            'Impossible Time' as violation_type,
            'timestamp' as field,
            time_problem || ': the time of receipt is used' as detail
        from {{ ref("stg_segment__events") }}
        where time_problem is not null
    )

select event_id, event, event_version, violation_type, field, detail
from rules_broken
union all
select event_id, event, event_version, violation_type, field, detail
from impossible_times
