-- Everybody has a segment: buyers their cohort, with what it was when the boundaries were frozen and the
-- tiles that changed since; who never bought is a prospect and has no tile.
with
    profiles as (select profile_id from {{ ref("profiles") }}),

    scored as (select * from {{ ref("int_buyers_scored") }}),

    buyers as (select * from scored where moment = 0),

    former as (
        select * from scored where moment = {{ 2 if rfm_moments()[0].at == rfm_moments()[1].at else 1 }}
    )

select
    profiles.profile_id,
    coalesce(buyers.segment, 'prospect') as segment,
    buyers.loyalty_segment,
    buyers.value_segment,
    former.segment as former_segment,
    case
        when buyers.profile_id is null or former.profile_id is null
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
    buyers.m_tile,
    {{ as_of() }} as as_of
from profiles
left join buyers on profiles.profile_id = buyers.profile_id
left join former on profiles.profile_id = former.profile_id
