-- The consent object of an event speaks for every known purpose: one it does not name is denied
-- (Segment's rule). The latest word holds; two different words at the same moment are a conflict, which
-- counts as no consent everywhere downstream. Of a held message only what it refuses counts: holding an
-- event never holds a refusal, and what nobody vouches for grants nothing.
{%- set answer = json_text_of("statements.context", ["consent", "categoryPreferences"], "purposes.purpose") %}
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

    accepted as (
        select
            statements.event_id,
            statements.profile_id,
            purposes.purpose,
            coalesce({{ answer }}, 'false') = 'true' as is_granted,
            statements.occurred_at
        from statements
        inner join
            latest
            on statements.profile_id = latest.profile_id
            and statements.occurred_at = latest.occurred_at
        cross join purposes
    ),

    held as (
        select statements.event_id, resolved.profile_id, statements.context, statements.occurred_at
        from {{ ref("stg_segment__events") }} as statements
        inner join
            {{ ref("int_held_events_resolved") }} as resolved on statements.event_id = resolved.event_id
        where {{ json_text("statements.context", ["consent", "categoryPreferences"]) }} is not null
    ),

    refused as (
        select
            statements.event_id,
            statements.profile_id,
            purposes.purpose,
            false as is_granted,
            statements.occurred_at
        from held as statements
        cross join purposes
        where coalesce({{ answer }}, 'false') <> 'true'
    ),

    records as (
        select *
        from accepted
        union all
        select *
        from refused
    ),

    -- A refusal without a readable time counts as the latest word, until it is delivered again with one.
    ranked as (
        select *, rank() over (partition by profile_id, purpose order by occurred_at desc nulls first) as age
        from records
    ),

    states as (
        select
            profile_id,
            purpose,
            case
                when count(distinct is_granted) > 1
                then 'conflict'
                when max(case when is_granted then 1 else 0 end) = 1
                then 'granted'
                else 'denied'
            end as state,
            min(event_id) as event_id,
            max(occurred_at) as recorded_at
        from ranked
        where age = 1
        group by profile_id, purpose
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
