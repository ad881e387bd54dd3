{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
-- The last time something was put into the cart, where no order followed.
with
    carts as (
        select profile_id, max(occurred_at) as added_at
        from {{ ref("tessera", "profile_events") }}
        where profile_id is not null and event = 'Product Added' and {{ is_touched("profile_id") }}
        group by profile_id
    ),

    buyers as (
        select profile_id, max(ordered_at) as ordered_at
        from {{ ref("tessera", "orders") }}
        where profile_id is not null and has_sale and {{ is_touched("profile_id") }}
        group by profile_id
    )

select carts.profile_id, carts.added_at as value
from carts
left join buyers on carts.profile_id = buyers.profile_id
where buyers.ordered_at is null or buyers.ordered_at < carts.added_at
