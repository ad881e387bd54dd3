-- Money reconciles: under every model a conversion's credit is 1 and its attributed revenue is its
-- revenue.
with
    conversions as (select * from {{ ref("conversions") }}),

    models as ({{ attribution_models() }}),

    credited as (
        select conversion_id, model, sum(credit) as credit, sum(revenue) as revenue
        from {{ ref("attributed_conversions") }}
        group by conversion_id, model
    )

select
    conversions.conversion_id,
    models.model,
    cast(credited.credit as {{ type_decimal(9) }}) as credit,
    conversions.revenue,
    cast(credited.revenue as {{ type_decimal() }}) as attributed_revenue
from conversions
cross join models
left join credited on conversions.conversion_id = credited.conversion_id and models.model = credited.model
where credited.revenue is null or credited.credit <> 1 or credited.revenue <> conversions.revenue
