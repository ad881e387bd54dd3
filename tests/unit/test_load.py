"""Loading is exactly once, loses nothing, and tells what it could not read."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib import load, object_tables
from orchestration.lib.errors import TesseraError, UsageError
from orchestration.lib.load import FileReport, LoadReport, load_files
from orchestration.lib.warehouse import Embedded

ROOT = Path(__file__).resolve().parents[2]
ONLINE_RETAIL = ROOT.parent / "shared/data/online_retail/online_retail_orders.ndjson.gz"
GOOD = b'{"messageId":"m-1","type":"track"}'
CANARY = b"jane.canary@example.com"

RAW_TABLES = ["events", "ingest_files", "ingest_rejects", "phone_numbers", "ad_spend"]
Load = Callable[..., LoadReport]
load_ad_spend = partial(load.load_tables, table="ad_spend", region="GB")


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        Embedded(connection).ensure_tables("salt")
        yield connection


@pytest.fixture
def deliver(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Callable[..., FileReport]:
    """Write one file and load it."""

    def write_and_load(content: bytes, name: str = "web/calls.ndjson") -> FileReport:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        [report] = load_files(Embedded(con), [path], region="GB").files
        assert report.lines == report.rows_loaded + report.rows_rejected + report.rows_duplicate
        return report

    return write_and_load


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    return con.execute(sql).fetchall()


def lines_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def md5(line: bytes) -> str:
    return hashlib.md5(line, usedforsecurity=False).hexdigest()


def state_of(con: duckdb.DuckDBPyConnection) -> dict[str, list[tuple]]:
    return {table: rows(con, f"select * from raw.{table} order by all") for table in RAW_TABLES}


# ---------------------------------------------------------------- what is stored


def test_a_call_is_stored_as_delivered(con, deliver):
    call = {
        "messageId": "m-1", "type": "track", "event": "Order Completed", "userId": "u-1", "anonymousId": "a-1",
        "groupId": "g-1", "timestamp": "2026-01-01T00:00:00.000Z", "originalTimestamp": "2026-01-01",
        "sentAt": "yesterday", "receivedAt": 1767225600000, "context": {"ip": "203.0.113.7"}, "previousId": "p-1",
        "properties": {"revenue": 10.5, "name": "Zoë"}, "traits": {}, "integrations": {"All": False}, "name": "Home",
        "channel": "browser",
    }  # fmt: skip
    line = json.dumps(call, ensure_ascii=False).encode()
    report = deliver(line + b"\n")
    stored = con.execute("select * from raw.events")
    names = [column[0] for column in stored.description]
    assert dict(zip(names, stored.fetchall()[0], strict=True)) == {
        "message_id": "m-1", "type": "track", "event": "Order Completed", "user_id": "u-1", "anonymous_id": "a-1",
        "group_id": "g-1", "timestamp": "2026-01-01T00:00:00.000Z", "original_timestamp": "2026-01-01",
        "sent_at": "yesterday", "received_at": "1767225600000", "context": '{"ip":"203.0.113.7"}', "previous_id": "p-1",
        "properties": '{"revenue":10.5,"name":"Zoë"}', "traits": "{}", "integrations": '{"All":false}', "name": "Home",
        "source_id": "web", "file_id": hashlib.sha256(line + b"\n").hexdigest(), "line_number": 1,
    }  # fmt: skip
    assert report.file_id == hashlib.sha256(line + b"\n").hexdigest()


def test_the_ledger_tells_path_bytes_checksum_and_counts(con, deliver, tmp_path):
    content = gzip.compress(lines_of(GOOD, GOOD, b"{broken"))
    deliver(content, "web/calls.ndjson.gz")
    sha256 = hashlib.sha256(content).hexdigest()
    path = str((tmp_path / "web/calls.ndjson.gz").resolve())
    assert rows(con, "select * from raw.ingest_files") == [(sha256, path, "web", len(content), sha256, 3, 1, 1, 1)]


def test_ids_delivered_as_numbers_are_kept_as_their_text(con, deliver):
    deliver(b'{"messageId":17,"userId":12345678901234567890123,"anonymousId":-3,"groupId":true}')
    stored = rows(con, "select message_id, user_id, anonymous_id, group_id from raw.events")
    assert stored == [("17", "12345678901234567890123", "-3", "true")]


@pytest.mark.parametrize("line", [b'{"type":"track"}', b'{"messageId":"","a":1}', b'{"messageId":null}', b"{}"])
def test_a_missing_message_id_becomes_the_hash_of_the_line(con, deliver, line):
    deliver(line + b"\r\n" + line + b"\n" + line)
    assert rows(con, "select distinct message_id from raw.events") == [(md5(line),)]
    assert rows(con, "select rows_loaded, rows_duplicate from raw.ingest_files") == [(1, 2)]


def test_blank_lines_are_counted_in_line_numbers_but_are_no_lines(con, deliver):
    report = deliver(b"\n  \t\r\n" + GOOD + b"\r\n\r\n{broken\n\n")
    assert (report.lines, report.rows_loaded, report.rows_rejected) == (2, 1, 1)
    assert rows(con, "select line_number from raw.events") == [(3,)]
    assert rows(con, "select line_number from raw.ingest_rejects") == [(5,)]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_line(con, deliver):
    without_id = b'{"type":"track"}'
    assert deliver(b"\xef\xbb\xbf" + without_id + b"\r\n" + without_id).rows_rejected == 0
    assert rows(con, "select distinct message_id from raw.events") == [(md5(without_id),)]


def test_objects_that_are_not_objects_stay_valid_json(con, deliver):
    deliver(b'{"messageId":"m","properties":"text","traits":[1],"context":null,"integrations":7}')
    assert rows(con, "select properties, traits, context, integrations from raw.events") == [('"text"', "[1]", None, "7")]


def test_an_escaped_nul_becomes_the_replacement_character(con, deliver):
    lines = (rb'{"messageId":"a\u0000b","properties":{"q":"\u0000\u0000"}}', rb'{"messageId":"m","properties":{"q":"\\u0000"}}')
    assert deliver(lines_of(*lines)).rows_rejected == 0
    assert rows(con, "select message_id, properties->>'q' from raw.events order by line_number") == [
        ("a\ufffdb", "\ufffd"),
        ("m", "\\u0000"),
    ]


def test_nan_within_a_string_is_no_fault(con, deliver):
    assert deliver(rb'{"messageId":"m","properties":{"NaN":"NaN, \"Infinity\" : NaN"}}').rows_loaded == 1


@pytest.mark.parametrize("inner", [b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000])
def test_deep_nesting_is_stored_whole(con, deliver, inner):
    assert deliver(b'{"messageId":"deep","properties":' + inner + b"}").rows_loaded == 1
    assert rows(con, "select octet_length(properties::blob) from raw.events") == [(len(inner),)]


# ---------------------------------------------------------------- bad lines

BAD_LINES = {
    "not JSON": (b'{"a":1', b"{broken", b"hello", b'{"a":1} x', b'{"a":1}{"b":2}', b"{'a':1}", b"[" * 20_000),
    "JSON, but not an object": (b"[1, 2]", b"3", b'"text"', b"null"),
    "not UTF-8": (b'{"a":"\xff"}', "{'Zoë'}".encode("latin-1"), b"\xff\xfe"),
    "has a NUL byte": (b'{"a":"\0"}', b"\0", b'{"a":1}\0'),
    "has half of a surrogate pair (\\ud800 to \\udfff)": (rb'{"a":"\ud800"}', rb'{"a":"\udc00\ud800"}'),
    "has NaN or Infinity, which JSON does not know": (b'{"a":NaN}', b'{"a":["\\"", -Infinity]}'),
    "longer than 16 MiB": (b'{"a":"' + b"x" * (16 << 20) + b'"}',),
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_is_kept_with_its_reason_and_the_rest_is_loaded(con, deliver, reason):
    bad = BAD_LINES[reason]
    report = deliver(lines_of(GOOD, *bad, GOOD))
    assert (report.status, report.rows_loaded, report.rows_duplicate) == ("loaded", 1, 1)
    assert report.rows_rejected == len(bad)
    assert report.message == f"lines that could not be read: {len(bad)} (see ingest_rejects)"
    kept = rows(con, "select line_number, raw_base64, reason from raw.ingest_rejects order by line_number")
    assert kept == [(i, base64.b64encode(line).decode(), reason) for i, line in enumerate(bad, start=2)]


def test_a_truncated_last_line_is_kept_and_named_as_such(con, deliver):
    assert deliver(GOOD + b"\n" + GOOD[:-5]).rows_rejected == 1
    assert rows(con, "select line_number, reason from raw.ingest_rejects") == [(2, "not JSON: the file ends within this line")]


def test_half_the_lines_in_latin_1_are_rejected_one_by_one(deliver):
    report = deliver(lines_of(*[GOOD, '{"name":"Zoë"}'.encode("latin-1")] * 3_000))
    assert (report.rows_loaded, report.rows_duplicate, report.rows_rejected) == (1, 2_999, 3_000)


# ---------------------------------------------------------------- arrays and Parquet

CALLS: list[dict] = [
    {"messageId": "m-1", "type": "track", "event": 'Say "[hi]" \\', "userId": "u",
     "properties": {"a": ["x", {"b": "],["}], "c": 1.5}},
    {"messageId": "m-2", "type": "identify", "anonymousId": "a", "traits": {"phone": "07911 123456", "city": "Zürich"}},
    {"messageId": "m-1", "type": "track", "event": "again", "userId": "u"},
]  # fmt: skip
COLUMNS = "message_id, type, event, user_id, anonymous_id, received_at, properties, traits, context, line_number"


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_calls_gives_the_rows_of_its_lines(con, deliver, monkeypatch, block, indent):
    monkeypatch.setattr(load, "BLOCK", block)
    bad = b'{"a":NaN}'
    deliver(lines_of(*(json.dumps(call).encode() for call in CALLS), bad))
    expected = rows(con, f"select {COLUMNS} from raw.events order by line_number")
    rejects = "select line_number, raw_base64, reason from raw.ingest_rejects"
    expected_rejects = rows(con, rejects)
    con.execute("delete from raw.events; delete from raw.ingest_rejects").fetchall()
    content = json.dumps([*CALLS, "BAD"], indent=indent).encode().replace(b'"BAD"', bad)
    report = deliver(gzip.compress(b"\xef\xbb\xbf " + content + b"\n"), "web/array.json.gz")
    assert (report.lines, report.rows_loaded, report.rows_rejected, report.rows_duplicate) == (4, 2, 1, 1)
    assert rows(con, f"select {COLUMNS} from raw.events order by line_number") == expected
    assert rows(con, rejects) == expected_rejects
    assert rows(con, "select phone_e164 from raw.phone_numbers") == [("+447911123456",)]


def test_an_empty_array_has_no_lines_and_a_line_that_is_an_array_is_a_bad_line(con, deliver):
    assert deliver(b" [\n ]\n").message == "it has no lines"
    report = deliver(lines_of(b"[1]", GOOD))
    assert (report.rows_loaded, report.rows_rejected) == (1, 1)
    assert "more text after the end" in deliver(b"[" + b" " * (40 << 20) + GOOD + b"] x").error.found


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(st.sampled_from('a"\\[]{},: é'), max_size=6)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('"\\]}a'), max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(values=st.lists(JSON_VALUES, max_size=6), block=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_an_array_is_cut_into_its_elements_however_it_is_read(values, block, indent):
    content = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "BLOCK", block)
        parts = load._elements(iter([content[i : i + block] for i in range(0, len(content), block)]))
        found = [part.text[i : i + size] for part in parts for i, size in zip(part.starts, part.sizes, strict=True)]
    assert [json.loads(element) for element in found if element] == values


def parquet(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("case", ["camel", "snake"])
@pytest.mark.parametrize("objects", ["texts", "structs"])
def test_parquet_gives_the_rows_of_the_same_calls_as_lines(con, deliver, case, objects):
    calls = [
        {"messageId": f"m-{n}", "type": "track", "event": "Paid", "userId": "u", "anonymousId": None,
         "receivedAt": "2026-01-05T10:00:00.123000Z", "properties": {"revenue": 1.5, "ids": ["x"]},
         "context": {"traits": {"phone": "07911 123456"}}}
        for n in (1, 2, 2)
    ]  # fmt: skip
    deliver(lines_of(*(json.dumps(call).encode() for call in calls)))
    expected = rows(con, f"select {COLUMNS} from raw.events order by line_number")
    con.execute("delete from raw.events; delete from raw.phone_numbers").fetchall()
    received = datetime.fromisoformat("2026-01-05T11:00:00.123+01:00")
    table = pa.Table.from_pylist([call | {"receivedAt": received} for call in calls])
    if objects == "texts":
        for name in ("properties", "context"):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, pa.array([json.dumps(value) for value in table[name].to_pylist()]))
    if case == "snake":
        table = table.rename_columns([re.sub("([A-Z])", r"_\1", name).lower() for name in table.column_names])
    report = deliver(parquet(table, row_group_size=2), "web/calls.parquet")
    assert (report.lines, report.rows_loaded, report.rows_duplicate) == (3, 2, 1)
    assert rows(con, f"select {COLUMNS} from raw.events order by line_number") == expected
    assert rows(con, "select phone_e164 from raw.phone_numbers") == [("+447911123456",)]


def test_parquet_without_segments_columns_or_with_a_flipped_byte_is_refused(con, deliver):
    assert "Parquet with the columns email" in deliver(parquet(pa.table({"email": ["a"]}))).error.found
    content = bytearray(
        parquet(pa.table({"type": ["track"] * 500, "userId": [f"u-{i}" for i in range(500)]}), compression="none")
    )
    content[content.index(b"u-499") + 3] ^= 1
    assert "damaged Parquet" in deliver(bytes(content)).error.found
    assert all(not stored for stored in state_of(con).values())


def test_the_calls_of_rudderstack_are_stored_like_segments(con, deliver):
    call = {
        "messageId": "r-1", "type": "identify", "userId": "u", "anonymousId": "a", "rudderId": "x", "channel": "web",
        "originalTimestamp": "2026-01-05T10:00:00.000Z", "sentAt": "2026-01-05T10:00:01.000Z",
        "receivedAt": "2026-01-05T10:00:02.000Z", "request_ip": "203.0.113.7", "integrations": {"All": True},
        "context": {"traits": {"email": "ada@example.com", "phone": "07911 123456"}, "sessionId": 1, "sessionStart": True},
    }  # fmt: skip
    deliver(json.dumps(call).encode())
    columns = "message_id, type, user_id, timestamp, original_timestamp, traits, context->>'$.traits.email'"
    assert rows(con, f"select {columns} from raw.events") == [
        ("r-1", "identify", "u", None, "2026-01-05T10:00:00.000Z", None, "ada@example.com")
    ]
    assert rows(con, "select phone_e164 from raw.phone_numbers") == [("+447911123456",)]


# ---------------------------------------------------------------- bad files

CALLS_GZ = gzip.compress(lines_of(*(b'{"messageId":"%d"}' % i for i in range(5_000))), mtime=0)

REFUSED = {
    "truncated gzip": (CALLS_GZ[:-100], "gzip whose end is missing"),
    "gzip without its checksum": (CALLS_GZ[:-8], "gzip whose end is missing"),
    "wrong checksum": (CALLS_GZ[:-8] + bytes(4) + CALLS_GZ[-4:], "damaged gzip"),
    "wrong length": (CALLS_GZ[:-4] + bytes(4), "damaged gzip"),
    "damaged body": (CALLS_GZ[:900] + b"\0\0\0\0" + CALLS_GZ[904:], "damaged gzip"),
    "damaged second member": (CALLS_GZ + CALLS_GZ[:-8] + bytes(4) + CALLS_GZ[-4:], "damaged gzip"),
    "bytes after the gzip": (CALLS_GZ + b"more", "damaged gzip"),
    "broken Parquet": (b"PAR1\x15\x04", "damaged Parquet"),
    "Parquet within gzip": (gzip.compress(b"PAR1\x15\x04", mtime=0), "Parquet within gzip"),
    "spreadsheet": (b"PK\x03\x04\x14", "a zip archive or a spreadsheet"),
    "PDF": (b"%PDF-1.7\n", "a PDF"),
    "UTF-16": ('{"a":1}\n'.encode("utf-16"), "UTF-16"),
    "gzip within gzip": (gzip.compress(CALLS_GZ, mtime=0), "gzip within gzip"),
    "CSV": (b"email,name\n" + CANARY + b",Jane\n", "CSV"),
    "array without objects": (b'[1, "' + CANARY + b'"]', "an array in which no element is a JSON object"),
    "array without its end": (b'[{"messageId":"1"},\n{"email":"' + CANARY + b'"},\n', "ends within its element 3"),
    "array with a quote too many": (b'[{"messageId":"1"},{"a":"b""},{"messageId":"2"}]', "ends within its element 2"),
    "array that closes too much": (b'[{"messageId":"1"}},{"messageId":"2"}]', "no element is a JSON object"),
    "pretty JSON": (json.dumps({"email": CANARY.decode(), "b": [1]}, indent=1).encode(), "goes over several lines"),
    "HTML": (b"<html>\n<p>404\n</html>", "XML or HTML"),
    "binary": (bytes(range(1, 256)) * 4, "binary data"),
    "prose": (b"hello\nworld\n" + CANARY, "no line is a JSON object"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_damaged_file_or_one_of_another_kind_is_refused_whole(con, deliver, kind):
    content, found = REFUSED[kind]
    report = deliver(content)
    assert report.status == "refused"
    assert found in report.error.found
    assert report.error.exit_code == 1
    assert report.error.where
    assert report.error.fix
    assert CANARY.decode() not in str(report.error)
    assert all(not stored for stored in state_of(con).values())


def test_a_line_without_end_is_refused_before_memory_is_full(deliver, monkeypatch):
    monkeypatch.setattr(load, "MAX_LINE_HELD", 1 << 20)
    monkeypatch.setattr(load, "BLOCK", 1 << 20)
    assert "a line longer than 1 MiB" in deliver(b"x" * (5 << 20)).error.found


def test_gzip_is_known_by_its_bytes_and_may_have_several_members(con, deliver):
    members = [gzip.compress(b'{"messageId":"%d"}\n' % i) for i in range(50)]
    assert deliver(b"\0\0\0".join(members) + b"\0" * 9, "web/calls.ndjson").rows_loaded == 50
    assert deliver(b'{"messageId":"plain"}\n', "web/calls.ndjson.gz").rows_loaded == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "it is empty"), (gzip.compress(b"", mtime=0), "it has no lines"), (b"\n\r\n \n", "it has no lines")],
)
def test_an_empty_file_is_recorded_as_such(con, deliver, content, message):
    report = deliver(content)
    assert (report.status, report.lines, report.message) == ("loaded", 0, message)
    assert rows(con, "select lines from raw.ingest_files") == [(0,)]


def test_refused_files_do_not_keep_the_good_ones_out_and_are_all_told(con, tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    for name, content in {"a.json": b"[1", "b.ndjson": GOOD, "c.ndjson.gz": CALLS_GZ[:-1], "d.jsonl": b"{}"}.items():
        (folder / name).write_bytes(content)
    told: list[FileReport] = []
    report = load_files(Embedded(con), [folder], region="GB", on_file=told.append)
    assert [file.status for file in told] == ["refused", "loaded", "refused", "loaded"]
    assert [file.path.name for file in report.refused] == ["a.json", "c.ndjson.gz"]
    with pytest.raises(TesseraError, match="2 of 4 files were refused") as error:
        report.raise_for_refused()
    assert "a.json: a JSON array that ends within its element 1" in str(error.value)
    assert "c.ndjson.gz: gzip whose end is missing" in str(error.value)
    assert rows(con, "select count(*) from raw.events") == [(2,)]


def test_of_files_that_share_a_commit_each_has_its_counts_and_a_refused_one_leaves_nothing(con, tmp_path):
    other = GOOD.replace(b"m-1", b"m-2")
    files = {
        "1.ndjson": lines_of(GOOD, b"{broken"),
        "2.ndjson.gz": gzip.compress(lines_of(*(other.replace(b"m-2", b"lost-%d" % i) for i in range(9)), b"{"))[:-4],
        "3.ndjson": lines_of(other, GOOD, other),
        "4.ndjson": lines_of(GOOD, b"{broken"),
        "5.ndjson": b"",
        "6.ndjson": lines_of(other),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    reports = load_files(Embedded(con), [tmp_path / name for name in files], source="web", region="GB").files
    counts = [(report.status, report.rows_loaded, report.rows_rejected, report.rows_duplicate) for report in reports]
    assert counts == [
        ("loaded", 1, 1, 0), ("refused", 0, 0, 0), ("loaded", 1, 0, 2), ("already loaded", 0, 0, 0), ("loaded", 0, 0, 0),
        ("loaded", 0, 0, 1),
    ]  # fmt: skip
    assert rows(con, "select message_id, count(*) from raw.events group by all order by all") == [("m-1", 2), ("m-2", 3)]
    assert rows(con, "select count(*), count(distinct file_id) from raw.ingest_rejects") == [(1, 1)]
    assert rows(con, "select path, rows_loaded from raw.ingest_files order by path") == [
        (str(report.path), report.rows_loaded) for report in reports if report.status == "loaded"
    ]


def test_a_file_that_changes_while_it_is_read_is_refused(con, tmp_path, monkeypatch):
    path = tmp_path / "calls.ndjson"
    path.write_bytes(GOOD)
    are_utf8 = load._are_utf8

    def append_meanwhile(*arguments: Any) -> Any:
        with path.open("ab") as file:
            file.write(b"\n" + GOOD)
        return are_utf8(*arguments)

    monkeypatch.setattr(load, "_are_utf8", append_meanwhile)
    [report] = load_files(Embedded(con), [path], source="web", region="GB").files
    assert "changed while it was read" in report.error.found
    assert rows(con, "select count(*) from raw.events") == [(0,)]


# ---------------------------------------------------------------- paths and names


def test_a_missing_path_is_a_usage_error_and_nothing_is_loaded(con, tmp_path):
    (tmp_path / "calls.ndjson").write_bytes(GOOD)
    with pytest.raises(UsageError, match=r"nothing\.ndjson") as error:
        load_files(Embedded(con), [tmp_path / "calls.ndjson", tmp_path / "nothing.ndjson"], region="GB")
    assert error.value.exit_code == 2
    assert not any(state_of(con).values())


def test_of_a_folder_the_data_files_are_loaded_and_the_source_is_their_folder(con, tmp_path):
    wanted = ["app/2.json", "app/1.jsonl.gz", "web/1.ndjson", "web/UPPER.NDJSON"]
    unwanted = ["app/.hidden.ndjson", "app/1.ndjson.tmp", "app/1.part.ndjson", ".git/1.ndjson", "app/readme.md", "app/a.csv"]
    for i, name in enumerate(wanted + unwanted):
        path = tmp_path / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"messageId":"%d"}' % i)
    report = load_files(Embedded(con), [tmp_path / "landing", tmp_path / "landing/web/1.ndjson"], region="GB")
    assert [f"{file.path.parent.name}/{file.path.name}" for file in report.files] == sorted(wanted)
    assert rows(con, "select source_id, count(*) from raw.events group by all order by all") == [("app", 2), ("web", 2)]


@pytest.mark.parametrize("source", ["", "a b", "x" * 65, "'; drop table raw.events; --", "{{ x }}", "é"])
def test_a_source_must_be_a_plain_name(con, tmp_path, source):
    (tmp_path / "calls.ndjson").write_bytes(GOOD)
    with pytest.raises(UsageError, match="--source NAME"):
        load_files(Embedded(con), [tmp_path], source=source, region="GB")


def test_the_region_must_be_known(con, tmp_path):
    with pytest.raises(UsageError, match="region"):
        load_files(Embedded(con), [tmp_path], region="XX")


# ---------------------------------------------------------------- exactly once


def test_the_same_bytes_again_under_any_name_change_nothing(con, deliver):
    content = lines_of(GOOD, b'{"traits":{"phone":"07911 123456"}}', b"{broken")
    deliver(content)
    before = state_of(con)
    for name in ("web/calls.ndjson", "app/other.ndjson"):
        report = deliver(content, name)
        assert (report.status, report.lines) == ("already loaded", 0)
        assert report.message.endswith("web/calls.ndjson")
    assert state_of(con) == before


def test_duplicates_are_stored_but_counted_within_and_across_files(con, deliver):
    deliver(lines_of(b'{"messageId":"a"}', b'{"messageId":"b"}', b'{"messageId":"a","x":1}'), "web/1.ndjson")
    report = deliver(lines_of(b'{"messageId":"b"}', b'{"messageId":"c"}', b'{"messageId":"c"}'), "web/2.ndjson")
    assert (report.rows_loaded, report.rows_duplicate) == (1, 2)
    assert rows(con, "select count(*), count(distinct message_id) from raw.events") == [(6, 3)]


def test_the_checkpoint_setting_of_the_caller_is_restored(con, deliver):
    con.execute("set checkpoint_threshold = '32MiB'").fetchall()
    deliver(GOOD)
    assert rows(con, "select current_setting('checkpoint_threshold')") == [("32.0 MiB",)]


ID = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ü", "x" * 30]), st.integers(0, 3))
CALL = st.builds(
    lambda message_id, pad: json.dumps({"messageId": message_id, "p": pad}, ensure_ascii=False).encode(),
    ID, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)  # fmt: skip
LINE = st.one_of(
    CALL.map(lambda line: ("good", line)),
    st.sampled_from([b"{broken", b"[1]", b"x", b'"\xff"', b'{"a":1', b"\0", b'{"a":NaN}']).map(lambda line: ("bad", line)),
    st.sampled_from([b"", b" ", b"\t \t"]).map(lambda line: ("blank", line)),
)
FILE = st.tuples(st.lists(LINE, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(FILE, max_size=4), block=st.sampled_from([16, 64, 1 << 20]), rows_per_insert=st.sampled_from([1, 3, 1000]))
def test_lines_are_loaded_or_rejected_or_duplicates_however_they_are_cut_into_files(
    tmp_path_factory, files, block, rows_per_insert
):
    folder = tmp_path_factory.mktemp("mix") / "web"
    folder.mkdir()
    con = duckdb.connect()
    Embedded(con).ensure_tables("salt")
    seen_files, seen_ids, expected_events, expected_rejects = set(), set(), set(), set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "BLOCK", block)
        patch.setattr(load, "ROWS_PER_INSERT", rows_per_insert)
        for number, (lines, line_end, is_gzip, has_bom, is_ended) in enumerate(files):
            content = b"\xef\xbb\xbf" * has_bom + line_end.join(line for _, line in lines) + line_end * is_ended
            content = gzip.compress(content, mtime=0) if is_gzip else content
            path = folder / f"{number}.ndjson"
            path.write_bytes(content)
            [report] = load_files(Embedded(con), [path], region="GB").files

            file_id = hashlib.sha256(content).hexdigest()
            numbered = [(file_id, i, kind, line) for i, (kind, line) in enumerate(lines, start=1)]
            good = [row for row in numbered if row[2] == "good"]
            bad = [row for row in numbered if row[2] == "bad"]
            if file_id in seen_files:
                assert report.status == "already loaded"
                continue
            if bad and not good:
                assert report.status == "refused"
                continue
            seen_files.add(file_id)
            ids = [str(json.loads(line)["messageId"] or "") for *_, line in good]
            ids = ["0" if json.loads(line)["messageId"] == 0 else i for i, (*_, line) in zip(ids, good, strict=True)]
            ids = [i or md5(line) for i, (*_, line) in zip(ids, good, strict=True)]
            new_ids = set(ids) - seen_ids
            seen_ids |= new_ids
            assert report.status == "loaded"
            assert (report.rows_loaded, report.rows_rejected, report.rows_duplicate) == (
                len(new_ids), len(bad), len(good) - len(new_ids)
            )  # fmt: skip
            assert report.lines == len(good) + len(bad)
            expected_events |= {(file_id, i, message_id) for message_id, (_, i, *_) in zip(ids, good, strict=True)}
            expected_rejects |= {(file_id, i, base64.b64encode(line).decode()) for _, i, _, line in bad}
    assert set(rows(con, "select file_id, line_number, message_id from raw.events")) == expected_events
    assert set(rows(con, "select file_id, line_number, raw_base64 from raw.ingest_rejects")) == expected_rejects
    assert not rows(con, "select * from raw.ingest_files where lines <> rows_loaded + rows_rejected + rows_duplicate")
    con.close()


def test_an_interrupted_load_leaves_nothing_and_the_connection_usable(con, deliver, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(load, "_normalise_phones", interrupt)
        with pytest.raises(KeyboardInterrupt):
            deliver(GOOD)
    assert all(not stored for stored in state_of(con).values())
    assert deliver(GOOD).rows_loaded == 1


# Kills itself some milliseconds after a given statement has started, so that kills fall within statements and commits.
KILLED_LOAD = """
import os, signal, sys, threading
from pathlib import Path
from typing import Any
import duckdb
from orchestration.lib import load, object_tables
from orchestration.lib.warehouse import Embedded

file, folder, statement, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
load.BLOCK = 64 << 10  # several inserts a file
load.ROWS_PER_COMMIT = 3_000  # two files a commit
count = 0

def counted(function):
    def run(*arguments, **values):
        global count
        count += 1
        if count == statement:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return function(*arguments, **values)
    return run

load._run, Embedded.rows, Embedded.write = map(counted, (load._run, Embedded.rows, Embedded.write))
warehouse = Embedded(duckdb.connect(file))
warehouse.ensure_tables("salt")
load.load_files(warehouse, [Path(folder)], region="GB")
"""


def test_a_killed_load_leaves_every_file_whole_or_absent_and_the_next_completes_it(tmp_path):
    folder, warehouse = tmp_path / "web", tmp_path / "warehouse.duckdb"
    folder.mkdir()
    expected = {}
    for file in range(20):
        calls = (b'{"messageId":"%d-%d","traits":{"phone":"0791112%04d"}}' % (file, i, i) for i in range(2_000))
        content = lines_of(*calls, b"{broken")
        (folder / f"{file}.ndjson").write_bytes(content)
        expected[hashlib.sha256(content).hexdigest()] = (2_000, 1)
    counts = """
        select f.file_id, (select count(*) from raw.events as e where e.file_id = f.file_id),
            (select count(*) from raw.ingest_rejects as r where r.file_id = f.file_id)
        from {} as f"""
    touched = "(select file_id from raw.events union select file_id from raw.ingest_rejects)"
    survivors = []
    # A statement or two store the salt, about 8 load two files; the last load is not killed.
    kills = ((4, 0), (10, 0.001), (11, 0.002), (17, 0.003), (8, 0.005), (15, 0.004), (12, 0.008), (19, 0.001), (0, 0))
    for statement, seconds in kills:
        command = [sys.executable, "-c", KILLED_LOAD, warehouse, folder, str(statement), str(seconds)]
        outcome = subprocess.run(command, cwd=ROOT, capture_output=True)
        assert outcome.returncode == (-signal.SIGKILL if statement else 0), outcome.stderr.decode()
        with duckdb.connect(warehouse) as con:
            Embedded(con).ensure_tables("salt")
            whole = {file_id: tuple(n) for file_id, *n in rows(con, counts.format("raw.ingest_files"))}
            assert {file_id: tuple(n) for file_id, *n in rows(con, counts.format(touched))} == whole
            assert whole.items() <= expected.items()
            assert rows(con, "select count(*) from raw.phone_numbers") == [(2_000 if whole else 0,)]
            survivors.append(len(whole))
    assert whole == expected
    assert survivors == sorted(survivors)
    assert 0 < survivors[-2] < survivors[-1]


# ---------------------------------------------------------------- the salt


def test_another_salt_is_refused_once_a_file_was_loaded(con, deliver):
    Embedded(con).ensure_tables("better")
    Embedded(con).ensure_tables("salt")
    deliver(b'{"messageId":"first"}')
    with pytest.raises(UsageError, match="TESSERA_SALT") as refused:
        Embedded(con).ensure_tables("secret")
    assert "secret" not in str(refused.value)
    Embedded(con).ensure_tables("salt")


# ---------------------------------------------------------------- phones


def test_phones_of_traits_and_context_traits_are_normalised_once_per_region(con, deliver, tmp_path):
    deliver(lines_of(
        b'{"type":"identify","traits":{"phone":"07911 123456"}}',
        b'{"type":"identify","traits":{"phone":447911123456}}',
        b'{"type":"track","context":{"traits":{"phone":"+1 (415) 555-0132"}}}',
        b'{"type":"identify","traits":{"phone":"07911 123456"},"context":{"traits":{"phone":"call me"}}}',
        b'{"type":"track","properties":{"phone":"07911 999999"}}',
        b'{"type":"identify","traits":{"phone":null}}',
        b'{"type":"identify","traits":"phone"}',
    ))  # fmt: skip
    expected = [
        ("+1 (415) 555-0132", "GB", "+14155550132"),
        ("07911 123456", "GB", "+447911123456"),
        ("447911123456", "GB", "+447911123456"),
        ("call me", "GB", None),
    ]
    assert rows(con, "select * from raw.phone_numbers order by phone") == expected
    deliver(b'{"messageId":"again","traits":{"phone":"07911 123456"}}', "web/again.ndjson")
    assert rows(con, "select * from raw.phone_numbers order by phone") == expected
    (tmp_path / "de.ndjson").write_bytes(b'{"messageId":"de","traits":{"phone":"0151 23456789"}}')
    load_files(Embedded(con), [tmp_path / "de.ndjson"], source="de", region="DE")
    german = "select * from raw.phone_numbers where region = 'DE' order by phone"
    assert rows(con, german) == [("0151 23456789", "DE", "+4915123456789")]
    for _ in range(2):  # the region of identity.yml is another now
        load.normalise_known_phones(Embedded(con), region="DE")
        assert rows(con, german) == [
            ("+1 (415) 555-0132", "DE", "+14155550132"),
            ("0151 23456789", "DE", "+4915123456789"),
            ("07911 123456", "DE", "+497911123456"),
            ("447911123456", "DE", load.e164("447911123456", "DE")),
            ("call me", "DE", None),
        ]


@pytest.mark.parametrize("phone", ["", "0000000000", "12345", "+44 7911 1234561234", "n/a", "9" * 300, "+999 123456"])
def test_what_cannot_be_a_phone_number_is_none(phone):
    assert load.e164(phone, "GB") is None


# ---------------------------------------------------------------- ad spend

SPEND_HEADER = b"platform,account_id,account_name,campaign_id,campaign_name,currency,clicks,impressions,spend,date_day,synced_at"
SPEND_ROW = b'google_ads,1,Acme,2,"Brand, search",EUR,12.0,345,67.891234,2026-01-31,2026-02-01T01:00:00+01:00'


def spend(con: duckdb.DuckDBPyConnection, path: Path, *lines: bytes) -> FileReport:
    path.write_bytes(lines_of(*lines))
    [report] = load_ad_spend(Embedded(con), [path]).files
    assert report.lines == report.rows_loaded + report.rows_rejected + report.rows_duplicate
    return report


def test_ad_spend_is_typed(con, tmp_path):
    path = tmp_path / "spend.csv"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + SPEND_HEADER + b"\r\n" + SPEND_ROW + b"\r\n"))
    [report] = load_ad_spend(Embedded(con), [tmp_path]).files
    assert rows(con, "select * from raw.ad_spend") == [
        (
            "google_ads", "1", "Acme", "2", "Brand, search", "EUR", 12, 345, Decimal("67.8912"), date(2026, 1, 31),
            datetime.fromisoformat("2026-02-01"), report.file_id, 2,
        )
    ]  # fmt: skip


def test_ad_spend_in_the_shape_of_fivetran_is_accepted(con, tmp_path):
    header = b"source_relation,date_day,platform,account_id,account_name,campaign_id,campaign_name,clicks,impressions,spend"
    header += b",conversions,conversions_value"
    report = spend(con, tmp_path / "a.csv", header, b"x,2026-01-31 00:00:00,facebook_ads,1,Acme,2,Brand,,0,-1.5,0,0")
    assert report.rows_loaded == 1
    stored = rows(con, "select platform, currency, clicks, impressions, spend, date_day, synced_at from raw.ad_spend")
    assert stored == [("facebook_ads", None, None, 0, Decimal("-1.5"), date(2026, 1, 31), None)]


def test_a_bad_row_of_ad_spend_is_rejected_with_its_reason(con, tmp_path):
    bad = {
        SPEND_ROW.replace(b"google_ads", b""): "platform missing",
        SPEND_ROW.replace(b"67.891234", b""): "spend missing",
        SPEND_ROW.replace(b"67.891234", b"EUR 5"): "spend cannot be read",
        SPEND_ROW.replace(b"67.891234", b"NaN"): "spend cannot be read",
        SPEND_ROW.replace(b"67.891234", b"1e14"): "spend cannot be read",
        SPEND_ROW.replace(b"12.0", b"12.5"): "clicks cannot be read",
        SPEND_ROW.replace(b"345", b"-1"): "impressions cannot be read",
        SPEND_ROW.replace(b"345", b"Infinity"): "impressions cannot be read",
        SPEND_ROW.replace(b"2026-01-31", b"31.01.2026"): "date_day cannot be read",
        SPEND_ROW.replace(b"2026-02-01T", b"soon"): "synced_at cannot be read",
        SPEND_ROW + b",more": "12 fields where the header has 11",
        SPEND_ROW.replace(b'search"', b"search"): "a quote is not closed on its line",
        SPEND_ROW.replace(b"Acme", b"\xff"): "not UTF-8",
    }
    report = spend(con, tmp_path / "a.csv", SPEND_HEADER, *bad, b"", SPEND_ROW)
    assert (report.rows_loaded, report.rows_rejected) == (1, len(bad))
    kept = rows(con, "select line_number, raw_base64, reason from raw.ingest_rejects order by line_number")
    assert kept == [(i, base64.b64encode(line).decode(), reason) for i, (line, reason) in enumerate(bad.items(), start=2)]


def test_ad_spend_delivered_again_is_counted_once(con, tmp_path):
    first = spend(con, tmp_path / "a.csv", SPEND_HEADER, SPEND_ROW, SPEND_ROW)
    assert (first.rows_loaded, first.rows_duplicate) == (1, 1)
    assert load_ad_spend(Embedded(con), [tmp_path / "a.csv"]).files[0].status == "already loaded"
    corrected = SPEND_ROW.replace(b"67.891234", b"70")
    later = spend(con, tmp_path / "b.csv", SPEND_HEADER, corrected, SPEND_ROW)
    assert (later.rows_loaded, later.rows_duplicate) == (1, 1)
    assert rows(con, "select spend from raw.ad_spend order by spend") == [(Decimal("67.8912"),), (Decimal("70"),)]


def test_a_table_that_is_not_ad_spend_is_refused(con, tmp_path):
    report = spend(con, tmp_path / "a.csv", b"platform;spend;email", CANARY)
    assert "without platform, account_id" in report.error.found
    assert CANARY.decode() not in str(report.error)
    assert spend(con, tmp_path / "b.csv", b'{"messageId":"1"}').status == "refused"
    assert spend(con, tmp_path / "c.csv").message == "it is empty"


# ---------------------------------------------------------------- other object tables

TICKETS = [
    {
        "ticket_id": "t-1",
        "email": "ada@example.com",
        "status": "Open",
        "opened_at": "2026-01-05T10:00:00+01:00",
        "priority": "high",
    },
    {"ticket_id": "t-2", "user_id": 17, "status": "solved", "opened_at": "2026-01-05", "solved_at": "2026-01-06T00:00:00Z"},
]
BAD_TICKETS = {
    "user_id and email missing": {"ticket_id": "t-3", "status": "open", "opened_at": "2026-01-05"},
    "status is none of open, pending, solved, closed": TICKETS[0] | {"status": "lost"},
    "opened_at cannot be read": TICKETS[0] | {"opened_at": "soon"},
    "ticket_id missing": TICKETS[0] | {"ticket_id": " "},
}


def _as_csv(rows: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("kind", ["csv", "ndjson.gz", "parquet"])
def test_an_object_table_is_read_from_csv_ndjson_and_parquet_and_bad_rows_are_kept(con, tmp_path, kind):
    delivered = [*TICKETS, TICKETS[0], *BAD_TICKETS.values()]
    texts = [{key: str(value) for key, value in row.items()} for row in delivered]
    content = {
        "csv": lambda: _as_csv(delivered),
        "ndjson.gz": lambda: gzip.compress(lines_of(*(json.dumps(row).encode() for row in delivered))),
        "parquet": lambda: parquet(
            pa.Table.from_pylist(texts, pa.schema([(key, pa.string()) for key in {**texts[0], **texts[1]}]))
        ),
    }[kind]()
    (tmp_path / f"support_tickets-2026.{kind}").write_bytes(content)
    [report] = load.load_tables(Embedded(con), [tmp_path], region="GB").files
    assert (report.lines, report.rows_loaded, report.rows_rejected, report.rows_duplicate) == (7, 2, 4, 1)
    assert rows(con, "select ticket_id, user_id, email, status, priority, opened_at, solved_at from raw.support_tickets order by 1") == [
        ("t-1", None, "ada@example.com", "open", "high", datetime.fromisoformat("2026-01-05T09:00:00"), None),
        ("t-2", "17", None, "solved", None, datetime.fromisoformat("2026-01-05"), datetime.fromisoformat("2026-01-06")),
    ]  # fmt: skip
    assert [reason for (reason,) in rows(con, "select reason from raw.ingest_rejects order by line_number")] == list(BAD_TICKETS)
    assert rows(con, "select distinct source_id from raw.ingest_files") == [("support_tickets",)]


def test_the_numbers_that_sms_went_to_are_normalised(con, tmp_path):
    header = b"message_id,channel,event,recipient,occurred_at"
    sms, email = b"m-1,SMS,sent,07911 123456,2026-01-05T10:00:00Z", b"m-2,email,opened,ada@example.com,2026-01-05T10:00:00Z"
    (tmp_path / "message_engagements.csv").write_bytes(lines_of(header, sms, email))
    load.load_tables(Embedded(con), [tmp_path], region="GB")
    assert rows(con, "select phone, phone_e164 from raw.phone_numbers") == [("07911 123456", "+447911123456")]


def test_a_file_of_no_known_table_is_refused_with_the_names_that_are_known(con, tmp_path):
    (tmp_path / "spend.csv").write_bytes(lines_of(SPEND_HEADER, SPEND_ROW))
    [report] = load.load_tables(Embedded(con), [tmp_path], region="GB").files
    assert "its name begins with that of no table" in report.error.found
    assert "ad_spend, google_ads_campaign_stats" in report.error.allowed


def test_every_shape_fills_columns_that_its_raw_table_has():
    for name, shape in object_tables.SHAPES.items():
        named = {*shape.filled, *shape.one_of, *shape.columns, *shape.fixed, *shape.words, *shape.scale}
        assert named <= set(shape.types), name
        assert object_tables.name_of(f"{name}-2026-01-31.csv") == name


# ---------------------------------------------------------------- real input


@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="../shared/data/online_retail is not here")
def test_the_orders_of_online_retail_are_loaded_whole(con):
    [report] = load_files(Embedded(con), [ONLINE_RETAIL], region="GB").files
    assert (report.lines, report.rows_loaded, report.rows_rejected, report.rows_duplicate) == (30_272, 30_272, 0, 0)
    assert rows(con, "select source_id, type, count(*) from raw.events group by all order by all") == [
        ("online_retail", "identify", 4_372),
        ("online_retail", "track", 25_900),
    ]
