-- How far the frozen boundaries lie from today's buyers: 0 where nothing changed. A share that is off by
-- much says that the next period's boundaries will move many.
with
    boundaries as (select * from {{ ref("int_boundaries_applied") }} where moment = 0),

    buyers as (select * from {{ ref("int_buyers_measured") }} where moment = 0),

    shares as (
        select
            boundaries.level,
            boundaries.dimension,
            boundaries.k,
            count(*) as buyer_count,
            sum(
                case
                    when
                        case
                            boundaries.dimension
                            when 'recency'
                            then - buyers.recency_days
                            when 'frequency'
                            then buyers.frequency
                            else buyers.monetary
                        end
                        <= boundaries.lower_value
                    then 1
                    else 0
                end
            ) as below_count
        from boundaries
        inner join buyers on boundaries.level = buyers.level
        group by boundaries.level, boundaries.dimension, boundaries.k
    )

select
    boundaries.level,
    boundaries.dimension,
    boundaries.k,
    cast(shares.buyer_count as bigint) as buyer_count,
    cast(boundaries.lower_value as {{ type_decimal() }}) as lower_value,
    cast(boundaries.measured_value as {{ type_decimal() }}) as measured_value,
    {{ decimal_ratio("boundaries.k", var("rfm_tiles")) }} as expected_share,
    {{ decimal_ratio("shares.below_count", "shares.buyer_count") }} as found_share,
    boundaries.is_frozen,
    boundaries.period_at,
    {{ as_of() }} as as_of
from boundaries
inner join
    shares
    on boundaries.level = shares.level
    and boundaries.dimension = shares.dimension
    and boundaries.k = shares.k
