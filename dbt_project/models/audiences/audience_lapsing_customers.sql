select profile_id from {{ ref("rfm_segments") }} where loyalty_segment = 'once_loyal'
