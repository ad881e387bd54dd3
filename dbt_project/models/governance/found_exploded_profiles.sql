-- Strangers were joined: a profile with more identifiers than one person can have. The run stops before it
-- publishes: the evidence is in the build database, `tessera explain` tells of the former run.
select profile_id, identifier_count, known_count
from {{ ref("largest_profiles") }}
where identifier_count > {{ config_identity().largest_profile }}
