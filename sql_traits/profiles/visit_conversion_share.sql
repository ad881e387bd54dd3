{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
select profile_id, {{ decimal_ratio("sum(case when has_conversion then 1 else 0 end)", "count(*)") }} as value
from {{ ref("tessera", "sessions") }}
where {{ is_touched("profile_id") }}
group by profile_id
