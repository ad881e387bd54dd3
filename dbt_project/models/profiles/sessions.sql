-- A visit comes from the channel that its first page names.
with
    visits as (select * from {{ ref("int_visits_located") }}),

    categories as (select source, category from {{ ref("channel_sources") }}),

    landings as (
        select
            *,
            coalesce(
                source, case when referrer_host <> coalesce(page_host, '') then referrer_host end
            ) as landing_source
        from visits
    ),

    categorised as (
        select
            landings.*,
            -- A host counts as its brand: www.google.co.uk is google.
            categories.category
        from landings
        left join categories on {{ source_brand("landings.landing_source") }} = categories.source
    )

select
    session_id,
    profile_id,
    anonymous_id,
    case
        when landing_url is not null
        then {{ channel_group("landing_source", "medium", "campaign", "category", "click_platform") }}
    end as channel,
    landing_source as source,
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
