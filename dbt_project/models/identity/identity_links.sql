{{
    config(
        materialized="increment",
        meta={
            "key": [
                "identifier_type_a",
                "identifier_value_a",
                "identifier_type_b",
                "identifier_value_b",
            ],
            "also": "rule = 'override'",
        },
    )
}}
-- Used evidence lies inside one profile, refused evidence between two or at a shared identifier: groups
-- only grow, so what was refused once would be refused again.
{%- set limited = config_identity().identifiers | selectattr("limit") | list %}
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    -- In an increment: of what new events are on, and of who was touched. One end is enough: if they are of
    -- different groups, one of both was shared before, and the link stays refused for that.
    linked as (
        select *
        from {{ ref("int_identifiers_linked") }} {{ where_new(is_increment) }}
        {% if is_increment -%}
            union all
            select *
            from
                {{ ref("int_identifiers_linked") }} {{ where_touched(is_increment, ["node_a"]) }}
                {{ where_new(is_increment, "and not") }}
        {%- endif %}
    ),

    overrides as (select * from {{ ref("int_overrides_applied") }} where action = 'include'),

    evidence as (
        select
            linked.node_a,
            linked.node_b,
            linked.first_event_id,
            linked.event_count,
            overrides.reason as override,
            linked.is_alias,
            linked.first_seen_at,
            linked.last_seen_at
        from linked
        left join overrides on linked.node_a = overrides.node_a and linked.node_b = overrides.node_b
        union all
        select overrides.node_a, overrides.node_b, null, 0, overrides.reason, false, null, null
        from overrides
        left join linked on overrides.node_a = linked.node_a and overrides.node_b = linked.node_b
        where linked.node_a is null
    ),

    held as (
        select node, identifier_type, identifier_value, component
        from {{ ref("int_identifiers_held") }}
        {% if is_increment -%}
            where
                node in (
                    select node_a
                    from evidence
                    union all
                    select node_b
                    from evidence
                )
        {%- endif %}
    ),

    named as (
        select
            evidence.*,
            x.identifier_type as identifier_type_a,
            x.identifier_value as identifier_value_a,
            x.component as component_a,
            y.identifier_type as identifier_type_b,
            y.identifier_value as identifier_value_b,
            y.component as component_b
        from evidence
        inner join held as x on evidence.node_a = x.node
        inner join held as y on evidence.node_b = y.node
    ),

    -- What each profile of a group that breaks a rule holds of what is limited.
    brought as (
        select resolved.component, rules.kind, rules.allowed, count(*) as held
        from {{ ref("int_rules_broken") }} as rules
        inner join {{ ref("int_identifiers_resolved") }} as resolved on rules.node = resolved.node
        {% if is_increment -%} where resolved.component in (select component from held) {%- endif %}
        group by resolved.component, rules.kind, rules.allowed
    ),

    breaking as (
        select
            named.node_a,
            named.node_b,
            min(
                case
                    when x.kind like 'apart %'
                    then '0 Kept apart by an override'
                    {%- for type in limited %}
                        when x.kind = '{{ type.type }}'
                        then '{{ loop.index }} Identifier value limit exceeded: {{ type.type }}'
                    {%- endfor %}
                end
            ) as reason
        from named
        inner join brought as x on named.component_a = x.component
        inner join brought as y on named.component_b = y.component and x.kind = y.kind
        where named.component_a <> named.component_b and x.held + y.held > x.allowed
        group by named.node_a, named.node_b
    ),

    judged as (
        select
            named.*,
            case
                when named.identifier_type_a <> named.identifier_type_b
                then false
                else named.identifier_value_a > named.identifier_value_b
            end as is_turned,
            case
                when named.component_a is null
                then 'shared identifier: ' || named.identifier_type_a
                when named.component_b is null
                then 'shared identifier: ' || named.identifier_type_b
                when named.component_a <> named.component_b
                then coalesce(substr(breaking.reason, 3), 'refused')
            end as reason
        from named
        left join breaking on named.node_a = breaking.node_a and named.node_b = breaking.node_b
    )

select
    identifier_type_a,
    case when is_turned then identifier_value_b else identifier_value_a end as identifier_value_a,
    identifier_type_b,
    case when is_turned then identifier_value_a else identifier_value_b end as identifier_value_b,
    first_event_id,
    case when reason is null then 'used' else 'refused' end as status,
    reason,
    case when override is not null then 'override' when is_alias then 'alias' else 'event' end as rule,
    override as override_reason,
    cast(event_count as bigint) as event_count,
    first_seen_at,
    last_seen_at
from judged
