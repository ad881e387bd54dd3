{{ config(materialized="connected_components") }}
-- Identifiers that evidence connects, directly or through others, are one group (named by its smallest
-- node), were there no rules.
select node_a, node_b
from {{ ref("int_identifiers_linked") }}
where not is_shared_a and not is_shared_b
union all
select node_a, node_b
from {{ ref("int_overrides_applied") }}
where action = 'include' and not is_shared_a and not is_shared_b
