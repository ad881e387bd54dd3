-- An account whose people stay away is about to leave: how many were active in its name lately.
select account_id, count(*) as value
from {{ ref("tessera", "account_members") }}
where last_seen_at >= {{ add_seconds(as_of(), -30 * 86400) }}
group by account_id
