{{ config(materialized="view") }}
with
    holders as {{ profile_at(as_of()) }},

    updates as (select * from {{ ref("id_graph_updates") }}),

    latest as (select segment_id, max(seq) as seq from updates group by segment_id)

select
    updates.segment_id,
    holders.profile_id as canonical_segment_id,
    updates.seq,
    updates.timestamp,
    updates.uuid_ts,
    {{ as_of() }} as etl_ts
from updates
inner join latest on updates.segment_id = latest.segment_id and updates.seq = latest.seq
inner join holders on updates.segment_id = holders.identifier_id
