"""The models in Python: they read features that dbt built and write scores that dbt reads."""

from collections.abc import Iterator

import dagster as dg

from orchestration import paths
from orchestration.defs.resources import Workspace
from orchestration.lib import repurchase
from orchestration.lib.progress import step


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["predictions", table],
            group_name="predictions",
            deps=[["traits", "int_purchases_observed"]],
            kinds={"python", "sklearn"},
        )
        for table in ("model_runs", "model_scores")
    ],
    name="train_and_score",
)
def repurchase_model(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    """Train the repurchase model out of time and score today's buyers."""
    with step("train") as note, workspace.warehouse() as opened:
        card = repurchase.train_and_score(opened, paths.models(), as_of=workspace.as_of(context))
        note(f"AUC {card.auc:.3f}, baseline {card.baseline_auc:.3f}" if card.auc is not None else f"refused: {card.reason}")
    for table in ("model_runs", "model_scores"):
        yield dg.MaterializeResult(
            asset_key=["predictions", table],
            metadata={"status": card.status, "auc": card.auc or "none", "baseline_auc": card.baseline_auc or "none"},
        )
