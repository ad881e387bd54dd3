with
    profiles as (select * from {{ ref("profiles") }}),

    computed as (
        select
            profile_id,
            max(case when trait = 'order_count' then cast(value as bigint) end) as order_count,
            max(
                case when trait = 'lifetime_revenue' then cast(value as {{ type_decimal() }}) end
            ) as lifetime_revenue,
            max(case when trait = 'favourite_category' then value end) as favourite_category
        from {{ ref("profile_traits") }}
        group by profile_id
    ),

    segments as (select * from {{ ref("rfm_segments") }}),

    propensities as (select * from {{ ref("propensities") }} where target = 'repurchase'),

    granted as (
        select profile_id, {{ list_text("purpose") }} as granted_purposes
        from {{ ref("consent_states") }}
        where state = 'granted'
        group by profile_id
    )

select
    profiles.profile_id,
    profiles.user_id,
    profiles.email,
    profiles.phone,
    profiles.first_name,
    profiles.last_name,
    profiles.country,
    computed.favourite_category,
    segments.loyalty_segment,
    segments.value_segment,
    coalesce(granted.granted_purposes, '') as granted_purposes,
    coalesce(computed.order_count, 0) as order_count,
    coalesce(computed.lifetime_revenue, 0) as lifetime_revenue,
    propensities.probability as repurchase_probability,
    profiles.is_known,
    profiles.first_seen_at,
    profiles.last_seen_at,
    {{ as_of() }} as as_of
from profiles
left join computed on profiles.profile_id = computed.profile_id
left join segments on profiles.profile_id = segments.profile_id
left join propensities on profiles.profile_id = propensities.profile_id
left join granted on profiles.profile_id = granted.profile_id
