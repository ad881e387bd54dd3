select profile_id from {{ ref("propensities") }} where target = 'repurchase' and percentile >= 80
