select profile_id, floor(greatest({{ seconds_between("max(started_at)", as_of()) }}, 0) / 86400.0) as value
from {{ ref("tessera", "sessions") }}
group by profile_id
