-- What was sent under which name, and what it counts as: names less golden names is what consolidation saves.
with
    messages as (
        select delivered_event, event, source_id, occurred_at
        from {{ ref("stg_segment__events") }}
        where type = 'track' and delivered_event <> ''
    )

select
    delivered_event,
    event,
    source_id,
    count(*) as message_count,
    delivered_event <> event as is_consolidated,
    min(occurred_at) as first_seen_at,
    max(occurred_at) as last_seen_at
from messages
group by delivered_event, event, source_id
