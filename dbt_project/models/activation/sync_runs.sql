{{ config(materialized="view") }}
-- A view of the ledger that the sync engine appends to, so that it is right the moment a sync ends.
select
    sync_run_id,
    sync_id,
    destination,
    file,
    status,
    num_planned_add,
    num_planned_change,
    num_planned_remove,
    num_succeeded_add,
    num_succeeded_change,
    num_succeeded_remove,
    num_held,
    planned_at
from {{ source("ledger", "sync_runs") }}
where planned_at <= {{ as_of() }}
