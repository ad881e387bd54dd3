-- Identifiers that belong to nobody because too many stronger ones were seen with them.
with
    shared as (
        select node_b as node, count(*) as stronger_count
        from {{ ref("int_identifiers_linked") }}
        where is_shared_b and priority_a < priority_b
        group by node_b
    )

select
    held.identifier_id,
    held.identifier_type,
    held.identifier_value,
    shared.stronger_count,
    held.event_count,
    held.first_seen_at,
    held.last_seen_at
from shared
inner join {{ ref("int_identifiers_held") }} as held on shared.node = held.node
