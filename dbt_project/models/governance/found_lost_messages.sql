-- Messages = accepted + quarantined, each once, and stripped only where a violation says so: counted against
-- what was delivered, so that no model in between is believed.
with
    calls as (
        select message_id, received_at, sent_at, timestamp
        from {{ source("raw", "events") }}
        {% if config_inputs().segment_tables -%}
            union all
            select message_id, received_at, sent_at, timestamp
            from {{ ref("stg_segment_tables__events") }}
        {%- endif %}
    ),

    delivered as (
        select
            message_id as event_id,
            coalesce(
                {{ parse_timestamp("received_at") }},
                {{ parse_timestamp("sent_at") }},
                {{ parse_timestamp("timestamp") }}
            ) as received_at
        from calls
    ),

    messages as (
        select distinct event_id from delivered where received_at is null or received_at <= {{ as_of() }}
    ),

    placed as (
        select event_id, 1 as is_accepted
        from {{ ref("events") }}
        union all
        select event_id, 0 as is_accepted
        from {{ ref("events_quarantine") }}
    ),

    counted as (
        select event_id, sum(is_accepted) as accepted_count, sum(1 - is_accepted) as quarantined_count
        from placed
        group by event_id
    ),

    declared as (select distinct event_id from {{ ref("event_violations") }} where outcome = 'omitted'),

    misplaced as (
        select
            coalesce(messages.event_id, counted.event_id) as event_id,
            case
                when counted.event_id is null
                then 'lost'
                when messages.event_id is null
                then 'never delivered'
                else 'counted twice'
            end as problem,
            coalesce(counted.accepted_count, 0) as accepted_count,
            coalesce(counted.quarantined_count, 0) as quarantined_count
        from messages
        full outer join counted on messages.event_id = counted.event_id
        where
            messages.event_id is null
            or coalesce(counted.accepted_count, 0) + coalesce(counted.quarantined_count, 0) <> 1
    ),

    mistrimmed as (
        select
            coalesce(trimmed.event_id, declared.event_id) as event_id,
            case
                when declared.event_id is null then 'stripped without a violation' else 'not stripped'
            end as problem,
            cast(null as bigint) as accepted_count,
            cast(null as bigint) as quarantined_count
        from {{ ref("int_events_trimmed") }} as trimmed
        full outer join declared on trimmed.event_id = declared.event_id
        where trimmed.event_id is null or declared.event_id is null
    ),

    findings as (
        select event_id, problem, accepted_count, quarantined_count
        from misplaced
        union all
        select event_id, problem, accepted_count, quarantined_count
        from mistrimmed
    )

select
    event_id,
    problem,
    cast(accepted_count as bigint) as accepted_count,
    cast(quarantined_count as bigint) as quarantined_count
from findings
