"""Nothing is acknowledged that is not on disk, nothing acknowledged is lost, and all that is kept can be loaded."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestration.lib import collect
from orchestration.lib.collect import MAX_BATCH, MAX_CALL, Journal, RefusedError, WriteKeys, complete, read, recover, unpack
from orchestration.lib.errors import UsageError
from orchestration.lib.load import is_delivered, load_files
from orchestration.lib.warehouse import Embedded

KEY = "a-write-key-that-is-secret"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TRACK = {"userId": "u-1", "event": "Song Played", "messageId": "m-1"}


def completed(payload: dict[str, Any], call: str | None = "track", **options: Any) -> list[dict[str, Any]]:
    settled = {"source": "web", "received_at": NOW, "ip": "203.0.113.9", "is_browser": False} | options
    return [json.loads(line) for line in complete(json.loads(json.dumps(payload)), call, **settled).splitlines()]


def refusal(action: Callable[[], object]) -> str:
    """Return why something is refused."""
    with pytest.raises(RefusedError) as refused:
        action()
    return f"{refused.value.code}: {refused.value.message}"


# ---------------------------------------------------------------- write keys


def test_a_write_key_names_its_source_and_another_is_refused() -> None:
    keys = WriteKeys(f"web:{KEY}, backend:another-key-1,web:web-key-2,")
    assert keys.sources == ["backend", "web"]
    assert [keys.source_of(key) for key in (KEY, "another-key-1", "web-key-2")] == ["web", "backend", "web"]
    for wrong in ("", KEY[:-1], KEY + "x", None, 7, "\ud800", "web"):
        assert refusal(lambda wrong=wrong: keys.source_of(wrong)).startswith("unauthorized")
    assert KEY not in repr(vars(keys))


@pytest.mark.parametrize(
    "text", ["", " , ", KEY, f":{KEY}", f"..:{KEY}", f"tables:{KEY}", f"a/b:{KEY}", "web:short", f"web:{KEY} x", f"web:{KEY}:x"]
)
def test_write_keys_that_cannot_be_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(UsageError) as error:
        WriteKeys(text)
    assert "TESSERA_WRITE_KEYS" in str(error.value)
    assert KEY not in str(error.value)


def test_one_key_for_two_sources_is_refused() -> None:
    with pytest.raises(UsageError, match="same write key"):
        WriteKeys(f"web:{KEY},backend:{KEY}")


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON: line 1, column 2"),
        (b"[]", "not an object"),
        (b"7", "not an object"),
        (b'{"a": NaN}', "number that JSON does not know"),
        (b'{"a": -Infinity}', "number that JSON does not know"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\0"}', "not JSON"),
        (b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, reason: str) -> None:
    assert reason in refusal(lambda: read(body))


def test_gzip_is_unpacked_up_to_the_limit_and_no_further() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert unpack(packed, "gzip", 1000) == b"x" * 1000
    assert "too_large" in refusal(lambda: unpack(packed, "gzip", 999))
    assert "too_large" in refusal(lambda: unpack(gzip.compress(bytes(40 << 20)), "gzip", MAX_BATCH))
    for damaged in (packed[:-1], packed + b"x", b"x" + packed, packed[:-8] + bytes(8), b""):
        assert "invalid_encoding" in refusal(lambda damaged=damaged: unpack(damaged, "gzip", 1000))
    assert "invalid_encoding" in refusal(lambda: unpack(packed, "br", 1000))


def test_a_call_is_completed_as_segments_api_does() -> None:
    [call] = completed(TRACK | {"writeKey": KEY, "type": "page", "receivedAt": "1999-01-01T00:00:00Z"})
    assert call == TRACK | {"type": "track", "receivedAt": "2026-11-21T12:00:00.000000Z"}


def test_what_a_batch_says_is_merged_into_its_calls_and_theirs_wins() -> None:
    batch = {
        "writeKey": KEY,
        "sentAt": "2026-11-21T11:59:59Z",
        "context": {"library": {"name": "x"}, "locale": "de"},
        "integrations": {"All": True},
        "batch": [
            TRACK | {"type": "track", "writeKey": KEY, "context": {"locale": "fr"}, "sentAt": "2026-11-21T11:00:00Z"},
            {"type": "identify", "userId": "u-1", "messageId": "m-2", "integrations": {"Ads": False}},
        ],
    }
    first, second = completed(batch, None)
    assert first["context"] == {"library": {"name": "x"}, "locale": "fr"}
    assert (first["sentAt"], second["sentAt"]) == ("2026-11-21T11:00:00Z", "2026-11-21T11:59:59Z")
    assert (first["integrations"], second["integrations"]) == ({"All": True}, {"All": True, "Ads": False})
    assert (first["type"], second["type"]) == ("track", "identify")
    assert KEY not in json.dumps([first, second])


@pytest.mark.parametrize("batch", [None, {}, "x", [TRACK, 7], [[TRACK]]])
def test_a_batch_that_is_no_list_of_objects_is_refused(batch: object) -> None:
    assert "invalid_batch" in refusal(lambda: completed({"batch": batch}, None))


def test_a_clients_time_moves_aside_only_where_the_warehouse_can_correct_it() -> None:
    at, sent = "2026-11-21T10:00:00.000Z", "2026-11-21T11:00:00.5+01:00"
    [call] = completed(TRACK | {"timestamp": at, "sentAt": sent})
    assert (call.get("timestamp"), call["originalTimestamp"]) == (None, at)
    for stays in ({"timestamp": at}, {"timestamp": "yesterday", "sentAt": sent}, {"timestamp": 1.7e12, "sentAt": sent},
                  {"timestamp": "2026-02-30T10:00:00Z", "sentAt": sent}, {"timestamp": at, "sentAt": "infinity"},
                  {"timestamp": at, "originalTimestamp": sent, "sentAt": sent}):  # fmt: skip
        [call] = completed(TRACK | stays)
        assert {name: call.get(name) for name in stays} == stays


def test_the_address_is_kept_only_when_it_is_a_persons_and_unless_the_call_says_it() -> None:
    assert "context" not in completed(TRACK)[0]
    assert completed(TRACK, is_browser=True)[0]["context"] == {"ip": "203.0.113.9"}
    assert completed(TRACK | {"context": {"direct": True}})[0]["context"]["ip"] == "203.0.113.9"
    assert completed(TRACK | {"context": {"ip": "0.0.0.0"}}, is_browser=True)[0]["context"] == {"ip": "0.0.0.0"}  # noqa: S104
    assert completed(TRACK | {"context": "odd"}, is_browser=True)[0]["context"] == "odd"


def test_a_repeated_request_gets_the_same_message_id_and_a_call_without_any_time_is_new() -> None:
    later = datetime(2026, 11, 21, 13, tzinfo=UTC)
    click = {"userId": "u-1", "event": "Click"}

    def ids(payload: dict[str, Any], call: str | None = "track", **options: Any) -> list[str]:
        return [line["messageId"] for line in completed(payload, call, **options)]

    timed = click | {"timestamp": "2026-11-21T10:00:00Z"}
    assert ids(timed | {"sentAt": "2026-11-21T10:00:01Z"}) == ids(timed | {"sentAt": "2026-11-21T10:00:09Z"}, received_at=later)
    assert ids(timed, ip="198.51.100.1", is_browser=True) == ids(timed | {"writeKey": KEY, "messageId": ""})
    assert ids(timed) != ids(timed, source="backend")
    assert ids(click) != ids(click, received_at=later)
    batch = {"batch": [click, click], "sentAt": "2026-11-21T10:00:01Z"}
    assert ids(batch, None) == ids(batch, None, received_at=later)
    assert len(set(ids(batch, None))) == 2


def test_a_call_may_have_32_kb_as_it_was_sent() -> None:
    def of(size: int) -> dict[str, Any]:
        call = TRACK | {"type": "track", "properties": {"x": ""}}
        call["properties"] = {"x": "é" * ((size - len(json.dumps(call, separators=(",", ":")))) // 2)}
        return call

    assert completed({"batch": [of(MAX_CALL)], "context": {"x": "y" * 9000}, "writeKey": KEY}, None)
    assert "too_large: batch[1] is longer than 32 KB" in refusal(lambda: completed({"batch": [TRACK, of(MAX_CALL + 9)]}, None))


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["type", "event", "messageId", "userId", "anonymousId", "context", "traits", "properties", "timestamp", "sentAt"]
)


@pytest.fixture
def warehouse() -> Iterator[Embedded]:
    with duckdb.connect() as connection:
        opened = Embedded(connection)
        opened.ensure_tables("salt")
        yield opened


@given(calls=st.lists(st.dictionaries(NAMES | st.text(max_size=8), JSONS, max_size=6), min_size=1, max_size=5))
@example(calls=[{"event": "cut \ud83d", "userId": "\udc00\u0000"}])
@example(calls=[{"userId": "Infinity", "event": "NaN", "properties": {"big": 10**400, "small": 5e-324}}])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_object_that_is_kept_is_a_line_that_loads(calls: list[dict[str, Any]], warehouse: Embedded, tmp_path: Path) -> None:
    payload = read(json.dumps({"batch": calls}).encode())
    lines = complete(payload, None, source="web", received_at=NOW, ip=None, is_browser=False)
    file = tmp_path / "web" / "calls.ndjson"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(lines)
    [report] = load_files(warehouse, [file], region="GB").files
    assert report.status == "already loaded" or (report.lines, report.rows_rejected) == (len(calls), 0)


# ---------------------------------------------------------------- the journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path, max_bytes=1 << 20, max_seconds=3600)
    yield opened
    opened.close()


def delivered(landing: Path) -> bytes:
    """Return all that a load would read."""
    return b"".join(file.read_bytes() for file in sorted(landing.rglob("*")) if is_delivered(file, landing))


def parts(landing: Path) -> list[Path]:
    return sorted(landing.rglob("*.part"))


def test_lines_are_on_disk_when_acknowledged_and_delivered_when_the_journal_closes(journal: Journal, tmp_path: Path) -> None:
    journal.append("web", b"1\n").result(9)
    assert [file.read_bytes() for file in parts(tmp_path)] == [b"1\n"]
    assert delivered(tmp_path) == b""
    journal.append("web", b"2\n").result(9)
    journal.close()
    assert (delivered(tmp_path), parts(tmp_path)) == (b"1\n2\n", [])
    assert isinstance(journal.append("web", b"3\n").exception(9), OSError)


def test_a_file_is_delivered_at_its_size_or_age_and_never_changes_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=4, max_seconds=0.2)
    journal.append("web", b"1\n2\n").result(9)
    journal.append("web", b"3\n").result(9)
    assert delivered(tmp_path).startswith(b"1\n2\n")
    limit = datetime.now(UTC).timestamp() + 9
    while delivered(tmp_path) != b"1\n2\n3\n" and datetime.now(UTC).timestamp() < limit:
        threading.Event().wait(0.02)
    assert (delivered(tmp_path), parts(tmp_path)) == (b"1\n2\n3\n", [])
    journal.close()


def test_one_fsync_serves_all_who_wait_and_none_is_told_before(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go, fsync = threading.Event(), threading.Event(), os.fsync
    calls = 0

    def slow(handle: int) -> None:
        nonlocal calls
        calls += 1
        entered.set()
        assert go.wait(9)
        fsync(handle)

    journal.append("web", b"0\n").result(9)  # opens the file
    monkeypatch.setattr(os, "fsync", slow)
    first = journal.append("web", b"1\n")
    assert entered.wait(9)
    others = [journal.append("web", b"2\n") for _ in range(100)]
    assert not any(future.done() for future in [first, *others])
    go.set()
    assert not wait([first, *others], 9).not_done
    assert calls == 2


@pytest.mark.parametrize("failing", ["write", "fsync", "open"])
def test_lines_that_cannot_be_written_are_not_acknowledged_and_the_journal_recovers(
    failing: str, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append("web", b"1\n").result(9)
    error = OSError(28, "No space left on device")

    def fail(*_: object) -> None:
        raise error

    class Full:
        """A file on a disk that has room for one more byte."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def __enter__(self) -> Any:
            return self.file.__enter__()

        def __exit__(self, *exception: object) -> None:
            self.file.__exit__(*exception)

        def write(self, content: memoryview) -> int:
            if len(content) < 4:
                raise error
            return self.file.write(content[:1])

    with monkeypatch.context() as patch:
        if failing == "fsync":
            patch.setattr(os, "fsync", fail)
        elif failing == "write":
            file = journal._open["web"]
            patch.setattr(file, "_file", Full(file._file))
        else:
            patch.setattr(collect, "_sync_folder", fail)
        target = "other" if failing == "open" else "web"
        assert journal.append(target, b"2!!\n").exception(9) is error
    journal.append(target, b"3\n").result(9)
    journal.close()
    assert sorted(delivered(tmp_path).split()) == [b"1", b"3"]
    assert parts(tmp_path) == []


def test_a_request_given_up_while_it_waits_does_not_stop_the_others(journal: Journal, tmp_path: Path) -> None:
    futures = [journal.append("web", b"%d\n" % number) for number in range(100)]
    cancelled = [future.cancel() for future in futures]
    journal.append("web", b"end\n").result(9)
    journal.close()
    kept = set(delivered(tmp_path).split())
    assert {b"%d" % number for number, was in enumerate(cancelled) if not was} <= kept | {b"end"}


@pytest.mark.parametrize("tail", [b"", b'{"torn": ', b"x" * 200_000, b"\0" * 70_000])
def test_a_killed_collectors_file_is_delivered_without_its_torn_line(tail: bytes, tmp_path: Path) -> None:
    whole = b'{"a":1}\n' * 20_000
    file = tmp_path / "web" / "collected-x.ndjson.part"
    file.parent.mkdir()
    file.write_bytes(whole + tail)
    (tmp_path / "web" / "collected-y.ndjson.part").write_bytes(tail)  # nothing of it was acknowledged
    (tmp_path / "web" / "somebody-elses.ndjson.part").write_bytes(b"x")
    recover(tmp_path)
    assert delivered(tmp_path) == whole
    assert [path.name for path in (tmp_path / "web").iterdir() if path.suffix == ".part"] == ["somebody-elses.ndjson.part"]
