"""RFM on the CDNOW sample (2,357 customers, 6,919 orders), against columns that other SQL computed from the published rule.

Two differences between the fixture and the product are wanted, and each is tested for what it is:
- The fixture's recency counts calendar days from the last order's date to the as-of date. The product counts whole days elapsed
  since the moment of the order. Orders are put at noon here, so the product's recency is one day less (d - 1/2, rounded down),
  for everybody: tiles stay the same. Noon also keeps an order of the as-of date out, as the fixture does.
- Eight customers only ever took a free CD. The fixture ranks them; the product does not call them buyers (an order must bring
  money to count). Where the fixture is compared, their orders are given the smallest amount there is (0.0001).
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import tessera
from tests.warehouse.helpers import DBT_BUILD, built, dice, write_calls, write_shuffled

DATES = ("1998-01-01", "1998-07-01")
UNGUARDED = ("--vars", "{rfm_new_within_days: 100000}")
LEAST = Decimal("0.0001")


class Order(NamedTuple):
    order_id: str
    customer_id: str
    order_date: date
    amount: Decimal


class Score(NamedTuple):
    """A customer's measures and tiles; recency in calendar days."""

    recency_days: int
    frequency: int
    monetary: Decimal
    r_tile: int
    f_tile: int
    m_tile: int
    loyalty_segment: str
    value_segment: str


@dataclass(frozen=True)
class Cdnow:
    orders: list[Order]
    expected: dict[str, dict[str, Score]]

    @property
    def paid(self) -> list[Order]:
        """The orders with the smallest amount in place of none."""
        return [order._replace(amount=order.amount or LEAST) for order in self.orders]


@pytest.fixture(scope="module")
def cdnow(shared_data: Path) -> Cdnow:
    folder = shared_data / "rfm_cdnow"
    with (folder / "cdnow_sample_orders.csv").open(encoding="utf-8") as file:
        orders = [
            Order(row["order_id"], row["customer_id"], date.fromisoformat(row["order_date"]), Decimal(row["amount"]))
            for row in csv.DictReader(file)
        ]
    return Cdnow(orders, {as_of: _read_expected(folder / f"expected_rfm_{as_of}.csv") for as_of in DATES})


def _read_expected(path: Path) -> dict[str, Score]:
    with path.open(encoding="utf-8") as file:
        return {
            row["customer_id"]: Score(
                *(int(row[name]) for name in ("recency_days", "frequency")),
                Decimal(row["monetary"]),
                *(int(row[name]) for name in ("r_safe", "f_safe", "m_safe")),
                row["loyalty_safe"],
                row["value_safe"],
            )
            for row in csv.DictReader(file)
        }


def score(orders: Iterable[Order], as_of: str) -> dict[str, Score]:
    """Score by the published rule: a tile is 1 + the boundaries below the value; k/4 of the values do not exceed boundary k."""
    bought: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        if order.order_date < date.fromisoformat(as_of) and order.amount > 0:
            bought[order.customer_id].append(order)
    measures = {
        customer: (max(o.order_date for o in own), len(own), sum(o.amount for o in own)) for customer, own in bought.items()
    }

    def tiles(dimension: int) -> dict[str, int]:
        ordered = sorted(measure[dimension] for measure in measures.values())
        boundaries = [ordered[-(-len(ordered) * k // 4) - 1] for k in (1, 2, 3)]
        return {customer: 1 + sum(measure[dimension] > b for b in boundaries) for customer, measure in measures.items()}

    r, f, m = (tiles(dimension) for dimension in range(3))
    loyalty = {(True, True): "still_loyal", (False, True): "once_loyal", (True, False): "new", (False, False): "old"}
    return {
        customer: Score(
            (date.fromisoformat(as_of) - last).days, frequency, monetary, r[customer], f[customer], m[customer],
            loyalty[r[customer] > 2, f[customer] > 2], "high" if m[customer] > 2 else "low",
        )
        for customer, (last, frequency, monetary) in measures.items()
    }  # fmt: skip


def calls(orders: Iterable[Order]) -> Iterable[dict[str, Any]]:
    for order in orders:
        at = f"{order.order_date}T12:00:00Z"
        yield {
            "messageId": f"order-{order.order_id}",
            "type": "track",
            "event": "Order Completed",
            "userId": order.customer_id,
            "context": {"groupId": f"account-{order.customer_id}"},
            "timestamp": at,
            "receivedAt": at,
            "properties": {"order_id": order.order_id, "revenue": float(order.amount), "currency": "USD"},
        }


def scored(home: Path, as_of: str) -> dict[str, Score]:
    """Build the segments as of a date and return them by customer, recency as the fixture counts it."""
    tessera(
        home,
        *DBT_BUILD,
        "--select",
        "+rfm_segments",
        "+rfm_account_segments",
        "+rfm_migrations",
        "+rfm_drift",
        "+profiles",
        *UNGUARDED,
        as_of=f"{as_of}T00:00:00Z",
    )
    rows = built(
        home,
        """select user_id, recency_days + 1, frequency, monetary, r_tile, f_tile, m_tile, loyalty_segment, value_segment, segment
        from segments.rfm_segments inner join profiles.profiles using (profile_id) where segment <> 'prospect'""",
    )
    assert len(rows) == len({row[0] for row in rows})
    assert all(row[-1] == f"{row[-3]}_{row[-2]}" for row in rows)
    return {row[0]: Score(*row[1:-1]) for row in rows}


def segments_at(home: Path, as_of: str) -> dict[str, str]:
    return {customer: f"{s.loyalty_segment}_{s.value_segment}" for customer, s in scored(home, as_of).items()}


def to_the_cent(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {customer: score._replace(monetary=round(score.monetary, 2)) for customer, score in scores.items()}


def differences(found: Mapping[str, Score], wanted: Mapping[str, Score]) -> list[str]:
    customers = sorted(found.keys() | wanted.keys(), key=int)
    return [f"{c}: found {found.get(c)}, wanted {wanted.get(c)}" for c in customers if found.get(c) != wanted.get(c)][:10]


@pytest.fixture(scope="module")
def shuffled_home(cdnow: Cdnow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every customer is a buyer; the orders are shuffled over three files."""
    folder = tmp_path_factory.mktemp("cdnow-shuffled")
    whole = write_calls(folder / "whole.ndjson", calls(cdnow.paid))
    files = write_shuffled(folder / "pieces", whole.read_text(encoding="utf-8").splitlines(), pieces=3, seed=5)
    tessera(folder / "home", "load", *files, "--source", "cdnow")
    return folder / "home"


@pytest.mark.parametrize("as_of", DATES)
def test_the_rule_in_plain_python_gives_the_fixture(cdnow: Cdnow, as_of: str) -> None:
    assert len(cdnow.expected[as_of]) == 2_357
    assert differences(to_the_cent(score(cdnow.paid, as_of)), cdnow.expected[as_of]) == []


@pytest.mark.parametrize("as_of", DATES)
def test_all_customers_have_the_tiles_and_segments_of_the_fixture(cdnow: Cdnow, shuffled_home: Path, as_of: str) -> None:
    """Orders after the earlier date are loaded at both: as of then, they do not exist."""
    found = scored(shuffled_home, as_of)
    assert len(found) == 2_357
    assert differences(to_the_cent(found), cdnow.expected[as_of]) == []


def test_customers_who_never_paid_are_no_buyers_and_the_order_of_rows_changes_nothing(cdnow: Cdnow, tmp_path: Path) -> None:
    """The orders as they are, free ones too: first in the file's order here, the answer worked out from shuffled ones."""
    as_of = DATES[-1]
    tessera(tmp_path / "home", "load", write_calls(tmp_path / "orders.ndjson", calls(cdnow.orders)), "--source", "cdnow")
    found = scored(tmp_path / "home", as_of)
    wanted = score(dice(6).sample(cdnow.orders, len(cdnow.orders)), as_of)
    assert differences(found, wanted) == []
    free = {order.customer_id for order in cdnow.orders} - {order.customer_id for order in cdnow.orders if order.amount}
    assert len(free) == 8
    assert found.keys() == cdnow.expected[as_of].keys() - free
    prospects = built(
        tmp_path / "home",
        "select user_id from segments.rfm_segments inner join profiles.profiles using (profile_id) where segment = 'prospect'",
    )
    assert {user for (user,) in prospects} == free


# ---------------------------------------------------------------- over time

MATRIX = """select from_segment, to_segment, buyer_count from segments.rfm_migrations
    where level = 'profile' and from_at = '{}' and to_at = '{}'"""


def read_matrix(path: Path) -> dict[tuple[str, str], int]:
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {(row[0], to): int(count) for row in rows for to, count in zip(header[1:], row[1:], strict=True)}


def test_the_migration_matrix_is_the_fixtures_and_its_rows_sum_to_the_former_members(
    cdnow: Cdnow, shuffled_home: Path, shared_data: Path
) -> None:
    """Everybody who bought by the later date had bought by the earlier one: nobody appears, nobody disappears."""
    former, latter = DATES
    scored(shuffled_home, latter)
    found = {row[:2]: row[2] for row in built(shuffled_home, MATRIX.format(former, latter))}
    assert len(found) == 80
    wanted = read_matrix(shared_data / "rfm_cdnow" / f"expected_migration_tie_safe_{former}_to_{latter}.csv")
    assert {cell: count for cell, count in found.items() if "absent" not in cell} == wanted
    assert sum(count for cell, count in found.items() if "absent" in cell) == 0
    members = defaultdict(int)
    for score_then in cdnow.expected[former].values():
        members[f"{score_then.loyalty_segment}_{score_then.value_segment}"] += 1
    sums = built(
        shuffled_home,
        "select from_at, to_at, from_segment, any_value(from_count) as former, sum(buyer_count) as found"
        " from segments.rfm_migrations where level = 'profile' group by all",
    )
    assert [row for row in sums if row[3] != row[4]] == []
    assert {row[2]: row[3] for row in sums if str(row[0])[:10] == former and row[3]} == members


def test_the_matrix_between_any_two_dates_is_what_was_built_as_of_them(shuffled_home: Path) -> None:
    """By 10 February half of the customers had bought nothing: they appear. In 1996 nobody had: all do."""
    dates = ("1997-02-10", "1997-08-15")
    former, latter = (segments_at(shuffled_home, date) for date in dates)
    tessera(
        shuffled_home, *DBT_BUILD, "--select", "+rfm_migrations", "--vars",
        f"{{rfm_new_within_days: 100000, rfm_migration_dates: {['1996-01-01', *dates]}}}", as_of="1998-07-01",
    )  # fmt: skip
    found = {row[:2]: row[2] for row in built(shuffled_home, MATRIX.format(*dates)) if row[2]}
    assert found == Counter((former.get(customer, "absent"), latter[customer]) for customer in latter)
    assert sum(count for (origin, _), count in found.items() if origin == "absent") > 500
    first = {row[:2]: row[2] for row in built(shuffled_home, MATRIX.format("1996-01-01", dates[1])) if row[2]}
    assert first == Counter(("absent", segment) for segment in latter.values())


def test_accounts_of_one_person_each_have_the_segments_of_their_person(shuffled_home: Path) -> None:
    people = segments_at(shuffled_home, DATES[0])
    accounts = dict(built(shuffled_home, "select account_id, segment from segments.rfm_account_segments"))
    assert {f"account-{customer}": segment for customer, segment in people.items()} == accounts
    assert len(accounts) == 2_357


def test_within_a_period_boundaries_stay_whatever_comes_and_only_those_who_did_something_move_up(
    cdnow: Cdnow, tmp_path: Path
) -> None:
    """Built when the quarter had begun, and again at its end with orders that dwarf all others, some of them told late."""
    early, late = "1998-01-02", "1998-03-31"
    until = [order for order in cdnow.paid if order.order_date < date(1998, 1, 1)]
    since = [order for order in cdnow.paid if date(1998, 1, 2) <= order.order_date < date(1998, 3, 31)]
    giants = [order._replace(amount=order.amount * 1000) for order in since]
    told_late = [
        call
        | {
            "messageId": f"late-{n}",
            "timestamp": "1997-06-01T12:00:00Z",
            "properties": call["properties"] | {"order_id": f"l{n}"},
        }
        for n, call in enumerate(calls(giants[:500]))
    ]
    home, frozen = tmp_path / "home", "select * from segments.rfm_boundaries order by all"
    tessera(home, "load", write_calls(tmp_path / "until.ndjson", calls(until)), "--source", "cdnow")
    before = scored(home, early)
    boundaries = built(home, frozen)
    assert {row[0] for row in built(home, "select distinct period_at::date::varchar from segments.rfm_boundaries")} == {
        "1997-04-01", "1997-07-01", "1997-10-01", "1998-01-01",
    }  # fmt: skip
    since_file = write_calls(tmp_path / "since.ndjson", [*calls(giants), *told_late])
    tessera(home, "load", since_file, "--source", "cdnow")
    after = scored(home, late)
    assert built(home, frozen) == boundaries
    bought = {order.customer_id for order in giants}
    silent = [customer for customer in before if customer not in bought]
    assert len(silent) > 1_000
    assert [c for c in silent if (after[c].f_tile, after[c].m_tile) != (before[c].f_tile, before[c].m_tile)] == []
    assert [c for c in silent if after[c].r_tile > before[c].r_tile] == []
    drift = built(
        home,
        """select max(abs(found_share - expected_share)) from segments.rfm_drift
        where level = 'profile' and dimension = 'monetary'""",
    )
    assert drift[0][0] > Decimal("0.01")

    # Frozen for good: not even a full refresh writes them anew. And the log of a home that ran only at the end is the same but for as_of.
    tessera(home, *DBT_BUILD, "--full-refresh", "--select", "rfm_boundaries", *UNGUARDED, as_of=late)
    assert built(home, frozen) == boundaries
    other = tmp_path / "other"
    tessera(other, "load", since_file, tmp_path / "until.ndjson", "--source", "cdnow")
    scored(other, late)
    values = (
        "select level, dimension, tile_count, k, buyer_count, lower_value, period_at from segments.rfm_boundaries order by all"
    )
    assert built(other, values) == [row for row in built(home, values) if str(row[-1]) >= "1997-04-01"]


def test_five_tiles_are_the_fifths(shuffled_home: Path) -> None:
    as_of = DATES[0]
    tessera(
        shuffled_home, *DBT_BUILD, "--select", "+rfm_scores", "+rfm_drift", "--vars",
        "{rfm_tiles: 5, rfm_new_within_days: 100000}", as_of=f"{as_of}T00:00:00Z",
    )  # fmt: skip
    tiles = built(shuffled_home, "select distinct r_tile from segments.rfm_scores order by 1")
    assert tiles == [(1,), (2,), (3,), (4,), (5,)]
    fifths = built(
        shuffled_home,
        """select k, any_value(expected_share), any_value(found_share), count(*) filter (where -recency_days < lower_value)
        from segments.rfm_drift cross join segments.rfm_scores where level = 'profile' and dimension = 'recency' group by k order by k""",
    )
    assert [(k, expected) for k, expected, _, _ in fifths] == [(k, Decimal(k) / 5) for k in range(1, 5)]
    # The smallest value that a fifth of the buyers do not exceed: with its equals at least a fifth, without them less.
    assert all(below / 2_357 < expected <= found for _, expected, found, below in fifths)
