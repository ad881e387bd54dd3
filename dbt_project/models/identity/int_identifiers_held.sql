{{ config(materialized="view") }}
-- Every identifier with the group that holds it; null where it is shared.
select
    observed.identifier_id,
    observed.node,
    resolved.profile_id,
    observed.identifier_type,
    observed.identifier_value,
    observed.first_event_id,
    observed.priority,
    observed.event_count,
    observed.run_number,
    resolved.component,
    observed.first_seen_at,
    observed.last_seen_at,
    observed.first_received_at
from {{ ref("int_identifiers_observed") }} as observed
inner join {{ ref("int_identifiers_resolved") }} as resolved on observed.node = resolved.node
