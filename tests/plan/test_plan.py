"""The plan's files: read, linted, compared, exchanged; what they become at staging."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib.errors import UsageError
from orchestration.lib.plan import compare, compile, exchange, infer, model
from tests.conftest import ROOT
from tests.plan.rendering import Renderer

PLAN = ROOT / "dbt_project" / "tracking_plan"
EVENT = """event: Order Completed
owner: checkout
description: Sent once.
schema:
  type: object
  required: [total]
  properties:
    total: {type: number, minimum: 0}
    currency: {enum: [EUR, USD]}
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plan's files and return its folder."""

    def files(**contents: str) -> Path:
        for name, content in contents.items():
            folder = tmp_path if name in ("plan", "common") else tmp_path / "events"
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.yml").write_text(content, encoding="utf-8")
        return tmp_path

    return files


# ---------------------------------------------------------------- read and linted


def test_the_demo_plan_has_no_problem() -> None:
    plan, problems = model.lint(PLAN)
    assert [str(problem) for problem in problems] == []
    assert len(plan.events) > 10


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("minimum: 0", "minimun: 0", 8, "minimun cannot be compiled"),
        ("minimum: 0", "multipleOf: 2", 8, "multipleOf cannot be compiled"),
        ("type: number", "type: nmber", 8, "type is one of"),
        ("enum: [EUR, USD]", "pattern: '(?!EUR)'", 9, "look-around"),
        ("enum: [EUR, USD]", "format: ipv4", 9, "format is one of"),
        ("owner: checkout", "ownr: checkout", 2, "ownr"),
        ("owner: checkout", "owner: checkout\nowner: shop", 3, "each key once"),
        ("owner: checkout", "version: 0", 2, "greater than or equal to 1"),
        ("owner: checkout", "type: alias", 2, "type"),
        ("owner: checkout", "enforce: {invalid: block}", 2, "allow"),
        ("required: [total]", "required: total", 6, "required is a list"),
        ("enum: [EUR, USD]}", "enum: [EUR, USD", 9, "YAML"),
        ("event: Order Completed\n", "", 1, "a track call needs `event`"),
        ("currency: {enum: [EUR, USD]}", "currency: {x-pii: mail}", 9, "x-pii is one of"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(write: Write, old: str, new: str, line: int, said: str) -> None:
    assert old in EVENT
    folder = write(order_completed=EVENT.replace(old, new))
    errors = [problem for problem in model.lint(folder)[1] if problem.is_error]
    assert len(errors) == 1
    assert errors[0].file == folder / "events" / "order_completed.yml"
    assert abs(errors[0].line - line) <= (1 if said in ("YAML", "ownr", "a track call needs `event`") else 0), str(errors[0])
    assert said in errors[0].text
    with pytest.raises(UsageError, match="not valid"):
        model.read(folder)


def test_what_files_say_of_each_other_is_checked(write: Write) -> None:
    folder = write(
        one=EVENT + "consolidate: [{from: done}]\n",
        two=EVENT + "consolidate: [{from: done}]\nversion: 2\n",
        three=EVENT,
        four=EVENT.replace("Order Completed", "Cart Viewed") + "consolidate: [{from: Order Completed}]\n",
        plan="funnels: {revenue: [Cart Viewed, Cart Dreamt]}\n",
    )
    said = [str(problem).removeprefix(str(folder)) for problem in model.lint(folder)[1] if problem.is_error]
    assert len(said) == 4
    assert any("four.yml" in text and "is planned itself" in text for text in said)
    assert any("two.yml" in text and "done is consolidated twice" in text for text in said)
    assert any("is planned in one.yml already" in text or "is planned in three.yml already" in text for text in said)
    assert any("plan.yml:1" in text and "Cart Dreamt" in text for text in said)


def test_advice_is_no_error(write: Write) -> None:
    text = EVENT.replace("Order Completed", "order_done").replace("owner: checkout\n", "").replace("currency:", "theCurrency:")
    folder = write(order=text, plan="naming: {event: '^[A-Z]', property: '^[a-z_]+$'}\n")
    plan, problems = model.lint(folder)
    assert len(plan.events) == 1
    assert {problem.is_error for problem in problems} == {False}
    assert [problem.line for problem in problems] == [1, 1, 8]


def test_a_draft_may_hold_what_cannot_be_compiled_and_is_not_compiled(write: Write) -> None:
    folder = write(order=EVENT.replace("minimum: 0", "anyOf: []") + "status: draft\n")
    plan = model.read(folder)
    assert plan.live() == []
    assert "Order Completed" not in compile.breaches(plan)


def test_yaml_is_read_as_json_knows_it(write: Write) -> None:
    folder = write(order=EVENT.replace("[EUR, USD]", "[yes, no, 2026-01-01, 010, 1e3, null, true, 1.50]"))
    [event] = model.read(folder).events
    assert event.schema_["properties"]["currency"]["enum"] == ["yes", "no", "2026-01-01", "010", 1000.0, None, True, 1.5]


def test_a_name_is_data_in_the_compiled_sql_never_template_nor_sql(write: Write) -> None:
    hostile = "{{ env_var('HOME') }}'; drop table x; -- {% raw %}"
    folder = write(
        order=EVENT.replace("event: Order Completed", f"event: {json.dumps(hostile)}").replace(
            "currency:", f"{json.dumps(hostile)}:"
        )
    )
    sql = Renderer().render(compile.breaches(model.read(folder)), messages="calls")
    with duckdb.connect() as connection:
        _calls(connection, [{"event": hostile, "properties": {"total": 1, hostile: "GBP"}}, {"event": "x", "properties": {}}])
        broken = dict(connection.execute(f"select event_id, broken from ({sql}) where broken <> ''").fetchall())
    assert broken.keys() == {"0", "1"}
    assert f"properties.{hostile}" in broken["0"]


# ---------------------------------------------------------------- versions and outcomes, as compiled


def _calls(connection: duckdb.DuckDBPyConnection, calls: list[dict[str, Any]]) -> None:
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        """create or replace table calls (event_id varchar, type varchar, event varchar, name varchar, event_version varchar,
        source_id varchar, properties varchar, traits varchar, context varchar, occurred_at timestamp)"""
    )
    for number, call in enumerate(calls):
        payloads = [json.dumps(call[key]) if key in call else None for key in ("properties", "traits", "context")]
        head = [call.get(key) for key in ("event", "name", "event_version")]
        connection.execute(
            "insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [str(number), call.get("type", "track"), *head, call.get("source", "web"), *payloads, call.get("at", "2026-01-01")],
        )


@pytest.fixture
def judged(write: Write) -> Iterator[Callable[..., list[tuple[str, ...]]]]:
    """Judge calls by a plan: (number of the call, violation type, field, on_invalid) for each entry."""
    with duckdb.connect() as connection:

        def judge(calls: list[dict[str, Any]], **files: str) -> list[tuple[str, ...]]:
            _calls(connection, calls)
            sql = Renderer().render(compile.breaches(model.read(write(**files))), messages="calls")
            found = connection.execute(f"select event_id, on_invalid, broken from ({sql}) where broken <> ''").fetchall()
            return sorted(
                (event_id, *entry.split(compile.UNIT)[:2], on_invalid)
                for event_id, on_invalid, broken in found
                for entry in broken.split(compile.RECORD)
                if entry
            )

        yield judge


def test_a_missing_or_unknown_version_is_checked_against_the_oldest_live_one(judged: Callable[..., Any]) -> None:
    calls = [
        {"event": "Order Completed", "event_version": version, "properties": {"b": 1}}
        for version in (None, "1", "2", "3", "7", "x")
    ]
    versions = {
        name: f"event: Order Completed\nversion: {n}\nstatus: {status}\nschema: {{required: [{key}], properties: {{b: true, a: true}}}}\n"
        for name, n, status, key in (("v1", 1, "draft", "c"), ("v2", 2, "live", "a"), ("v3", 3, "live", "b"))
    }
    missing = "Required", "properties.a", "allow"
    unknown = "Unplanned Version", "context.protocols.event_version", "allow"
    expected = [(number, *missing) for number in "01245"] + [(number, *unknown) for number in "145"]
    assert judged(calls, **versions) == sorted(expected)


def test_the_event_decides_then_the_source_then_the_default(judged: Callable[..., Any]) -> None:
    calls = [
        {"event": event, "source": source, "properties": {"total": -1}}
        for event in ("Order Completed", "Order Refunded")
        for source in ("web", "app")
    ]
    found = judged(
        calls,
        completed=EVENT,
        refunded=EVENT.replace("Completed", "Refunded") + "enforce: {invalid: allow}\n",
        plan="default: {invalid: omit}\nsources: {app: {invalid: quarantine}}\n",
    )
    assert [(number, outcome) for number, _, _, outcome in found] == [
        ("0", "omit"),
        ("1", "quarantine"),
        ("2", "allow"),
        ("3", "allow"),
    ]


def test_a_deprecated_event_is_checked_and_reported_from_its_sunset_on(judged: Callable[..., Any]) -> None:
    calls = [
        {"event": "Order Completed", "properties": {"total": -1}, "at": day} for day in ("2026-06-30 23:59:59", "2026-07-01")
    ]
    found = judged(calls, order=EVENT + "status: deprecated\nsunset: 2026-07-01\n")
    assert [(number, kind) for number, kind, _, _ in found] == [("0", "Range"), ("1", "Deprecated Event"), ("1", "Range")]


def test_pages_by_name_and_the_others_identify_calls_and_the_common_rule(judged: Callable[..., Any]) -> None:
    calls = [
        {"type": "page", "name": "Home", "properties": {}, "context": {"library": {}}},
        {"type": "page", "name": "Other", "properties": {}, "context": {}},
        {"type": "page", "properties": {}},
        {"type": "identify", "traits": {"email": 1}, "context": {"library": {"name": "x"}}},
        {"type": "track", "event": "Unheard Of", "properties": {"email": 1}, "context": {"library": {}}},
    ]
    found = judged(
        calls,
        home="type: page\nevent: Home\nschema: {required: [hero]}\n",
        page="type: page\nschema: {required: [title]}\n",
        identify="type: identify\nschema: {properties: {email: {type: string}}}\n",
        common="type: common\nschema: {properties: {context: {required: [library], properties: {library: {required: [name]}}}}}\n",
        order=EVENT,
    )
    assert [(number, kind, field) for number, kind, field, _ in found] == [
        ("0", "Required", "context.library.name"), ("0", "Required", "properties.hero"),
        ("1", "Required", "context.library"), ("1", "Required", "properties.title"),
        ("2", "Required", "context.library"), ("2", "Required", "properties.title"),
        ("3", "Invalid Type", "traits.email"),
        ("4", "Required", "context.library.name"), ("4", "Unplanned Event", "event"),
    ]  # fmt: skip


# ---------------------------------------------------------------- consolidation


CONSOLIDATED = (
    EVENT
    + """consolidate:
  - from: [completed_order, Bestellung]
    sources: [legacy]
    until: 2026-06-01
    rename: {amount: total, cur: currency}
    set: {channel: web, is_test: false}
    map: {currency: {eur: EUR}}
"""
)


@pytest.mark.parametrize(
    ("call", "event", "properties"),
    [
        (
            {"properties": {"amount": 1.50, "cur": "eur", "z": None}},
            "Order Completed",
            {"z": None, "total": 1.5, "currency": "EUR"},
        ),
        ({"properties": {"amount": {"a": None}, "cur": "chf"}}, "Order Completed", {"total": {"a": None}, "currency": "chf"}),
        ({"properties": {"amount": 1, "total": 2, "currency": "eur"}}, "Order Completed", {"total": 2, "currency": "EUR"}),
        ({"properties": {"amount": None, "channel": "app"}}, "Order Completed", {"total": None}),
        ({"properties": {'quo"te/~': "it's"}}, "Order Completed", {'quo"te/~': "it's"}),
        ({"properties": {"amount": 1}, "source": "web"}, "completed_order", None),
        ({"properties": {"amount": 1}, "at": "2026-06-01"}, "completed_order", None),
        ({"properties": {"amount": 1}, "type": "page"}, "completed_order", None),
        ({"properties": {"amount": 1}, "event": "other"}, "other", None),
        ({"properties": [1]}, "Order Completed", None),
    ],
)
def test_a_name_becomes_golden_and_its_properties_follow(
    write: Write, call: dict[str, Any], event: str, properties: dict[str, Any] | None
) -> None:
    """Where the rule applies, `set` adds channel and is_test; None: the properties stay as delivered."""
    call = {"event": "completed_order", "source": "legacy"} | call
    name, changed = compile.consolidated(model.read(write(order=CONSOLIDATED)))
    with duckdb.connect() as connection:
        _calls(connection, [call])
        sql = Renderer().render(f"select {name}, {changed} from calls")
        [(found, text)] = connection.execute(sql).fetchall()
    assert found == event
    assert json.loads(text) == (call["properties"] if properties is None else properties | {"channel": "web", "is_test": False})


# ---------------------------------------------------------------- compared


@pytest.mark.parametrize(
    ("old", "new", "text", "is_breaking"),
    [
        ("required: [total]", "required: [total, currency]", "properties.currency: now required", True),
        ("required: [total]", "required: []", "properties.total: no longer required", False),
        ("{type: number, minimum: 0}", "{type: integer, minimum: 0}", "properties.total: type number → integer", True),
        (
            "{type: number, minimum: 0}",
            "{type: [number, string], minimum: 0}",
            "properties.total: type number → number or string",
            False,
        ),
        ("minimum: 0", "minimum: 1", "properties.total: minimum 0 → 1", True),
        ("[EUR, USD]", "[EUR]", "properties.currency: enum no longer allows USD", True),
        ("[EUR, USD]", "[EUR, USD, GBP]", "properties.currency: enum allows GBP as well", False),
        ("    currency: {enum: [EUR, USD]}\n", "", "properties.currency: removed: it becomes unplanned", True),
        ("required:", "additionalProperties: false\n  required:", "properties: additionalProperties → False", True),
        ("owner: checkout", "enforce: {invalid: quarantine}", "enforce.invalid: as its source → quarantine", True),
        ("owner: checkout", "status: deprecated", "status live → deprecated", False),
    ],
)
def test_a_change_is_said_and_whether_it_breaks(old: str, new: str, text: str, is_breaking: bool, tmp_path: Path) -> None:
    plans = []
    for number, content in enumerate((EVENT, EVENT.replace(old, new))):
        (tmp_path / str(number) / "events").mkdir(parents=True)
        (tmp_path / str(number) / "events" / "order.yml").write_text(content, encoding="utf-8")
        plans.append(model.read(tmp_path / str(number)))
    assert [(change.text, change.is_breaking) for change in compare.changes(*plans)] == [(text, is_breaking)]
    assert compare.changes(plans[1], plans[1]) == []


# ---------------------------------------------------------------- exchanged


@pytest.mark.parametrize(("name", "to"), [("typewriter_plan.json", "segment"), ("typewriter_plan_v1.json", "segment-legacy")])
def test_import_then_export_loses_nothing(name: str, to: str, shared_data: Path, tmp_path: Path) -> None:
    """The order of the rules, which says nothing, is that of their files."""
    file = shared_data / "tracking_plans" / name
    exchange.write(exchange.read([file]), tmp_path)
    exported, delivered = exchange.EXPORTS[to](model.read(tmp_path)), json.loads(file.read_text(encoding="utf-8"))
    for plan in (exported, delivered):
        rules = plan["rules"] if to == "segment" else plan["rules"]["events"]
        rules.sort(key=lambda rule: (rule.get("key") or rule.get("name"), rule["version"]))
    assert exported == delivered


def test_both_shapes_of_a_segment_plan_give_the_same_rules(shared_data: Path) -> None:
    folder = shared_data / "tracking_plans"
    new, old = (exchange.read([folder / name]).events for name in ("typewriter_plan.json", "typewriter_plan_v1.json"))

    def required(events: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            event["event"]: (sorted(event["schema"].get("required", [])), sorted(event["schema"].get("properties", {})))
            for event in events
        }

    both = required(new).keys() & required(old).keys()
    assert len(both) > 20  # two names were cleaned of a # between the two exports
    assert {name for name in both if required(old)[name] != required(new)[name]} == set()


def test_a_rudderstack_project_is_imported_with_its_custom_types(shared_data: Path, tmp_path: Path) -> None:
    found = exchange.read(sorted((shared_data / "tracking_plans" / "rudder_iac_project").glob("*.yaml")))
    exchange.write(found, tmp_path)
    plan = model.read(tmp_path)
    event = next(event for event in plan.events if event.event == "Some Track Event")
    declared = event.schema_["properties"]
    assert event.schema_["required"] == ["someString", "someInteger", "someNumber", "someBoolean", "someObject"]
    assert event.schema_["additionalProperties"] is False
    assert declared["someStringWithEnum"]["enum"] == ["GET", "PUT", "POST", "DELETE", "PATCH"]
    assert declared["someArrayOfIntegers"]["items"] == {"type": "integer"}
    assert declared["someCustomObject"]["type"] == "object"
    assert declared["someNestedObject"]["properties"]["someNestedLevel1"]["properties"]["someNestedLevel2"][
        "properties"
    ].keys() >= {"someString"}
    assert all(rule["x-rudder"]["event"] for rule in found.events)


def test_a_rudderstack_plan_without_its_catalogue_says_what_is_missing(shared_data: Path) -> None:
    found = exchange.read([shared_data / "tracking_plans" / "rudder_iac_trackingplan_1.yaml"])
    assert [event["event"] for event in found.events] == ["source_created"]
    assert found.events[0]["schema"]["required"] == ["write_key"]
    assert len(found.notes) == 4


def test_a_csv_is_imported_with_nested_properties_and_items() -> None:
    found = exchange.from_csv(
        "Event Name,Event Description,Event Labels,Property Name,Property Description,Property Type,Property Required,Permitted Values\n"
        'Order Completed,Sent once.,"domain:checkout, team:web",order_id,The id,string,true,^MC-\n'
        ",,,total,,number|null,yes,\n"
        ",,,products.$.price,,number,true,\n"
        ",,,tags.$,,string,,\n"
        ",,,address.city,,string,true,\n"
        ",,,paid_at,,date-time,,\n"
        "Cart Viewed,,,,,,,\n"
    )
    assert found.events == [
        {
            "event": "Order Completed",
            "description": "Sent once.",
            "labels": {"domain": "checkout", "team": "web"},
            "schema": {
                "type": "object",
                "properties": {
                    "order_id": {"description": "The id", "type": "string", "pattern": "^MC-"},
                    "total": {"type": ["number", "null"]},
                    "products": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]},
                    },
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
                    "paid_at": {"format": "date-time", "type": "string"},
                },
                "required": ["order_id", "total"],
            },
        },
        {"event": "Cart Viewed", "schema": {"type": "object", "properties": {}}},
    ]


TEXTS = st.sampled_from(["yes", "010", "1e3", "2026-01-01", "~", "a: b", "#", "ünï", "x", "{{ x }}", "0x1f", "1_000", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([1.5, 1e21]) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    version=st.integers(1, 3),
    call=st.sampled_from(["track", "page", "identify", "group", "screen"]),
    advanced=st.dictionaries(st.sampled_from(["anyOf", "x-note", "labels", "eventMetadata", "$id", "default"]), VALUES),
    owner=st.none() | TEXTS.filter(bool),
    status=st.sampled_from(["live", "deprecated", "draft"]),
)
def test_export_then_import_gives_the_plan_back(
    version: int, call: str, advanced: dict[str, Any], owner: str | None, status: str, tmp_path: Path
) -> None:
    """Also what Segment's format has no place for, and keywords that nobody knows, verbatim."""
    written: dict[str, Any] = {"schema": {"type": "object", "properties": {"a": {"type": "string"}}} | advanced}
    written |= {"event": "Order Completed"} if call == "track" else {}
    written |= {"type": call} if call != "track" else {}
    written |= {"version": version} if version != 1 else {}
    written |= {"owner": owner} if owner else {}
    written |= {"status": status} if status != "live" else {}
    read = model.Event.model_validate(exchange.yaml.load(exchange.to_yaml(written), Loader=model.Loader))
    assert exchange.mapping(read) == written
    exported = json.loads(json.dumps(exchange.to_segment(model.Plan(events=[read]))))
    [back] = exchange.from_segment(exported).events
    back.pop("x-segment", None)
    assert back == written


def test_an_import_overwrites_nothing_unless_told(tmp_path: Path) -> None:
    found = exchange.Imported([{"event": "Order Completed", "schema": {}}])
    exchange.write(found, tmp_path)
    with pytest.raises(UsageError, match="overwrite"):
        exchange.write(found, tmp_path)
    exchange.write(found, tmp_path, overwrite=True)


def test_file_names_are_tame_and_unique(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "Order Completed", "order_completed", "OrderCompleted", "日本", "a" * 300]
    written = exchange.write(exchange.Imported([{"event": name, "schema": {}} for name in names]), tmp_path)
    assert {file.parent for file in written} == {tmp_path / "events"}
    assert len({file.name for file in written}) == len(names)
    assert [event.event for event in model.lint(tmp_path)[0].events] != []


def test_what_was_observed_becomes_a_draft() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema events")
        connection.execute("create table events.events (type varchar, event varchar, properties varchar, traits varchar)")
        connection.executemany(
            "insert into events.events values (?, ?, ?, ?)",
            [
                ("track", "Cart Viewed", '{"cart_id": "c1", "total": 1.5, "items": [{"sku": "a"}]}', None),
                ("track", "Cart Viewed", '{"cart_id": "c2", "total": 2, "is_new": true}', None),
                ("identify", None, None, '{"email": "x"}'),
            ],
        )
        rows = connection.execute(infer.SQL).fetchall()
    drafts = [infer.draft(*row[:4], json.loads(row[4] or "{}")) for row in rows]
    assert [(draft.get("event"), draft.get("type"), draft["status"]) for draft in drafts] == [
        (None, "identify", "draft"),
        ("Cart Viewed", None, "draft"),
    ]
    assert drafts[1]["schema"] == {
        "type": "object",
        "required": ["cart_id", "total"],
        "properties": {
            "cart_id": {"type": "string"},
            "total": {"type": "number"},
            "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
            "is_new": {"type": "boolean"},
        },
    }


def test_a_sunset_and_an_until_are_days(write: Write) -> None:
    [event] = model.read(write(order=CONSOLIDATED + "status: deprecated\nsunset: 2026-07-01\n")).events
    assert (event.sunset, event.consolidate[0].until) == (date(2026, 7, 1), date(2026, 6, 1))
