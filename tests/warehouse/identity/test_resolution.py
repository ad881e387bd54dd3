"""Random people with every kind of trouble, resolved by the models' SQL in a bare DuckDB and by a plain reference, one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from orchestration.lib import config
from tests.conftest import ROOT
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, BareProject, prepare
from tests.warehouse.helpers import dice
from tests.warehouse.identity.reference import Event, Identifier, Override, Resolution, identifier_id, resolve

TYPES = ("user_id", "email", "phone", "anonymous_id")
SHIPPED = yaml.safe_load((ROOT / "dbt_project" / "config" / "identity.yml").read_text(encoding="utf-8"))
WORLDS = 150
START = datetime(2026, 1, 1)  # noqa: DTZ001 (the warehouse's times are UTC without zone)
MODELS = (*IDENTITY, *HISTORY, *EVENTS)


def settings(**changes: Any) -> dict[str, Any]:
    """Return the shipped identity.yml with some keys changed, as it compiles."""
    return config.Identity.model_validate(SHIPPED | changes).compiled()


def limited(**limits: int | None) -> list[dict[str, Any]]:
    return [kind | {"limit": limits.get(kind["type"])} for kind in SHIPPED["identifiers"]]


SETTINGS = {
    "as shipped": settings(),
    "no rules": settings(identifiers=limited(), sharing_limit=1000, login_window_minutes={"shared": 0, "contested": 0}),
    "tight": settings(
        identifiers=limited(user_id=1, email=1, phone=2, anonymous_id=3),
        sharing_limit=2,
        login_window_minutes={"shared": 90, "contested": 600},
    ),
    "sharing only": settings(identifiers=limited(), sharing_limit=2),
    "one of each": settings(identifiers=limited(user_id=1, email=1, phone=1, anonymous_id=1), sharing_limit=1000),
    "alias of users": settings(identifiers=limited(user_id=1, email=2), sharing_limit=4, alias="user_id"),
    "alias of devices": settings(identifiers=limited(user_id=1, anonymous_id=2), sharing_limit=4, alias="anonymous_id"),
}


@dataclass
class World:
    """A history in which every value begins with the world's number."""

    number: int
    settings: dict[str, Any]
    events: list[Event] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)


def make_world(number: int, seed: str, chosen: dict[str, Any]) -> World:
    draws = dice(f"{seed}/{number}")  # type: ignore[arg-type]
    world = World(number, chosen)
    sizes = {kind: draws.randint(1, 6) for kind in TYPES}
    density = draws.choice((0.25, 0.4, 0.6))
    moments = [START + timedelta(minutes=draws.randint(0, 60 * 24 * 4)) for _ in range(draws.randint(2, 30))]

    def value(kind: str, n: int) -> str:
        return {"email": f"w{number}-{n}@shop.example", "phone": f"+44{number:05d}{n}"}.get(kind, f"w{number}-{kind[0]}{n}")

    for n in range(draws.randint(1, 40)):
        delivered, read = {}, {}
        for column in chosen["columns"]:
            kind, extra = column["type"], column["name"] != column["type"]
            if draws.random() < (0.1 if extra else density):
                identifier = Identifier(kind, value(kind, draws.randrange(sizes[kind])))
                delivered[column["name"]], read[column["name"]] = typed(draws, identifier), identifier
            elif not extra and draws.random() < 0.1:
                delivered[column["name"]] = draws.choice(("null", "00000000-0000", "Anonymous"))
        at, delay = draws.choice(moments), draws.choice((0, 0, 1, 5000))
        event_id = f"{draws.getrandbits(32):08x}-{number}-{n}"
        world.events.append(Event(event_id, at, at + timedelta(minutes=delay), delivered, read))
    return world


def typed(draws: random.Random, identifier: Identifier) -> str:
    if identifier.type == "email":
        return draws.choice((identifier.value, identifier.value.upper(), f" {identifier.value} "))
    if identifier.type == "phone":
        return draws.choice((identifier.value, f"raw {identifier.value}"))
    return draws.choice((identifier.value, f"{identifier.value} "))


def add_overrides(world: World) -> None:
    """Reviewed lines about a world's people, none against another, as orchestration/lib/overrides.py admits them."""
    draws = dice(f"overrides/{world.number}")  # type: ignore[arg-type]
    known = sorted({identifier for event in world.events for identifier in event.present()})
    if len(known) < 2:
        return
    group = {identifier: {identifier} for identifier in known}
    apart: list[tuple[Identifier, Identifier]] = []
    for _ in range(draws.randint(0, 4)):
        x, y = draws.sample(known, 2)
        kind = draws.choice(("INCLUDE", "EXCLUDE", "EXCLUDE", "BLOCK"))
        if kind == "BLOCK":
            if len(group[x]) == 1:
                world.overrides.append(Override("EXCLUDE", x))
                known.remove(x)
                if len(known) < 2:
                    return
        elif kind == "EXCLUDE" and y not in group[x]:
            world.overrides.append(Override("EXCLUDE", x, y))
            apart.append((x, y))
        elif kind == "INCLUDE":
            joined = group[x] | group[y]
            if not any({a, b} <= joined for a, b in apart):
                world.overrides.append(Override("INCLUDE", x, y))
                group |= dict.fromkeys(joined, joined)


def write_beside(connection: duckdb.DuckDBPyConnection, worlds: list[World]) -> None:
    """Write what delivered events need beside them: their phone numbers, normalised, and the worlds' reviewed lines."""
    connection.execute(
        """insert into raw.phone_numbers select distinct phone, 'GB', regexp_extract(phone, '[+][0-9]+')
        from events.int_events_accepted where phone like '%+%'"""
    )
    lines = [
        (
            "profile",
            o.first.value,
            o.first.type,
            o.action,
            o.second and o.second.value,
            o.second and o.second.type,
            "reviewed",
        )
        for world in worlds
        for o in world.overrides
    ]
    if lines:
        connection.executemany("insert into reference.identity_overrides values (?, ?, ?, ?, ?, ?, ?)", lines)


class Warehouse:
    """A bare DuckDB that resolves worlds."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 1")
        self.project = BareProject(self.connection, chosen)
        self.columns = [column["name"] for column in chosen["columns"]]

    def resolve(self, worlds: list[World], *, shuffled: int = 0) -> list[Resolution]:
        """Return what the models say about each world."""
        self.write(worlds, shuffled=shuffled)
        self.project.run(MODELS)
        return self.read(worlds)

    def write(self, worlds: list[World], *, shuffled: int = 0) -> None:
        prepare(self.connection, self.columns)
        events = [event for world in worlds for event in world.events]
        if shuffled:
            dice(shuffled).shuffle(events)
        names = ["event_id", *self.columns, "occurred_at", "received_at", "file_id"]
        rows = [
            (e.event_id, *(e.delivered.get(column) for column in self.columns), e.occurred_at, e.received_at, e.file_id)
            for e in events
        ]
        arrow = [pa.timestamp("us") if name.endswith("_at") else pa.string() for name in names]
        table = pa.table([pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), arrow, strict=True)], names)
        self.connection.register("delivered", table)
        self.connection.execute("insert into events.int_events_accepted select * from delivered")
        write_beside(self.connection, worlds)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of every table that lasts; what a run adds is its own affair."""
        names = [name for name in MODELS if name not in ("int_files_counted", "int_identifiers_touched")]
        exclude = {
            "int_identifiers_collected": "exclude (new_event_count, run_number, first_run_number)",
            "int_events_resolved": "exclude (former_profile_id, run_number)",
        }
        exclude |= dict.fromkeys(
            ("int_identifiers_observed", "int_identifiers_linked", "int_identifiers_resolved", "int_identifiers_held"),
            "exclude (run_number)",
        )
        return {
            name: self.connection.execute(f"select * {exclude.get(name, '')} from identity.{name} order by all").fetchall()
            for name in names
        }

    def files_kept(self) -> int:
        """Return how many files the last run did not collect again."""
        return self.connection.execute("select count(*) from identity.int_files_counted where not is_new").fetchall()[0][0]

    def read(self, worlds: list[World]) -> list[Resolution]:
        found = {world.number: Resolution() for world in worlds}
        by_id: dict[str, int] = {}

        def of(value: str) -> Resolution:
            return found[int(value[3:8]) if value.startswith("+44") else int(value[1:].split("-")[0])]

        ask = self.connection.execute
        for kind, value, profile, key in ask(
            "select identifier_type, identifier_value, profile_id, identifier_id from identity.profile_identifiers"
        ).fetchall():
            of(value).profiles[Identifier(kind, value)] = profile
            assert key == identifier_id(Identifier(kind, value))
            by_id[key] = id(of(value))
        resolutions = {id(resolution): resolution for resolution in found.values()}
        links = ask(
            """select identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b,
            first_event_id, event_count, status, reason, rule from identity.identity_links"""
        ).fetchall()
        for a, x, b, y, *link in links:
            assert (Identifier(a, x), Identifier(b, y)) not in of(x).links
            of(x).links[Identifier(a, x), Identifier(b, y)] = tuple(link)  # type: ignore[assignment]
        for merge in ask("select profile_id, canonical_profile_id, event_id, merged_at from identity.profile_merges").fetchall():
            assert merge not in resolutions[by_id[merge[0]]].merges
            resolutions[by_id[merge[0]]].merges.add(merge)  # type: ignore[arg-type]
        for step in ask("select identifier_id, profile_id, event_id from identity.identifier_history").fetchall():
            assert step not in resolutions[by_id[step[0]]].history
            resolutions[by_id[step[0]]].history.add(step)  # type: ignore[arg-type]
        events = ask("select event_id, profile_id from identity.int_events_resolved").fetchall()
        for event_id, profile in events:
            found[int(event_id.split("-")[1])].events[event_id] = profile
        assert len(events) == sum(len(world.events) for world in worlds)
        return list(found.values())


def differences(worlds: list[World], wanted: list[Resolution], found: list[Resolution]) -> list[str]:
    """Return the first differences, a sentence each."""
    report = []
    for world, want, find in zip(worlds, wanted, found, strict=True):
        for part in ("profiles", "links", "merges", "history", "events"):
            x, y = getattr(want, part), getattr(find, part)
            if x != y:
                items = set(x.items()) ^ set(y.items()) if isinstance(x, dict) else x ^ y
                report.append(f"world {world.number}, {part}: {sorted(map(repr, items))[:6]}; overrides {world.overrides}")
    return report[:5]


@pytest.fixture(scope="module", params=list(SETTINGS))
def case(request: pytest.FixtureRequest) -> tuple[str, list[World], list[Resolution], Warehouse]:
    """Random worlds, half of them with overrides, what the reference says, and a warehouse."""
    chosen = SETTINGS[request.param]
    worlds = [make_world(number, request.param, chosen) for number in range(WORLDS)]
    for world in worlds[::2]:
        if request.param != "no rules":
            add_overrides(world)
    return request.param, worlds, [resolve(world.events, chosen, world.overrides) for world in worlds], Warehouse(chosen)


def test_the_models_find_what_the_reference_finds(case: Any) -> None:
    """Profiles and their names, every piece of evidence with its reason, merges, and the person of every event."""
    _, worlds, wanted, warehouse = case
    assert differences(worlds, wanted, warehouse.resolve(worlds)) == []


def test_the_order_of_the_rows_does_not_matter(case: Any) -> None:
    _, worlds, wanted, warehouse = case
    assert differences(worlds, wanted, warehouse.resolve(worlds, shuffled=1)) == []


def test_taking_the_best_part_of_the_evidence_at_once_changes_nothing(case: Any) -> None:
    """The short cut of ranked_union for long chains, taken from the first pass on."""
    _, worlds, wanted, warehouse = case
    warehouse.project.meta = {"patience": 0}
    found = warehouse.resolve(worlds)
    warehouse.project.meta = {}
    assert differences(worlds, wanted, found) == []


@pytest.mark.parametrize("order", ["from one end", "from the other", "scrambled"])
def test_a_long_chain_with_a_refusal_in_it_ends_in_few_passes(order: str) -> None:
    """20,000 devices in a chain; u1 stands at one end, u2 at the other and u3 in the middle: the last evidence between them is refused."""
    size = 20_000
    connection = duckdb.connect()
    connection.execute("create schema identity")
    ranks = list(range(1, size))
    if order == "from the other":
        ranks.reverse()
    elif order == "scrambled":
        dice(1).shuffle(ranks)
    connection.register("given", pa.table({"node_a": range(1, size), "node_b": range(2, size + 1), "rank": ranks}))
    connection.execute("create table evidence as from given")
    users = [1, size // 2, size]
    connection.execute(f"create table identity.rules as select unnest({users}) as node, 'user_id' as kind, 1 as allowed")
    project = BareProject(connection)
    project.materialize("united", "ranked_union", "select * from evidence", {"rules": "rules"})
    found = connection.execute(
        "select component, min(node), max(node), count(*) from identity.united group by 1 order by 2"
    ).fetchall()
    between = [max(zip(ranks[x - 1 : y - 1], range(x, y), strict=True))[1] for x, y in pairwise(users)]
    ends = [0, *between, size]
    assert [row[1:] for row in found] == [(x + 1, y, y - x) for x, y in pairwise(ends)]
    assert project.statements < size / 2


def test_the_worlds_have_what_is_hard(case: Any) -> None:
    name, worlds, wanted, _ = case
    reasons = Counter(link[3] for resolution in wanted for link in resolution.links.values())
    merges = sum(len(resolution.merges) for resolution in wanted)
    assert merges > 100
    if name == "no rules":
        assert set(reasons) == {None}
    else:
        assert sum(count for reason, count in reasons.items() if reason) > 100
        assert any(world.overrides for world in worlds)


def test_no_profile_breaks_a_rule(case: Any) -> None:
    """Guarantee: no limit is exceeded (what an override joined counts once) and no excluded pair is held, whatever else happens."""
    _, worlds, _, warehouse = case
    for world, found in zip(worlds, warehouse.resolve(worlds), strict=True):
        profiles: dict[str, set[Identifier]] = {}
        for identifier, profile in found.profiles.items():
            profiles.setdefault(profile or "", set()).add(identifier)
        profiles.pop("", None)
        joined = [{o.first, o.second} for o in world.overrides if o.action == "INCLUDE"]
        for people in profiles.values():
            for override in world.overrides:
                if override.action == "EXCLUDE":
                    assert not {override.first, override.second} <= people
            if not joined and not world.settings["alias"]:
                for kind in world.settings["identifiers"]:
                    assert kind["limit"] is None or sum(i.type == kind["type"] for i in people) <= kind["limit"]
        shared = {i for i, profile in found.profiles.items() if profile is None}
        blocked = {o.first for o in world.overrides if o.second is None}
        assert not blocked & found.profiles.keys()
        assert all(link[2] == "refused" and link[3] for pair, link in found.links.items() if shared & set(pair))


def test_without_rules_profiles_are_the_connected_components() -> None:
    chosen = SETTINGS["no rules"]
    worlds = [make_world(number, "components", chosen) for number in range(WORLDS)]
    for world, found in zip(worlds, Warehouse(chosen).resolve(worlds), strict=True):
        component: dict[Identifier, set[Identifier]] = {}
        for event in world.events:
            joined = set(event.present()).union(*(component.get(i, set()) for i in event.present()))
            component |= dict.fromkeys(joined, joined)
        profiles: dict[str, set[Identifier]] = {}
        for identifier, profile in found.profiles.items():
            profiles.setdefault(str(profile), set()).add(identifier)
        assert {frozenset(people) for people in component.values()} == {frozenset(people) for people in profiles.values()}


def test_removing_an_override_restores_the_former_result() -> None:
    chosen = SETTINGS["as shipped"]
    worlds = [make_world(number, "restored", chosen) for number in range(WORLDS)]
    warehouse = Warehouse(chosen)
    before = warehouse.resolve(worlds)
    for world in worlds:
        add_overrides(world)
    during = warehouse.resolve(worlds)
    for world in worlds:
        world.overrides.clear()
    assert differences(worlds, before, warehouse.resolve(worlds)) == []
    assert differences(worlds, before, during) != []


@pytest.mark.parametrize("name", list(SETTINGS))
def test_increments_equal_a_rebuild(name: str) -> None:
    """Guarantees: 210 histories (30 a setting) that arrive in 2 to 6 loads, late events among them, with reviewed lines that come and
    go meanwhile: after each load every table, ids included, is what it would have been from scratch."""
    chosen = SETTINGS[name]
    worlds = [make_world(number, f"increments/{name}", chosen) for number in range(30)]
    draws = dice(f"increments/{name}")  # type: ignore[arg-type]
    loads: dict[str, int] = {}
    reviewed: list[tuple[World, list[Override], int, int]] = []
    for world in worlds:
        size = draws.randint(2, 6)
        by_receipt = sorted(world.events, key=lambda event: event.received_at)
        for position, event in enumerate(by_receipt):
            in_turn = draws.random() < 0.7
            loads[event.event_id] = 1 + position * size // len(by_receipt) if in_turn else draws.randint(1, size)
        if name != "no rules":
            add_overrides(world)
            first, last = sorted(draws.choices(range(1, 7), k=2))
            if any(line.second is None for line in world.overrides):
                first, last = 3, 4  # a block that comes or goes is a reason to rebuild, so it does not come with every load
            reviewed.append((world, world.overrides, first, last))
    piecemeal, at_once = Warehouse(chosen), Warehouse(chosen)
    increments = 0
    for load in range(1, 7):
        for world, lines, first, last in reviewed:
            world.overrides = lines if first <= load <= last else []
        known = [
            World(w.number, chosen, [replace(e, file_id=str(loads[e.event_id])) for e in w.events if loads[e.event_id] <= load])
            for w in worlds
        ]
        for world, all_of_it in zip(known, worlds, strict=True):
            world.overrides = all_of_it.overrides
        for warehouse in (piecemeal, at_once):
            warehouse.project.full_refresh = warehouse is at_once
            warehouse.write(known, shuffled=load)
            warehouse.project.run(MODELS)
        found, wanted = piecemeal.tables(), at_once.tables()
        assert [table for table in wanted if found[table] != wanted[table]] == [], f"after load {load}"
        increments += piecemeal.files_kept() > 0
    assert increments >= 3


def test_what_cannot_be_added_to_is_built_whole() -> None:
    """An event of a collected file is gone, a run died half-way, a model was built twice, another as-of time: the tables
    are right all the same."""
    chosen = SETTINGS["tight"]
    worlds = [make_world(number, "rebuilds", chosen) for number in range(20)]
    for world in worlds:
        add_overrides(world)
        world.overrides = [line for line in world.overrides if line.second]
        world.events = [replace(event, file_id=str(n % 4)) for n, event in enumerate(world.events)]
    warehouse, at_once = Warehouse(chosen), Warehouse(chosen)
    at_once.project.full_refresh = True

    def deliver(files: int, without: int | None = None) -> None:
        known = [
            World(w.number, chosen, [e for n, e in enumerate(w.events) if int(e.file_id) < files and n != without], w.overrides)
            for w in worlds
        ]
        for each in (warehouse, at_once):
            each.write(known)

    def resolved(models: Sequence[str] = MODELS) -> int:
        warehouse.project.run(models)
        at_once.project.run(MODELS)
        assert warehouse.tables() == at_once.tables()
        return warehouse.files_kept()

    deliver(1)
    assert resolved() == 0
    deliver(2)
    assert resolved() == 1
    deliver(2, without=4)  # an event of a collected file is gone
    assert resolved() == 0
    deliver(3)
    warehouse.project.run(MODELS[:4])
    assert resolved() == 0  # the run died and starts anew
    deliver(4)
    warehouse.project.run(MODELS[:8])
    assert resolved(MODELS[8:]) == 3  # the run is taken up where it died
    for again in ("int_identifiers_collected", "int_identifiers_touched", "int_identifiers_resolved", "int_evidence_ordered"):
        deliver(2)
        assert resolved() == 0
        deliver(3)
        position = MODELS.index(again) + 1
        resolved((*MODELS[:position], again, *MODELS[position:]))

    # A later as-of time shows an event of a collected file, while another of it is gone: as many as before, not the same.
    deliver(4)
    last = max((e for w in worlds for e in w.events), key=lambda event: event.received_at)
    gone = next(e for w in worlds for e in w.events if e.file_id == last.file_id and e is not last)
    for missing, as_of in ((last, last.received_at - timedelta(seconds=1)), (gone, last.received_at)):
        known = [World(w.number, chosen, [e for e in w.events if e is not missing], w.overrides) for w in worlds]
        for each in (warehouse, at_once):
            each.project.as_of = as_of.isoformat()
            each.write(known)
        assert resolved() == 0


def test_dbt_finds_what_an_increment_refers_to() -> None:
    """It looks while nothing is executed, when no run is an increment; `is_increment` then names its own."""
    chosen = SETTINGS["tight"]
    events = make_world(0, "references", chosen).events
    warehouse, hidden = Warehouse(chosen), {}
    warehouse.write([World(0, chosen, events[1:], [])])
    warehouse.project.run(MODELS)
    warehouse.write([World(0, chosen, [replace(events[0], file_id="2"), *events[1:]], [])])
    for name in (*IDENTITY, *HISTORY):
        in_part, whole = (warehouse.project.references(name, full_refresh=whole) for whole in (False, True))
        hidden[name] = in_part - whole - {"int_identifiers_touched", "int_files_counted"}
        warehouse.project.build(name)
    assert warehouse.files_kept() == 1
    assert {name: models for name, models in hidden.items() if models} == {}


def test_a_login_that_was_seen_before_takes_the_events_near_it() -> None:
    """It tells nothing new about who is who, so no group is resolved anew; the tablet's other events are."""
    chosen = SETTINGS["as shipped"]
    hours = [("u1", 0.0), ("u2", 1.0), (None, 4.0), ("u1", 3.9)]
    events = []
    for number, (user, hour) in enumerate(hours):
        at = START + timedelta(hours=hour)
        delivered = {"anonymous_id": "tablet"} | ({"user_id": user} if user else {})
        events.append(Event(f"e-0-{number}", at, at, delivered, {}, "1" if number < 3 else "2"))
    warehouse = Warehouse(chosen)
    found = []
    for count in (3, 4):
        warehouse.write([World(0, chosen, events[:count], [])])
        warehouse.project.run(MODELS)
        people = dict(warehouse.connection.execute("select event_id, profile_id from identity.int_events_resolved").fetchall())
        found.append([number for number in range(count) if people[f"e-0-{number}"] == people["e-0-2"]])
    assert warehouse.files_kept() == 1
    assert found == [[1, 2], [0, 2, 3]]
