-- Spend and credit meet on day, channel and campaign in a full join: spend that earned nothing and
-- revenue that cost nothing both stay. A ratio without a denominator is null, never zero.
with
    models as ({{ attribution_models() }}),

    spends as (
        select
            spends.spend_date as date,
            coalesce(platforms.channel, 'Paid Other') as channel,
            coalesce(lower(trim(spends.campaign_name)), '') as campaign,
            sum(spends.spend) as spend
        from {{ ref("stg_ad_reporting__campaign_spends") }} as spends
        left join {{ ref("ad_platforms") }} as platforms on spends.platform = platforms.platform
        group by 1, 2, 3
    ),

    modelled_spends as (select models.model, spends.* from spends cross join models),

    credits as (
        select
            {{ local_date("converted_at") }} as date,
            channel,
            coalesce(campaign, '') as campaign,
            model,
            sum(credit) as conversions,
            sum(revenue) as revenue
        from {{ ref("attributed_conversions") }}
        group by 1, 2, 3, 4
    ),

    joined as (
        select
            coalesce(modelled_spends.date, credits.date) as date,
            coalesce(modelled_spends.channel, credits.channel) as channel,
            coalesce(modelled_spends.campaign, credits.campaign) as campaign,
            coalesce(modelled_spends.model, credits.model) as model,
            coalesce(modelled_spends.spend, 0) as spend,
            coalesce(credits.conversions, 0) as conversions,
            coalesce(credits.revenue, 0) as revenue
        from modelled_spends
        full outer join
            credits
            on modelled_spends.date = credits.date
            and modelled_spends.channel = credits.channel
            and modelled_spends.campaign = credits.campaign
            and modelled_spends.model = credits.model
    )

select
    date,
    channel,
    nullif(campaign, '') as campaign,
    model,
    {{ limited_decimal("spend") }} as spend,
    cast(conversions as {{ type_decimal(9) }}) as conversions,
    {{ limited_decimal("revenue") }} as revenue,
    {{ decimal_ratio("spend", "conversions") }} as cpa,
    {{ decimal_ratio("revenue", "spend") }} as roas
from joined
