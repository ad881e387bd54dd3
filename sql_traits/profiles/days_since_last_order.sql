select profile_id, floor(greatest({{ seconds_between("max(ordered_at)", as_of()) }}, 0) / 86400.0) as value
from {{ ref("tessera", "orders") }}
where profile_id is not null and revenue - refunded > 0
group by profile_id
