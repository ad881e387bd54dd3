-- A visit: events of one person on one device with no gap longer than the timeout. It is named after its
-- first event. Every event is sorted here, so it carries little: the address is read out of the JSON before
-- the person is looked up, and the rest only for landings (int_visits_located).
with
    events as (
        select
            event_id,
            anonymous_id,
            {{ json_text("context", ["page", "url"]) }} as url,
            case when event in ('Page Viewed', 'Screen Viewed') then 1 else 0 end as is_page_view,
            case when event = 'Order Completed' then 1 else 0 end as is_conversion,
            occurred_at
        from {{ ref("events") }}
        where anonymous_id is not null and type in ('track', 'page', 'screen')
    ),

    owned as (
        select events.*, resolved.profile_id
        from events
        inner join {{ ref("int_events_resolved") }} as resolved on events.event_id = resolved.event_id
        where resolved.profile_id is not null
    ),

    gaps as (
        select
            *,
            row_number() over (
                partition by profile_id, anonymous_id order by occurred_at, event_id
            ) as event_number,
            lag(occurred_at) over (
                partition by profile_id, anonymous_id order by occurred_at, event_id
            ) as previous_at
        from owned
    ),

    starts as (
        select
            *,
            case
                when previous_at is null
                then 1
                when {{ add_seconds("previous_at", var("session_timeout_minutes") * 60) }} < occurred_at
                then 1
                else 0
            end as is_start
        from gaps
    ),

    numbered as (
        select
            *,
            sum(is_start) over (
                partition by profile_id, anonymous_id order by event_number rows unbounded preceding
            ) as session_number
        from starts
    )

select
    profile_id,
    anonymous_id,
    {{ first_by("event_id", ["event_number"]) }} as session_id,
    {{ first_by("case when url is not null then event_id end", ["event_number"]) }} as landing_event_id,
    {{ last_by("url", ["event_number"]) }} as exit_url,
    count(*) as event_count,
    sum(is_page_view) as page_view_count,
    max(is_conversion) = 1 as has_conversion,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at
from numbered
group by profile_id, anonymous_id, session_number
