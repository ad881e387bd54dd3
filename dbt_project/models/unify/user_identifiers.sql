{{ config(materialized="view") }}
select
    identifiers.profile_id as canonical_segment_id,
    updates.external_id_type as type,
    updates.external_id_value as value,
    updates.seq,
    updates.received_at,
    updates.uuid_ts,
    updates.timestamp
from {{ ref("external_id_mapping_updates") }} as updates
inner join {{ ref("profile_identifiers") }} as identifiers on updates.id = identifiers.identifier_id
