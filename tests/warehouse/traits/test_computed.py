"""Computed traits: the documented rules on the fixture, and on random events against the same rules in plain Python.

Both are built at once, in a copy of the tree whose config/traits.yml holds a trait for each kind and for each operator.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import tessera_in
from tests.orchestration.conftest import copy_tree
from tests.warehouse.helpers import DBT_BUILD, built, dice, write_calls

AS_OF = datetime.fromisoformat("2026-01-31T00:00:00Z")
PEOPLE, EVENTS = 40, 1_500
LARGEST = Decimal("99999999999999.9999")
KINDS = ("sum", "average", "minimum", "maximum", "most_frequent", "first", "last", "unique_list", "unique_count")
CONDITIONS: list[dict[str, Any]] = [
    {"operator": "equals", "value": "Shoes"},
    {"operator": "equals", "value": 10},
    {"operator": "not_equals", "value": "Shoes"},
    {"operator": "not_equals", "value": 10},
    {"operator": "less_than", "value": 10},
    {"operator": "less_or_equal", "value": 10},
    {"operator": "greater_than", "value": -2.5},
    {"operator": "greater_or_equal", "value": 10},
    {"operator": "contains", "value": "o%"},
    {"operator": "contains", "value": "ö"},
    {"operator": "not_contains", "value": "o"},
    {"operator": "starts_with", "value": "Sho"},
    {"operator": "ends_with", "value": "oes"},
    {"operator": "ends_with", "value": "it's {{ it }}"},
    {"operator": "exists"},
    {"operator": "not_exists"},
    {"operator": "before_date", "value": "2026-01-05"},
    {"operator": "after_date", "value": "2026-01-05"},
    {"operator": "equals_one_of", "value": ["Shoes", "hats", 10]},
    {"operator": "contains_one_of", "value": ["hoe", "at"]},
]
VALUES: list[Any] = [
    "Shoes", "shoes", "hats", "o%", "Schöner", "it's {{ it }}", "", None, 10, 10.0, "10", -2.5, -3, 0, "abc", "1e2", True,
    "2026-01-05", "2026-01-04T23:59:59Z", "2026-01-05T23:59:59.999Z", "2026-01-06T00:00:00+00:00", "2026-01-06", 99.99995, ["a", "b"],
]  # fmt: skip


def random_traits() -> Iterator[dict[str, Any]]:
    for number, condition in enumerate(CONDITIONS):
        yield {"name": f"operator_{number}", "kind": "count", "where": [{"property": "v", **condition}]}
    for kind in KINDS:
        yield {"name": kind, "kind": kind, "property": "v"}
        yield {
            "name": f"{kind}_recent",
            "kind": kind,
            "property": "v",
            "within_days": 7,
            "where": [{"property": "v", **CONDITIONS[6]}],
        }
    yield {"name": "winner_of_5", "kind": "most_frequent", "property": "v", "minimum_count": 9, "winner_count": 5}
    yield {"name": "sum_or_none", "kind": "sum", "property": "v", "when_none": -1, "where": [{"property": "v", **CONDITIONS[3]}]}


def fixture_traits() -> Iterator[dict[str, Any]]:
    viewed, ordered = {"event": "Product Viewed", "property": "category"}, {"event": "Order Completed", "property": "revenue"}
    yield {"name": "product_viewed_count_30d", "event": "Product Viewed", "kind": "count", "within_days": 30}
    for name, kind in {"sum": "sum", "avg": "average", "min": "minimum", "max": "maximum"}.items():
        yield {"name": f"revenue_{name}", "kind": kind, **ordered}
    yield {"name": "most_frequent_category_literal", "kind": "most_frequent", **viewed}
    yield {"name": "most_frequent_category_winner_min2", "kind": "most_frequent", "winner_count": 2, **viewed}
    yield {"name": "first_category", "kind": "first", **viewed}
    yield {"name": "last_category", "kind": "last", **viewed}
    yield {"name": "unique_list_category", "kind": "unique_list", **viewed}
    yield {"name": "unique_list_count_category", "kind": "unique_count", **viewed}


def random_calls() -> list[dict[str, Any]]:
    draws, calls = dice(3), []
    for n in range(EVENTS):
        at = AS_OF - timedelta(hours=draws.randrange(1, 24 * 20))
        call = {"messageId": f"r{draws.randrange(10**9):09d}-{n}", "type": "track", "event": draws.choice(["Tried", "Left"])}
        call |= {"userId": f"r{draws.randrange(PEOPLE)}", "timestamp": at.isoformat(), "receivedAt": at.isoformat()}
        calls.append(call | {"properties": {"v": draws.choice(VALUES)} if draws.random() > 0.05 else {}})
        if call["userId"] in ("r0", "r1") and n % 2:  # whose sums are larger than a decimal holds
            calls[-1]["properties"] = {"v": 99_999_999_999_999 * (1 if call["userId"] == "r0" else -1)}
    return calls


@pytest.fixture(scope="module")
def traits(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Callable[[str], dict[str, dict[str, str]]]:
    """Return the values of a user's traits, by user (or anonymous) id."""
    folder = tmp_path_factory.mktemp("computed")
    tree, home = copy_tree(folder / "tree"), folder / "home"
    wanted = [
        {"source": "events", "event": "Tried", "description": "x", **trait} for trait in [*random_traits(), *fixture_traits()]
    ]
    wanted.append({"name": "of_an_account", "level": "account", "source": "orders", "kind": "count", "description": "x"})
    text = yaml.safe_dump({"traits": wanted}).replace("value: '2026-01-05'", "value: 2026-01-05")
    (tree / "dbt_project" / "config" / "traits.yml").write_text(text, encoding="utf-8")
    with (shared_data / "traits_segment" / "events.csv").open(encoding="utf-8") as file:
        fixture = [
            {
                "messageId": f"f{row['event_id']:0>3}", "type": "track", "event": row["event"],
                "timestamp": row["ts"], "receivedAt": row["received_at"], "anonymousId": row["anonymous_id"],
                **({"userId": row["user_id"]} if row["user_id"] else {}),
                "properties": {"order_id": row["event_id"]} | {key: row[key] for key in ("category", "revenue", "product") if row[key]},
            }
            for row in csv.DictReader(file)
        ]  # fmt: skip
    files = write_calls(folder / "fixture.ndjson", fixture), write_calls(folder / "random.ndjson", random_calls())
    tessera_in(tree, home, "load", *files, "--source", "shop")
    tessera_in(tree, home, *DBT_BUILD, "--select", "+profile_traits", as_of=AS_OF.isoformat())
    rows = built(
        home,
        """select identifier_value, trait, value from traits.profile_traits
        inner join identity.profile_identifiers using (profile_id) where identifier_type in ('user_id', 'anonymous_id')""",
    )
    return lambda person: {trait: value for who, trait, value in rows if who == person}


def test_the_fixture_has_the_values_that_its_rules_give(traits: Any, shared_data: Path) -> None:
    with (shared_data / "traits_segment" / "expected_traits.csv").open(encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    assert len(expected) == 6
    for row in expected:
        found = traits(row["profile"].removeprefix("anon:"))
        for name, value in row.items():
            if name in ("profile", "is_anonymous"):
                continue
            shown = found.get(name)
            if name == "unique_list_category":
                assert json.loads(shown or "[]") == value.split("|"), (row["profile"], name)
            elif name.startswith("revenue"):
                assert (Decimal(shown) if shown else None) == (Decimal(value) if value else None), (row["profile"], name)
            else:
                assert (shown or "") == value, (row["profile"], name)


# ---------------------------------------------------------------- the rules in plain Python


def as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def as_number(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    except ArithmeticError:
        return None


def as_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=AS_OF.tzinfo)


def holds(text: str | None, operator: str, value: Any = None) -> bool:
    if operator in ("exists", "not_exists"):
        return (text is not None) == (operator == "exists")
    if text is None:
        return False
    if operator == "equals_one_of":
        return any(holds(text, "equals", item) for item in value)
    if operator == "contains_one_of":
        return any(item in text for item in value)
    if operator in ("before_date", "after_date"):
        moment, day = as_moment(text), datetime.fromisoformat(value).replace(tzinfo=AS_OF.tzinfo)
        return moment is not None and (moment < day if operator == "before_date" else moment >= day + timedelta(days=1))
    found = text if isinstance(value, str) else as_number(text)
    if found is None:
        return False
    wanted = value if isinstance(value, str) else Decimal(str(value))
    return {
        "equals": lambda: found == wanted, "not_equals": lambda: found != wanted,
        "less_than": lambda: found < wanted, "less_or_equal": lambda: found <= wanted,
        "greater_than": lambda: found > wanted, "greater_or_equal": lambda: found >= wanted,
        "contains": lambda: wanted in text, "not_contains": lambda: wanted not in text,
        "starts_with": lambda: text.startswith(wanted), "ends_with": lambda: text.endswith(wanted),
    }[operator]()  # fmt: skip


def compute(trait: dict[str, Any], facts: list[tuple[datetime, str, str | None]]) -> str | None:
    since = AS_OF - timedelta(days=trait.get("within_days", 10_000))
    texts = [
        text
        for at, _, text in sorted(facts, key=lambda fact: fact[:2])
        if since <= at < AS_OF and all(holds(text, c["operator"], c.get("value")) for c in trait.get("where", []))
    ]
    if trait["kind"] == "count":
        return str(len(texts))
    values = [text for text in texts if text is not None]
    numbers = [number for text in values if (number := as_number(text)) is not None]
    counts = Counter(values)
    winner = min(counts, key=lambda text: (-counts[text], text.encode()), default=None)
    if winner and (len(values) < trait.get("minimum_count", 2) or counts[winner] < trait.get("winner_count", 1)):
        winner = None
    numeric = {
        "sum": lambda: max(min(sum(numbers), LARGEST), -LARGEST), "minimum": lambda: min(numbers), "maximum": lambda: max(numbers),
        "average": lambda: (sum(numbers) / len(numbers)).quantize(Decimal("0.0001"), ROUND_HALF_UP),
    }  # fmt: skip
    if trait["kind"] in numeric:
        number = numeric[trait["kind"]]() if numbers else trait.get("when_none")
        return None if number is None else f"{number:.4f}"
    return {
        "first": lambda: values[0] if values else None,
        "last": lambda: values[-1] if values else None,
        "most_frequent": lambda: winner,
        "unique_list": lambda: json.dumps(sorted(counts, key=str.encode), ensure_ascii=False, separators=(",", ":")) if counts else None,
        "unique_count": lambda: str(len(counts)),
    }[trait["kind"]]()  # fmt: skip


def test_every_kind_and_every_operator_does_what_its_rule_says_on_random_events(traits: Any) -> None:
    facts: dict[str, list[tuple[datetime, str, str | None]]] = {f"r{n}": [] for n in range(PEOPLE)}
    for call in random_calls():
        if call["event"] == "Tried":
            at = datetime.fromisoformat(call["timestamp"])
            facts[call["userId"]].append((at, call["messageId"], as_text(call["properties"].get("v"))))
    operators = {condition["operator"] for condition in CONDITIONS}
    assert len(operators) == 16
    wrong = [
        f"{person}.{trait['name']}: found {found.get(trait['name'])!r}, wanted {wanted!r}"
        for person in facts
        for found in [traits(person)]
        for trait in random_traits()
        if (wanted := compute(trait, facts[person])) != found.get(trait["name"])
    ]
    assert wrong[:10] == []
