{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
select profile_id, {{ decimal_ratio("sum(refunded)", "sum(revenue)") }} as value
from {{ ref("tessera", "orders") }}
where profile_id is not null and has_sale and revenue > 0 and {{ is_touched("profile_id") }}
group by profile_id
