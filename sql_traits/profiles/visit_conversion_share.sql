select profile_id, {{ decimal_ratio("sum(case when has_conversion then 1 else 0 end)", "count(*)") }} as value
from {{ ref("tessera", "sessions") }}
group by profile_id
