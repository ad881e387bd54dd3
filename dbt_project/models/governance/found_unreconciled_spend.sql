-- Reported spend equals spend, to the cent, under every model.
with
    models as ({{ attribution_models() }}),

    spends as (select coalesce(sum(spend), 0) as spend from {{ ref("stg_ad_reporting__campaign_spends") }}),

    reported as (select model, sum(spend) as spend from {{ ref("campaign_returns") }} group by model)

select
    models.model,
    cast(spends.spend as {{ type_decimal() }}) as spend,
    cast(coalesce(reported.spend, 0) as {{ type_decimal() }}) as reported_spend
from models
cross join spends
left join reported on models.model = reported.model
where coalesce(reported.spend, 0) <> spends.spend
