-- By visits and orders: `lapsed` after 90 days of silence, `won_back` when active again after such a silence;
-- of the others `retained` with two paid orders, `activated` with one, else `first_seen`.
{% set silence = 90 * 86400 %}
{% set silence_began_at = add_seconds(as_of(), -silence) %}
with
    activities as (
        select profile_id, started_at as active_at, 0 as is_order
        from {{ ref("tessera", "sessions") }}
        union all
        select profile_id, ordered_at as active_at, 1 as is_order
        from {{ ref("tessera", "orders") }}
        where profile_id is not null and revenue - refunded > 0
    ),

    -- Only the first of the last 90 days' activities can have followed such a silence.
    measured as (
        select
            profile_id,
            sum(is_order) as order_count,
            max(case when active_at < {{ silence_began_at }} then active_at end) as formerly_active_at,
            min(case when active_at >= {{ silence_began_at }} then active_at end) as lately_active_at
        from activities
        group by profile_id
    )

select
    profile_id,
    case
        when lately_active_at is null
        then 'lapsed'
        when {{ seconds_between("formerly_active_at", "lately_active_at") }} > {{ silence }}
        then 'won_back'
        when order_count > 1
        then 'retained'
        when order_count = 1
        then 'activated'
        else 'first_seen'
    end as value
from measured
