with tickets as ({{ matched_profiles(ref("stg_support__tickets")) }})

select
    profile_id,
    cast(count(*) as bigint) as ticket_count,
    cast(sum(case when is_open then 1 else 0 end) as bigint) as open_ticket_count,
    cast(
        sum(case when is_open and priority in ('high', 'urgent') then 1 else 0 end) as bigint
    ) as urgent_ticket_count,
    max(opened_at) as last_opened_at,
    max(solved_at) as last_solved_at
from tickets
group by profile_id
