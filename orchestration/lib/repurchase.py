"""The repurchase model: will a buyer order again within the horizon?

Trained on earlier cutoffs, tested out of time on the newest complete one, beside a baseline (logistic regression on recency,
frequency and monetary value). The richer model speaks only if its gain in AUC over the baseline is sure (the 95 % bootstrap interval
excludes 0); with too few examples no model speaks. Everything is seeded and rows are sorted, so the same features give the same
scores.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from orchestration.lib.warehouse import Warehouse

TARGET = "repurchase"
BASELINE_FEATURES = ["recency_days", "frequency", "monetary"]
FEATURES = [
    *BASELINE_FEATURES,
    "tenure_days",
    "orders_90_days",
    "days_since_visit",
    "events_30_days",
    "product_views_30_days",
]
# Buying more recently, more often, for more money, and looking around more can only raise the probability.
MONOTONIC = {
    "recency_days": -1,
    "frequency": 1,
    "orders_90_days": 1,
    "days_since_visit": -1,
    "product_views_30_days": 1,
}
SEED = 7
MINIMUM_EXAMPLES = 100  # of each answer, in training and in test (the public minimum of the field)
BOOTSTRAP_ROUNDS = 400


@dataclass(frozen=True)
class ModelCard:
    """How good the model is, measured out of time. AUC and Brier score without unit; lift is a ratio to the base rate."""

    target: str
    model_version: str | None
    algorithm: str | None
    status: str  # promoted, baseline, refused
    reason: str | None
    train_rows: int
    train_positives: int
    test_rows: int
    test_positives: int
    auc: float | None
    baseline_auc: float | None
    auc_gain_lower: float | None
    auc_gain_upper: float | None
    lift_top_decile: float | None
    brier_score: float | None
    test_cutoff_at: str | None
    as_of: str


def train_and_score(warehouse: Warehouse, models: Path, *, as_of: str) -> ModelCard:
    """Train on traits.int_purchases_observed, write predictions.model_runs and predictions.model_scores for this as_of.

    The rows of the same as_of are replaced, so that a repeated run leaves the same tables. The model (in skops' safe format) and
    its card go to `models/<version>/`.
    """
    with warehouse.reading("traits.int_purchases_observed") as rows:
        observed = warehouse.local.execute(f"select * from {rows} order by cutoff_number, profile_id").df()
    card, scores, model = _train(observed, as_of)
    if model is not None:
        _store(models / str(card.model_version), model, card)
    moment = datetime.fromisoformat(as_of)
    test_cutoff_at = card.test_cutoff_at and datetime.fromisoformat(card.test_cutoff_at)
    run = pa.Table.from_pylist([asdict(card) | {"as_of": moment, "test_cutoff_at": test_cutoff_at}])
    scores = scores.assign(target=TARGET, model_version=card.model_version, as_of=moment)
    with warehouse.transaction():
        warehouse.write(
            "predictions.model_scores", pa.Table.from_pandas(scores, preserve_index=False), target=TARGET, as_of=moment
        )
        warehouse.write("predictions.model_runs", run, target=TARGET, as_of=moment)
    return card


def _train(observed: pd.DataFrame, as_of: str) -> tuple[ModelCard, pd.DataFrame, Any]:
    current = observed[observed.cutoff_number == 0]
    test = observed[observed.cutoff_number == 1]
    train = observed[observed.cutoff_number > 1]
    answers = {name: part.has_bought_again.astype(bool).to_numpy() for name, part in (("train", train), ("test", test))}
    counts = {
        "train_rows": len(train),
        "train_positives": int(answers["train"].sum()),
        "test_rows": len(test),
        "test_positives": int(answers["test"].sum()),
    }
    short = [
        f"{name}: {int(answer.sum())} bought again, {int((~answer).sum())} did not"
        for name, answer in answers.items()
        if min(answer.sum(), (~answer).sum()) < MINIMUM_EXAMPLES
    ]
    if short:
        reason = f"too few examples ({'; '.join(short)}; {MINIMUM_EXAMPLES} of each are needed)"
        card = ModelCard(
            TARGET,
            None,
            None,
            "refused",
            reason,
            **counts,
            **dict.fromkeys(_MEASURES),
            test_cutoff_at=None,
            as_of=as_of,
        )
        return (
            card,
            pd.DataFrame(
                {
                    "profile_id": pd.Series(dtype=str),
                    "probability": pd.Series(dtype=float),
                    "percentile": pd.Series(dtype=float),
                }
            ),
            None,
        )

    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    candidates = {
        "gradient boosting": (
            FEATURES,
            HistGradientBoostingClassifier(
                max_leaf_nodes=8,
                min_samples_leaf=50,
                learning_rate=0.05,
                max_iter=150,
                monotonic_cst=[MONOTONIC.get(feature, 0) for feature in FEATURES],
                early_stopping=False,
                random_state=SEED,
            ),
        ),
        "logistic regression on recency, frequency, monetary": (
            BASELINE_FEATURES,
            make_pipeline(FunctionTransformer(signed_log), StandardScaler(), LogisticRegression()),
        ),
    }
    predicted = {}
    for algorithm, (features, model) in candidates.items():
        model.fit(train[features].to_numpy(), answers["train"])
        predicted[algorithm] = model.predict_proba(test[features].to_numpy())[:, 1]
    richer, baseline = candidates
    lower, upper = _auc_gain(answers["test"], predicted[richer], predicted[baseline])
    algorithm = richer if lower > 0 else baseline
    features, model = candidates[algorithm]

    data_hash = hashlib.sha256(
        pd.util.hash_pandas_object(observed[["profile_id", "cutoff_number", *FEATURES, "has_bought_again"]], index=False)
        .to_numpy()
        .tobytes()
    )
    top = np.argsort(-predicted[algorithm], kind="stable")[: max(1, len(test) // 10)]
    card = ModelCard(
        TARGET,
        f"{TARGET}-{as_of[:10]}-{data_hash.hexdigest()[:8]}",
        algorithm,
        "promoted" if algorithm == richer else "baseline",
        None if algorithm == richer else "the richer model's gain over the baseline is not sure (its 95 % interval includes 0)",
        **counts,
        auc=_round(roc_auc_score(answers["test"], predicted[richer])),
        baseline_auc=_round(roc_auc_score(answers["test"], predicted[baseline])),
        auc_gain_lower=_round(lower),
        auc_gain_upper=_round(upper),
        lift_top_decile=_round(answers["test"][top].mean() / answers["test"].mean()),
        brier_score=_round(brier_score_loss(answers["test"], predicted[algorithm])),
        test_cutoff_at=test.cutoff_at.iloc[0].isoformat(),
        as_of=as_of,
    )
    probability = np.round(model.predict_proba(current[features].to_numpy())[:, 1], 9) if len(current) else np.array([])
    scores = pd.DataFrame({"profile_id": current.profile_id.to_numpy(), "probability": probability})
    # The share of scored people with a lower or equal score, in percent: equal scores have equal percentiles.
    scores["percentile"] = np.round(scores.probability.rank(method="max", pct=True) * 100, 6)
    return card, scores, model


_MEASURES = ("auc", "baseline_auc", "auc_gain_lower", "auc_gain_upper", "lift_top_decile", "brier_score")


def signed_log(values: np.ndarray) -> np.ndarray:
    """Return sign(x) · log(1 + |x|), elementwise: tames money and counts, and keeps negative net values."""
    return np.sign(values) * np.log1p(np.abs(values))


def _auc_gain(answers: np.ndarray, richer: np.ndarray, baseline: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of AUC(richer) − AUC(baseline), resampling people (paired)."""
    generator = np.random.default_rng(SEED)
    gains = []
    for _ in range(BOOTSTRAP_ROUNDS):
        sample = generator.integers(0, len(answers), len(answers))
        if 0 < answers[sample].sum() < len(sample):
            gains.append(_auc(answers[sample], richer[sample]) - _auc(answers[sample], baseline[sample]))
    lower, upper = np.quantile(gains, [0.025, 0.975])
    return float(lower), float(upper)


def _auc(answers: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve by ranks (Mann-Whitney U; ties count a half)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = answers.sum()
    return float((ranks[answers].sum() - positives * (positives + 1) / 2) / (positives * (len(answers) - positives)))


def _round(value: float) -> float:
    return round(float(value), 6)


def _store(folder: Path, model: Any, card: ModelCard) -> None:
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, folder / "model.skops")
    (folder / "card.json").write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
