{{ config(materialized="connected_components", meta={"touched": "node"}) }}
-- Identifiers that evidence connects, directly or through others, are one group (named by its smallest
-- node), were there no rules.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    linked as (
        select node_a, node_b
        from {{ ref("int_identifiers_linked") }} {{ where_touched(is_increment, ["node_a"]) }}
    ),

    shared as (select node from {{ ref("int_identifiers_shared") }})

select linked.node_a, linked.node_b
from linked
left join shared as shared_a on linked.node_a = shared_a.node
left join shared as shared_b on linked.node_b = shared_b.node
where shared_a.node is null and shared_b.node is null
union all
select node_a, node_b
from {{ ref("int_overrides_applied") }}
where
    action = 'include'
    and not is_shared_a
    and not is_shared_b {{ where_touched(is_increment, ["node_a"], "and") }}
