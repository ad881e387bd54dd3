-- Late messages count from when they were received: a run as of an earlier time does not know them, and
-- none is dropped.
with
    messages as (
        select
            event_id,
            source_id,
            {{ local_date("occurred_at") }} as occurred_date,
            {{ local_date("received_at") }} as received_date
        from {{ ref("stg_segment__events") }}
    ),

    held as (select distinct event_id from {{ ref("event_violations") }} where outcome = 'quarantined')

select
    messages.source_id,
    count(*) as message_count,
    count(held.event_id) as quarantined_count,
    messages.occurred_date,
    messages.received_date
from messages
left join held on messages.event_id = held.event_id
where messages.received_date > messages.occurred_date
group by messages.source_id, messages.occurred_date, messages.received_date
