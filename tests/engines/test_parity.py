"""The same deliveries give the same published tables and the same exports on every engine, after the first run and after later ones."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, tessera_in
from tests.engines.parity import Delivery, Outcome, deliveries, differences, published, run

Runs = Callable[[str, list[Delivery]], list[Outcome]]
THREE_LOADS = (0.7, 0.85, 1.0)


@pytest.fixture(scope="session")
def three_loads(tmp_path_factory: pytest.TempPathFactory) -> list[Delivery]:
    """The demo shop in three deliveries, with late and repeated events between them."""
    return deliveries(tmp_path_factory.mktemp("deliveries"), events=12_000, shares=THREE_LOADS)


@pytest.fixture(scope="session")
def online_retail(shared_data: Path) -> list[Delivery]:
    """A year of orders of a real shop."""
    content = (shared_data / "online_retail" / "online_retail_orders.ndjson.gz").read_bytes()
    return [Delivery("2011-12-10T00:00:00", {"online_retail/orders.ndjson": gzip.decompress(content)})]


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, timings: list[tuple[str, str, float, float]]
) -> Runs:
    """Run deliveries on an engine, each engine and list of deliveries once."""
    done: dict[tuple[str, str], list[Outcome]] = {}
    homes: dict[tuple[str, str], Path] = {}

    def run_all(engine: str, parts: list[Delivery]) -> list[Outcome]:
        key = engine, parts[0].as_of
        if key not in done:
            done[key], homes[key] = [], tmp_path_factory.mktemp(engine) / "home"
        variables = request.getfixturevalue(engine)(homes[key].parent.name)
        for part in parts[len(done[key]) :]:
            done[key].append(run(homes[key], part, variables))
            outcome = done[key][-1]
            what = f"run {len(done[key])}, as of {part.as_of[:10]}"
            timings.append((engine, what, outcome.seconds, outcome.cpu_seconds))
        return done[key][: len(parts)]

    return run_all


def assert_equal(runs: Runs, engine: str, parts: list[Delivery]) -> None:
    found = runs(engine, parts)  # first, so that an engine that is absent skips
    for expected, other in zip(runs("duckdb_engine", parts), found, strict=True):
        assert differences(expected, other) == ""


@pytest.mark.parametrize("engine", ["postgres", "spark"])
def test_a_full_and_an_incremental_run_publish_the_same_on_every_engine(
    runs: Runs, three_loads: list[Delivery], engine: str
) -> None:
    assert_equal(runs, engine, three_loads[:2])


@pytest.mark.cluster
@pytest.mark.parametrize("engine", ["postgres", "spark", "spark_cluster"])
def test_three_loads_with_late_and_repeated_events_publish_the_same_on_every_engine(
    runs: Runs, three_loads: list[Delivery], engine: str
) -> None:
    assert_equal(runs, engine, three_loads)


@pytest.mark.cluster
@pytest.mark.parametrize("engine", ["postgres", "spark", "spark_cluster"])
def test_a_year_of_a_real_shop_publishes_the_same_on_every_engine(runs: Runs, online_retail: list[Delivery], engine: str) -> None:
    assert_equal(runs, engine, online_retail)


def test_deliveries_hold_late_and_repeated_lines(three_loads: list[Delivery]) -> None:
    lines = [[line for content in part.files.values() for line in content.splitlines()] for part in three_loads]
    assert set(lines[0]) & set(lines[1]), "nothing is delivered again"
    first = "shop_web/1.ndjson"
    assert len(three_loads[0].files[first]) > len(three_loads[1].files["shop_web/2.ndjson"]) > 0


def test_a_semantic_difference_in_one_macro_is_caught(
    runs: Runs, three_loads: list[Delivery], postgres: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    """Elapsed seconds rounded up instead of down: valid SQL, every check passes, and the tables tell."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", ".tessera", "target", "*.egg-info", "compiled"))
    macro = tree / "dbt_project" / "macros" / "engine" / "seconds_between.sql"
    rounded_down, rounded_up = "cast(floor(extract(epoch", "cast(ceil(extract(epoch"
    assert rounded_down in macro.read_text(encoding="utf-8")
    macro.write_text(macro.read_text(encoding="utf-8").replace(rounded_down, rounded_up), encoding="utf-8")
    home = tmp_path / "home"
    for name, content in three_loads[0].files.items():
        (home / "landing" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "landing" / name).write_bytes(content)
    tessera_in(tree, home, "run", as_of=three_loads[0].as_of, **postgres("difference"))
    [reference] = runs("duckdb_engine", three_loads[:1])
    assert "only there:" in differences(reference, Outcome(published(home), reference.exports, 0, 0))
