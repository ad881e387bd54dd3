-- The audit of what arrives, source by source, beside what is planned. Pages, screens, identify and group
-- calls
-- are planned as a call, track calls by name.
with
    messages as (
        select
            event_id,
            type,
            event,
            source_id,
            case when type = 'track' then event end as planned_name,
            coalesce(user_id, anonymous_id) as person,
            occurred_at
        from {{ ref("stg_segment__events") }}
        where
            type in ('track', 'identify', 'page', 'screen', 'group', 'alias')
            and (type <> 'track' or event <> '')
    ),

    planned as ({{ plan_events() }}),

    -- An event is as well as its best version: live before deprecated before draft.
    statuses as (
        select
            type,
            event,
            min(owner) as owner,
            case
                min(case status when 'live' then 1 when 'deprecated' then 2 else 3 end)
                when 1
                then 'planned'
                when 2
                then 'deprecated'
                else 'draft'
            end as status
        from planned
        group by type, event
    ),

    faults as (
        select event_id, max(case when outcome = 'quarantined' then 1 else 0 end) as is_held
        from {{ ref("event_violations") }}
        group by event_id
    ),

    observed as (
        select
            messages.type,
            messages.event,
            messages.source_id,
            messages.planned_name,
            count(*) as message_count,
            count(distinct messages.person) as person_count,
            cast(sum(case when faults.event_id is null then 0 else 1 end) as bigint) as faulty_count,
            cast(sum(coalesce(faults.is_held, 0)) as bigint) as held_count,
            min(messages.occurred_at) as first_seen_at,
            max(messages.occurred_at) as last_seen_at
        from messages
        left join faults on messages.event_id = faults.event_id
        group by messages.type, messages.event, messages.source_id, messages.planned_name
    ),

    sources as (select source_id, count(*) as message_count from messages group by source_id),

    spreads as (select type, event, count(*) as source_count from observed group by type, event),

    seen as (
        select
            observed.type,
            observed.event,
            observed.source_id,
            coalesce(
                statuses.status, case when observed.type = 'track' then 'unplanned' else 'not checked' end
            ) as status,
            statuses.owner,
            observed.message_count,
            observed.person_count,
            observed.faulty_count,
            observed.held_count,
            spreads.source_count,
            cast(observed.message_count as {{ type_double() }}) / sources.message_count as share_of_source,
            cast(observed.message_count - observed.faulty_count as {{ type_double() }})
            / observed.message_count as share_without_fault,
            observed.type = 'track' and {{ plan_breaks_naming("observed.event") }} as has_unconventional_name,
            observed.first_seen_at,
            observed.last_seen_at
        from observed
        inner join sources on observed.source_id = sources.source_id
        inner join
            spreads
            on observed.type = spreads.type
            and coalesce(observed.event, '') = coalesce(spreads.event, '')
        left join
            statuses
            on observed.type = statuses.type
            and coalesce(observed.planned_name, '') = coalesce(statuses.event, '')
    ),

    never_seen as (
        select
            statuses.type,
            statuses.event,
            cast(null as {{ dbt.type_string() }}) as source_id,
            'never seen' as status,
            statuses.owner,
            cast(0 as bigint) as message_count,
            cast(0 as bigint) as person_count,
            cast(0 as bigint) as faulty_count,
            cast(0 as bigint) as held_count,
            cast(0 as bigint) as source_count,
            cast(null as {{ type_double() }}) as share_of_source,
            cast(null as {{ type_double() }}) as share_without_fault,
            statuses.type = 'track' and {{ plan_breaks_naming("statuses.event") }} as has_unconventional_name,
            cast(null as {{ dbt.type_timestamp() }}) as first_seen_at,
            cast(null as {{ dbt.type_timestamp() }}) as last_seen_at
        from statuses
        left join
            observed
            on statuses.type = observed.type
            and coalesce(statuses.event, '') = coalesce(observed.planned_name, '')
        where observed.type is null and statuses.status <> 'draft'
    )

select *
from seen
union all
select *
from never_seen
