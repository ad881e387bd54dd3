-- Loyalty crosses recency with frequency; value is the monetary half. Tiles are relative, so a recent
-- buyer of a shop that has gone quiet is `new` only within an absolute number of days.
with
    scores as (select * from {{ ref("rfm_scores") }}),

    halves as (
        select
            profile_id,
            2 * r_tile > {{ var("rfm_tiles") }} as is_recent,
            2 * f_tile > {{ var("rfm_tiles") }} as is_frequent,
            2 * m_tile > {{ var("rfm_tiles") }} as is_valuable,
            recency_days <= {{ var("rfm_new_within_days") }} as is_within_guard
        from scores
    ),

    named as (
        select
            profile_id,
            case
                when is_recent and is_frequent
                then 'still_loyal'
                when is_frequent
                then 'once_loyal'
                when is_recent and is_within_guard
                then 'new'
                else 'old'
            end as loyalty_segment,
            case when is_valuable then 'high' else 'low' end as value_segment
        from halves
    )

select
    named.profile_id,
    named.loyalty_segment || '_' || named.value_segment as segment,
    named.loyalty_segment,
    named.value_segment,
    scores.recency_days,
    scores.frequency,
    scores.monetary,
    scores.r_tile,
    scores.f_tile,
    scores.m_tile,
    scores.as_of
from named
inner join scores on named.profile_id = scores.profile_id
