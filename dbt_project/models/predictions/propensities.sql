-- Written by the repurchase model (Python) for this as_of; a refused model writes no scores.
select profile_id, target, model_version, probability, percentile, as_of
from {{ source("predictions", "model_scores") }}
where as_of = {{ as_of() }}
