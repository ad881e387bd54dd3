"""What becomes of input that no sender should send: for each kind a stated outcome and what is said of it.

All of it is one delivery, judged by the demo plan; a plan file with a mistake is tests/plan's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib.load import load_files
from orchestration.lib.plan import compile as compiled
from orchestration.lib.plan import model
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.plan.rendering import Renderer
from tests.warehouse import bare
from tests.warehouse.bare import STAGING, BareProject

RECEIVED = datetime(2026, 3, 1, 12)  # noqa: DTZ001 (UTC without a zone, as everywhere)
HOSTILE = {
    "'; drop table events.events; --": 1,
    "{{ 1 / 0 }}": 2,
    "{% endmacro %}": 3,
    '"><script>alert(1)</script>': 4,
    "a.b[0]": 5,
}
DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000


def _call(name: str, **fields: Any) -> bytes:
    call = {
        "messageId": name,
        "type": "track",
        "event": "Experiment Viewed",
        "userId": "u1",
        "receivedAt": "2026-03-01T12:00:00Z",
    }
    call |= {"timestamp": "2026-03-01T11:00:00Z", "context": {"library": {"name": "test"}}} | fields
    return json.dumps({key: value for key, value in call.items() if value is not None}).encode()


REJECTED = {  # a line and the reason it is kept with, as bytes
    "broken UTF-8": (b'{"messageId":"\xff\xfe"}', "not UTF-8"),
    "a NUL byte": (b'{"messageId":"\0"}', "has a NUL byte"),
    "a line of 40 MB": (b'{"messageId":"' + b"x" * (40 << 20) + b'"}', "longer than 16 MiB"),
    "nesting 20,000 deep that never closes": (b'{"a":' * 20_000, "not JSON"),
}
IMPOSSIBLE = ("allowed", "Impossible Time", "timestamp")
OUTCOMES = {  # fields of a call, the violation it is told by, and words of its detail
    "infinity as a time": ({"timestamp": "infinity"}, IMPOSSIBLE, "unreadable: the time of receipt is used"),
    "epoch milliseconds as a time": ({"timestamp": 1_767_225_600_000}, IMPOSSIBLE, "unreadable"),
    "epoch seconds as a time": ({"timestamp": "1767225600"}, IMPOSSIBLE, "unreadable"),
    "the year 1970": ({"timestamp": "1970-01-01T00:00:00Z"}, IMPOSSIBLE, "too early: the time of receipt is used"),
    "next year": ({"timestamp": "2027-03-01T11:00:00Z"}, IMPOSSIBLE, "future: the time of receipt is used"),
    "no readable time at all": (
        {"timestamp": "infinity", "receivedAt": "epoch"},
        ("quarantined", "Required", "receivedAt"),
        "no readable receivedAt, sentAt or timestamp",
    ),
    "an unknown call type": ({"type": "trakc"}, ("quarantined", "Unknown Call Type", "type"), "not one of track, identify, page"),
    "neither user nor device": ({"userId": None}, ("quarantined", "Required", "userId"), "missing userId or anonymousId"),
    "a track call without a name": ({"event": None}, ("quarantined", "Required", "event"), "missing event for track call"),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareProject]:
    """One delivery of everything, built as of a year later."""
    lines = [line for line, _ in REJECTED.values()] + [_call(name, **fields) for name, (fields, _, _) in OUTCOMES.items()]
    lines += [
        _call("hostile names", event="Product Added", properties=HOSTILE),
        _call("deep").replace(b'"Experiment', b'"Product', 1),
    ]
    lines[-1] = lines[-1][:-1] + b', "properties": ' + DEEP + b"}"
    lines.append(_call("", messageId=None))
    file: Path = tmp_path_factory.mktemp("bad") / "web" / "calls.ndjson"
    file.parent.mkdir()
    file.write_bytes(b"\n".join(lines) + b"\n")
    plan = compiled.breaches(model.read(ROOT / "dbt_project" / "tracking_plan"))
    planned = (ROOT / "dbt_project" / "models" / "events" / "int_events_planned.sql").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        bare.raw_tables(connection)
        built = BareProject(connection)
        built.as_of = "2027-02-01T00:00:00"
        [report] = load_files(Embedded(connection), [file], region="GB").files
        assert (report.lines, report.rows_rejected) == (len(lines), len(REJECTED))
        built.run(STAGING[:1])
        checks = Renderer().render(plan, messages="staging.stg_segment__events")
        sql = Renderer().render(planned, plan_breaches=lambda _: checks, ref=lambda name: name)
        connection.execute(f"create or replace table events.int_events_planned as {sql}")
        built.run([*STAGING[1:], "events_quarantine"])
        yield built


@pytest.mark.parametrize("name", REJECTED)
def test_a_line_that_cannot_be_read_is_kept_aside_with_the_reason(project: BareProject, name: str) -> None:
    number = list(REJECTED).index(name) + 1
    sql = "select reason, octet_length(from_base64(raw_base64)) from raw.ingest_rejects where line_number"
    assert project.execute(f"{sql} = {number}") == [(REJECTED[name][1], len(REJECTED[name][0]))]


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_message_that_breaks_a_rule_is_held_or_kept_and_says_why(project: BareProject, name: str) -> None:
    _, violation, said = OUTCOMES[name]
    columns = "outcome, violation_type, field, detail"
    rows = project.execute(f"select {columns} from events.event_violations where event_id = '{name}'")
    found = {row[:3]: row[3] for row in rows}
    assert said in found[violation]
    [(place,)] = project.execute(
        f"""select 'quarantined' from events.events_quarantine where event_id = '{name}'
        union all select 'allowed' from events.events where event_id = '{name}'"""
    )
    assert place == violation[0]
    if violation == IMPOSSIBLE:
        assert project.execute(f"select occurred_at from events.events where event_id = '{name}'") == [(RECEIVED,)]


def test_names_that_are_sql_jinja_or_html_are_data(project: BareProject) -> None:
    assert project.execute("select count(*) > 0 from events.events") == [(True,)]
    [(properties,)] = project.execute("select properties from staging.stg_segment__events where event_id = 'hostile names'")
    assert json.loads(properties) == HOSTILE
    named = project.execute(
        "select field from events.event_violations where event_id = 'hostile names' and contains(violation_type, 'Unplanned')"
    )
    assert {field for (field,) in named} == {f"properties.{name}" for name in HOSTILE}


def test_nesting_20_000_deep_is_kept_whole(project: BareProject) -> None:
    [(size,)] = project.execute("select octet_length(properties::blob) from staging.stg_segment__events where event_id = 'deep'")
    assert size == len(DEEP)


def test_a_call_without_a_message_id_is_known_by_the_hash_of_its_line(project: BareProject) -> None:
    assert project.execute("select count(*) from events.events where length(event_id) = 32") == [(1,)]
