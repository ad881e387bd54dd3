select profile_id
from {{ ref("rfm_segments") }}
where value_segment = 'high' and loyalty_segment in ('new', 'still_loyal')
