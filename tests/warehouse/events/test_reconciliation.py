"""Random deliveries, dealt to random loads, late and repeated: every line and every message has its place, as of any time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib.load import load_files
from orchestration.lib.warehouse import Embedded
from tests.warehouse import bare
from tests.warehouse.bare import STAGING, BareProject

START = datetime(2026, 3, 1)  # noqa: DTZ001 (UTC without a zone, as everywhere)
HOURS = st.integers(0, 120)
BAD_LINES = ['{"messageId": "cut', "[1]", "\ud800", '{"a": NaN}', "\0"]
ORDER = {"type": "track", "event": "Order Completed"}
KINDS = [
    {"type": "page"}, {"type": "identify", "traits": {"email": "a@example.com", "extra": 1}}, {"type": "trakc"}, {}, {"type": "track"},
    {"type": "track", "event": "Viewed", "properties": {"extra": 1, "kept": 2}}, ORDER | {"properties": {"revenue": 5}},
    ORDER | {"properties": {"order_id": "o", "revenue": "x"}}, ORDER | {"properties": {"order_id": "o", "revenue": 5, "extra": [1]}},
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A delivered line; `received` is in hours after START, null where it cannot be read."""

    text: str
    message_id: str | None  # null: the line is no call
    received: int | None


@st.composite
def _lines(draw: st.DrawFn) -> Line:
    if draw(st.integers(0, 9)) == 0:
        return Line(draw(st.sampled_from(BAD_LINES)), None, None)
    occurred, delay = draw(HOURS), draw(st.sampled_from([0, 0, 1, 30]))
    received = draw(st.sampled_from([occurred + delay, occurred + delay, None]))
    call = dict(draw(st.sampled_from(KINDS)), messageId=f"m{draw(st.integers(0, 12))}")
    call |= {"userId": draw(st.sampled_from(["u1", "u2"]))} if draw(st.integers(0, 5)) else {}
    times = ["infinity", "1772323200", "", None] if received is None else [f"{(START + timedelta(hours=received)).isoformat()}Z"]
    call["receivedAt"] = draw(st.sampled_from(times))
    return Line(json.dumps(call), call["messageId"], received)


@pytest.fixture(scope="module")
def project() -> Iterator[BareProject]:
    with duckdb.connect() as connection:
        bare.raw_tables(connection)
        yield BareProject(connection)


def _built(project: BareProject, hours: int) -> list[Any]:
    """Build the events stage as of some hours after START; return its tables."""
    project.as_of = (START + timedelta(hours=hours)).isoformat()
    project.execute("delete from events.int_events_planned")
    project.run(STAGING[:1])
    project.execute(
        """insert into events.int_events_planned
        select event_id, 'Unplanned Property', field || '.extra', 'not in the plan', 'extra', 'omitted'
        from (
            select event_id, 'properties' as field from staging.stg_segment__events where contains(properties, '"extra"')
            union all select event_id, 'traits' from staging.stg_segment__events where contains(traits, '"extra"')
        )"""
    )
    project.run([*STAGING[1:], "events_quarantine", "late_events"])
    for finding in ("found_lost_messages", "found_lost_lines"):
        assert project.execute(project.compile(finding)) == []
    return [project.execute(f"from events.{table} order by all") for table in ("events", "events_quarantine", "event_violations")]


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(_lines(), max_size=25), data=st.data())
def test_every_line_and_message_has_its_place_whatever_came_late_or_twice(
    lines: list[Line], data: st.DataObject, project: BareProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Half of the loads come before, the others after a first build; what was received later than a time never changes what it saw."""
    folder: Path = tmp_path_factory.mktemp("loads") / "web"
    folder.mkdir()
    for table in ("events", "ingest_files", "ingest_rejects"):
        project.execute(f"delete from raw.{table}")
    repeated = data.draw(st.lists(st.sampled_from(lines), max_size=10)) if lines else []
    horizon, end = data.draw(HOURS), 500
    early = [line for line in lines if line.received is not None and line.received <= horizon]
    rest = [line for line in lines if line not in early]
    before: list[Any] | None = None
    read = 0
    for phase, delivered in enumerate((early, data.draw(st.permutations([*rest, *repeated])))):
        loads = data.draw(st.lists(st.integers(0, 3), min_size=len(delivered), max_size=len(delivered)))
        for load in sorted(set(loads)):
            texts = [line.text for line, its_load in zip(delivered, loads, strict=True) if its_load == load]
            file = folder / f"{phase}-{load}.ndjson"
            file.write_bytes("".join(f"{text}\n" for text in texts).encode(errors="surrogatepass"))
            [report] = load_files(Embedded(project.connection), [file], region="GB").files
            read += report.lines
            assert report.lines == report.rows_loaded + report.rows_rejected + report.rows_duplicate
        if phase == 0:
            before = _built(project, horizon)
    # A message without a readable time of receipt exists at any time, so it may change the past.
    if all(line.received is not None for line in lines if line.message_id):
        assert _built(project, horizon) == before
    events, quarantine, _ = _built(project, end)
    stored = {key for (key,) in project.execute("select distinct message_id from raw.events")}
    assert sorted(row[0] for row in [*events, *quarantine]) == sorted(stored)
    [(lines_counted,)] = project.execute("select coalesce(sum(lines), 0) from raw.ingest_files")
    assert lines_counted == read
    late = "select count(*) from staging.stg_segment__events where received_at::date > occurred_at::date"
    assert project.execute("select coalesce(sum(message_count), 0) from events.late_events") == project.execute(late)
