-- Every sale, whether or not we know who bought: revenue without a person stays in the sum.
select
    'order:' || order_id as conversion_id,
    profile_id,
    order_id,
    'order' as conversion_type,
    currency,
    revenue,
    ordered_at as converted_at
from {{ ref("orders") }}
where has_sale
