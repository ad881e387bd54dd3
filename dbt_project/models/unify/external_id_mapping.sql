{{ config(materialized="view") }}
select
    updates.external_id_hash,
    identifiers.profile_id as canonical_segment_id,
    updates.external_id_type,
    updates.external_id_value,
    updates.timestamp,
    updates.uuid_ts
from {{ ref("external_id_mapping_updates") }} as updates
inner join {{ ref("profile_identifiers") }} as identifiers on updates.id = identifiers.identifier_id
