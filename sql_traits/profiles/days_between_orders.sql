{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
-- From the first to the last order, shared among the gaps between them.
select
    profile_id,
    {{ decimal_ratio(seconds_between("min(ordered_at)", "max(ordered_at)") ~ " / 86400.0", "count(*) - 1") }}
    as value
from {{ ref("tessera", "orders") }}
where profile_id is not null and revenue - refunded > 0 and {{ is_touched("profile_id") }}
group by profile_id
having count(*) > 1
