-- Platforms restate past days: of the rows for one day and campaign, the one synced last by then holds.
with
    delivered as (
        select
            platform,
            account_id,
            campaign_id,
            campaign_name,
            currency,
            clicks,
            impressions,
            spend,
            date_day,
            synced_at
        from {{ source("raw", "ad_spend") }}
        union all
        select
            platform,
            account_id,
            campaign_id,
            campaign_name,
            currency,
            clicks,
            impressions,
            spend,
            date_day,
            synced_at
        from {{ ref("stg_ad_platforms__campaign_spends") }}
    ),

    known as (
        select *, coalesce(synced_at, {{ add_seconds("cast(date_day as timestamp)", 86400) }}) as known_at
        from delivered
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by date_day, platform, account_id, campaign_id
                order by
                    known_at desc nulls last,
                    spend desc nulls last,
                    clicks desc nulls last,
                    impressions desc nulls last,
                    campaign_name nulls last
            ) as version_number
        from known
        where known_at <= {{ as_of() }}
    )

select
    date_day as spend_date,
    platform,
    account_id,
    campaign_id,
    campaign_name,
    currency,
    clicks,
    impressions,
    spend,
    known_at
from ranked
where version_number = 1
