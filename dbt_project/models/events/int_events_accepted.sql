{{ config(materialized="view") }}
-- A view, so that the wide JSON columns are written once (in staging) and read only by those who ask for
-- them.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    held as (select distinct event_id from {{ ref("int_events_validated") }})

select messages.*
from messages
left join held on messages.event_id = held.event_id
where held.event_id is null
