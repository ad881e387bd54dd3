-- The platforms' own reports, as an ETL tool lands them, by day and campaign. A row that comes again with the
-- same key restates the former one; the latest state of an ad or a campaign says its campaign and name.
with
    reports as (
        select *, coalesce(synced_at, {{ add_seconds("cast(date_day as timestamp)", 86400) }}) as known_at
        from {{ source("raw", "ad_reports") }}
    ),

    ranked_reports as (
        select
            *,
            row_number() over (
                partition by platform, account_id, campaign_id, ad_id, report_key, date_day
                order by
                    known_at desc nulls last,
                    spend desc nulls last,
                    clicks desc nulls last,
                    impressions desc nulls last
            ) as version_number
        from reports
        where known_at <= {{ as_of() }}
    ),

    current_reports as (select * from ranked_reports where version_number = 1),

    states as (
        select *
        from {{ source("raw", "ad_campaigns") }}
        where updated_at is null or updated_at <= {{ as_of() }}
    ),

    ads as (
        select platform, ad_id, {{ last_by("campaign_id", ["updated_at", "campaign_id"]) }} as campaign_id
        from states
        where ad_id is not null
        group by platform, ad_id
    ),

    campaigns as (
        select
            platform,
            campaign_id,
            {{ last_by("campaign_name", ["updated_at", "campaign_name"]) }} as campaign_name
        from states
        where campaign_name is not null
        group by platform, campaign_id
    ),

    placed as (
        select
            current_reports.platform,
            current_reports.account_id,
            coalesce(current_reports.campaign_id, ads.campaign_id, current_reports.ad_id) as campaign_id,
            current_reports.currency,
            current_reports.clicks,
            current_reports.impressions,
            current_reports.spend,
            current_reports.date_day,
            current_reports.known_at
        from current_reports
        left join ads on current_reports.platform = ads.platform and current_reports.ad_id = ads.ad_id
    )

select
    placed.platform,
    placed.account_id,
    cast(null as {{ dbt.type_string() }}) as account_name,
    placed.campaign_id,
    max(campaigns.campaign_name) as campaign_name,
    max(placed.currency) as currency,
    cast(sum(placed.clicks) as bigint) as clicks,
    cast(sum(placed.impressions) as bigint) as impressions,
    cast(sum(placed.spend) as {{ type_decimal() }}) as spend,
    placed.date_day,
    max(placed.known_at) as synced_at
from placed
left join campaigns on placed.platform = campaigns.platform and placed.campaign_id = campaigns.campaign_id
group by placed.platform, placed.account_id, placed.campaign_id, placed.date_day
