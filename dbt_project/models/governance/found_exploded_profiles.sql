-- Strangers were joined: a profile with more identifiers than one person can have. The run stops before it
-- publishes; `tessera explain` on one of its identifiers shows the evidence.
select profile_id, identifier_count, known_count
from {{ ref("largest_profiles") }}
where identifier_count > {{ config_identity().largest_profile }}
