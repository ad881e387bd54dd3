-- Reported spend equals spend, to the cent, under every model.
with
    spends as (select coalesce(sum(spend), 0) as spend from {{ ref("stg_ad_reporting__campaign_spends") }}),

    reported as (select model, sum(spend) as spend from {{ ref("campaign_returns") }} group by model)

select
    reported.model,
    cast(spends.spend as decimal(18, 4)) as spend,
    cast(reported.spend as decimal(18, 4)) as reported_spend
from reported
cross join spends
where reported.spend <> spends.spend
