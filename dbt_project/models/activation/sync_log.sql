{{ config(materialized="view") }}
-- A view of the ledger that the sync engine appends to, so that it is right the moment a sync ends.
select
    sync_id,
    sync_run_id,
    record_key,
    op_type,
    payload,
    payload_hash,
    consent_basis,
    status,
    failure_reason,
    consent_recorded_at,
    planned_at,
    attempted_at
from {{ source("ledger", "sync_outcomes") }}
where planned_at <= {{ as_of() }}
