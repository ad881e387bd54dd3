-- Everybody has a segment: buyers their cohort; who never bought is a prospect and has no tile.
with
    profiles as (select profile_id from {{ ref("profiles") }}),

    buyers as (select * from {{ ref("int_buyers_compared") }} where level = 'profile')

select
    profiles.profile_id,
    coalesce(buyers.segment, 'prospect') as segment,
    buyers.loyalty_segment,
    buyers.value_segment,
    buyers.former_segment,
    buyers.changed_tiles,
    buyers.recency_days,
    buyers.frequency,
    buyers.monetary,
    buyers.r_tile,
    buyers.f_tile,
    buyers.m_tile,
    {{ as_of() }} as as_of
from profiles
left join buyers on profiles.profile_id = buyers.buyer_id
