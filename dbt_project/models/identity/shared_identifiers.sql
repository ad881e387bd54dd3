-- Identifiers that belong to nobody because too many stronger ones were seen with them.
select
    held.identifier_id,
    held.identifier_type,
    held.identifier_value,
    shared.stronger_count,
    held.event_count,
    held.first_seen_at,
    held.last_seen_at
from {{ ref("int_identifiers_shared") }} as shared
inner join {{ ref("int_identifiers_held") }} as held on shared.node = held.node
