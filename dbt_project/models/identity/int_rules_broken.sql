{{ config(materialized="increment", meta={"touched": "node"}) }}
-- The groups that break a rule, and what their identifiers bring: a profile may hold at most `allowed`
-- that bring the same kind. Each limited type is a kind; so is each pair that a reviewed line keeps apart,
-- of which a profile may hold one. Identifiers that were included with each other count as one.
{%- set limited = config_identity().identifiers | selectattr("limit") | list %}
{%- set is_increment = is_increment("int_identifiers_touched") %}
{%- set observed = ref("int_identifiers_touched") if is_increment else ref("int_identifiers_observed") %}
with
    grouped as (
        select * from {{ ref("int_identifiers_grouped") }} {{ where_touched(is_increment, ["node"]) }}
    ),

    included as (select * from {{ ref("int_identifiers_included") }}),

    kept_apart as (select node_a, node_b from {{ ref("int_overrides_applied") }} where action = 'apart'),

    observed as (select * from {{ observed }}),

    limited as (
        select
            grouped.component,
            observed.node,
            observed.identifier_type as kind,
            {% if limited -%}
                case
                    observed.identifier_type
                    {%- for type in limited %} when '{{ type.type }}' then {{ type.limit }} {%- endfor %}
                end as allowed
            {%- else -%} 0 as allowed
            {%- endif %}
        from grouped
        inner join observed on grouped.node = observed.node
        where
            {% if limited -%}
                observed.identifier_type in ('{{ limited | map(attribute="type") | join("', '") }}')
            {%- else -%} 1 = 0
            {%- endif %}
    ),

    crowded as (select component, kind from limited group by component, kind having count(*) > min(allowed)),

    apart_inside as (
        select
            x.component,
            kept_apart.node_a,
            kept_apart.node_b,
            concat(
                'apart ',
                cast(kept_apart.node_a as {{ dbt.type_string() }}),
                ' ',
                cast(kept_apart.node_b as {{ dbt.type_string() }})
            ) as kind
        from kept_apart
        inner join grouped as x on kept_apart.node_a = x.node
        inner join grouped as y on kept_apart.node_b = y.node and x.component = y.component
    ),

    brought as (
        select limited.component, limited.node, limited.kind, limited.allowed
        from limited
        inner join crowded on limited.component = crowded.component and limited.kind = crowded.kind
        union all
        select component, node_a, kind, 1
        from apart_inside
        union all
        select component, node_b, kind, 1
        from apart_inside
    )

select distinct
    brought.component,
    coalesce(included.component, brought.node) as node,
    brought.kind,
    cast(brought.allowed as bigint) as allowed
from brought
left join included on brought.node = included.node
