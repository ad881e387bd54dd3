select
    buyer_id as profile_id,
    recency_days,
    frequency,
    monetary,
    r_tile,
    f_tile,
    m_tile,
    r_boundary,
    f_boundary,
    m_boundary,
    last_ordered_at,
    period_at as boundaries_at,
    {{ as_of() }} as as_of
from {{ ref("int_buyers_scored") }}
where level = 'profile' and moment = 0
