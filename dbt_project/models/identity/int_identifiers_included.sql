{{ config(materialized="connected_components") }}
-- Identifiers that a reviewed line, or an alias call, says are one person's: from here on they count as
-- one. A reviewed line about an identifier takes the word of its alias calls away.
with
    included as (
        select node_a, node_b
        from {{ ref("int_overrides_applied") }}
        where action = 'include' and not is_shared_a and not is_shared_b
    ),

    reviewed_sides as (
        select node_a as node
        from {{ ref("int_overrides_applied") }}
        union all
        select node_b as node
        from {{ ref("int_overrides_applied") }}
    ),

    reviewed as (select distinct node from reviewed_sides),

    shared as (select node from {{ ref("int_identifiers_shared") }}),

    aliased as (
        select linked.node_a, linked.node_b
        from {{ ref("int_identifiers_linked") }} as linked
        left join reviewed as reviewed_a on linked.node_a = reviewed_a.node
        left join reviewed as reviewed_b on linked.node_b = reviewed_b.node
        left join shared as shared_a on linked.node_a = shared_a.node
        left join shared as shared_b on linked.node_b = shared_b.node
        where
            linked.is_alias
            and shared_a.node is null
            and shared_b.node is null
            and reviewed_a.node is null
            and reviewed_b.node is null
    )

select node_a, node_b
from included
union all
select node_a, node_b
from aliased
