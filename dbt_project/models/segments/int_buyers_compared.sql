-- The buyers as of now, with what their cohort was when the boundaries were frozen and the tiles that changed
-- since.
with
    scored as (select * from {{ ref("int_buyers_scored") }}),

    buyers as (select * from scored where moment = 0),

    former as (
        select * from scored where moment = {{ 2 if rfm_moments()[0].at == rfm_moments()[1].at else 1 }}
    )

select
    buyers.level,
    buyers.buyer_id,
    buyers.segment,
    buyers.loyalty_segment,
    buyers.value_segment,
    former.segment as former_segment,
    case
        when former.buyer_id is null
        then null
        else
            coalesce(
                nullif(
                    trim(
                        concat(
                            case when buyers.r_tile <> former.r_tile then 'recency ' else '' end,
                            case when buyers.f_tile <> former.f_tile then 'frequency ' else '' end,
                            case when buyers.m_tile <> former.m_tile then 'monetary' else '' end
                        )
                    ),
                    ''
                ),
                'none'
            )
    end as changed_tiles,
    buyers.recency_days,
    buyers.frequency,
    buyers.monetary,
    buyers.r_tile,
    buyers.f_tile,
    buyers.m_tile
from buyers
left join former on buyers.level = former.level and buyers.buyer_id = former.buyer_id
