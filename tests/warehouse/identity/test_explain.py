"""Explanations of random people: the chain is the shortest there is, and every refusal between two people is told."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib import explain, snapshot
from orchestration.lib.errors import TesseraError, UsageError
from tests.conftest import tessera
from tests.warehouse.helpers import dice
from tests.warehouse.identity.reference import Identifier, Resolution
from tests.warehouse.identity.test_resolution import SETTINGS, Warehouse, World, add_overrides, make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[World], list[Resolution]]:
    """A snapshot of random worlds, half of them with overrides."""
    folder = tmp_path_factory.mktemp("published")
    chosen = SETTINGS["as shipped"]
    worlds = [make_world(number, "explained", chosen) for number in range(40)]
    for world in worlds[::2]:
        add_overrides(world)
    warehouse = Warehouse(chosen)
    found = warehouse.resolve(worlds)
    (folder / "current").mkdir()
    warehouse.connection.execute(f"attach '{folder / 'current' / 'tessera.duckdb'}' as snapshot")
    for schema in ("identity", "events"):
        warehouse.connection.execute(f"create schema snapshot.{schema}")
    for table in ("profile_identifiers", "identity_links", "profile_merges"):
        warehouse.connection.execute(f"create table snapshot.identity.{table} as from identity.{table}")
    warehouse.connection.execute(
        """create table snapshot.events.events as
        select event_id, 'track' as type, 'Tested' as event, 'tests' as source_id from events.int_events_accepted"""
    )
    warehouse.connection.execute("detach snapshot")
    return folder, worlds, found


def text(identifier: Identifier) -> str:
    return f"{identifier.type}:{identifier.value}"


def pairs(resolutions: list[Resolution]) -> Iterator[tuple[Resolution, Identifier, Identifier]]:
    """Yield a few pairs of identifiers of each world."""
    for number, resolution in enumerate(resolutions):
        identifiers = sorted(resolution.profiles)
        if len(identifiers) > 1:
            for _ in range(4):
                x, y = dice(number).sample(identifiers, 2)
                yield resolution, x, y
                number += 1000


def distance(resolution: Resolution, start: Identifier, end: Identifier) -> int | None:
    neighbours = defaultdict(set)
    for (a, b), link in resolution.links.items():
        if link[2] == "used":
            neighbours[a].add(b)
            neighbours[b].add(a)
    steps, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        for other in neighbours[here] - steps.keys():
            steps[other] = steps[here] + 1
            queue.append(other)
    return steps.get(end)


def test_two_identifiers_of_one_person_are_joined_by_the_shortest_chain_of_used_evidence(
    published: tuple[Path, list[World], list[Resolution]],
) -> None:
    folder, _, resolutions = published
    lengths = []
    for resolution, x, y in pairs(resolutions):
        found = explain.explain(folder, text(x), text(y))
        same = resolution.profiles[x] is not None and resolution.profiles[x] == resolution.profiles[y]
        assert found["is_one_person"] == same
        assert len(found["path"]) == (distance(resolution, x, y) if same else 0)
        here = x
        for step in found["path"]:
            a, b = (Identifier(step[f"identifier_type_{side}"], step[f"identifier_value_{side}"]) for side in "ab")
            link = resolution.links.get((a, b)) or resolution.links[b, a]
            assert a == here
            assert link[:2] == (step["first_event_id"], step["event_count"])
            assert link[2] == "used"
            here = b
        assert here == y or not same
        assert explain.describe(found)
        lengths.append(len(found["path"]))
    assert max(lengths) > 2


def test_between_two_people_all_refused_evidence_is_told_with_its_reason(
    published: tuple[Path, list[World], list[Resolution]],
) -> None:
    folder, _, resolutions = published
    told = through_others = 0
    for resolution, x, y in pairs(resolutions):
        profiles = resolution.profiles
        if profiles[x] is not None and profiles[x] == profiles[y]:
            continue
        sides = [{i for i, profile in profiles.items() if i == one or (profile and profile == profiles[one])} for one in (x, y)]
        holder = {i: profile or i for i, profile in profiles.items()}
        met: list[dict[Any, set[Any]]] = [defaultdict(set), defaultdict(set)]  # by side: who else is at its refused evidence
        for pair, link in resolution.links.items():
            for side, inside in zip(met, sides, strict=True):
                for this, other in (pair, pair[::-1]):
                    if link[2] == "refused" and this in inside and other not in sides[0] | sides[1]:
                        side[holder[other]].add(pair)
        between = {pair for third in met[0].keys() & met[1].keys() for side in met for pair in side[third]}
        direct = {
            pair
            for pair, link in resolution.links.items()
            if link[2] == "refused" and any(pair[0] in a and pair[1] in b for a, b in (sides, sides[::-1]))
        }
        found = {
            (
                Identifier(row["identifier_type_a"], row["identifier_value_a"]),
                Identifier(row["identifier_type_b"], row["identifier_value_b"]),
            ): row["reason"]
            for row in explain.explain(folder, text(x), text(y))["refused"]
        }
        assert found.keys() == direct | between
        assert all(resolution.links[pair][3] == reason for pair, reason in found.items())
        told += len(found)
        through_others += bool(between) and not direct
    assert told > 20
    assert through_others


def test_a_whole_profile_is_its_identifiers_and_all_their_evidence(published: tuple[Path, list[World], list[Resolution]]) -> None:
    folder, _, resolutions = published
    for resolution, x, _ in pairs(resolutions):
        found = explain.explain(folder, text(x))
        profile = resolution.profiles[x]
        members = {i for i, held in resolution.profiles.items() if held == profile} if profile else set()
        assert {Identifier(row["identifier_type"], row["identifier_value"]) for row in found["identifiers"]} == members
        evidence = [link for pair, link in resolution.links.items() if {*members, x} & set(pair)]
        assert sorted(
            map(str, ((row["first_event_id"], row["event_count"], row["status"]) for row in found["evidence"]))
        ) == sorted(map(str, (link[:3] for link in evidence)))
        assert explain.describe(found)


def test_the_printed_query_gives_the_same_answer(published: tuple[Path, list[World], list[Resolution]]) -> None:
    folder, _, resolutions = published
    for _, x, y in list(pairs(resolutions))[:20]:
        found = explain.explain(folder, text(x), text(y))
        rows = snapshot.query(folder, explain.sql(folder, text(x), text(y))).rows
        assert rows == [tuple(row.values()) for row in found["path"] or found["refused"]]
        rows = snapshot.query(folder, explain.sql(folder, text(x))).rows
        assert rows == [tuple(row.values()) for row in explain.explain(folder, text(x))["evidence"]]


def test_values_that_look_like_parameters_are_printed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with duckdb.connect(str(tmp_path / "current" / "tessera.duckdb")) as connection:
        connection.execute("create schema identity")
        connection.execute(
            """create table identity.profile_identifiers as select 'user_id' as identifier_type, unnest(['x$b', 'it''s $a']) as
            identifier_value, 'p' as profile_id, 'i' as identifier_id"""
        )
    printed = explain.sql(tmp_path, "user_id:x$b", "user_id:it's $a")
    assert "select 'user_id:x$b'" in printed
    assert "identifier = 'user_id:it''s $a'" in printed


def test_a_profile_id_is_explained_as_the_profile_that_has_it_now(published: tuple[Path, list[World], list[Resolution]]) -> None:
    folder, _, resolutions = published
    _, x, _ = next(pairs(resolutions))
    found = explain.explain(folder, text(x))
    for row in found["identifiers"]:
        again = explain.explain(folder, f"profile_id:{row['identifier_id']}")
        assert (again["profile_id"], again["evidence"]) == (found["profile_id"], found["evidence"])


def test_what_was_never_seen_or_is_no_identifier_is_said(published: tuple[Path, list[World], list[Resolution]]) -> None:
    folder = published[0]
    with pytest.raises(TesseraError, match="never seen"):
        explain.explain(folder, "user_id:nobody")
    with pytest.raises(UsageError, match="TYPE:VALUE"):
        explain.explain(folder, "shoe_size:43")


def test_the_command_says_why(demo_home: Path) -> None:
    with duckdb.connect(str(demo_home / "published" / "current" / "tessera.duckdb"), read_only=True) as connection:
        [(a, b)] = connection.execute(
            """select identifier_type_a || ':' || identifier_value_a, identifier_type_b || ':' || identifier_value_b
            from identity.identity_links where status = 'used' order by all limit 1"""
        ).fetchall()
    assert "are one person" in tessera(demo_home, "explain", a, b).stdout
    found = json.loads(tessera(demo_home, "explain", a, "--json").stdout)
    assert {row["identifier_type"] + ":" + row["identifier_value"] for row in found["identifiers"]} >= {a, b}
    assert tessera(demo_home, "explain", a, "shoe_size:43", check=False).returncode == 2
