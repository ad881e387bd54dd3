{{ config(materialized="view") }}
-- What the first page of a visit says about where the visitor came from. Parameters on the address win over
-- the library's reading of them, since the address is what the visitor followed.
{% set paths = [
    ["page", "url"],
    ["page", "referrer"],
    ["campaign", "source"],
    ["campaign", "medium"],
    ["campaign", "name"],
] %}
with
    opened as (
        select visits.*, {{ json_opened("events.context", paths) }} as opened_context
        from {{ ref("int_visits_collected") }} as visits
        left join {{ ref("events") }} as events on visits.landing_event_id = events.event_id
    ),

    located as {{ materialized() }} (
        select
            session_id,
            profile_id,
            anonymous_id,
            {{ json_item("opened_context", paths, ["page", "url"]) }} as url,
            {{ json_item("opened_context", paths, ["page", "referrer"]) }} as referrer,
            {{ json_item("opened_context", paths, ["campaign", "source"]) }} as campaign_source,
            {{ json_item("opened_context", paths, ["campaign", "medium"]) }} as campaign_medium,
            {{ json_item("opened_context", paths, ["campaign", "name"]) }} as campaign_name,
            exit_url,
            event_count,
            page_view_count,
            has_conversion,
            started_at,
            ended_at
        from opened
    ),

    -- Addresses repeat: each is taken apart once.
    urls as (select distinct url from located where url is not null),

    referrers as (select distinct referrer from located where referrer is not null),

    addresses as (
        select
            url,
            {{ url_parameter("url", "utm_source") }} as source,
            {{ url_parameter("url", "utm_medium") }} as medium,
            {{ url_parameter("url", "utm_campaign") }} as campaign,
            case
                when {{ matches("url", "[?&](gclid|gbraid|wbraid)=") }}
                then 'google'
                when {{ matches("url", "[?&]msclkid=") }}
                then 'microsoft'
                when {{ matches("url", "[?&]fbclid=") }}
                then 'facebook'
            end as click_platform,
            {{ url_host("url") }} as page_host
        from urls
    ),

    referring as (select referrer, {{ url_host("referrer") }} as referrer_host from referrers)

select
    located.session_id,
    located.profile_id,
    located.anonymous_id,
    located.url as landing_url,
    located.exit_url,
    lower(coalesce(addresses.source, nullif(located.campaign_source, ''))) as source,
    lower(coalesce(addresses.medium, nullif(located.campaign_medium, ''))) as medium,
    lower(trim(coalesce(addresses.campaign, nullif(located.campaign_name, '')))) as campaign,
    addresses.click_platform,
    addresses.page_host,
    referring.referrer_host,
    located.event_count,
    located.page_view_count,
    located.has_conversion,
    located.started_at,
    located.ended_at
from located
left join addresses on located.url = addresses.url
left join referring on located.referrer = referring.referrer
