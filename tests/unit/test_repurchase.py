"""The repurchase model: silent when it knows too little, honest against its baseline, the same for the same features."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from orchestration.lib import repurchase
from orchestration.lib.repurchase import FEATURES, ModelCard, signed_log, train_and_score
from orchestration.lib.warehouse import Embedded

AS_OF = "2026-01-01T00:00:00"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """So few rows are learnt from faster by one thread, and the tests share the machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        Embedded(connection).ensure_tables("salt")
        connection.execute("create schema traits")
        yield connection


def _shop(people: int = 600, *, seed: int = 1, richer: bool = False) -> pd.DataFrame:
    """Buyers at four cutoffs (0 to score, 1 to test, 2 and 3 to train), of whom about 40 % buy again.

    Who bought recently does so more often; with `richer`, who looked at products does so too, which the baseline cannot know.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for cutoff in range(4):
        recency = generator.exponential(60, people)
        views = generator.poisson(2, people).astype(float)
        logit = 0.8 - recency / 40 + (2.5 * (views - 2) if richer else 0)
        again = generator.random(people) < 1 / (1 + np.exp(-logit))
        parts.append(
            pd.DataFrame(
                {
                    "profile_id": [f"p{number:05}" for number in range(people)],
                    "cutoff_number": cutoff,
                    "recency_days": recency,
                    "frequency": generator.poisson(2, people) + 1.0,
                    "monetary": generator.gamma(2, 30, people),
                    "tenure_days": recency + generator.exponential(100, people),
                    "orders_90_days": generator.poisson(1, people).astype(float),
                    # Some never visited the site: unknown, not 0.
                    "days_since_visit": np.where(generator.random(people) < 0.2, np.nan, generator.exponential(20, people)),
                    "events_30_days": generator.poisson(5, people).astype(float),
                    "product_views_30_days": views,
                    "has_bought_again": [None] * people if cutoff == 0 else again.tolist(),
                    "cutoff_at": pd.Timestamp(AS_OF) - pd.Timedelta(days=60 * cutoff),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _answer(shop: pd.DataFrame, cutoffs: set[int], yes: int) -> None:
    """Let exactly `yes` of the buyers at each of the cutoffs buy again."""
    for cutoff in cutoffs:
        rows = shop.index[shop.cutoff_number == cutoff]
        shop.loc[rows, "has_bought_again"] = [number < yes for number in range(len(rows))]


def _run(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, shop: pd.DataFrame, as_of: str = AS_OF
) -> tuple[ModelCard, pd.DataFrame]:
    """Train as the run does; return the card and the scores as they stand in the warehouse."""
    columns = ", ".join(f"{name}::double as {name}" for name in FEATURES)
    warehouse.register("shop", shop.astype({"has_bought_again": "boolean"}))
    warehouse.execute(
        f"""create or replace table traits.int_purchases_observed as select profile_id, cutoff_number::bigint as cutoff_number,
        {columns}, has_bought_again::boolean as has_bought_again, cutoff_at::timestamp as cutoff_at from shop"""
    )
    warehouse.unregister("shop")
    card = train_and_score(Embedded(warehouse), folder / "models", as_of=as_of)
    scores = warehouse.execute(
        "select * from predictions.model_scores where as_of = ?::timestamp order by profile_id", [as_of]
    ).df()
    return card, scores


@pytest.mark.parametrize(
    ("cutoffs", "name", "yes"), [({1}, "test", 99), ({1}, "test", 501), ({2, 3}, "train", 49), ({2, 3}, "train", 551)]
)
def test_fewer_than_100_of_either_answer_is_a_refusal_that_says_so(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, cutoffs: set[int], name: str, yes: int
) -> None:
    shop = _shop()
    _answer(shop, cutoffs, yes)
    card, scores = _run(warehouse, tmp_path, shop)
    assert card.status == "refused"
    found = yes * len(cutoffs), (600 - yes) * len(cutoffs)
    assert card.reason is not None
    assert f"{name}: {found[0]} bought again, {found[1]} did not" in card.reason
    assert "100" in card.reason
    assert (card.auc, card.baseline_auc, card.model_version, card.algorithm) == (None, None, None, None)
    assert (card.train_rows, card.test_rows) == (1200, 600)
    assert scores.empty
    assert not (tmp_path / "models").exists()
    assert warehouse.execute("select status, reason, auc from predictions.model_runs").fetchall() == [
        ("refused", card.reason, None)
    ]


def test_100_of_each_answer_are_enough(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shop = _shop(people=200)
    _answer(shop, {1, 2, 3}, 100)
    card, scores = _run(warehouse, tmp_path, shop)
    assert card.status != "refused"
    assert (card.test_positives, card.test_rows, card.train_positives) == (100, 200, 200)
    assert len(scores) == 200


def test_nobody_at_all_is_a_refusal(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    card, scores = _run(warehouse, tmp_path, _shop().iloc[:0])
    assert (card.status, card.train_rows, card.test_rows, len(scores)) == ("refused", 0, 0, 0)


def test_a_richer_model_that_is_surely_better_speaks(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    card, scores = _run(warehouse, tmp_path, _shop(richer=True))
    assert card.status == "promoted"
    assert card.algorithm == "gradient boosting"
    assert card.reason is None
    assert card.auc is not None
    assert card.baseline_auc is not None
    assert card.auc_gain_lower is not None
    assert card.auc_gain_upper is not None
    assert 0 < card.auc_gain_lower < card.auc - card.baseline_auc < card.auc_gain_upper
    assert len(scores) == 600
    assert scores.probability.between(0, 1).all()


def test_a_richer_model_that_knows_nothing_more_leaves_the_baseline(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    card, scores = _run(warehouse, tmp_path, _shop())
    assert card.status == "baseline"
    assert card.algorithm == "logistic regression on recency, frequency, monetary"
    assert card.reason
    assert card.auc_gain_lower is not None
    assert card.auc_gain_lower <= 0
    # The baseline's scores depend on its three features alone.
    current = _shop().query("cutoff_number == 0").sort_values("profile_id")
    ranks = scores.probability.rank().corr(-current.recency_days.rank().reset_index(drop=True))
    assert ranks > 0.8


def test_the_auc_is_that_of_scikit_learn(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    for size, levels in itertools.product((2, 7, 100, 1001), (1, 3, 1000)):
        answers = generator.random(size) < 0.4
        answers[:2] = [True, False]
        scores = generator.integers(0, levels, size) / levels
        assert repurchase._auc(answers, scores) == pytest.approx(roc_auc_score(answers, scores), abs=1e-12)


def test_the_card_measures_the_stored_model_on_the_newest_complete_cutoff(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    import skops.io

    shop = _shop(richer=True)
    card, scores = _run(warehouse, tmp_path, shop)
    folder = tmp_path / "models" / str(card.model_version)
    assert json.loads((folder / "card.json").read_text())["auc"] == card.auc
    unknown = skops.io.get_untrusted_types(file=folder / "model.skops")
    model = skops.io.load(folder / "model.skops", trusted=unknown)
    test = shop[shop.cutoff_number == 1].sort_values("profile_id")
    answers = test.has_bought_again.astype(bool).to_numpy()
    predicted = model.predict_proba(test[FEATURES].to_numpy())[:, 1]
    assert card.auc == pytest.approx(roc_auc_score(answers, predicted), abs=1e-6)
    assert card.brier_score == pytest.approx(((predicted - answers) ** 2).mean(), abs=1e-6)
    best = np.argsort(-predicted, kind="stable")[:60]
    assert card.lift_top_decile == pytest.approx(answers[best].mean() / answers.mean(), abs=1e-6)
    assert card.test_cutoff_at == "2025-11-02T00:00:00"
    now = shop[shop.cutoff_number == 0].sort_values("profile_id")
    assert scores.probability.to_numpy() == pytest.approx(model.predict_proba(now[FEATURES].to_numpy())[:, 1], abs=1e-9)


@pytest.mark.parametrize("richer", [True, False])
def test_equal_features_give_equal_scores_in_any_order_of_rows_and_on_every_run(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, richer: bool
) -> None:
    shop = _shop(richer=richer)
    card, scores = _run(warehouse, tmp_path / "a", shop)
    again, repeated = _run(warehouse, tmp_path / "b", shop.sample(frac=1, random_state=5))
    assert again == card
    pd.testing.assert_frame_equal(repeated, scores)
    models = [(tmp_path / run / "models" / str(card.model_version) / "card.json").read_bytes() for run in "ab"]
    assert models[0] == models[1]


def test_the_number_of_threads_changes_no_score(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shop = _shop(richer=True)
    card, scores = _run(warehouse, tmp_path, shop)
    with threadpool_limits(2):
        again, repeated = _run(warehouse, tmp_path, shop)
    assert again == card
    pd.testing.assert_frame_equal(repeated, scores, check_exact=True)


def test_another_as_of_time_or_other_features_are_another_version(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    card, _ = _run(warehouse, tmp_path, _shop(people=300))
    later, _ = _run(warehouse, tmp_path, _shop(people=300), as_of="2026-01-02T00:00:00")
    other, _ = _run(warehouse, tmp_path, _shop(people=300, seed=2))
    assert len({card.model_version, later.model_version, other.model_version}) == 3


def test_a_model_that_learnt_from_other_answers_is_another_version(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shop = _shop(people=300)
    card, _ = _run(warehouse, tmp_path, shop)
    _answer(shop, {2}, 150)
    assert _run(warehouse, tmp_path, shop)[0].model_version != card.model_version


def test_a_repeated_run_replaces_its_rows_and_no_others(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _run(warehouse, tmp_path, _shop(people=350), as_of="2025-12-31T00:00:00")
    _run(warehouse, tmp_path, _shop(people=400))
    _run(warehouse, tmp_path, _shop(people=350))
    counts: list[Any] = warehouse.execute(
        "select as_of::varchar, count(*) from predictions.model_scores group by 1 order by 1"
    ).fetchall()
    assert counts == [("2025-12-31 00:00:00", 350), ("2026-01-01 00:00:00", 350)]
    assert warehouse.execute("select count(*) from predictions.model_runs").fetchall() == [(2,)]


def test_equal_scores_have_equal_percentiles_and_the_highest_has_100(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    shop = _shop()
    now = shop.index[shop.cutoff_number == 0]
    # Four kinds of buyers, of whom nobody can tell two of a kind apart: 60, 120, 180 and 240 of them.
    kinds = np.repeat([0, 1, 2, 3], [60, 120, 180, 240])
    for feature in FEATURES:
        shop.loc[now, feature] = 10.0
    shop.loc[now, "recency_days"] = np.array([5.0, 40.0, 80.0, 200.0])[kinds]
    _, scores = _run(warehouse, tmp_path, shop)
    pairs = scores[["probability", "percentile"]].drop_duplicates().sort_values("probability")
    # The share of people with an equal or lower score: 240, 420, 540 and 600 of 600.
    assert pairs.percentile.tolist() == [40.0, 70.0, 90.0, 100.0]


def test_buying_more_recently_never_lowers_the_richer_models_score(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shop = _shop(richer=True)
    now = shop.index[shop.cutoff_number == 0]
    for feature in FEATURES:
        shop.loc[now, feature] = 3.0
    shop.loc[now, "recency_days"] = np.arange(len(now), dtype=float)
    card, scores = _run(warehouse, tmp_path, shop)
    assert card.status == "promoted"
    assert (np.diff(scores.probability) <= 0).all()


def test_nobody_to_score_is_no_error(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    card, scores = _run(warehouse, tmp_path, _shop().query("cutoff_number > 0"))
    assert card.status == "baseline"
    assert scores.empty


def test_the_logarithm_keeps_the_sign_and_the_order() -> None:
    values = np.array([-1e6, -1.0, 0.0, 1.0, np.e - 1, 1e6])
    assert signed_log(values)[[2, 4]] == pytest.approx([0, 1])
    assert (np.diff(signed_log(values)) > 0).all()
    assert signed_log(-values) == pytest.approx(-signed_log(values))
