-- A visit: events of one person on one device with no gap longer than the timeout. It is named after its
-- first event.
with
    located as (select * from {{ ref("int_visits_located") }}),

    categories as (select source, category from {{ ref("channel_sources") }}),

    gaps as (
        select
            *,
            lag(occurred_at) over (
                partition by profile_id, anonymous_id order by occurred_at, event_id
            ) as previous_at
        from located
    ),

    starts as (
        select
            *,
            case
                when previous_at is null
                then 1
                when
                    {{ seconds_between("previous_at", "occurred_at") }}
                    > {{ var("session_timeout_minutes") * 60 }}
                then 1
                else 0
            end as is_start
        from gaps
    ),

    numbered as (
        select
            *,
            sum(is_start) over (
                partition by profile_id, anonymous_id order by occurred_at, event_id rows unbounded preceding
            ) as session_number
        from starts
    ),

    visits as (
        select
            profile_id,
            anonymous_id,
            session_number,
            {{ first_by("event_id", ["occurred_at", "event_id"]) }} as session_id,
            {{ first_by("case when url is not null then event_id end", ["occurred_at", "event_id"]) }}
            as landing_event_id,
            {{ last_by("url", ["occurred_at", "event_id"]) }} as exit_url,
            count(*) as event_count,
            sum(case when event in ('Page Viewed', 'Screen Viewed') then 1 else 0 end) as page_view_count,
            max(case when event = 'Order Completed' then 1 else 0 end) = 1 as has_conversion,
            min(occurred_at) as started_at,
            max(occurred_at) as ended_at
        from numbered
        group by profile_id, anonymous_id, session_number
    ),

    landings as (
        select
            visits.*,
            located.url as landing_url,
            located.click_platform,
            coalesce(
                located.source,
                case
                    when located.referrer_host <> coalesce(located.page_host, '') then located.referrer_host
                end
            ) as source,
            located.medium,
            located.campaign
        from visits
        left join located on visits.landing_event_id = located.event_id
    ),

    categorised as (
        select
            landings.*,
            -- A host counts as its brand: www.google.co.uk is google.
            categories.category
        from landings
        left join categories on {{ source_brand("landings.source") }} = categories.source
    )

select
    session_id,
    profile_id,
    anonymous_id,
    case
        when landing_event_id is not null
        then {{ channel_group("source", "medium", "campaign", "category", "click_platform") }}
    end as channel,
    source,
    medium,
    campaign,
    landing_url,
    exit_url,
    cast(event_count as bigint) as event_count,
    cast(page_view_count as bigint) as page_view_count,
    has_conversion,
    started_at,
    ended_at
from categorised
