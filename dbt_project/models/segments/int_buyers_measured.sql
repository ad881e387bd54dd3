-- Buyers: profiles with at least one order that was not wholly refunded. Refunds lower the monetary
-- value, even below zero.
with orders as (select * from {{ ref("orders") }} where profile_id is not null)

select
    profile_id,
    sum(case when revenue - refunded > 0 then 1 else 0 end) as frequency,
    cast(sum(revenue - refunded) as {{ type_decimal() }}) as monetary,
    max(case when revenue - refunded > 0 then ordered_at end) as last_ordered_at
from orders
group by profile_id
having sum(case when revenue - refunded > 0 then 1 else 0 end) > 0
