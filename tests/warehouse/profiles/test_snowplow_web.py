"""The same web visits as dbt-snowplow-web counts them: equal where the rules are, each difference with its reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.lib import load
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, STAGING, BareProject, raw_tables

# Page views that we count and the peer does not. The test data name the case in user_id.
ONLY_OURS = {
    "NULL page_view_id": (1, "it wants an id of the page view beside that of the event; a Segment call has none"),
    "dupe: page_view_id different derived_tstamp": (1, "two events with one id of the page view count once there"),
    "late arriving: device created/sent >3 days": (1, "it drops what a device sent three days late; with us nothing is too late"),
    "long session": (2, "it cuts a session after three days and drops the rest"),
    "Unexpired session": (1, "the same: the second page view comes eight months after the first"),
}


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def connection(shared_data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        raw_tables(connection)
        [report] = load.load_files(
            Embedded(connection), [shared_data / "snowplow_web" / "snowplow_web.ndjson.gz"], region="GB"
        ).files
        assert (report.lines, report.rows_loaded, report.rows_rejected, report.rows_duplicate) == (160, 157, 0, 3)
        connection.execute("create schema profiles").fetchall()
        connection.execute(
            "create table reference.channel_sources as select * from read_csv(?, all_varchar = true)",
            [str(ROOT / "seeds/reference/channel_sources.csv")],
        ).fetchall()
        visits = ("profile_events", "int_visits_collected", "int_visits_located", "sessions")
        BareProject(connection).run((*STAGING, *IDENTITY, *HISTORY, *EVENTS, *visits))
        yield connection


def test_page_views_differ_from_the_peers_only_for_reasons_that_are_listed(
    connection: duckdb.DuckDBPyConnection, shared_data: Path
) -> None:
    peers = {row["event_id"] for row in _read(shared_data / "snowplow_web/expected/snowplow_web_page_views_expected.csv")}
    ours = dict(connection.execute("select event_id, user_id from events.events where type = 'page'").fetchall())
    assert len(peers) == 43
    assert peers <= ours.keys()
    different = [ours[event_id] for event_id in ours.keys() - peers]
    assert {case: different.count(case) for case in different} == {case: number for case, (number, _) in ONLY_OURS.items()}


def test_a_visit_is_one_of_the_peers_sessions_unless_nobody_stirred_for_half_an_hour(
    connection: duckdb.DuckDBPyConnection, shared_data: Path
) -> None:
    """The peer takes the browser's own session id; ours is the person, the device and half an hour without an event."""
    rows = _read(shared_data / "snowplow_web/expected/default/snowplow_web_sessions_expected.csv")
    peers = {row["domain_sessionid"] for row in rows}
    assert len(peers) == 18
    visits = connection.execute(
        """with located as (
            select properties ->> '$.session_id' as peer, profile_id, anonymous_id, occurred_at
            from profiles.profile_events where profile_id is not null),
        gaps as (select *, lag(occurred_at) over (partition by peer, profile_id, anonymous_id order by occurred_at) as previous_at
            from located),
        spans as (select peer, profile_id, anonymous_id, min(occurred_at) as first_at, max(occurred_at) as last_at,
            1 + count(*) filter (where occurred_at > previous_at + interval 30 minutes) as expected
            from gaps group by all)
        select peer, spans.profile_id, spans.anonymous_id, expected, count(session_id)
        from spans inner join profiles.sessions as s on s.profile_id = spans.profile_id
        where s.anonymous_id is not distinct from spans.anonymous_id and started_at <= last_at and ended_at >= first_at group by all"""
    ).fetchall()
    # Without an id of the device there is no visit.
    assert peers - {peer for peer, *_ in visits} == {row["domain_sessionid"] for row in rows if not row["domain_userid"]}
    whole = [row for row in visits if row[0] in peers and row[3] == 1]
    assert len(whole) >= 10
    assert [row for row in whole if row[4] != 1] == []
