-- The consent object of an event speaks for every known purpose: one it does not name is denied
-- (Segment's rule). The latest word holds; two different words at the same moment are a conflict, which
-- counts as no consent everywhere downstream.
with
    purposes as (select purpose from {{ ref("consent_purposes") }}),

    profiles as (
        select distinct profile_id from {{ ref("profile_identifiers") }} where profile_id is not null
    ),

    statements as (
        select events.event_id, resolved.profile_id, events.context, events.occurred_at
        from {{ ref("events") }} as events
        inner join {{ ref("int_events_resolved") }} as resolved on events.event_id = resolved.event_id
        where
            resolved.profile_id is not null
            and {{ json_text("events.context", ["consent", "categoryPreferences"]) }} is not null
    ),

    -- Only the latest statements matter: each speaks for every purpose.
    latest as (select profile_id, max(occurred_at) as occurred_at from statements group by profile_id),

    records as (
        select
            statements.event_id,
            statements.profile_id,
            purposes.purpose,
            coalesce(
                {{ json_text_of("statements.context", ["consent", "categoryPreferences"], "purposes.purpose") }},
                'false'
            )
            = 'true' as is_granted,
            statements.occurred_at
        from statements
        inner join
            latest
            on statements.profile_id = latest.profile_id
            and statements.occurred_at = latest.occurred_at
        cross join purposes
    ),

    states as (
        select
            records.profile_id,
            records.purpose,
            case
                when count(distinct records.is_granted) > 1
                then 'conflict'
                when max(case when records.is_granted then 1 else 0 end) = 1
                then 'granted'
                else 'denied'
            end as state,
            min(records.event_id) as event_id,
            max(records.occurred_at) as recorded_at
        from records
        group by records.profile_id, records.purpose
    )

select
    profiles.profile_id,
    purposes.purpose,
    coalesce(states.state, 'unknown') as state,
    states.event_id,
    states.recorded_at
from profiles
cross join purposes
left join states on profiles.profile_id = states.profile_id and purposes.purpose = states.purpose
