-- Credit and money are exact decimals: each touchpoint gets its rounded share and the last one the
-- remainder, so a conversion's credit is 1 and its revenue is the order's. A conversion without a
-- touchpoint is `unattributed`, never dropped.
with
    paths as (select * from {{ ref("int_paths_collected") }}),

    conversions as (select * from {{ ref("conversions") }}),

    models as ({{ attribution_models() }}),

    weighted as (
        select
            paths.conversion_id,
            paths.touchpoint_id,
            models.model,
            paths.channel,
            paths.campaign,
            paths.revenue,
            paths.touch_number = paths.touch_count as is_last,
            cast(
                case
                    models.model
                    when 'first'
                    then case when paths.touch_number = 1 then 1 else 0 end
                    when 'last'
                    then case when paths.touch_number = paths.touch_count then 1 else 0 end
                    when 'linear'
                    then cast(1 as {{ type_double() }}) / paths.touch_count
                end as {{ type_decimal(9) }}
            ) as weight,
            paths.converted_at
        from paths
        cross join models
    ),

    shared as (
        select *, cast(round(revenue * weight, 4) as {{ type_decimal() }}) as share
        from weighted
        where weight > 0
    ),

    credited as (
        select
            conversion_id,
            touchpoint_id,
            model,
            channel,
            campaign,
            case
                when is_last
                then 1 - (sum(weight) over (partition by conversion_id, model) - weight)
                else weight
            end as credit,
            case
                when is_last
                then revenue - (sum(share) over (partition by conversion_id, model) - share)
                else share
            end as revenue,
            converted_at
        from shared
    ),

    untouched as (
        select conversions.conversion_id, models.model, conversions.revenue, conversions.converted_at
        from conversions
        cross join models
        left join
            (select distinct conversion_id from paths) as touched
            on conversions.conversion_id = touched.conversion_id
        where touched.conversion_id is null
    )

select
    conversion_id,
    touchpoint_id,
    model,
    channel,
    campaign,
    cast(credit as {{ type_decimal(9) }}) as credit,
    cast(revenue as {{ type_decimal() }}) as revenue,
    converted_at
from credited
union all
select
    conversion_id,
    cast(null as {{ dbt.type_string() }}) as touchpoint_id,
    model,
    'unattributed' as channel,
    cast(null as {{ dbt.type_string() }}) as campaign,
    cast(1 as {{ type_decimal(9) }}) as credit,
    revenue,
    converted_at
from untouched
