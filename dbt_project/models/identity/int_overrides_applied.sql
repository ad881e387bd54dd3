-- The reviewed lines about two identifiers that were both seen. A shared identifier is nobody's, so it
-- cannot be included.
{%- set x_is_first = "x.priority < y.priority or (x.priority = y.priority and x.node < y.node)" %}
with
    overrides as (select * from {{ ref("int_overrides_read") }} where identifier_type_b is not null),

    named as (
        select identifier_value_a as identifier_value
        from overrides
        union all
        select identifier_value_b
        from overrides
    ),

    observed as (
        select node, priority, identifier_type, identifier_value
        from {{ ref("int_identifiers_observed") }}
        where identifier_value in (select identifier_value from named)
    ),

    shared as (select node from {{ ref("int_identifiers_shared") }}),

    matched as (
        select
            overrides.action,
            overrides.reason,
            case when {{ x_is_first }} then x.node else y.node end as node_a,
            case when {{ x_is_first }} then y.node else x.node end as node_b
        from overrides
        inner join
            observed as x
            on overrides.identifier_type_a = x.identifier_type
            and overrides.identifier_value_a = x.identifier_value
        inner join
            observed as y
            on overrides.identifier_type_b = y.identifier_type
            and overrides.identifier_value_b = y.identifier_value
    ),

    counted as (
        select action, node_a, node_b, min(reason) as reason from matched group by action, node_a, node_b
    )

select
    counted.node_a,
    counted.node_b,
    counted.action,
    counted.reason,
    shared_a.node is not null as is_shared_a,
    shared_b.node is not null as is_shared_b
from counted
left join shared as shared_a on counted.node_a = shared_a.node
left join shared as shared_b on counted.node_b = shared_b.node
