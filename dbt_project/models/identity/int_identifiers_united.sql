{{ config(materialized="ranked_union", meta={"rules": "int_rules_broken", "touched": "node"}) }}
-- Inside groups that break a rule: the best evidence first (of the strongest types, then first seen), and
-- none that would break it. depends_on: {{ ref("int_rules_broken") }}
{%- set is_increment = is_increment("int_identifiers_touched") %}
{%- set observed = ref("int_identifiers_touched") if is_increment else ref("int_identifiers_observed") %}
with
    broken as (select distinct component from {{ ref("int_rules_broken") }}),

    grouped as (
        select grouped.node, grouped.component
        from {{ ref("int_identifiers_grouped") }} as grouped
        inner join
            broken
            on grouped.component = broken.component {{ where_touched(is_increment, ["grouped.node"], "and") }}
    ),

    included as (select * from {{ ref("int_identifiers_included") }}),

    observed as (select * from {{ observed }}),

    evidence as (
        select linked.*, x.component
        from {{ ref("int_identifiers_linked") }} as linked
        inner join grouped as x on linked.node_a = x.node
        inner join grouped as y on linked.node_b = y.node
    )

select
    coalesce(included_a.component, evidence.node_a) as node_a,
    coalesce(included_b.component, evidence.node_b) as node_b,
    row_number() over (
        partition by evidence.component
        order by
            evidence.priority_b,
            evidence.priority_a,
            evidence.first_received_at,
            evidence.first_event_id,
            least(observed_a.identifier_id, observed_b.identifier_id),
            greatest(observed_a.identifier_id, observed_b.identifier_id)
    ) as rank
from evidence
inner join observed as observed_a on evidence.node_a = observed_a.node
inner join observed as observed_b on evidence.node_b = observed_b.node
left join included as included_a on evidence.node_a = included_a.node
left join included as included_b on evidence.node_b = included_b.node
