-- A profile is named after its first-seen identifier, so its id needs no memory: every rebuild finds the
-- same one, and an id that was ever published is some identifier's id and resolves to whoever holds that
-- identifier now.
with
    observed as (select * from {{ ref("int_identifiers_observed") }}),

    grouped as (select * from {{ ref("int_identifiers_grouped") }}),

    shared as (
        select node_a as node
        from {{ ref("int_identifiers_linked") }}
        where is_shared_a
        union all
        select node_b as node
        from {{ ref("int_identifiers_linked") }}
        where is_shared_b
    ),

    held as (
        select observed.*, coalesce(grouped.component, observed.node) as component
        from observed
        left join grouped on observed.node = grouped.node
        left join shared on observed.node = shared.node
        where shared.node is null
    ),

    founders as (
        select
            component,
            {{ first_by("identifier_id", ["first_received_at", "first_event_id", "priority", "identifier_value"]) }}
            as profile_id
        from held
        group by component
    ),

    holders as (
        select held.identifier_id, founders.profile_id
        from held
        inner join founders on held.component = founders.component
    )

select
    observed.identifier_id,
    holders.profile_id,
    observed.identifier_type,
    observed.identifier_value,
    observed.event_count,
    observed.first_seen_at,
    observed.last_seen_at
from observed
left join holders on observed.identifier_id = holders.identifier_id
