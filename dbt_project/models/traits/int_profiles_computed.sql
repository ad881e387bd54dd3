-- The computed traits in one pass a source. Counts are 0 and money is 0 for a profile without orders; a
-- favourite is null.
with
    profiles as (select profile_id from {{ ref("profiles") }}),

    order_totals as (
        select
            profile_id,
            sum(case when revenue - refunded > 0 then 1 else 0 end) as order_count,
            sum(revenue - refunded) as lifetime_revenue
        from {{ ref("orders") }}
        where profile_id is not null
        group by profile_id
    ),

    category_counts as (
        select
            profile_id,
            nullif({{ json_text("properties", ["category"]) }}, '') as category,
            count(*) as view_count
        from {{ ref("profile_events") }}
        where profile_id is not null and event = 'Product Viewed'
        group by 1, 2
    ),

    -- The most frequent category; a tie goes to the first in alphabetical order.
    category_ranks as (
        select
            profile_id,
            category,
            row_number() over (
                partition by profile_id order by view_count desc nulls last, category
            ) as category_rank
        from category_counts
        where category is not null
    )

select
    profiles.profile_id,
    category_ranks.category as favourite_category,
    cast(coalesce(order_totals.order_count, 0) as bigint) as order_count,
    cast(coalesce(order_totals.lifetime_revenue, 0) as {{ type_decimal() }}) as lifetime_revenue
from profiles
left join order_totals on profiles.profile_id = order_totals.profile_id
left join
    category_ranks on profiles.profile_id = category_ranks.profile_id and category_ranks.category_rank = 1
