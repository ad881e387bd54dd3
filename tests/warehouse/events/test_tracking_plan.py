"""A plan enforced from end to end: no message is lost whatever it says, and changing it changes history, forth and back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ask, tessera_in
from tests.orchestration.conftest import copy_tree
from tests.warehouse.helpers import built, dice, write_calls

AS_OF = "2026-03-01T00:00:00"
MESSAGES = 600
PLAN = """default: {unplanned_event: allow, unplanned_property: allow, invalid: allow}
sources:
  strict: {unplanned_event: quarantine, unplanned_property: quarantine, invalid: quarantine}
  tidy: {unplanned_property: omit, invalid: omit}
"""
BOUGHT = """event: Thing Bought
owner: shop
description: A thing was bought.
schema:
  type: object
  required: [thing, count]
  properties:
    thing: {type: string, minLength: 2}
    count: {type: integer, minimum: 1}
    colour: {enum: [red, blue]}
consolidate:
  - {from: thing_bought, rename: {what: thing}}
"""
PROPERTIES: dict[str, tuple[Any, ...]] = {
    "thing": ("tile", "lamp", "x", 7),
    "count": (1, 2, 3.0, 0, "2", 1.5, None),
    "colour": ("red", "blue", "green"),
    "mood": ("fine",),
}
SOURCES = ("strict", "tidy", "loose")
PURPOSES = ("advertising", "analytics", "email_marketing")


@dataclass(frozen=True)
class Shop:
    """A checkout with a plan of its own, its home, and what was delivered: messages by id."""

    tree: Path
    home: Path
    messages: dict[str, dict[str, Any]]

    def write_plan(self, **files: str) -> None:
        folder = self.tree / "dbt_project" / "tracking_plan"
        for file in [*folder.glob("events/*.yml"), *folder.glob("*.yml")]:
            file.unlink()
        for name, content in files.items():
            (folder / ("plan.yml" if name == "plan" else f"events/{name}.yml")).write_text(content, encoding="utf-8")

    def command(self, *arguments: str) -> str:
        return tessera_in(self.tree, self.home, *arguments, as_of=AS_OF).stdout

    def state(self) -> list[tuple[Any, ...]]:
        """Everything the events stage says, as the last run or preview left it."""
        return [
            built(self.home, f"select * from events.{table} order by all")
            for table in ("events", "events_quarantine", "event_violations", "violation_summary", "event_names")
        ]


def _message(draws: Any, number: int) -> dict[str, Any]:
    name = draws.choice(["Thing Bought", "Thing Bought", "thing_bought", "Unheard Of"])
    properties = {key: draws.choice(values) for key, values in PROPERTIES.items() if draws.random() < 0.8}
    if name == "thing_bought" and "thing" in properties:
        properties["what"] = properties.pop("thing")
    received = f"2026-02-{1 + number % 27:02d}T10:00:{number % 60:02d}Z"
    answers = {purpose: draws.random() < 0.7 for purpose in PURPOSES if draws.random() < 0.9}
    return {
        "messageId": f"m{number}", "type": "track", "event": name, "userId": f"u{number % 50}", "properties": properties,
        "timestamp": received, "receivedAt": received, "source": draws.choice(SOURCES),
    } | ({"context": {"consent": {"categoryPreferences": answers}}} if draws.random() < 0.2 else {})  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Three loads, duplicates among and across them, then one whole run."""
    folder = tmp_path_factory.mktemp("plan")
    draws = dice(4)
    messages = {f"m{number}": _message(draws, number) for number in range(MESSAGES)}
    shop = Shop(copy_tree(folder / "tree"), folder / "home", messages)
    shop.write_plan(plan=PLAN, thing_bought=BOUGHT)
    deliveries = [*messages.values(), *draws.sample(list(messages.values()), 60)]
    draws.shuffle(deliveries)
    for load in range(3):
        files = []
        for source in SOURCES:
            calls = [{k: v for k, v in call.items() if k != "source"} for call in deliveries[load::3] if call["source"] == source]
            files.append(str(write_calls(folder / f"load-{load}" / source / "calls.ndjson", calls)))
        shop.command("load", *files)
    shop.command("run")
    return shop


def _golden(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name and properties after consolidation."""
    properties = dict(message["properties"])
    if message["event"] != "thing_bought":
        return message["event"], properties
    if "what" in properties:
        properties["thing"] = properties.pop("what")
    return "Thing Bought", properties


def _faults(properties: dict[str, Any]) -> dict[str, str]:
    """The rules of BOUGHT by hand: field → violation type."""
    thing, count = properties.get("thing", "tile"), properties.get("count", 1)
    is_integer = isinstance(count, int) or (isinstance(count, float) and count.is_integer())
    found = {f"properties.{name}": "Required" for name in ("thing", "count") if name not in properties}
    found |= {"properties.thing": "Invalid Type"} if not isinstance(thing, str) else {}
    found |= {"properties.thing": "Length"} if isinstance(thing, str) and len(thing) < 2 else {}
    found |= {"properties.count": "Invalid Type"} if not is_integer else {}
    found |= {"properties.count": "Range"} if isinstance(count, (int, float)) and count < 1 else {}
    found |= {"properties.colour": "Enum"} if properties.get("colour") == "green" else {}
    found |= {"properties.mood": "Unplanned Property"} if "mood" in properties else {}
    return found


def test_every_message_is_accepted_or_quarantined_and_loses_only_what_is_declared(shop: Shop) -> None:
    held, accepted, violations = set(), {}, set()
    for key, message in shop.messages.items():
        event, properties = _golden(message)
        faults = {"event": "Unplanned Event"} if event == "Unheard Of" else _faults(properties)
        violations |= {(key, kind, field) for field, kind in faults.items()}
        if faults and message["source"] == "strict":
            held.add(key)
            continue
        if message["source"] == "tidy":
            gone = {field.removeprefix("properties.") for field, kind in faults.items() if kind != "Required"}
            properties = {name: value for name, value in properties.items() if name not in gone}
        accepted[key] = (event, properties)
    assert len(held) > 50
    found = {
        key: (event, json.loads(text))
        for key, event, text in built(shop.home, "select event_id, event, properties from events.events")
    }
    assert found == accepted
    assert {key for (key,) in built(shop.home, "select event_id from events.events_quarantine")} == held
    assert set(built(shop.home, "select event_id, violation_type, field from events.event_violations")) == violations
    assert len(held) + len(accepted) == MESSAGES
    lines = "select sum(lines), sum(rows_loaded + rows_rejected + rows_duplicate), sum(rows_duplicate) from raw.ingest_files"
    assert built(shop.home, lines) == [(MESSAGES + 60, MESSAGES + 60, 60)]


def test_holding_an_event_never_holds_a_refusal_and_what_is_held_grants_nothing(shop: Shop) -> None:
    """By hand: an accepted word speaks for every purpose, a held one only for those that it refuses; the latest holds."""
    held = {key for (key,) in built(shop.home, "select event_id from events.events_quarantine")}
    latest: dict[tuple[str, str], tuple[str, str, str]] = {}
    for key, message in shop.messages.items():
        answers = message.get("context", {}).get("consent", {}).get("categoryPreferences")
        for purpose in PURPOSES if answers is not None else ():
            word = (message["receivedAt"], key, "granted" if answers.get(purpose) else "denied")
            if key not in held or word[2] == "denied":
                latest[message["userId"], purpose] = max(word, latest.get((message["userId"], purpose), word))
    assert len({key for _, key, _ in latest.values()} & held) > 5
    found = built(
        shop.home,
        """select identifier_value, purpose, event_id, state from consent.consent_states
        inner join identity.profile_identifiers using (profile_id) where state <> 'unknown'""",
    )
    assert {(user, purpose): (key, state) for user, purpose, key, state in found} == {
        at: (key, state) for at, (_, key, state) in latest.items()
    }


def test_the_summary_adds_up_and_no_value_is_told(shop: Shop) -> None:
    per_rule = Counter(built(shop.home, "select violation_type, field, source_id from events.event_violations"))
    summed = built(
        shop.home, "select violation_type, field, source_id, sum(violation_count) from events.violation_summary group by all"
    )
    assert {tuple(row[:3]): row[3] for row in summed} == dict(per_rule)
    with duckdb.connect(str(shop.home / "warehouse.duckdb"), read_only=True) as connection:
        details = connection.execute("select distinct detail from events.event_violations").fetchall()
    assert all(value not in detail for (detail,) in details for value in ("green", "fine", "tile", "lamp", "1.5"))
    reduction = "select count(distinct delivered_event), count(distinct event) from events.event_names"
    assert built(shop.home, reduction) == [(3, 2)]


def test_a_wider_plan_releases_what_passes_and_a_narrower_one_takes_it_back(shop: Shop) -> None:
    """`--preview` says it and publishes nothing; the release publishes it, and what is downstream follows."""
    before, raw = shop.state(), built(shop.home, "select * from raw.events order by all")
    published = [row["event_id"] for row in ask(shop.home, "select event_id from events.events order by 1")]
    wider = BOUGHT.replace("[red, blue]", "[red, blue, green]").replace("minimum: 1", "minimum: 0")
    shop.write_plan(plan=PLAN, thing_bought=wider)

    preview = json.loads(shop.command("plan", "release", "--preview", "--json"))
    assert preview["held_now"] < preview["held_before"]
    assert preview["newly_held"] == []
    assert [row["event_id"] for row in ask(shop.home, "select event_id from events.events order by 1")] == published

    release = json.loads(shop.command("plan", "release", "--json"))
    assert release == preview
    now = {row["event_id"] for row in ask(shop.home, "select event_id from events.events")}
    back = now - set(published)
    assert len(back) == preview["held_before"] - preview["held_now"] == sum(row["messages"] for row in release["released"])
    assert now >= set(published)
    assert {row["event_id"] for row in ask(shop.home, "select event_id from profiles.profile_events")} == now
    for key in back:
        assert set(_faults(_golden(shop.messages[key])[1])) <= {"properties.colour", "properties.count"}

    shop.write_plan(plan=PLAN, thing_bought=BOUGHT)
    shop.command("dbt", "build", "--quiet", "--select", "stg_segment__events", "events", "--exclude-resource-type", "unit_test")
    assert shop.state() == before
    assert built(shop.home, "select * from raw.events order by all") == raw


def test_a_consolidation_taken_back_gives_the_names_back(shop: Shop) -> None:
    shop.write_plan(plan="{}\n", thing_bought=BOUGHT.partition("consolidate:")[0])
    shop.command("dbt", "build", "--quiet", "--select", "stg_segment__events", "events", "--exclude-resource-type", "unit_test")
    delivered = {key: (message["event"], message["properties"]) for key, message in shop.messages.items()}
    found = built(shop.home, "select event_id, event, properties from events.events")
    assert {key: (event, json.loads(text)) for key, event, text in found} == delivered


def test_a_plan_with_a_mistake_stops_before_anything_runs(shop: Shop) -> None:
    shop.write_plan(plan=PLAN, thing_bought=BOUGHT.replace("minLength", "minLenght"))
    result = tessera_in(shop.tree, shop.home, "run", as_of=AS_OF, check=False)
    assert result.returncode == 2
    assert "thing_bought.yml:8" in result.stderr
    assert "minLenght cannot be compiled" in result.stderr
