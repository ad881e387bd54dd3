"""The four events with which Segment documents Profiles Sync, from the calls to the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib import load
from orchestration.lib.warehouse import Embedded
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, STAGING, BareProject, raw_tables
from tests.warehouse.identity.reference import Identifier, identifier_id

UNIFY = (
    "id_graph_updates", "id_graph", "external_id_mapping_updates", "external_id_mapping", "user_identifiers", "unify_profile_merges",
)  # fmt: skip
CALLS: list[dict[str, Any]] = [
    {"messageId": "event_1", "type": "page", "name": "Home", "anonymousId": "A", "receivedAt": "2022-05-02T14:01:00Z"},
    {"messageId": "event_2", "type": "identify", "anonymousId": "A", "userId": "jane", "receivedAt": "2022-05-02T14:01:47Z"},
    {"messageId": "event_3", "type": "page", "name": "Home", "anonymousId": "B", "receivedAt": "2022-06-22T10:47:15Z"},
    {"messageId": "event_4", "type": "identify", "anonymousId": "B", "userId": "jane", "receivedAt": "2022-06-22T10:48:00Z"},
]
PROFILE_1, PROFILE_2 = (identifier_id(Identifier("anonymous_id", value)) for value in "AB")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    file = Path(tmp_path_factory.mktemp("calls")) / "calls.ndjson"
    file.write_text("".join(json.dumps(call | {"timestamp": call["receivedAt"]}) + "\n" for call in CALLS), encoding="utf-8")
    connection = duckdb.connect()
    raw_tables(connection)
    load.load_files(Embedded(connection), [file], source="web", region="GB")
    BareProject(connection).run((*STAGING, *IDENTITY, *HISTORY, *EVENTS, *UNIFY))
    return connection


def test_the_second_visitor_is_merged_into_the_first(connection: duckdb.DuckDBPyConnection) -> None:
    updates = connection.execute(
        "select segment_id, canonical_segment_id, triggering_event_type, triggering_event_id from unify.id_graph_updates order by seq"
    ).fetchall()
    assert updates == [
        (PROFILE_1, PROFILE_1, "page", "event_1"),
        (PROFILE_2, PROFILE_2, "page", "event_3"),
        (PROFILE_2, PROFILE_1, "identify", "event_4"),
    ]
    graph = connection.execute("select segment_id, canonical_segment_id from unify.id_graph order by seq").fetchall()
    assert graph == [(PROFILE_1, PROFILE_1), (PROFILE_2, PROFILE_1)]
    assert connection.execute("select segment_id, canonical_segment_id from unify.unify_profile_merges").fetchall() == [
        (PROFILE_2, PROFILE_1)
    ]


def test_all_identifiers_map_to_the_first_profile_and_remember_where_they_were_first_seen(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    mapping = "select external_id_type, external_id_value, canonical_segment_id from unify.external_id_mapping order by all"
    assert connection.execute(mapping).fetchall() == [
        ("anonymous_id", "A", PROFILE_1),
        ("anonymous_id", "B", PROFILE_1),
        ("user_id", "jane", PROFILE_1),
    ]
    first = "select external_id_value, segment_id, triggering_event_id from unify.external_id_mapping_updates order by seq"
    assert connection.execute(first).fetchall() == [
        ("A", PROFILE_1, "event_1"),
        ("jane", PROFILE_1, "event_2"),
        ("B", PROFILE_2, "event_3"),
    ]


def test_who_held_what_at_a_time_is_a_query(connection: duckdb.DuckDBPyConnection) -> None:
    project = BareProject(connection)

    def held(time: str) -> dict[str, str]:
        sql = project.render(f"select identifier_id, profile_id from {{{{ profile_at(\"timestamp '{time}'\") }}}} as holders")
        return dict(connection.execute(sql).fetchall())

    jane = identifier_id(Identifier("user_id", "jane"))
    assert held("2022-05-02 14:00:59") == {}
    assert held("2022-05-02 14:01:00") == {PROFILE_1: PROFILE_1}
    assert held("2022-06-22 10:47:59") == {PROFILE_1: PROFILE_1, jane: PROFILE_1, PROFILE_2: PROFILE_2}
    assert held("2022-06-22 10:48:00") == {PROFILE_1: PROFILE_1, jane: PROFILE_1, PROFILE_2: PROFILE_1}
