"""UCI Online Retail, 2010-12-01 to 2011-12-09, end to end: the numbers that the shop's own bookkeeping gives.

The data's own page (`shared/data/README.md`) counts the calls and the money; the file is counted here once more, in plain Python.
Two homes are built, and the first one twice: with the same file again, and with the lines shuffled over twenty files.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib.publish import fingerprint
from tests.conftest import ask, tessera
from tests.warehouse.helpers import built, read_lines, write_shuffled

AS_OF = "2011-12-10"
SOURCE = "online_retail"
MODELS = ("first", "last", "linear")
REVENUE, NET = Decimal("10644560.42"), Decimal("9747747.93")
COHORTS = {f"{loyalty}_{value}" for loyalty in ("new", "old", "once_loyal", "still_loyal") for value in ("high", "low")}


@dataclass(frozen=True)
class Shop:
    """A home, what `tessera run` printed in it, and its current snapshot."""

    home: Path
    printed: str
    snapshot: Path


@pytest.fixture(scope="module")
def delivered(shared_data: Path) -> Path:
    return shared_data / "online_retail" / "online_retail_orders.ndjson.gz"


@pytest.fixture(scope="module")
def shop(delivered: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The acceptance line, literally."""
    home = tmp_path_factory.mktemp("retail") / "home"
    tessera(home, "load", delivered)
    printed = tessera(home, "run", as_of=AS_OF).stdout
    return Shop(home, printed, (home / "published" / "current").resolve())


@pytest.fixture(scope="module")
def asks(shop: Shop) -> Callable[[str], dict[str, Any]]:
    """Ask the snapshot for one row."""

    def one(sql: str) -> dict[str, Any]:
        [row] = ask(shop.home, sql)
        return row

    return one


def canonical(snapshot: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each table's columns, types and sorted rows as text. No column of a table is left out, nor is a table."""
    with duckdb.connect() as connection:
        for file in sorted(snapshot.glob("*.parquet")):
            rows = connection.sql(f"select * from read_parquet('{file}')")
            header = " ".join(f"{name}:{kind}" for name, kind in zip(rows.columns, rows.types, strict=True))
            lines = sorted(json.dumps(row, default=str, ensure_ascii=False) for row in rows.fetchall())
            yield file.name, "\n".join([header, *lines, ""]).encode()


def differing(one: Path, other: Path) -> list[str]:
    """Return the tables in which two snapshots differ."""
    first, second = fingerprint(one), fingerprint(other)
    return sorted(table for table in first.keys() | second.keys() if first.get(table) != second.get(table))


def test_the_file_holds_what_its_page_says(delivered: Path) -> None:
    calls = [json.loads(line, parse_float=Decimal) for line in read_lines(delivered)]
    names = Counter(call.get("event", call["type"]) for call in calls)
    assert names == {"Order Completed": 22_064, "Order Refunded": 3_836, "identify": 4_372}
    money = Counter()
    for call in calls:
        money[call.get("event")] += Decimal(call.get("properties", {}).get("revenue", 0))
    assert money["Order Completed"] == REVENUE
    assert money["Order Completed"] + money["Order Refunded"] == NET
    assert len({call["properties"]["order_id"] for call in calls if call["type"] == "track"}) == 25_900


def test_every_call_is_an_event(asks: Callable[[str], dict[str, Any]]) -> None:
    counts = asks("select count(*) as calls, count(distinct event_id) as events from events.events")
    assert counts == {"calls": 30_272, "events": 30_272}
    assert asks("select count(*) as n from events.events_quarantine") == {"n": 0}


def test_people_are_found(asks: Callable[[str], dict[str, Any]]) -> None:
    assert asks("select count(*) as n, count(user_id) as known from profiles.profiles") == {"n": 8_082, "known": 4_372}


def test_every_order_has_a_row_and_the_money_is_all_there(asks: Callable[[str], dict[str, Any]]) -> None:
    """A refund whose sale is unknown, as all of them here, is a row of its own."""
    found = asks(
        """select count(*) as orders, sum(revenue) as revenue, sum(revenue - refunded) as net,
            count(*) filter (where refunded > 0 and revenue = 0) as lone_refunds, count(*) filter (where has_sale) as sales
        from profiles.orders"""
    )
    assert {name: found[name] for name in ("orders", "sales")} == {"orders": 25_900, "sales": 22_064}
    assert (Decimal(found["revenue"]), Decimal(found["net"])) == (REVENUE, NET)
    assert found["lone_refunds"] == 3_836


def test_each_attribution_model_gives_out_all_revenue_to_the_cent(shop: Shop) -> None:
    for table in ("attributed_conversions", "campaign_returns"):
        rows = ask(shop.home, f"select model, sum(revenue) as revenue from attribution.{table} group by model")
        assert {row["model"]: Decimal(row["revenue"]) for row in rows} == dict.fromkeys(MODELS, REVENUE), table


def test_the_eight_cohorts_sum_to_the_buyers(shop: Shop, asks: Callable[[str], dict[str, Any]]) -> None:
    rows = ask(shop.home, "select segment, count(*) as n from segments.rfm_segments where segment <> 'prospect' group by 1")
    cohorts = {row["segment"]: row["n"] for row in rows}
    assert cohorts.keys() == COHORTS
    assert sum(cohorts.values()) == 5_766
    buyers = "select count(distinct profile_id) as n from profiles.orders where revenue - refunded > 0"
    assert asks(buyers) == {"n": 5_766}


def test_the_run_prints_how_good_the_repurchase_model_is_beside_its_baseline(
    shop: Shop, asks: Callable[[str], dict[str, Any]]
) -> None:
    card = asks("select status, auc, baseline_auc, test_cutoff_at, as_of from predictions.model_cards")
    auc, baseline = float(card["auc"]), float(card["baseline_auc"])
    assert re.search(rf"AUC {auc:.3f} out of time, baseline {baseline:.3f}", shop.printed), shop.printed
    assert card["test_cutoff_at"] < card["as_of"]
    assert 0.5 < baseline < 1  # better than a coin on real buyers, and no oracle
    assert 0.5 < auc < 1


def test_loading_the_file_a_second_time_changes_no_table(shop: Shop, delivered: Path) -> None:
    raw = ("events", "ingest_files", "ingest_rejects", "phone_numbers")
    tables = " union all ".join(f"select '{table}', count(*) from raw.{table}" for table in raw)
    before = built(shop.home, tables), fingerprint(shop.snapshot)
    [report] = json.loads(tessera(shop.home, "load", delivered, "--json").stdout)
    assert (report["status"], report["rows_loaded"]) == ("already loaded", 0)
    tessera(shop.home, "run", as_of=AS_OF)
    now = (shop.home / "published" / "current").resolve()
    assert now != shop.snapshot
    assert (built(shop.home, tables), fingerprint(now)) == before


@pytest.mark.slow
def test_twenty_shuffled_pieces_give_the_same_published_tables(shop: Shop, delivered: Path, tmp_path: Path) -> None:
    """Lines and files in another order: the loads come one file at a time, each with its own part of everybody's history."""
    pieces = write_shuffled(tmp_path / "pieces", read_lines(delivered), pieces=20, seed=20)
    home = tmp_path / "home"
    tessera(home, "load", *pieces, "--source", SOURCE)
    tessera(home, "run", as_of=AS_OF)
    snapshot = (home / "published" / "current").resolve()
    assert differing(shop.snapshot, snapshot) == []
    whole, pieced = (dict(canonical(folder)) for folder in (shop.snapshot, snapshot))
    assert whole.keys() == pieced.keys()
    assert [table for table in whole if whole[table] != pieced[table]] == []
    loaded = "select sum(lines), sum(rows_loaded), sum(rows_rejected), sum(rows_duplicate), count(*) from raw.ingest_files"
    assert built(home, loaded) == [(30_272, 30_272, 0, 0, 20)]
