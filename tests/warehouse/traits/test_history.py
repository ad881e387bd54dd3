"""Trait history: a log that no run rewrites. That it says what a build as of its dates says: test_increments."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from orchestration.lib import demo_shop
from tests.conftest import tessera
from tests.warehouse.helpers import DBT_BUILD, built

DATES = ("2026-08-01T00:00:00", "2026-09-15T12:00:00", "2026-11-01T00:00:00")
LOG = "select * from traits.int_traits_changed order by all"


def build(home: Path, as_of: str, *arguments: str) -> None:
    tessera(home, *DBT_BUILD, "--select", "+trait_history", *arguments, as_of=as_of)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shop")
    demo_shop.generate(folder / "shop", folder / "truth", events=4_000, seed=5)
    return sorted((folder / "shop").glob("shop_*/*.ndjson.gz"))


@pytest.fixture(scope="module")
def home(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as of each date in turn."""
    home = tmp_path_factory.mktemp("history") / "home"
    tessera(home, "load", *files, "--source", "shop")
    for date in DATES:
        build(home, date)
    return home


def test_the_log_is_the_same_after_a_full_refresh_and_after_a_run_as_of_the_past(home: Path) -> None:
    log = built(home, LOG)
    again = built(home, "select profile_id, trait, value from traits.trait_history where valid_to is not null")
    assert again, "somebody's trait changed"
    build(home, DATES[-1], "--full-refresh")
    assert built(home, LOG) == log
    build(home, DATES[0])
    assert built(home, LOG) == log


def test_spans_of_a_trait_do_not_overlap(home: Path) -> None:
    spans = built(home, "select profile_id, trait, valid_from, valid_to from traits.trait_history order by all")
    wrong = [(one, other) for one, other in pairwise(spans) if one[:2] == other[:2] and (one[3] is None or one[3] > other[2])]
    assert wrong == []
    assert [span for span in spans if span[3] is not None and span[3] <= span[2]] == []
