"""The collector as a process of its own: what clients send it, what they hear, and that nothing acknowledged is ever lost."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from segment.analytics.client import Client

from orchestration.lib.collect import MAX_BATCH, MAX_CALL
from tests.conftest import ROOT, TESSERA, tessera

KEY, OTHER_KEY = "write-key-of-the-web-site", "write-key-of-the-backend"
SECRET = "jane.doe.4711@example.com"  # noqa: S105
TRACK = {"userId": SECRET, "event": "Song Played"}


@dataclass
class Collector:
    """A collector on one port of this machine, which can be killed and started again."""

    home: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def log(self) -> Path:
        return self.home.parent / "collector.log"

    def start(self, *options: str) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TESSERA_")}
        environment |= {"TESSERA_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        environment["TESSERA_WRITE_KEYS"] = f"web:{KEY},backend:{OTHER_KEY}"
        with self.log.open("ab") as log:
            command = [*TESSERA, "collect", "--port", str(self.port), *options]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        limit = time.monotonic() + 60
        while True:
            try:
                assert requests.get(f"{self.url}/health", timeout=5).status_code == 200
                return
            except requests.ConnectionError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < limit, self.log.read_text()
                time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process, where it runs; return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def post(self, call: str, payload: Any, key: str | None = KEY, **options: Any) -> requests.Response:
        body = {"data": payload} if isinstance(payload, bytes) else {"json": payload}
        auth = (key, "") if key else None
        return self.session.post(f"{self.url}/v1/{call}", auth=auth, timeout=30, **body, **options)

    def kept(self) -> list[dict[str, Any]]:
        """Return all lines that it has stored, each with its source, in the order of their receipt."""
        files = self.landing.glob("*/collected-*")
        lines = [json.loads(line) | {"source": file.parent.name} for file in files for line in file.read_bytes().splitlines()]
        return sorted(lines, key=lambda line: line["receivedAt"])

    def kept_by(self, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        """Send something that is accepted; return what it added."""
        before = len(self.kept())
        response = self.post(*arguments, **options)
        assert (response.status_code, response.json()) == (200, {"success": True})
        return self.kept()[before:]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One collector for all that does not stop it. What it wrote to its log is looked at when it has ended."""
    started = Collector(tmp_path_factory.mktemp("collector") / "home")
    started.start()
    yield started
    assert started.end() == 0
    _assert_quiet(started)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Collector]:
    """A collector that a test may kill; not started yet."""
    made = Collector(tmp_path / "home")
    yield made
    made.end(signal.SIGKILL)
    if made.log.exists():
        _assert_quiet(made)


def _assert_quiet(collector: Collector) -> None:
    """The log has no write key, nothing of a person, no address, no traceback."""
    log = collector.log.read_text()
    for word in (KEY, OTHER_KEY, "write-key", SECRET, "Song Played", "203.0.113", "Traceback"):
        assert word not in log
    assert all(KEY not in json.dumps(line) for line in collector.kept())


def _refused(response: requests.Response, status: int, code: str) -> str:
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (status, False, code)
    assert SECRET not in response.text
    assert KEY not in response.text
    return body["message"]


# ---------------------------------------------------------------- what clients send


@pytest.mark.parametrize(
    ("path", "type_"),
    [("track", "track"), ("identify", "identify"), ("page", "page"), ("screen", "screen"), ("group", "group"), ("alias", "alias"),
     ("t", "track"), ("i", "identify"), ("p", "page"), ("s", "screen"), ("g", "group"), ("a", "alias")],
)  # fmt: skip
def test_each_call_is_kept_with_the_type_of_its_path(path: str, type_: str, collector: Collector) -> None:
    [line] = collector.kept_by(path, {"userId": "u-1", "messageId": f"m-{path}"})
    assert (line["type"], line["userId"], line["messageId"], line["source"]) == (type_, "u-1", f"m-{path}", "web")
    assert abs(time.time() - time.mktime(time.strptime(line["receivedAt"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60


@pytest.mark.parametrize("path", ["batch", "b", "import"])
def test_a_batch_is_kept_whole(path: str, collector: Collector) -> None:
    batch = [TRACK | {"type": "track", "messageId": f"{path}-1"}, {"type": "no such type"}, {}]
    lines = collector.kept_by(path, {"batch": batch, "context": {"library": {"name": "x"}}, "writeKey": KEY})
    assert [line.get("type") for line in lines] == ["track", "no such type", None]
    assert all(line["context"]["library"] == {"name": "x"} and line["messageId"] and "writeKey" not in line for line in lines)
    assert collector.kept_by(path, {"batch": []}) == []


def test_the_write_key_says_the_source_in_the_header_or_in_the_body(collector: Collector) -> None:
    assert collector.kept_by("track", TRACK, key=OTHER_KEY)[0]["source"] == "backend"
    assert collector.kept_by("track", TRACK | {"writeKey": OTHER_KEY}, key=None)[0]["source"] == "backend"
    bearer = {"Authorization": "Bearer x.y.z"}
    assert collector.kept_by("track", TRACK | {"writeKey": KEY}, key=None, headers=bearer)[0]["source"] == "web"


@pytest.mark.parametrize(
    ("key", "body", "headers"),
    [(None, TRACK, {}), (KEY + "x", TRACK | {"writeKey": KEY}, {}), (None, TRACK | {"writeKey": KEY[:-1]}, {}),
     (None, TRACK | {"writeKey": [KEY]}, {}), (None, TRACK, {"Authorization": "Basic %%%"}),
     (None, TRACK | {"writeKey": KEY}, {"Authorization": "Basic /w=="})],
)  # fmt: skip
def test_a_wrong_write_key_is_refused(
    key: str | None, body: dict[str, Any], headers: dict[str, str], collector: Collector
) -> None:
    before = collector.kept()
    assert "write key" in _refused(collector.post("track", body, key=key, headers=headers), 401, "unauthorized") or headers
    assert collector.kept() == before


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [("track", b"", {}, "invalid_json"),
     ("track", b'{"userId": "' + SECRET.encode(), {}, "invalid_json"),
     ("track", b"[{}]", {}, "invalid_json"),
     ("track", b'{"userId": "\0"}', {}, "invalid_json"),
     ("track", b'{"userId": "\xff\xfe"}', {}, "invalid_json"),
     ("track", b'{"userId": NaN}', {}, "invalid_json"),
     ("track", b'{"userId": 1e999}', {}, "invalid_json"),
     ("batch", b'{"batch": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", {}, "invalid_json"),
     ("batch", b"{}", {}, "invalid_batch"),
     ("batch", b'{"batch": [{}, 1]}', {}, "invalid_batch"),
     ("track", b'{"userId": "%s"}' % (b"x" * MAX_CALL), {}, "too_large"),
     ("batch", b'{"batch": [{}, {"x": "%s"}]}' % (b"x" * MAX_CALL), {}, "too_large"),
     ("batch", b'{"batch": [%s {}]}' % (b"{}," * (MAX_BATCH // 3)), {}, "too_large"),
     ("batch", bytes(40_000_000), {}, "too_large"),
     ("batch", gzip.compress(bytes(40_000_000), mtime=0), {"Content-Encoding": "gzip"}, "too_large"),
     ("track", b"{}", {"Content-Encoding": "gzip"}, "invalid_encoding"),
     ("track", gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, "invalid_encoding"),
     ("track", b"{}", {"Content-Encoding": "br"}, "invalid_encoding")],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_is_not_json_or_too_large_is_refused_and_nothing_of_it_is_kept(
    path: str, body: bytes, headers: dict[str, str], code: str, collector: Collector
) -> None:
    before = collector.kept()
    _refused(collector.post(path, body, headers=headers), 400, code)
    assert collector.kept() == before
    assert collector.kept_by("track", TRACK)


def test_a_path_that_is_no_call_is_refused(collector: Collector) -> None:
    assert "batch" in _refused(collector.post("tracks", TRACK), 404, "not_found")
    assert collector.session.get(f"{collector.url}/v1/track", timeout=9).status_code == 405


def test_a_packed_request_is_unpacked(collector: Collector) -> None:
    body = gzip.compress(json.dumps({"batch": [TRACK | {"type": "track"}] * 500}).encode())
    assert len(collector.kept_by("batch", body, headers={"Content-Encoding": "gzip"})) == 500


def test_a_browser_may_send_from_any_page(collector: Collector) -> None:
    """analytics.js sends text/plain, which needs no preflight, by fetch or by sendBeacon; other headers are asked for first."""
    origin = {"Origin": "https://shop.example"}
    asks = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = collector.session.options(f"{collector.url}/v1/t", headers=asks, timeout=9)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, origin["Origin"])
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    body = json.dumps(TRACK | {"writeKey": KEY, "context": {"page": {"path": "/"}}}).encode()
    plain = origin | {"Content-Type": "text/plain;charset=UTF-8", "X-Forwarded-For": "203.0.113.7"}
    [line] = collector.kept_by("t", body, key=None, headers=plain)
    assert line["context"] == {"ip": "127.0.0.1", "page": {"path": "/"}}
    refused = collector.post("t", b"{", key=None, headers=plain)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, origin["Origin"])
    assert refused.headers["access-control-expose-headers"] == "Retry-After"


def test_only_the_named_proxy_is_believed_about_addresses(own: Collector) -> None:
    own.start("--proxy", "127.0.0.1")
    headers = {"Origin": "https://shop.example", "X-Forwarded-For": "198.51.100.66, 203.0.113.7"}
    assert own.kept_by("track", TRACK, headers=headers)[0]["context"]["ip"] == "203.0.113.7"  # the last is the proxy's word


def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(collector: Collector) -> None:
    before = collector.kept()
    with socket.create_connection(("127.0.0.1", collector.port), 9) as connection:
        connection.sendall(b'POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"writeKey": "' + KEY.encode())
    assert len(collector.kept_by("track", TRACK)) == 1
    assert len(collector.kept()) == len(before) + 1


# ---------------------------------------------------------------- starting and stopping


@pytest.mark.parametrize(
    ("keys", "found"),
    [("", "nothing"), (KEY, "no name of a source"), ("../web:" + KEY, "no name of a source")],
)
def test_it_does_not_start_without_write_keys(keys: str, found: str, tmp_path: Path) -> None:
    result = tessera(tmp_path / "home", "collect", "--port", "0", check=False, TESSERA_WRITE_KEYS=keys)
    assert result.returncode == 2
    assert f"found: {found}" in result.stderr
    assert "to do: for example TESSERA_WRITE_KEYS=web:" in result.stderr
    assert KEY not in result.stderr


def test_a_second_collector_of_the_same_home_and_a_taken_port_are_refused(collector: Collector, tmp_path: Path) -> None:
    keys = f"web:{KEY}"
    second = tessera(collector.home, "collect", "--port", "0", check=False, TESSERA_WRITE_KEYS=keys)
    assert second.returncode == 3
    assert "`tessera collect`" in second.stderr
    taken = tessera(tmp_path / "home", "collect", "--port", str(collector.port), check=False, TESSERA_WRITE_KEYS=keys)
    assert taken.returncode == 2
    assert f"port {collector.port}" in taken.stderr


def test_files_are_delivered_by_age_and_when_it_stops_and_loaded_once(own: Collector) -> None:
    own.start("--seconds", "2")
    web = own.landing / "web"
    own.kept_by("track", TRACK)
    limit = time.monotonic() + 30
    while not list(web.glob("*.ndjson")):
        assert time.monotonic() < limit
        time.sleep(0.05)
    own.kept_by("track", TRACK)
    assert own.end() == 0
    assert (len(list(web.glob("*.ndjson"))), len(list(web.iterdir()))) == (2, 2)
    report = json.loads(tessera(own.home, "load", own.landing, "--json").stdout)
    assert [file["rows_loaded"] for file in report] == [1, 1]
    assert {file["status"] for file in json.loads(tessera(own.home, "load", own.landing, "--json").stdout)} == {"already loaded"}


# ---------------------------------------------------------------- nothing acknowledged is lost


def test_a_full_disk_is_answered_503_and_the_collector_recovers(own: Collector) -> None:
    own.landing.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tessera-test", str(own.landing)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be made by root; tests/unit/test_collect.py fails writes instead")
    try:
        own.start()
        acknowledged, filler = [], own.landing / "filler"

        def send(number: int) -> int:
            batch = [TRACK | {"type": "track", "messageId": f"{number}-{i}", "properties": {"x": "y" * 1000}} for i in range(100)]
            response = own.post("batch", {"batch": batch})
            if response.status_code == 200:
                acknowledged.extend(call["messageId"] for call in batch)
            else:
                _refused(response, 503, "unavailable")
                assert int(response.headers["Retry-After"]) > 0
            return response.status_code

        assert send(0) == 200
        filler.write_bytes(bytes(1_200_000))
        assert {send(number) for number in range(1, 12)} == {200, 503}
        assert send(12) == 503
        filler.unlink()
        assert send(13) == 200
        assert own.end() == 0
        assert Counter(line["messageId"] for line in own.kept()) == Counter(acknowledged)
        files = json.loads(tessera(own.home, "load", own.landing, "--json").stdout)
        assert (sum(file["rows_loaded"] for file in files), sum(file["rows_rejected"] for file in files)) == (
            len(acknowledged),
            0,
        )
    finally:
        own.end(signal.SIGKILL)
        _assert_quiet(own)
        subprocess.run(["umount", str(own.landing)], check=True)


def test_ten_thousand_events_of_segments_client_survive_kill_9_exactly_once(own: Collector) -> None:
    """Four unmodified clients, which repeat what was not acknowledged, and one of our own, which does not."""
    own.start()
    sent, failed, acknowledged, gave_up = [], [], [], threading.Event()
    clients = [
        Client(key, host=own.url, gzip=bool(number % 2), upload_interval=0.05, on_error=lambda *error: failed.append(error))
        for number, key in enumerate([KEY, OTHER_KEY, KEY, OTHER_KEY])
    ]

    def produce(client: Client, number: int) -> None:
        for i in range(2_500):
            properties = {"title": f"Song {i} ✓", "length": i / 7}
            client.track(f"user-{number}-{i % 50}", "Song Played", properties, message_id=f"sdk-{number}-{i}")
            sent.append(f"sdk-{number}-{i}")
            time.sleep(0.001)

    def send_without_repeating() -> None:
        number = 0
        while not gave_up.is_set():
            message = TRACK | {"messageId": f"own-{number}", "timestamp": "2026-11-01T00:00:00Z"}
            number += 1
            try:
                if requests.post(f"{own.url}/v1/track", json=message, auth=(KEY, ""), timeout=9).status_code == 200:
                    acknowledged.append(message["messageId"])
            except requests.RequestException:
                time.sleep(0.01)

    threads = [threading.Thread(target=produce, args=(client, number)) for number, client in enumerate(clients)]
    threads.append(threading.Thread(target=send_without_repeating))
    for thread in threads:
        thread.start()
    chance = random.Random(7)  # noqa: S311
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = len(acknowledged)
        while len(acknowledged) < before + 20:
            time.sleep(0.01)
        time.sleep(chance.random() / 5)
        assert own.end(how) == (0 if how == signal.SIGTERM else -how)
        own.start()
    for thread in threads[:-1]:
        thread.join()
    for client in clients:
        client.flush()
        client.join()
    gave_up.set()
    threads[-1].join()
    assert own.end() == 0
    assert failed == []
    assert (len(sent), len(acknowledged) > 60) == (10_000, True)

    tessera(own.home, "load", own.landing)
    tessera(own.home, "dbt", "run", "--select", "+events", "--quiet")
    with duckdb.connect(str(own.home / "warehouse.duckdb"), read_only=True) as connection:
        [(rejected,)] = connection.execute("select sum(rows_rejected) from raw.ingest_files").fetchall()
        raw, events = (
            Counter(dict(connection.execute(f"select {key}, count(*) from {table} group by all").fetchall()))
            for key, table in (("message_id", "raw.events"), ("event_id", "events.events"))
        )
        sources = connection.execute("select distinct source_id from events.events order by 1").fetchall()
    assert rejected == 0
    assert set(sent) | set(acknowledged) <= set(events)
    assert set(events.values()) == {1}
    assert set(raw) == set(events)
    assert sources == [("backend",), ("web",)]
