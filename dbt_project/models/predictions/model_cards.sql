-- The model that speaks in this run, beside its baseline, or why it keeps silent.
select
    target,
    model_version,
    algorithm,
    status,
    reason,
    train_rows,
    train_positives,
    test_rows,
    test_positives,
    auc,
    baseline_auc,
    auc_gain_lower,
    auc_gain_upper,
    lift_top_decile,
    brier_score,
    test_cutoff_at,
    as_of
from {{ source("predictions", "model_runs") }}
where as_of = {{ as_of() }}
