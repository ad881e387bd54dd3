select profile_id, {{ decimal_ratio("sum(refunded)", "sum(revenue)") }} as value
from {{ ref("tessera", "orders") }}
where profile_id is not null and has_sale and revenue > 0
group by profile_id
