{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
select profile_id, {{ decimal_ratio("sum(revenue - refunded)", "count(*)") }} as value
from {{ ref("tessera", "orders") }}
where profile_id is not null and revenue - refunded > 0 and {{ is_touched("profile_id") }}
group by profile_id
