{{ config(materialized="increment", meta={"key": ["node"]}) }}
-- Every identifier with the group that holds it; null where it is shared.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    observed as (
        select * from {{ ref("int_identifiers_observed") }} {{ where_touched(is_increment, ["node"]) }}
    ),

    grouped as (
        select * from {{ ref("int_identifiers_grouped") }} {{ where_touched(is_increment, ["node"]) }}
    ),

    included as (select * from {{ ref("int_identifiers_included") }}),

    united as (select * from {{ ref("int_identifiers_united") }} {{ where_touched(is_increment, ["node"]) }}),

    broken as (select distinct component from {{ ref("int_rules_broken") }}),

    shared_sides as (
        select node_a as node
        from {{ ref("int_identifiers_linked") }}
        where is_shared_a
        union all
        select node_b as node
        from {{ ref("int_identifiers_linked") }}
        where is_shared_b
    ),

    shared as (select distinct node from shared_sides)

select
    observed.identifier_id,
    observed.node,
    observed.identifier_type,
    observed.identifier_value,
    observed.first_event_id,
    observed.priority,
    observed.event_count,
    case
        when shared.node is not null
        then null
        when broken.component is not null
        then coalesce(united.component, included.component, observed.node)
        else coalesce(grouped.component, observed.node)
    end as component,
    observed.first_seen_at,
    observed.last_seen_at,
    observed.first_received_at
from observed
left join grouped on observed.node = grouped.node
left join broken on grouped.component = broken.component
left join included on observed.node = included.node
left join united on coalesce(included.component, observed.node) = united.node
left join shared on observed.node = shared.node
