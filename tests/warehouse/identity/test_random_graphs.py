"""Hundreds of small worlds with histories of their own, resolved in one run and one by one by a plain reference."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import ROOT, tessera
from tests.warehouse.helpers import DBT_BUILD, built, dice, write_lines, write_shuffled

TYPES = ("user_id", "email", "phone", "anonymous_id")  # strongest first
SHARING_LIMIT = 10
# Sharing is the only rule here: with limits and logins, tests/warehouse/identity/test_resolution.py.
NO_LIMITS = yaml.safe_load((ROOT / "dbt_project" / "config" / "identity.yml").read_text(encoding="utf-8")) | {
    "identifiers": [{"type": kind, "limit": None} for kind in TYPES],
    "sharing_limit": SHARING_LIMIT,
    "login_window_minutes": {"shared": 0, "contested": 0},
}
RANDOM_WORLDS = 300
BLOCKED = {
    "user_id": ("null", "undefined", "-1", "Guest", " NULL ", "0"),
    "email": ("test@test.com", "NoReply@Shop.example", "do-not-reply@shop.example", "not an address", "n/a", ""),
    "phone": ("000000000", "07", "unknown", ""),
    "anonymous_id": ("00000000-0000-0000-0000-000000000000", "anonymous", "0"),
}
NO_COOKIE = BLOCKED["anonymous_id"][0]
START, AS_OF = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
MINUTES = 60 * 24 * 90  # the time that a random history may span; AS_OF comes long after it


class Identifier(NamedTuple):
    """A normalised identifier."""

    type: str
    value: str


@dataclass(frozen=True)
class Event:
    """One message, as the reference sees it: `identifiers` are normalised and not blocked."""

    event_id: str
    received_at: datetime
    identifiers: tuple[Identifier, ...]


@dataclass
class World:
    """A history in which every identifier value starts with the world's number. `lines` are what is delivered."""

    number: int
    name: str
    events: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draws = dice(self.number)

    def node(self, kind: str, n: int) -> Identifier:
        """Return the world's n-th identifier of a type, normalised."""
        w = f"w{self.number:04d}"
        values = {
            "user_id": f"{w}-U{n}",
            "email": f"{w}-e{n}@shop.example",
            "phone": f"+447{self.number:04d}{n:05d}",
            "anonymous_id": f"{w}-a{n}",
        }
        return Identifier(kind, values[kind])

    def happen(self, minute: float, identifiers: Sequence[Identifier], event_id: str | None = None, junk: float = 0.1) -> str:
        """Deliver an event that carries these identifiers (one of a type at most); other types may carry a blocked value."""
        draws = self.draws
        event_id = event_id or f"w{self.number:04d}-{draws.getrandbits(48):012x}"
        received_at = START + timedelta(minutes=minute)
        self.events.append(Event(event_id, received_at, tuple(identifiers)))
        self.lines.append(self._line(event_id, received_at, identifiers, junk))
        return event_id

    def repeat(self, event_id: str, minutes_later: float, identifiers: Sequence[Identifier]) -> None:
        """Deliver a message again, later and changed: the first delivery is the one that counts."""
        first = next(event for event in self.events if event.event_id == event_id)
        self.lines.append(self._line(event_id, first.received_at + timedelta(minutes=minutes_later), identifiers, 0.1))

    def _line(self, event_id: str, received_at: datetime, identifiers: Sequence[Identifier], junk: float) -> str:
        draws = self.draws
        typed = {kind: _typed(draws, kind, value) for kind, value in identifiers}
        for kind in TYPES:
            if kind not in typed and draws.random() < junk:
                typed[kind] = draws.choice(BLOCKED[kind])
        if "user_id" not in typed:  # a call must name somebody
            typed.setdefault("anonymous_id", NO_COOKIE)
        traits = {kind: typed[kind] for kind in ("email", "phone") if kind in typed}
        at = received_at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{received_at.microsecond // 1000:03d}Z"
        call: dict[str, Any] = {"messageId": event_id, "type": "page", "name": "Home"}
        call |= {key: typed[kind] for key, kind in (("userId", "user_id"), ("anonymousId", "anonymous_id")) if kind in typed}
        if draws.random() < 0.5:
            call |= {"type": "identify", "traits": traits}
        elif traits:
            call |= {"context": {"traits": traits}}
        call |= {"sentAt": at} if draws.random() < 0.05 else {"receivedAt": at}  # sentAt stands in for a missing receivedAt
        call["timestamp"] = at
        return json.dumps(call, ensure_ascii=False)


def _typed(draws: random.Random, kind: str, value: str) -> str:
    """Return an identifier as somebody may have typed it."""
    if kind == "email":
        return draws.choice((value, value, value.upper(), value.title(), f" {value} "))
    if kind == "phone":
        national = value.removeprefix("+44")
        spaced = f"{national[:4]} {national[4:]}"
        return draws.choice((value, f"0{national}", f"+44 {spaced}", f"0044{national}", f"(0{national[:4]}) {national[4:]}"))
    return draws.choice((value, value, value, f" {value}"))


# ---------------------------------------------------------------- the reference


@dataclass
class Resolution:
    """Who is who in one world."""

    profiles: dict[Identifier, str | None]
    merges: set[tuple[str, str, str, datetime]]
    links: dict[tuple[Identifier, Identifier], tuple[str, int, str]]
    events: dict[str, str | None]


def identifier_id(identifier: Identifier) -> str:
    return hashlib.sha256(f"tessera|{identifier.type}|{identifier.value}".encode()).hexdigest()[:32]


def resolve(events: Sequence[Event]) -> Resolution:
    """Take the events one after the other, as they were received, and join the people that each shows to be one."""
    ordered = sorted(events, key=lambda event: (event.received_at, event.event_id))

    links: dict[tuple[Identifier, Identifier], list[Event]] = defaultdict(list)
    stronger: dict[Identifier, set[Identifier]] = defaultdict(set)
    for event in ordered:
        present = sorted(event.identifiers, key=lambda identifier: TYPES.index(identifier.type))
        for position, strong in enumerate(present):
            for weak in present[position + 1 :]:
                links[strong, weak].append(event)
                stronger[weak].add(strong)
    shared = {identifier for identifier, seen_with in stronger.items() if len(seen_with) > SHARING_LIMIT}

    seniority: dict[Identifier, tuple[Any, ...]] = {}
    cluster: dict[Identifier, set[Identifier]] = {}
    ended: dict[Identifier, Event] = {}

    def founder(members: set[Identifier]) -> Identifier:
        return min(members, key=seniority.__getitem__)

    for event in ordered:
        known = {id(cluster[i]): cluster[i] for i in event.identifiers if i in cluster}
        for identifier in event.identifiers:
            seniority.setdefault(identifier, (event.received_at, event.event_id, TYPES.index(identifier.type), identifier.value))
        useful = {identifier for identifier in event.identifiers if identifier not in shared}
        if not useful:
            continue
        founders = [founder(members) for members in known.values()]
        joined = useful.union(*known.values())
        for former in founders:
            if former != founder(joined):
                assert former not in ended
                ended[former] = event
        for identifier in joined:
            cluster[identifier] = joined

    def profile(identifier: Identifier) -> str | None:
        return identifier_id(founder(cluster[identifier])) if identifier in cluster else None

    def strongest(event: Event) -> str | None:
        present = sorted(event.identifiers, key=lambda identifier: TYPES.index(identifier.type))
        return profile(present[0]) if present else None

    return Resolution(
        profiles={identifier: profile(identifier) for identifier in seniority},
        merges={
            (identifier_id(former), str(profile(former)), event.event_id, event.received_at.replace(tzinfo=None))
            for former, event in ended.items()
        },
        links={pair: (seen[0].event_id, len(seen), "refused" if shared & set(pair) else "used") for pair, seen in links.items()},
        events={event.event_id: strongest(event) for event in events},
    )


# ---------------------------------------------------------------- the worlds


def random_world(world: World) -> None:
    """Events with random subsets of a few identifiers; times tie often, messages come again."""
    draws = world.draws
    sizes = {kind: draws.randint(1, 8) for kind in TYPES}
    moments = [draws.randint(0, MINUTES) for _ in range(draws.randint(2, 25))]
    density = draws.choice((0.25, 0.4, 0.6))
    for _ in range(draws.randint(2, 30)):
        present = [world.node(kind, draws.randrange(sizes[kind])) for kind in TYPES if draws.random() < density]
        event_id = world.happen(draws.choice(moments), present)
        if draws.random() < 0.1:
            world.repeat(event_id, draws.randint(1, 5000), [world.node(kind, draws.randrange(sizes[kind])) for kind in TYPES])
    # What is received after the as-of time joins everybody, and must not be known yet.
    late = World(world.number, "late")
    for n in range(8):
        minute = (AS_OF - START) / timedelta(minutes=1) + 1 + n
        late.happen(minute, [world.node("user_id", 0), world.node("anonymous_id", n)], f"w{world.number:04d}-late-{n}")
    world.lines += late.lines


def path(world: World, length: int, kinds: Sequence[str] = ("email", "anonymous_id")) -> list[Identifier]:
    """Return identifiers such that neighbours can stand on one event."""
    return [world.node(kinds[n % len(kinds)], n) for n in range(length)]


def born(world: World, nodes: Sequence[Identifier]) -> None:
    """Let every node be seen alone, in this order, before anything else happens."""
    for minute, node in enumerate(nodes):
        world.happen(minute, [node])


ORDERS: dict[str, Callable[[list[int], random.Random], list[int]]] = {
    "in order": lambda items, draws: items,
    "backwards": lambda items, draws: items[::-1],
    "scrambled": lambda items, draws: draws.sample(items, len(items)),
    "zigzag": lambda items, draws: [items[-1 - n // 2] if n % 2 else items[n // 2] for n in range(len(items))],
    "by halves": lambda items, draws: sorted(items, key=lambda n: (-((n + 1) & -(n + 1)), n)),
}
BIRTHS = ("unborn", "oldest first", "oldest last", "in random order", "zigzag")


def chain_world(birth: str, order: str, length: int) -> Callable[[World], None]:
    def build(world: World) -> None:
        nodes = path(world, length, world.draws.choice((("email", "anonymous_id"), TYPES)))
        if birth == "oldest first":
            born(world, nodes)
        elif birth == "oldest last":  # the founders' ages decrease along the chain: links in order meet an older one each time
            born(world, nodes[::-1])
        elif birth == "in random order":
            born(world, world.draws.sample(nodes, length))
        elif birth == "zigzag":
            born(world, [nodes[n] for n in ORDERS["zigzag"](list(range(length)), world.draws)])
        for minute, n in enumerate(ORDERS[order](list(range(length - 1)), world.draws), start=1000):
            world.happen(minute, nodes[n : n + 2])

    return build


def star_world(centre: str, leaf: str, leaves: int, births: bool) -> Callable[[World], None]:
    def build(world: World) -> None:
        nodes = [world.node(leaf, n) for n in range(leaves)]
        if births:
            born(world, world.draws.sample(nodes, leaves))
        for minute, node in enumerate(nodes, start=1000):
            world.happen(minute, [world.node(centre, 0), node])

    return build


def mixed_sharing_world(users: int, emails: int, phones: int) -> Callable[[World], None]:
    """A device seen with so many stronger identifiers of several types; one person also has another device."""

    def build(world: World) -> None:
        device = world.node("anonymous_id", 0)
        for minute, (kind, count) in enumerate((("user_id", users), ("email", emails), ("phone", phones))):
            for n in range(count):
                world.happen(minute * 100 + n, [world.node(kind, n), device])
        world.happen(900, [world.node("user_id", 0), world.node("email", 0)])
        world.happen(901, [world.node("user_id", 0), world.node("anonymous_id", 1)])
        world.happen(902, [device])
        world.happen(903, [world.node("user_id", 1), world.node("email", 1), device])

    return build


def shared_middle_world(world: World) -> None:
    """A desk's e-mail used by eleven customers: it may not join their devices to one another either."""
    desk = world.node("email", 0)
    for n in range(SHARING_LIMIT + 1):
        world.happen(n, [world.node("user_id", n), desk, world.node("anonymous_id", n)])
    world.happen(500, [desk, world.node("anonymous_id", 99)])
    world.happen(501, [desk, world.node("anonymous_id", 0)])
    world.happen(502, [desk])


def clique_world(births: bool) -> Callable[[World], None]:
    def build(world: World) -> None:
        nodes = [world.node(kind, n) for kind in TYPES for n in range(3)]
        pairs = [(x, y) for x in nodes for y in nodes if x.type < y.type]
        if births:
            born(world, world.draws.sample(nodes, len(nodes)))
        for minute, pair in enumerate(world.draws.sample(pairs, len(pairs)), start=100):
            world.happen(minute, pair)

    return build


def twins_world(world: World) -> None:
    """Identifiers born on one event never named a profile, except the strongest; then the twins' clusters merge."""
    for n in range(6):
        world.happen(n, [world.node(kind, n) for kind in TYPES])
    for n, minute in ((4, 10), (2, 11), (0, 12), (3, 13), (1, 14)):
        world.happen(minute, [world.node("user_id", n), world.node("anonymous_id", n + 1)])


def tied_world(world: World) -> None:
    """Everything is received at one moment: only the event ids say what came first."""
    nodes = path(world, 24, TYPES)
    ids = [f"w{world.number:04d}-{n:03d}" for n in range(200)]
    world.draws.shuffle(ids)
    for n in range(len(nodes)):
        world.happen(7, [nodes[n]], ids.pop())
        if n:
            world.happen(7, nodes[n - 1 : n + 1], ids.pop())


def newcomer_joins_old_world(world: World) -> None:
    """One event that shows a new identifier with three old ones, the youngest of them the strongest."""
    for minute, (kind, n) in enumerate((("anonymous_id", 0), ("phone", 0), ("email", 0))):
        world.happen(minute, [world.node(kind, n)])
    world.happen(5, [world.node(kind, 0) for kind in TYPES])


def merged_twice_world(world: World) -> None:
    """A profile id that redirects to one that redirects in turn: both resolve to the last."""
    for minute, n in enumerate((2, 1, 0)):
        world.happen(minute, [world.node("anonymous_id", n)])
    for minute, n in ((10, 0), (11, 1), (12, 2)):
        world.happen(minute, [world.node("email", n), world.node("anonymous_id", n)])
    world.happen(20, [world.node("email", 0), world.node("anonymous_id", 1)])
    world.happen(30, [world.node("email", 1), world.node("anonymous_id", 2)])


def blocked_world(world: World) -> None:
    """Every event carries junk wherever it carries nothing else: the same junk as in every other such world."""
    for n in range(40):
        kinds = world.draws.sample(TYPES, world.draws.randint(0, 2))
        world.happen(n, [world.node(kind, world.draws.randrange(4)) for kind in kinds], junk=1.0)


SHAPES: dict[str, Callable[[World], None]] = {
    **{f"chain of 24, {birth}, {order}": chain_world(birth, order, 24) for birth in BIRTHS for order in ORDERS},
    "long chain, unborn, scrambled": chain_world("unborn", "scrambled", 400),
    "long chain, in random order, scrambled": chain_world("in random order", "scrambled", 400),
    "long chain, oldest first, in order": chain_world("oldest first", "in order", 400),
    "star of devices": star_world("user_id", "anonymous_id", 300, births=False),
    "star of devices seen before": star_world("email", "anonymous_id", 300, births=True),
    "as many e-mails as the limit": star_world("anonymous_id", "email", SHARING_LIMIT, births=True),
    "one e-mail more than the limit": star_world("anonymous_id", "email", SHARING_LIMIT + 1, births=True),
    "one user more than the limit on a phone": star_world("phone", "user_id", SHARING_LIMIT + 1, births=False),
    "ten stronger identifiers of three types": mixed_sharing_world(4, 3, 3),
    "eleven stronger identifiers of three types": mixed_sharing_world(4, 4, 3),
    "a shared e-mail between users and devices": shared_middle_world,
    "clique": clique_world(births=False),
    "clique of identifiers seen before": clique_world(births=True),
    "same-event births": twins_world,
    "all at one moment": tied_world,
    "a newcomer joins three": newcomer_joins_old_world,
    "merged twice": merged_twice_world,
    "junk everywhere": blocked_world,
    "junk everywhere, again": blocked_world,
}


def make_worlds() -> Iterator[World]:
    for number, (name, build) in enumerate([*SHAPES.items(), *[("random", random_world)] * RANDOM_WORLDS]):
        world = World(number, name)
        build(world)
        yield world


# ---------------------------------------------------------------- the run


class Built(NamedTuple):
    """The tables of one home, keyed as the reference is."""

    profiles: dict[Identifier, str | None]
    identifier_ids: dict[Identifier, str]
    merges: set[tuple[str, str, str, datetime]]
    links: dict[tuple[Identifier, Identifier], tuple[str, int, str]]
    resolved: list[tuple[str, str | None]]


def resolve_in_warehouse(home: Path, files: Sequence[Path]) -> Built:
    config = home.parent / "identity.yml"
    config.write_text(yaml.safe_dump(NO_LIMITS), encoding="utf-8")
    tessera(home, "load", *files, "--source", "worlds")
    selected = ("+profile_identifiers", "+identity_links", "+profile_merges", "+int_events_resolved")
    tessera(home, *DBT_BUILD, "--select", *selected, as_of=AS_OF.isoformat(), TESSERA_IDENTITY_CONFIG=str(config))
    identifiers = built(
        home, "select identifier_type, identifier_value, profile_id, identifier_id from identity.profile_identifiers"
    )
    merges = built(home, "select profile_id, canonical_profile_id, event_id, merged_at from identity.profile_merges")
    links = built(
        home,
        """select identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b,
            first_event_id, event_count, status
        from identity.identity_links""",
    )
    resolved = built(home, "select event_id, profile_id from identity.int_events_resolved order by event_id")
    assert len(identifiers) == len({row[:2] for row in identifiers})
    assert len(merges) == len({row[0] for row in merges})
    assert len(links) == len({row[:4] for row in links})
    return Built(
        profiles={Identifier(*row[:2]): row[2] for row in identifiers},
        identifier_ids={Identifier(*row[:2]): row[3] for row in identifiers},
        merges=set(merges),
        links={(Identifier(*row[:2]), Identifier(*row[2:4])): row[4:] for row in links},
        resolved=resolved,
    )


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return list(make_worlds())


@pytest.fixture(scope="module")
def expected(worlds: list[World]) -> list[Resolution]:
    return [resolve(world.events) for world in worlds]


@pytest.fixture(scope="module")
def warehouse(worlds: list[World], tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All worlds in one file, each in the order in which it happened to be written."""
    folder = tmp_path_factory.mktemp("worlds")
    file = write_lines(folder / "worlds.ndjson", [line for world in worlds for line in world.lines])
    return resolve_in_warehouse(folder / "home", [file])


def _differing(worlds: list[World], wanted: Sequence[Any], found: Sequence[Any]) -> list[str]:
    return [
        f"world {world.number} ({world.name}): wanted {want}, found {find}"
        for world, want, find in zip(worlds, wanted, found, strict=True)
        if want != find
    ][:5]


def _number(text: str) -> int:
    """Return the number of the world that a value or an event id belongs to."""
    return int(text[4:8] if text.startswith("+447") else text[1:5])


def _by_world(worlds: list[World], items: dict[Any, Any], key: Callable[[Any], str]) -> list[dict[Any, Any]]:
    parts: list[dict[Any, Any]] = [{} for _ in worlds]
    for item, value in items.items():
        parts[_number(key(item))][item] = value
    return parts


def test_the_reference_gives_what_three_events_worked_out_by_hand_give() -> None:
    """a@ is seen first, then device d; their event joins them; user U comes with d later and never names a profile."""
    email, device, user = Identifier("email", "a@b.example"), Identifier("anonymous_id", "d"), Identifier("user_id", "U")
    moments = [START + timedelta(minutes=minute) for minute in range(4)]
    resolution = resolve(
        [
            Event("3", moments[2], (email, device)),
            Event("2", moments[1], (device,)),
            Event("1", moments[0], (email,)),
            Event("4", moments[3], (user, device)),
        ]
    )
    person = hashlib.sha256(b"tessera|email|a@b.example").hexdigest()[:32]
    former = hashlib.sha256(b"tessera|anonymous_id|d").hexdigest()[:32]
    assert resolution.profiles == dict.fromkeys((email, device, user), person)
    assert resolution.merges == {(former, person, "3", moments[2].replace(tzinfo=None))}
    assert resolution.links == {(email, device): ("3", 1, "used"), (user, device): ("4", 1, "used")}
    assert resolution.events == dict.fromkeys("1234", person)


def test_the_worlds_exercise_what_they_should(worlds: list[World], expected: list[Resolution]) -> None:
    merges = [len(resolution.merges) for resolution in expected]
    assert sum(count > 0 for count in merges) > 150
    assert max(merges) > 200
    assert sum(None in resolution.profiles.values() for resolution in expected) > 5
    assert sum(len(world.lines) for world in worlds) > 5_000


def test_every_identifier_is_held_by_the_profile_that_the_reference_finds(
    worlds: list[World], expected: list[Resolution], warehouse: Built
) -> None:
    """So is the partition, the profile's name (its first-seen identifier), and that junk and the future found nobody."""
    found = _by_world(worlds, warehouse.profiles, lambda identifier: identifier.value)
    assert _differing(worlds, [resolution.profiles for resolution in expected], found) == []


def test_identifier_ids_are_the_salted_hash(warehouse: Built) -> None:
    assert [i for i, found in warehouse.identifier_ids.items() if found != identifier_id(i)] == []


def test_every_merge_names_the_event_that_ended_the_profile(
    worlds: list[World], expected: list[Resolution], warehouse: Built
) -> None:
    found: list[set[tuple[str, str, str, datetime]]] = [set() for _ in worlds]
    for merge in warehouse.merges:
        found[_number(merge[2])].add(merge)
    assert _differing(worlds, [resolution.merges for resolution in expected], found) == []


def test_every_link_tells_its_first_event_and_whether_it_was_used(
    worlds: list[World], expected: list[Resolution], warehouse: Built
) -> None:
    found = _by_world(worlds, warehouse.links, lambda pair: pair[0].value)
    assert _differing(worlds, [resolution.links for resolution in expected], found) == []


def test_every_event_has_one_row_and_belongs_to_the_holder_of_its_strongest_identifier(
    worlds: list[World], expected: list[Resolution], warehouse: Built
) -> None:
    found = _by_world(worlds, dict(warehouse.resolved), lambda event_id: event_id)
    assert _differing(worlds, [resolution.events for resolution in expected], found) == []
    repeated = [event_id for event_id, count in Counter(event_id for event_id, _ in warehouse.resolved).items() if count > 1]
    lines = [line for world in worlds for line in world.lines if json.loads(line)["messageId"] in repeated[:2]]
    assert not repeated, f"{len(repeated)} events have several rows, such as\n" + "\n".join(lines)


def test_other_files_in_another_order_and_in_two_loads_give_the_same_tables(
    worlds: list[World], warehouse: Built, tmp_path: Path
) -> None:
    """A fifth of the messages comes after a run, so that the next run builds what they touch and nothing else."""
    lines = [(line, json.loads(line)["messageId"]) for world in worlds for line in world.lines]
    messages = sorted({message for _, message in lines})
    late = set(dice(2).sample(messages, len(messages) // 5))
    first = write_shuffled(tmp_path / "first", [line for line, message in lines if message not in late], pieces=6, seed=1)
    second = write_shuffled(tmp_path / "second", [line for line, message in lines if message in late], pieces=1, seed=1)
    resolve_in_warehouse(tmp_path / "home", first)
    assert resolve_in_warehouse(tmp_path / "home", second) == warehouse
    assert built(tmp_path / "home", "select count(*) from identity.int_files_counted where not is_new") == [(6,)]
