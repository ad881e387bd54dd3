{{ config(materialized="connected_components", meta={"touched": "node"}) }}
-- Identifiers that evidence connects, directly or through others, are one group (named by its smallest
-- node), were there no rules.
{%- set is_increment = is_increment("int_identifiers_touched") %}
select node_a, node_b
from {{ ref("int_identifiers_linked") }}
where not is_shared_a and not is_shared_b {{ where_touched(is_increment, ["node_a"], "and") }}
union all
select node_a, node_b
from {{ ref("int_overrides_applied") }}
where
    action = 'include'
    and not is_shared_a
    and not is_shared_b {{ where_touched(is_increment, ["node_a"], "and") }}
