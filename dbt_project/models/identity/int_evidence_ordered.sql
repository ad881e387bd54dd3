-- The evidence of profiles that merged, in the order it was received. A profile merged if two of its
-- identifiers were first seen without a tie to an older one: each of them named a profile until later
-- evidence joined them.
with
    linked as (select * from {{ ref("int_identifiers_linked") }} where not is_shared_a and not is_shared_b),

    ranked as (select * from {{ ref("int_identifiers_ranked") }}),

    evidence as (
        select
            x.component,
            case when x.seniority < y.seniority then x.node else y.node end as older_node,
            case when x.seniority < y.seniority then y.node else x.node end as younger_node,
            least(x.seniority, y.seniority) as a,
            greatest(x.seniority, y.seniority) as b,
            linked.first_event_id,
            linked.first_received_at
        from linked
        inner join ranked as x on linked.node_a = x.node
        inner join ranked as y on linked.node_b = y.node
    ),

    tied_at_birth as (
        select distinct ranked.node
        from evidence
        inner join
            ranked on evidence.younger_node = ranked.node and evidence.first_event_id = ranked.first_event_id
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
    row_number() over (
        partition by evidence.component
        order by evidence.first_received_at, evidence.first_event_id, evidence.a, evidence.b
    ) as evidence_number,
    evidence.first_received_at
from evidence
inner join merged on evidence.component = merged.component
