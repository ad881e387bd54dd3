-- By visits and orders: `lapsed` after 90 days of silence, `won_back` when active again after such a silence;
-- of the others `retained` with two paid orders, `activated` with one, else `first_seen`.
{% set silence = 90 * 86400 %}
with
    activities as (
        select profile_id, started_at as active_at, 0 as is_order
        from {{ ref("tessera", "sessions") }}
        union all
        select profile_id, ordered_at as active_at, 1 as is_order
        from {{ ref("tessera", "orders") }}
        where profile_id is not null and revenue - refunded > 0
    ),

    gaps as (
        select *, lag(active_at) over (partition by profile_id order by active_at) as previous_at
        from activities
    ),

    measured as (
        select
            profile_id,
            sum(is_order) as order_count,
            max(active_at) as last_active_at,
            max(
                case when {{ seconds_between("previous_at", "active_at") }} > {{ silence }} then active_at end
            ) as returned_at
        from gaps
        group by profile_id
    )

select
    profile_id,
    case
        when {{ seconds_between("last_active_at", as_of()) }} > {{ silence }}
        then 'lapsed'
        when {{ seconds_between("returned_at", as_of()) }} <= {{ silence }}
        then 'won_back'
        when order_count > 1
        then 'retained'
        when order_count = 1
        then 'activated'
        else 'first_seen'
    end as value
from measured
