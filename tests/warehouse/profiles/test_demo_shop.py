"""The demo shop, published: nothing lost, money reconciled, consent kept, identity judged by the shop's own truth.

What is expected is counted here from the delivered files (`landing/`) and the truth (`demo_truth/`), which no model reads.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest
import yaml

from orchestration.lib.demo_shop import AS_OF
from tests.conftest import ROOT, tessera
from tests.warehouse.bare import BareProject
from tests.warehouse.helpers import DBT_BUILD, built, read_lines
from tests.warehouse.identity.accuracy import Observed, compare, strangers

Ask = Callable[[str], list[dict[str, Any]]]
Rows = list[tuple[Any, ...]]
MODELS = ("first", "last", "linear")
SEGMENT_LIMITS = {"user_id": 1, "email": 5, "phone": 5, "anonymous_id": 5}
SHARING_LIMIT = 10
SESSION_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class Delivery:
    """A landed file of calls: its readable calls in order, and how many lines are not JSON."""

    path: str
    calls: list[dict[str, Any]]
    broken: int


@pytest.fixture(scope="module")
def deliveries(demo_home: Path) -> list[Delivery]:
    return [_read(path) for path in sorted((demo_home / "landing").glob("shop_*/*.ndjson.gz"))]


def _read(path: Path) -> Delivery:
    calls, broken = [], 0
    for line in read_lines(path):
        try:
            calls.append(json.loads(line, parse_float=Decimal))
        except json.JSONDecodeError:
            broken += 1
    return Delivery(str(path), calls, broken)


@pytest.fixture(scope="module")
def messages(deliveries: list[Delivery]) -> dict[str, dict[str, Any]]:
    """The calls by message id; of several deliveries, the first received."""
    found: dict[str, dict[str, Any]] = {}
    for call in (call for delivery in deliveries for call in delivery.calls):
        if call["messageId"] not in found or call["receivedAt"] < found[call["messageId"]]["receivedAt"]:
            found[call["messageId"]] = call
    return found


@pytest.fixture(scope="module")
def rows(demo_home: Path) -> Iterator[Callable[[str], Rows]]:
    """Ask the published database for many rows."""
    with duckdb.connect(str(demo_home / "published" / "current" / "tessera.duckdb"), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


# ---------------------------------------------------------------- nothing lost


def test_the_shop_has_the_hard_cases(deliveries: list[Delivery], messages: dict[str, dict[str, Any]]) -> None:
    assert sum(delivery.broken for delivery in deliveries) > 10
    assert sum(len(delivery.calls) for delivery in deliveries) > len(messages) + 100


def test_the_lines_of_every_file_are_loaded_or_rejected_or_duplicates(demo_home: Path, deliveries: list[Delivery]) -> None:
    ledger = {
        row[0]: row[1:]
        for row in built(demo_home, "select path, lines, rows_loaded, rows_rejected, rows_duplicate from raw.ingest_files")
    }
    assert ledger.keys() == {d.path for d in deliveries} | {str(path) for path in (demo_home / "landing" / "tables").iterdir()}
    assert [row for row in ledger.values() if row[0] != sum(row[1:])] == []
    seen: set[str] = set()
    for delivery in deliveries:  # in the order in which a run loads them
        news = {call["messageId"] for call in delivery.calls} - seen
        seen |= news
        expected = (len(delivery.calls) + delivery.broken, len(news), delivery.broken, len(delivery.calls) - len(news))
        assert ledger[delivery.path] == expected, delivery.path


def test_every_readable_message_is_accepted_or_quarantined_and_never_both(
    rows: Callable[[str], Rows], messages: dict[str, dict[str, Any]]
) -> None:
    accepted, held = (
        Counter(row[0] for row in rows(f"select event_id from events.{table}")) for table in ("events", "events_quarantine")
    )
    assert accepted + held == Counter(messages.keys())
    assert held
    assert not accepted & held


def test_only_the_faults_that_the_shop_sends_break_its_plan(demo_asks: Ask) -> None:
    """The plan describes the shop: what breaks it is an event that nobody planned, a typo's payload, a revenue that is none."""
    broken = demo_asks(
        """select distinct event, violation_type, field, outcome from events.event_violations
        where event <> 'Product Viewed' and violation_type not in ('Impossible Time', 'Unknown Call Type') and field <> 'userId'"""
    )
    assert {(row["event"], row["violation_type"], row["field"], row["outcome"]) for row in broken} == {
        ("Experiment Viewed", "Unplanned Event", "event", "allowed"),
        ("debug ping", "Unplanned Event", "event", "allowed"),
        ("Order Completed", "Invalid Type", "properties.revenue", "quarantined"),
        ("Order Completed", "Range", "properties.revenue", "quarantined"),
    }
    names = demo_asks("select delivered_event, event from events.event_names where is_consolidated")
    assert [(row["delivered_event"], row["event"]) for row in names] == [("Prodct Viewed", "Product Viewed")]


# ---------------------------------------------------------------- money


def test_orders_hold_the_revenue_that_was_delivered(rows: Callable[[str], Rows], messages: dict[str, dict[str, Any]]) -> None:
    """An order whose revenue is no number or below zero (the plan's rule), or that names nobody, is held; any other counts once."""
    sold: dict[str, Decimal] = {}
    for call in messages.values():
        if call.get("event") == "Order Completed" and call["type"] == "track" and (call.get("userId") or call.get("anonymousId")):
            revenue = call["properties"]["revenue"]
            if isinstance(revenue, (int, Decimal)) and revenue >= 0:
                sold[call["properties"]["order_id"]] = Decimal(revenue)
    assert len(sold) > 500
    found = dict(rows("select order_id, revenue from profiles.orders where has_sale"))
    assert {order: amount for order, amount in found.items() if amount != sold.get(order)} == {}
    assert found.keys() == sold.keys()


def test_revenue_and_credit_reconcile_under_every_model(demo_asks: Ask, rows: Callable[[str], Rows]) -> None:
    [total] = demo_asks("select sum(revenue) as revenue, count(*) as conversions from profiles.orders where has_sale")
    for table, credit in (("attributed_conversions", "credit"), ("campaign_returns", "conversions")):
        sums = demo_asks(f"select model, sum(revenue) as revenue, sum({credit}) as credit from attribution.{table} group by 1")
        found = {row["model"]: (Decimal(row["revenue"]), Decimal(row["credit"])) for row in sums}
        assert found == dict.fromkeys(MODELS, (Decimal(total["revenue"]), Decimal(total["conversions"]))), table
    one_by_one = """
        select model, order_id, any_value(orders.revenue), sum(credits.revenue), sum(credit)
        from attribution.attributed_conversions as credits inner join attribution.conversions using (conversion_id)
        inner join profiles.orders as orders using (order_id) group by model, order_id"""
    assert [row for row in rows(one_by_one) if row[2] != row[3] or row[4] != 1] == []


def test_spend_reconciles_under_every_model(demo_home: Path, demo_asks: Ask) -> None:
    """A day that a platform restated counts once, as it was told last."""
    latest: dict[tuple[str, ...], dict[str, str]] = {}
    with (demo_home / "landing" / "tables" / "ad_spend.csv").open(encoding="utf-8") as file:
        delivered = list(csv.DictReader(file))
    for row in delivered:
        key = tuple(row[name] for name in ("platform", "account_id", "campaign_id", "date_day"))
        if key not in latest or row["synced_at"] > latest[key]["synced_at"]:
            latest[key] = row
    assert len(latest) < len(delivered)
    spend = sum(Decimal(row["spend"]) for row in latest.values())
    sums = demo_asks("select model, sum(spend) as spend from attribution.campaign_returns group by model")
    assert {row["model"]: Decimal(row["spend"]) for row in sums} == dict.fromkeys(MODELS, spend)


# ---------------------------------------------------------------- people


def test_profiles_agree_with_the_truth_more_often_than_other_rules_do(
    demo_home: Path, rows: Callable[[str], Rows], capsys: pytest.CaptureFixture[str]
) -> None:
    """Precision and recall of pairs of events, printed: ours, plain transitive closure, last user_id of the cookie, Segment's rule.

    All see the same normalised identifiers without junk. Ours leads; and whoever shares a profile has in truth used the same device or
    address (a family's), never one of a kiosk's: that is all that deterministic identity can get wrong.
    """
    with (demo_home / "demo_truth" / "events.csv").open(encoding="utf-8") as file:
        persons = {row["message_id"]: row["person_id"] for row in csv.DictReader(file)}
    ours = dict(rows("select event_id, profile_id from profiles.profile_events"))
    types = ("user_id", "email", "phone", "anonymous_id")
    key = BareProject(duckdb.connect()).render("{{ combination_key(config_identity().columns | map(attribute='name') | list) }}")
    events = [
        Observed(event, tuple((kind, value) for kind, value in zip(types, values, strict=True) if value), occurred_at)
        for event, occurred_at, *values in built(
            demo_home,
            f"""select events.event_id, events.occurred_at, {", ".join(f"read.{name}" for name in types)}
            from (select *, {key} as combination from events.int_events_accepted) as events
            inner join identity.int_identifiers_collected as read on events.combination = read.combination
            order by events.received_at, events.event_id""",
        )
    ]
    assert len(events) == len(ours)
    scores = compare(ours, events, persons, SEGMENT_LIMITS)
    with capsys.disabled():
        print("\nidentity on the demo shop, pairs of events:")
        print("\n".join(f"  {name:<28}{found}" for name, found in scores.items()))
    best = scores.pop("tessera")
    assert best.precision >= 0.995
    assert all(best.f1 > other.f1 for other in scores.values())

    used_by: dict[tuple[str, str], set[str]] = defaultdict(set)
    with (demo_home / "demo_truth" / "identifiers.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            used_by[row["identifier_type"], row["identifier_value"]].add(row["person_id"])
    few = [people for people in used_by.values() if 1 < len(people) <= SHARING_LIMIT]
    assert strangers(ours, persons, few) == {}


def test_every_merged_profile_resolves_to_the_profile_that_holds_its_identifier(rows: Callable[[str], Rows]) -> None:
    merges = rows("select profile_id, canonical_profile_id, merged_at from identity.profile_merges")
    profiles = {row[0] for row in rows("select profile_id from profiles.profiles")}
    holders = dict(rows("select identifier_id, profile_id from identity.profile_identifiers"))
    assert len(merges) > 50
    assert [merge for merge in merges if merge[1] not in profiles] == []
    assert [merge for merge in merges if merge[0] in profiles] == []
    assert [merge for merge in merges if holders[merge[0]] != merge[1]] == []
    assert max(merge[2] for merge in merges) <= datetime.fromisoformat(AS_OF).replace(tzinfo=None)
    assert profiles == set(holders.values()) - {None}


def test_visits_of_a_person_on_a_device_never_overlap_and_lie_further_apart_than_the_timeout(rows: Callable[[str], Rows]) -> None:
    visits = rows("select profile_id, anonymous_id, started_at, ended_at, session_id from profiles.sessions order by 1, 2, 3, 5")
    assert len(visits) > 1_000
    assert [visit for visit in visits if visit[2] > visit[3]] == []
    neighbours = [(one, next_one) for one, next_one in pairwise(visits) if one[:2] == next_one[:2]]
    assert [(one, next_one) for one, next_one in neighbours if next_one[2] - one[3] <= SESSION_TIMEOUT] == []


def test_rfm_cohorts_are_the_buyers_and_everybody_else_is_a_prospect(rows: Callable[[str], Rows]) -> None:
    segments = rows("select segment, profile_id from segments.rfm_segments")
    bought = "select profile_id from profiles.orders where revenue - refunded > 0 and profile_id is not null"
    buyers = {row[0] for row in rows(bought)}
    assert len(buyers) > 100
    assert sorted(row[1] for row in segments if row[0] != "prospect") == sorted(buyers)
    assert sorted(row[1] for row in segments) == sorted(row[0] for row in rows("select profile_id from profiles.profiles"))


def test_orders_remembered_at_a_past_date_are_the_orders_of_a_build_as_of_that_date(demo_home: Path, tmp_path: Path) -> None:
    """And so are the buyers: of the same people, for who is who is known as of today."""
    shutil.copytree(demo_home, tmp_path / "home", ignore=shutil.ignore_patterns("published", "exports", "landing", "dagster"))
    then = built(demo_home, "select max(measured_at) from segments.int_orders_remembered")[0][0]
    columns = "order_id, revenue, refunded, ordered_at"
    remembered = built(
        demo_home, f"select {columns} from segments.int_orders_remembered where measured_at = '{then}' order by all"
    )
    just_before = (then - timedelta(seconds=1)).isoformat()
    tessera(tmp_path / "home", *DBT_BUILD, "--select", "+orders", as_of=just_before)
    assert len(remembered) > 100
    assert remembered == built(tmp_path / "home", f"select {columns} from profiles.orders order by all")


# ---------------------------------------------------------------- what leaves


@dataclass(frozen=True)
class Export:
    """A file pair of one sync: rows as the CSV and as the Parquet file hold them."""

    sync: dict[str, Any]
    csv_rows: list[dict[str, str]]
    parquet_rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def exports(demo_home: Path) -> list[Export]:
    config = yaml.safe_load((ROOT / "dbt_project" / "config" / "syncs.yml").read_text(encoding="utf-8"))
    syncs, found = {sync["name"]: sync for sync in config["syncs"]}, []
    for path in sorted((demo_home / "exports").rglob("*.csv")):
        with path.open(encoding="utf-8") as file:
            csv_rows = list(csv.DictReader(file))
        parquet_rows = pyarrow.parquet.read_table(path.with_suffix(".parquet")).to_pylist()
        found.append(Export(syncs[path.parent.name], csv_rows, parquet_rows))
    return found


def test_csv_and_parquet_hold_the_same_people_and_nothing_but_the_columns_of_the_sync(exports: list[Export]) -> None:
    assert sum(len(export.csv_rows) for export in exports) > 20
    fixed = ["operation", "record_key", "consent_basis", "consent_recorded_at"]
    for export in exports:
        keys = [[(row["operation"], row["record_key"]) for row in some] for some in (export.csv_rows, export.parquet_rows)]
        assert keys[0] == keys[1]
        assert len(keys[0]) == len(set(keys[0]))
        for row in (*export.csv_rows, *export.parquet_rows):
            assert sorted(row) == sorted([*fixed, *export.sync["columns"]])
            assert row[export.sync["columns"][0]]  # who it is at the destination


def test_nobody_is_exported_without_consent(
    exports: list[Export], rows: Callable[[str], Rows], messages: dict[str, dict[str, Any]]
) -> None:
    """Asked twice: of consent_states, and of the last thing each person said, as it was delivered."""
    consents = rows("select profile_id, purpose, state, event_id, recorded_at from consent.consent_states")
    states = {row[:2]: row[2:] for row in consents}
    said: dict[str, list[tuple[datetime, dict[str, bool]]]] = defaultdict(list)
    for profile, event, at in rows("select profile_id, event_id, occurred_at from profiles.profile_events"):
        if "consent" in messages[event]["context"]:
            said[profile].append((at, messages[event]["context"]["consent"]["categoryPreferences"]))
    for export in exports:
        purpose = export.sync["purpose"]
        for row in (*export.csv_rows, *export.parquet_rows):
            state, event, recorded_at = states[row["record_key"], purpose]
            assert row["operation"] == "added"  # the first sync of a home
            assert state == "granted"
            assert row["consent_basis"] == f"{purpose} granted by event {event}"
            assert row["consent_recorded_at"] == recorded_at.isoformat(timespec="seconds") + "Z"
            assert recorded_at <= datetime.fromisoformat(AS_OF).replace(tzinfo=None)
            last = max(at for at, _ in said[row["record_key"]])
            assert all(word.get(purpose) is True for at, word in said[row["record_key"]] if at == last), row


def test_nobody_held_out_of_an_audience_is_exported_for_it(exports: list[Export], rows: Callable[[str], Rows]) -> None:
    members = rows("select audience, profile_id, arm from audiences.audience_members where exited_at is null")
    arms = {row[:2]: row[2] for row in members}
    assert set(arms.values()) == {"treatment", "holdout"}
    for export in exports:
        for row in export.csv_rows:
            assert arms[export.sync["audience"], row["record_key"]] == "treatment"


def test_arms_and_the_log_stay_as_they_were_when_time_goes_on(demo_home: Path, tmp_path: Path) -> None:
    """The audiences are built once more, in a copy and months later: an arm drawn anew is the one in the log."""
    shutil.copytree(demo_home, tmp_path / "home", ignore=shutil.ignore_patterns("published", "exports", "landing", "dagster"))
    log = "select * from audiences.audience_changes order by all"
    arms = "select distinct audience, profile_id, arm from audiences.audience_members order by all"
    before, members = built(demo_home, log), built(demo_home, arms)
    later = (datetime.fromisoformat(AS_OF) + timedelta(days=100)).isoformat()
    tessera(tmp_path / "home", *DBT_BUILD, "--select", "+audience_members", as_of=later)
    after, members_later = built(tmp_path / "home", log), built(tmp_path / "home", arms)
    assert set(before) < set(after)  # something happened meanwhile, and the past is as it was
    assert set(members) <= set(members_later)
    assert len(members_later) == len({row[:2] for row in members_later}), "somebody changed arms"
    drawn = set(built(tmp_path / "home", "select audience, profile_id, arm from audiences.int_audiences_listed"))
    assert drawn <= set(members_later)
    assert drawn & set(members)
