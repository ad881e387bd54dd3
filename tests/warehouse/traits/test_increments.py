"""Random people who browse, buy, merge and part, in loads and as of times that move on: increments of traits equal a rebuild.

The models' SQL runs in a bare DuckDB, without dbt. The histories are those of tests/warehouse/identity; something happens at each event.
"""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration.lib import config
from tests.conftest import ROOT
from tests.warehouse.bare import EVENTS, IDENTITY, SQL_TRAITS, BareProject, prepare
from tests.warehouse.helpers import dice
from tests.warehouse.identity.test_resolution import SETTINGS, START, World, add_overrides, make_world, write_beside

PROFILES = (
    "profile_events",
    "int_runs_compared",
    "int_properties_extracted",
    "int_orders_reported",
    "int_visits_collected",
    "int_visits_located",
    "int_fields_reported",
    "orders",
    "sessions",
    "profile_fields",
    "profiles",
    "accounts",
    "account_members",
)
TRAITS = (
    "int_profiles_touched",
    "int_accounts_touched",
    "int_profiles_computed",
    "int_accounts_computed",
    *sorted(file.stem for file in SQL_TRAITS.rglob("*.sql")),
    "profile_traits",
    "account_traits",
    "int_traits_changed",
    "trait_history",
)
MODELS = (*IDENTITY, *EVENTS, *PROFILES, *TRAITS)
COMPARED = {  # what a run adds is its own affair
    "identity.int_events_resolved": "exclude (former_profile_id, run_number)",
    "profiles.int_properties_extracted": "exclude (run_number)",
    "traits.int_profiles_computed": "",
    "traits.int_accounts_computed": "",
    "traits.profile_traits": "",
    "traits.account_traits": "",
    "traits.int_traits_changed": "",
}
PAYLOAD = ("type", "event", "group_id", "name", "properties", "traits", "context", "source_id", "event_version")
KINDS = [  # every kind, source and level, with and without a window (in days; the histories last for ten)
    {"event": "Product Viewed", "kind": "count", "within_days": 1},
    {"event": "Product Viewed", "kind": "count", "within_days": 3},
    {"event": "Product Viewed", "kind": "most_frequent", "property": "category", "minimum_count": 1},
    {"event": "Product Viewed", "kind": "most_frequent", "property": "category", "within_days": 2, "minimum_count": 1},
    {"event": "Product Viewed", "kind": "unique_list", "property": "category"},
    {"event": "Product Viewed", "kind": "unique_count", "property": "category"},
    {"event": "Page Viewed", "kind": "first", "property": "path"},
    {"event": "Page Viewed", "kind": "last", "property": "path"},
    {"event": "Page Scrolled", "kind": "average", "property": "depth", "within_days": 2},
    {"event": "Page Scrolled", "kind": "maximum", "property": "depth"},
    {"source": "orders", "kind": "count", "within_days": 2},
    {"source": "orders", "kind": "sum", "property": "net_revenue", "when_none": 0},
    {"source": "orders", "kind": "last", "property": "currency"},
]
VISITS = [
    {"source": "sessions", "kind": "count", "within_days": 1},
    {"source": "sessions", "kind": "first", "property": "channel"},
    {"source": "sessions", "kind": "most_frequent", "property": "at.hour"},
]
Rows = list[tuple[Any, ...]]


def declared() -> dict[str, Any]:
    """Return traits of every kind for people, and for accounts, as config/traits.yml compiles."""
    traits = [{"level": "profile", **kind} for kind in KINDS + VISITS] + [{"level": "account", **kind} for kind in KINDS]
    named = [{"source": "events", "name": f"trait_{n}", "description": "One.", **trait} for n, trait in enumerate(traits)]
    compiled = config.Traits.model_validate({"no_history": ["days_since_last_order"], "traits": named})
    return compiled.model_dump(mode="json")


def happened(draws: random.Random, world: int) -> dict[str, Any]:
    """Return what an event says besides who it is of."""
    kind = draws.choice(("view", "view", "page", "scroll", "order", "order", "refund", "add", "identify", "group"))
    said: dict[str, Any] = {"type": "track", "source_id": "shop", "context": json.dumps({})}
    said["hours_ahead"] = draws.choice((0, 0, 0, 0, 12))  # a client's clock may be wrong by as much
    properties: dict[str, Any] = {}
    if kind == "view":
        said["event"], properties = "Product Viewed", {"category": draws.choice(("shoes", "Shoes", "hats", "", None))}
    elif kind == "page":
        said |= {"type": "page", "event": "Page Viewed"}
        properties = {"path": draws.choice(("/", "/a", "/b"))}
        url = draws.choice(("https://shop.example/a", "https://shop.example/?utm_source=news&utm_medium=email"))
        said["context"] = json.dumps({"page": {"url": url, "referrer": draws.choice(("", "https://www.google.com/"))}})
    elif kind == "scroll":
        said["event"], properties = "Page Scrolled", {"depth": draws.choice((10, 50, "75", "far"))}
    elif kind == "add":
        said["event"] = "Product Added"
    elif kind in ("order", "refund"):
        said["event"] = "Order Completed" if kind == "order" else draws.choice(("Order Refunded", "Order Cancelled"))
        properties = {"order_id": f"w{world}-o{draws.randrange(5)}", "currency": draws.choice(("EUR", "GBP"))}
        if kind == "order" or draws.random() < 0.5:
            properties["revenue"] = draws.choice((10, 20.5, "7"))
    else:
        said |= {"type": kind, "traits": json.dumps({"country": draws.choice(("AT", "NL")), "name": "Acme"})}
    if kind == "group" or draws.random() < 0.3:
        said["group_id"] = f"w{world}-g{draws.randrange(3)}"
    return said | {"properties": json.dumps(properties)}


class Shop:
    """A bare DuckDB with the whole project up to the traits."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 1")
        self.project = BareProject(self.connection, chosen)
        self.project.settings_of["traits"] = declared()
        self.columns = [column["name"] for column in chosen["columns"]]
        for schema in ("reference", "profiles", "traits", "sql_traits"):
            self.connection.execute(f"create schema {schema}")
        for seed in ("channel_sources", "company_domains"):
            file = ROOT / "seeds" / "reference" / f"{seed}.csv"
            self.connection.execute(
                f"create table reference.{seed} as from read_csv('{file}', header = true, all_varchar = true)"
            )

    def build(self, worlds: list[World], as_of: datetime, files: dict[str, str], models: int | None = None) -> None:
        """Build everything, or the first models, from the events that lie in a file and had been received."""
        prepare(self.connection, self.columns)
        names = ["event_id", *self.columns, *PAYLOAD, "occurred_at", "received_at", "file_id"]
        rows = []
        for world in worlds:
            for event in world.events:
                if event.event_id in files and event.received_at <= as_of:
                    said = happened(dice(f"happened/{event.event_id}"), world.number)  # type: ignore[arg-type]
                    identifiers = (event.delivered.get(column) for column in self.columns)
                    payload = (said.get(name) for name in PAYLOAD)
                    at = event.occurred_at + timedelta(hours=said["hours_ahead"])
                    rows.append((event.event_id, *identifiers, *payload, at, event.received_at, files[event.event_id]))
        types = [pa.timestamp("us") if name.endswith("_at") else pa.string() for name in names]
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        table = pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names)
        self.connection.register("delivered", table)
        self.connection.execute("create or replace table events.int_events_accepted as from delivered")
        self.connection.execute("create or replace view events.events as from events.int_events_accepted")
        write_beside(self.connection, worlds)
        self.project.as_of = as_of.isoformat()
        self.project.run(MODELS[:models])

    def ask(self, sql: str) -> Rows:
        return self.connection.execute(sql).fetchall()

    def tables(self) -> dict[str, Rows]:
        return {name: self.ask(f"select * {exclude} from {name} order by all") for name, exclude in COMPARED.items()}

    def is_increment(self) -> bool:
        """Return whether the last run computed the traits of some people only."""
        return self.ask("select former_as_of is not null and former_state is not null from profiles.int_runs_compared") == [
            (True,)
        ]


def history(shop: Shop, at: datetime) -> Rows:
    return shop.ask(
        f"""select profile_id, trait, value, value_type from traits.trait_history
        where valid_from <= '{at}' and (valid_to > '{at}' or valid_to is null) order by all"""
    )


def make_worlds(count: int, seed: str, chosen: dict[str, Any]) -> list[World]:
    return [make_world(number, f"traits/{seed}", chosen) for number in range(count)]


def moments(draws: random.Random, count: int) -> list[datetime]:
    """Return as-of times in order, seconds or days apart; by the last, everything has been received."""
    return [
        *sorted(START + timedelta(seconds=draws.randint(3600, 86400 * 8)) for _ in range(count - 1)),
        START + timedelta(days=9),
    ]


def differing(found: dict[str, Rows], wanted: dict[str, Rows]) -> dict[str, Rows]:
    """Return the first rows of each table that only one of the two has."""
    return {name: sorted(set(found[name]) ^ set(wanted[name]), key=repr)[:4] for name in wanted if found[name] != wanted[name]}


CASES = [
    pytest.param(name, seed, marks=[] if (name, seed) == ("tight", 1) else pytest.mark.slow)
    for name in ("as shipped", "tight", "alias of users")
    for seed in range(3)
]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_traits_in_increments_equal_a_rebuild(name: str, seed: int) -> None:
    """Guarantee: 15 histories a case, dealt to 2 to 6 loads, late events among them, reviewed lines that come and go, as-of times that
    move on: after each load every table of the traits, and the log of changes, is what whole builds would have made of it."""
    chosen = SETTINGS[name]
    worlds = make_worlds(15, f"{name}/{seed}", chosen)
    draws = dice(f"traits/{name}/{seed}")  # type: ignore[arg-type]
    dates = moments(draws, 6)
    loads: dict[str, int] = {}
    reviewed: list[tuple[World, list[Any], int, int]] = []
    for world in worlds:
        used = sorted({*draws.sample(range(1, 6), draws.randint(1, 5)), 6})
        for event in world.events:
            possible = [load for load in used if dates[load - 1] >= event.received_at]
            loads[event.event_id] = possible[0] if draws.random() < 0.7 else draws.choice(possible)
        add_overrides(world)
        lines = [line for line in world.overrides if line.second]  # a block that comes or goes is a reason to rebuild
        reviewed.append((world, lines, *sorted(draws.choices(range(1, 7), k=2))))
    piecemeal, at_once = Shop(chosen), Shop(chosen)
    at_once.project.full_refresh = True
    increments = 0
    for load, as_of in enumerate(dates, start=1):
        for world, lines, first, last in reviewed:
            world.overrides = lines if first <= load <= last else []
        files = {event_id: str(number) for event_id, number in loads.items() if number <= load}
        for shop in (piecemeal, at_once):
            shop.build(worlds, as_of, files)
        assert differing(piecemeal.tables(), at_once.tables()) == {}, f"after load {load}"
        increments += piecemeal.is_increment()
    assert increments >= 3


def by_receipt(worlds: list[World], dates: list[datetime]) -> dict[str, str]:
    """Return each event's file: the number of the first date by which it had been received."""
    return {
        event.event_id: str(next(n for n, date in enumerate(dates) if date >= event.received_at))
        for world in worlds
        for event in world.events
    }


@pytest.mark.parametrize(
    ("name", "seed"), [pytest.param(*case.values, marks=case.marks) for case in CASES if case.values[0] != "alias of users"]
)
def test_traits_rebuilt_as_of_any_past_date_are_the_history_at_that_date(name: str, seed: int) -> None:
    """Guarantee: 18 histories a case, run as of eight random dates with what had been received by then. Whatever came in between, the
    history at a date is what a whole build of today's events as of that date finds."""
    chosen = SETTINGS[name]
    worlds = make_worlds(18, f"history/{name}/{seed}", chosen)
    dates = moments(dice(f"history/{name}/{seed}"), 8)  # type: ignore[arg-type]
    files = by_receipt(worlds, dates)
    kept, rebuilt = Shop(chosen), Shop(chosen)
    rebuilt.project.full_refresh = True
    for load, date in enumerate(dates):
        kept.build(worlds, date, {event_id: file for event_id, file in files.items() if int(file) <= load})
    assert kept.is_increment()
    assert len({len(history(kept, date)) for date in dates}) > 4
    for date in reversed(dates):
        rebuilt.build(worlds, date, files, models=MODELS.index("int_traits_changed"))
        found = rebuilt.ask("select profile_id, trait, value, value_type from traits.profile_traits order by all")
        found = [row for row in found if row[1] != "days_since_last_order"]
        assert found == history(kept, date), date


def test_what_traits_follow_from_is_a_reason_to_build_them_whole() -> None:
    """A trait is declared otherwise, a SQL trait is edited or dropped, a seed changes, a run died or was as of an earlier time."""
    chosen = SETTINGS["as shipped"]
    worlds = make_worlds(6, "reasons", chosen)
    dates = moments(dice("reasons"), 40)  # type: ignore[arg-type]
    files = by_receipt(worlds, dates)
    piecemeal, at_once = Shop(chosen), Shop(chosen)
    at_once.project.full_refresh = True
    load = len(dates) - 20

    def equal(as_of: datetime | None = None) -> bool:
        """Build as of the next date, or of the one given; return whether that was an increment."""
        nonlocal load
        load += as_of is None
        here = {event_id: file for event_id, file in files.items() if int(file) <= load}
        for shop in (piecemeal, at_once):
            shop.build(worlds, as_of or dates[load], here)
        assert differing(piecemeal.tables(), at_once.tables()) == {}
        return piecemeal.is_increment()

    assert not equal()
    assert equal()
    for shop in (piecemeal, at_once):
        shop.project.settings_of["traits"]["traits"][0]["within_days"] = 2
    assert not equal()
    assert equal()
    for shop in (piecemeal, at_once):
        shop.connection.execute("update reference.channel_sources set category = 'social' where category = 'search'")
    assert not equal()
    assert equal()
    for shop in (piecemeal, at_once):
        shop.project.change_file("average_order_value", "> 0", "> 15")
    equal()
    assert equal()
    for shop in (piecemeal, at_once):
        shop.project._vars["sql_traits"].pop("lifecycle_stage")
    assert not equal()
    assert equal()
    assert not equal(dates[load - 2])  # as of the past: nothing is logged
    assert not equal(dates[load])
    assert equal()
    piecemeal.build(worlds, dates[load + 1], files, models=MODELS.index("int_profiles_computed"))  # the run died
    assert not equal()
    assert equal()
    piecemeal.connection.execute("drop table traits.int_profiles_computed cascade")
    equal()
    assert equal()
