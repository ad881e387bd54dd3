-- What one event on a page or screen says about where the visitor came from. Parameters on the address
-- win over the library's reading of them, since the address is what the visitor followed.
with
    located as (
        select
            event_id,
            profile_id,
            anonymous_id,
            event,
            context,
            {{ json_text("context", ["page", "url"]) }} as url,
            {{ json_text("context", ["page", "referrer"]) }} as referrer,
            occurred_at
        from {{ ref("profile_events") }}
        where profile_id is not null and anonymous_id is not null and type in ('track', 'page', 'screen')
    )

select
    event_id,
    profile_id,
    anonymous_id,
    event,
    url,
    lower(
        coalesce(
            {{ url_parameter("url", "utm_source") }},
            nullif({{ json_text("context", ["campaign", "source"]) }}, '')
        )
    ) as source,
    lower(
        coalesce(
            {{ url_parameter("url", "utm_medium") }},
            nullif({{ json_text("context", ["campaign", "medium"]) }}, '')
        )
    ) as medium,
    lower(
        trim(
            coalesce(
                {{ url_parameter("url", "utm_campaign") }},
                nullif({{ json_text("context", ["campaign", "name"]) }}, '')
            )
        )
    ) as campaign,
    case
        when url is null
        then null
        when {{ matches("url", "[?&](gclid|gbraid|wbraid)=") }}
        then 'google'
        when {{ matches("url", "[?&]msclkid=") }}
        then 'microsoft'
        when {{ matches("url", "[?&]fbclid=") }}
        then 'facebook'
    end as click_platform,
    {{ url_host("url") }} as page_host,
    {{ url_host("referrer") }} as referrer_host,
    occurred_at
from located
