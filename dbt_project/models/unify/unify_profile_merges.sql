{{ config(materialized="view", alias="profile_merges") }}
select
    merges.canonical_profile_id as canonical_segment_id,
    merges.profile_id as segment_id,
    {{ sequence_number("merges.merged_at", ["merges.event_id", "merges.profile_id"]) }} as seq,
    merges.merged_at as received_at,
    merges.merged_at as uuid_ts,
    events.occurred_at as timestamp
from {{ ref("profile_merges") }} as merges
left join {{ ref("events") }} as events on merges.event_id = events.event_id
