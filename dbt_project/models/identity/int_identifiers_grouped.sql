{{ config(materialized="connected_components") }}
-- Identifiers that used evidence connects, directly or through others, are one group (named by its
-- smallest node).
select node_a, node_b
from {{ ref("int_identifiers_linked") }}
where not is_shared_a and not is_shared_b
