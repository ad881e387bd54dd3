-- Whoever made a group call, or was active in a group's name (context.groupId), belongs to the account.
-- People have several accounts, and accounts several people.
with
    events as (
        select * from {{ ref("profile_events") }} where group_id is not null and profile_id is not null
    )

select
    group_id as account_id,
    profile_id,
    count(*) as event_count,
    min(occurred_at) as first_seen_at,
    max(occurred_at) as last_seen_at
from events
group by group_id, profile_id
