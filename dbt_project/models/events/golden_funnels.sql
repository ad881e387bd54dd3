-- Whether the events arrive that each golden funnel is made of: a funnel with a silent step cannot be
-- measured.
with
    steps as ({{ plan_funnels() }}),

    people as (
        select event, source_id, coalesce(user_id, anonymous_id) as person, occurred_at
        from {{ ref("events") }}
        where event in (select event from steps)
    ),

    observed as (
        select
            event,
            count(*) as event_count,
            count(distinct person) as person_count,
            count(distinct source_id) as source_count,
            max(occurred_at) as last_seen_at
        from people
        group by event
    ),

    measured as (
        select
            steps.funnel,
            steps.step_number,
            steps.event,
            coalesce(observed.event_count, 0) as event_count,
            coalesce(observed.person_count, 0) as person_count,
            coalesce(observed.source_count, 0) as source_count,
            observed.last_seen_at
        from steps
        left join observed on steps.event = observed.event
    ),

    completeness as (
        select
            funnel,
            cast(sum(case when event_count > 0 then 1 else 0 end) as {{ type_double() }})
            / count(*) as share_of_steps_seen
        from measured
        group by funnel
    )

select
    measured.funnel,
    measured.step_number,
    measured.event,
    measured.event_count,
    measured.person_count,
    measured.source_count,
    completeness.share_of_steps_seen,
    measured.event_count > 0 as is_seen,
    measured.last_seen_at
from measured
inner join completeness on measured.funnel = completeness.funnel
