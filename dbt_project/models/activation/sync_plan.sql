-- The difference between what a destination should hold and what the ledger says it holds. Additions and
-- changes are measured against outcomes of earlier as-of times, so the plan of a run that is repeated is
-- the same plan; what was already acknowledged is skipped when it is sent. Removals also count what was
-- added at this as-of time: nothing stays behind that should not.
with
    desired as (select * from {{ ref("int_records_desired") }}),

    outcomes as (
        select *
        from {{ source("ledger", "sync_outcomes") }}
        where status = 'succeeded' and planned_at <= {{ as_of() }}
    ),

    held_before as (
        select
            sync_id,
            record_key,
            {{ last_by("op_type", ["run_number"]) }} as op_type,
            {{ last_by("payload_hash", ["run_number"]) }} as payload_hash
        from outcomes
        where planned_at < {{ as_of() }}
        group by sync_id, record_key
    ),

    held_now as (
        select
            sync_id,
            record_key,
            {{ last_by("op_type", ["run_number"]) }} as op_type,
            {{ last_by("payload", ["run_number"]) }} as payload,
            {{ last_by("payload_hash", ["run_number"]) }} as payload_hash
        from outcomes
        where planned_at < {{ as_of() }} or op_type <> 'removed'
        group by sync_id, record_key
    ),

    additions as (
        select
            desired.sync_id,
            desired.record_key,
            case
                when coalesce(held_before.op_type, 'removed') = 'removed' then 'added' else 'changed'
            end as op_type,
            case when desired.hold_reason is null then desired.payload end as payload,
            case when desired.hold_reason is null then desired.payload_hash end as payload_hash,
            case when desired.hold_reason is null then desired.consent_basis end as consent_basis,
            case when desired.hold_reason is null then 'planned' else 'held' end as status,
            desired.hold_reason as reason,
            case when desired.hold_reason is null then desired.consent_recorded_at end as consent_recorded_at
        from desired
        left join
            held_before
            on desired.sync_id = held_before.sync_id
            and desired.record_key = held_before.record_key
        where
            coalesce(held_before.op_type, 'removed') = 'removed'
            or (desired.hold_reason is null and desired.payload_hash <> held_before.payload_hash)
    ),

    removals as (
        select
            held_now.sync_id,
            held_now.record_key,
            'removed' as op_type,
            held_now.payload,
            held_now.payload_hash,
            cast(null as {{ dbt.type_string() }}) as consent_basis,
            'planned' as status,
            coalesce(desired.hold_reason, 'left the audience') as reason,
            cast(null as {{ dbt.type_timestamp() }}) as consent_recorded_at
        from held_now
        left join desired on held_now.sync_id = desired.sync_id and held_now.record_key = desired.record_key
        where
            held_now.op_type <> 'removed' and (desired.record_key is null or desired.hold_reason is not null)
    ),

    planned as (
        select *
        from additions
        union all
        select *
        from removals
    )

select
    sync_id,
    record_key,
    op_type,
    payload,
    payload_hash,
    consent_basis,
    status,
    reason,
    consent_recorded_at,
    {{ as_of() }} as planned_at
from planned
