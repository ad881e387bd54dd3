{{ config(materialized="increment", meta={"touched": "component", "touched_key": "node"}) }}
-- The evidence of profiles that merged, in the order it was received. A profile merged if two of its
-- identifiers were first seen without a tie to an older one: each of them named a profile until later
-- evidence joined them. What a reviewed line joins counts as joined once both were seen, behind the evidence
-- of that event: until somebody wrote the line, each of both named a profile.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    ranked as (select * from {{ ref("int_identifiers_ranked") }} {{ where_touched(is_increment, ["node"]) }}),

    used as (
        select
            x.component,
            x.node as node_a,
            y.node as node_b,
            x.seniority as seniority_a,
            y.seniority as seniority_b,
            linked.first_event_id,
            false as is_reviewed,
            linked.first_received_at
        from {{ ref("int_identifiers_linked") }} as linked
        inner join ranked as x on linked.node_a = x.node
        inner join ranked as y on linked.node_b = y.node and x.component = y.component
        union all
        select
            x.component,
            x.node,
            y.node,
            x.seniority,
            y.seniority,
            case when x.seniority > y.seniority then x.first_event_id else y.first_event_id end,
            true,
            case when x.seniority > y.seniority then x.first_received_at else y.first_received_at end
        from {{ ref("int_overrides_applied") }} as overrides
        inner join ranked as x on overrides.node_a = x.node
        inner join ranked as y on overrides.node_b = y.node and x.component = y.component
        where overrides.action = 'include'
    ),

    evidence as (
        select
            component,
            case when seniority_a < seniority_b then node_b else node_a end as younger_node,
            least(seniority_a, seniority_b) as a,
            greatest(seniority_a, seniority_b) as b,
            first_event_id,
            is_reviewed,
            first_received_at
        from used
    ),

    tied_at_birth as (
        select distinct ranked.node
        from evidence
        inner join
            ranked on evidence.younger_node = ranked.node and evidence.first_event_id = ranked.first_event_id
        where not evidence.is_reviewed
    ),

    merged as (
        select ranked.component
        from ranked
        left join tied_at_birth on ranked.node = tied_at_birth.node
        where tied_at_birth.node is null
        group by ranked.component
        having count(*) > 1
    )

select
    evidence.component,
    evidence.first_event_id,
    evidence.a,
    evidence.b,
    evidence.is_reviewed,
    row_number() over (
        partition by evidence.component
        order by
            evidence.first_received_at, evidence.first_event_id, evidence.is_reviewed, evidence.a, evidence.b
    ) as evidence_number,
    evidence.first_received_at
from evidence
inner join merged on evidence.component = merged.component
