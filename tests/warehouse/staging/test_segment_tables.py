"""Tables as Segment or RudderStack land them give the events of the calls that were landed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib import load
from orchestration.lib.warehouse import Embedded
from tests.warehouse.bare import BareProject, raw_tables
from tests.warehouse.helpers import write_calls

TIMES = {
    "originalTimestamp": "2026-01-05T10:00:00.100Z",
    "sentAt": "2026-01-05T10:00:01.100Z",
    "receivedAt": "2026-01-05T10:00:02.100Z",
}
PAGE = {"path": "/", "url": "https://shop.example/?a=b", "title": 'Say "hi"'}
CALLS: list[dict[str, Any]] = [
    {"messageId": "m-1", "type": "page", "name": "Home", "anonymousId": "a-1", "properties": {"name": "Home", **PAGE},
     "context": {"page": PAGE, "ip": "203.0.113.7", "userAgent": "Mozilla", "campaign": {"name": "spring", "source": "mail"}}},
    {"messageId": "m-2", "type": "track", "event": "Order Completed", "userId": "u-1", "anonymousId": "a-1",
     "properties": {"order_id": "o-1", "revenue": 12.5, "quantity": 3, "is_gift": True, "due_at": "2026-01-07T00:00:00.000Z",
                    "products": [{"sku": "x[1]", "tags": ["a", "b\\"]}], "note": "[not a list]"},
     "context": {"groupId": "g-1", "traits": {"email": "Ada@example.com", "first_name": "Ada"},
                 "consent": {"categoryPreferences": {"analytics": True, "email_marketing": False}},
                 "device": {"advertisingId": "d-1", "type": "ios"}}},
    {"messageId": "m-3", "type": "track", "event": "Signed Up", "userId": "u-1", "properties": {}, "context": {}},
    {"messageId": "m-4", "type": "identify", "userId": "u-1", "anonymousId": "a-1", "context": {},
     "traits": {"email": "ada@example.com", "phone": "07911 123456", "logins": 5}},
    {"messageId": "m-5", "type": "screen", "name": "Basket", "anonymousId": "a-2", "properties": {"name": "Basket"}, "context": {}},
    {"messageId": "m-6", "type": "group", "groupId": "g-1", "userId": "u-1", "traits": {"plan": "trade"}, "context": {}},
    {"messageId": "m-7", "type": "alias", "previousId": "a-1", "userId": "u-1", "context": {}},
]  # fmt: skip
CALLS = [call | TIMES | {"timestamp": "2026-01-05T10:00:01.100Z"} for call in CALLS]
TABLE = {"page": "pages", "identify": "identifies", "screen": "screens", "group": "groups", "alias": "aliases"}


def _snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).replace(" ", "_").replace("__", "_").lower().strip("_")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten objects as the warehouse's loader does; arrays become texts."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{_snake(key)}_")
        else:
            flat[f"{prefix}{_snake(key)}"] = json.dumps(item, separators=(",", ":")) if isinstance(item, list) else item
    return flat


def land(connection: duckdb.DuckDBPyConnection, schema: str, without: tuple[str, ...] = ()) -> None:
    """Create the tables that Segment would have made of the calls, columns only where a call has a value."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for call in CALLS:
        row = {"id": call["messageId"]} | _flat({"context": call["context"]})
        row |= {_snake(k): v for k, v in call.items() if isinstance(v, str) and k not in ("messageId", "type", "event", "name")}
        own = _flat(call.get("properties") or {}) | _flat(call.get("traits") or {})
        if call["type"] == "track":
            row |= {"event": _snake(call["event"]), "event_text": call["event"]}
            rows.setdefault("tracks", []).append(row)
        rows.setdefault(TABLE.get(call["type"], _snake(call.get("event", ""))), []).append(row | own)
    connection.execute(f"create schema {schema}")
    for table, lines in rows.items():
        if table in without:
            continue
        types = {key: type(value) for line in lines for key, value in line.items()}
        words = {str: "varchar", float: "double", int: "bigint", bool: "boolean"}
        columns = [
            f'"{key}" ' + ("timestamptz" if key in ("timestamp", "due_at") else "timestamp" if key.endswith("_at") else words[kind])
            for key, kind in types.items()
        ]  # fmt: skip
        connection.execute(f"create table {schema}.{table} ({', '.join(columns)}, uuid_ts timestamp)")
        for line in lines:
            marks = ", ".join("?" * len(line))
            names = ", ".join(f'"{key}"' for key in line)
            connection.execute(f"insert into {schema}.{table} ({names}) values ({marks})", list(line.values()))


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[dict[str, Any]]:
    """What the macro landed_tables says of a schema; the bare project has no adapter."""
    found: dict[str, list[dict[str, str]]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from information_schema.columns where table_schema = ? order by all", [schema]
    ).fetchall():
        found.setdefault(table, []).append({"key": column, "name": f'"{column}"', "type": kind.lower()})
    return [{"name": name, "relation": f"{schema}.{name}", "columns": columns} for name, columns in found.items()]


EVENTS = "select * exclude (source_id, file_id) from staging.stg_segment__events order by event_id"


def _events(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    answer = connection.execute(EVENTS)
    names = [column[0] for column in answer.description]
    for row in answer.fetchall():
        event = dict(zip(names, row, strict=True))
        yield event | {key: json.loads(event[key] or "{}") for key in ("properties", "traits", "context")}


@pytest.fixture
def from_calls(tmp_path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        raw_tables(connection)
        load.load_files(Embedded(connection), [write_calls(tmp_path / "calls.ndjson", CALLS)], source="web", region="GB")
        BareProject(connection).run(["stg_segment__events"])
        return list(_events(connection))


def _staged(connection: duckdb.DuckDBPyConnection, schema: str) -> list[dict[str, Any]]:
    project = BareProject(connection)
    project.inputs = {"segment_tables": [{"schema": schema, "source": None}], "tables": _tables(connection, schema)}
    project.run(["stg_segment_tables__events", "stg_segment__events"])
    return list(_events(connection))


def test_landed_tables_give_the_events_of_the_calls_that_were_landed(from_calls: list[dict[str, Any]]) -> None:
    with duckdb.connect() as connection:
        raw_tables(connection)
        land(connection, "web_prod")
        assert _staged(connection, "web_prod") == from_calls
        load.normalise_landed_phones(Embedded(connection), ["web_prod"], region="GB")
        phones = connection.execute("select phone_e164 from raw.phone_numbers").fetchall()
        assert phones == [("+447911123456",)]
        assert connection.execute("select distinct source_id from staging.stg_segment__events").fetchall() == [("web_prod",)]


def test_a_call_whose_event_has_no_table_is_taken_from_tracks(from_calls: list[dict[str, Any]]) -> None:
    with duckdb.connect() as connection:
        raw_tables(connection)
        land(connection, "web_prod", without=("order_completed", "pages"))
        connection.execute("update web_prod.signed_up set id = 'm-9'; alter table web_prod.tracks drop column sent_at").fetchall()
        events = {event["event_id"]: event for event in _staged(connection, "web_prod")}
        assert set(events) == {"m-2", "m-3", "m-4", "m-5", "m-6", "m-7", "m-9"}
        expected = {event["event_id"]: event for event in from_calls}
        assert events["m-2"] == expected["m-2"] | {"properties": {}, "sent_at": None}
        assert events["m-3"] == expected["m-3"] | {"sent_at": None}


def test_a_call_in_a_file_and_in_a_table_twice_is_one_event(tmp_path: Path, from_calls: list[dict[str, Any]]) -> None:
    with duckdb.connect() as connection:
        raw_tables(connection)
        load.load_files(Embedded(connection), [write_calls(tmp_path / "calls.ndjson", CALLS[:4])], source="web", region="GB")
        land(connection, "web_prod")
        connection.execute("insert into web_prod.identifies select * from web_prod.identifies").fetchall()
        assert [event["event_id"] for event in _staged(connection, "web_prod")] == [event["event_id"] for event in from_calls]


def test_a_call_of_rudderstack_has_its_time_and_its_contact_in_their_own_places(tmp_path: Path) -> None:
    call = {
        "messageId": "r-1", "type": "identify", "userId": "u", "anonymousId": "a", "rudderId": "x", "channel": "web",
        "originalTimestamp": "2026-01-05T12:00:00.000Z", "sentAt": "2026-01-05T12:00:05.000Z", "receivedAt": "2026-01-05T10:00:07.000Z",
        "context": {"traits": {"email": "ada@example.com"}, "sessionId": 1},
    }  # fmt: skip
    with duckdb.connect() as connection:
        raw_tables(connection)
        load.load_files(Embedded(connection), [write_calls(tmp_path / "calls.ndjson", [call])], source="rudder", region="GB")
        BareProject(connection).run(["stg_segment__events"])
        found = connection.execute("select email, cast(occurred_at as varchar) from staging.stg_segment__events").fetchall()
    # Received 10:00:07 less the 5 s that the client, two hours fast, measured between the call and its sending.
    assert found == [("ada@example.com", "2026-01-05 10:00:02")]
