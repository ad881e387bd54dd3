"""What the collector does with a request: read its calls, complete them as Segment's API does, and keep them on disk.

Calls are appended to `landing/<source>/collected-….ndjson.part`, which no load reads, and are on disk (fsync) before anyone is
told so. A file that is old or large enough is renamed to `.ndjson` and never changes again; that is what loads read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.lib import sources
from orchestration.lib.errors import UsageError

# Segment's limits, on what is sent unpacked: bytes of a call, of a batch. Its clients count in units of 1,024.
MAX_CALL = 32 << 10
MAX_BATCH = 500 << 10

# Path → type of the call; the short ones are what analytics.js uses. A batch's calls bring their own types.
CALLS = {
    "track": "track", "identify": "identify", "page": "page", "screen": "screen", "group": "group", "alias": "alias",
    "t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias",
    "batch": None, "b": None, "import": None,
}  # fmt: skip


class RefusedError(Exception):
    """A request is refused whole, and nothing of it is kept: a code for programs, a sentence for people, no content."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


# ---------------------------------------------------------------- write keys


class WriteKeys:
    """The write keys and the source that each is for; it holds their hashes only."""

    def __init__(self, text: str) -> None:
        """Read `source:key,source:key`; a source may have several keys. Raise UsageError, which never quotes a key."""
        self._sources: dict[bytes, str] = {}
        for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
            source, colon, key = entry.partition(":")
            is_name = colon and sources.NAME.fullmatch(source) and not source.startswith(".") and source != "tables"
            if not is_name or not re.fullmatch(r"[A-Za-z0-9_.~+/=-]{8,200}", key):
                raise UsageError(
                    "The write keys cannot be read.",
                    where=f"TESSERA_WRITE_KEYS, entry {number}",
                    found="no name of a source before the key"
                    if not is_name
                    else "a key that is too short or has other characters",
                    allowed=f"SOURCE:KEY, several with commas between; SOURCE is {sources.ALLOWED}, does not begin with a dot and is not"
                    " `tables`; KEY is 8 to 200 letters, digits or any of _.~+/=-",
                    fix="for example TESSERA_WRITE_KEYS=web:$(openssl rand -hex 16)",
                )
            if self._sources.setdefault(_hash(key), source) != source:
                raise UsageError(
                    "Two sources have the same write key.",
                    where=f"TESSERA_WRITE_KEYS, entry {number}",
                    found=source,
                    fix="give each source a key of its own",
                )
        if not self._sources:
            raise UsageError(
                "There is no write key, so nobody could send anything.",
                where="the environment variable TESSERA_WRITE_KEYS",
                found="nothing",
                allowed="SOURCE:KEY, several with commas between",
                fix="for example TESSERA_WRITE_KEYS=web:$(openssl rand -hex 16)",
            )

    @property
    def sources(self) -> list[str]:
        """The names of the sources, in order."""
        return sorted(set(self._sources.values()))

    def source_of(self, key: object) -> str:
        """Return the source that a key is for, in the same time whichever it is; raise RefusedError for any other value."""
        given, found = _hash(key if isinstance(key, str) else ""), ""
        for known, source in self._sources.items():
            found = source if hmac.compare_digest(known, given) else found
        if not found:
            raise RefusedError("unauthorized", "The write key is missing or unknown.")
        return found


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


# ---------------------------------------------------------------- requests


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body as it was before Content-Encoding; raise RefusedError where that is damaged or longer than the limit (bytes)."""
    if encoding in ("", "identity"):
        return _at_most(limit, body)
    if encoding != "gzip":
        raise RefusedError("invalid_encoding", "The Content-Encoding must be gzip, or there must be none.")
    member = zlib.decompressobj(wbits=31)
    try:
        unpacked = _at_most(limit, member.decompress(body, limit + 1))
    except zlib.error:
        raise RefusedError("invalid_encoding", "The body is not gzip, or damaged.") from None
    if not member.eof or member.unused_data:
        raise RefusedError("invalid_encoding", "The body's gzip is incomplete, or something follows it.")
    return unpacked


def _at_most(limit: int, body: bytes) -> bytes:
    if len(body) > limit:
        raise RefusedError("too_large", f"The body is longer than {limit >> 10} KB, unpacked; send smaller batches.")
    return body


def read(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds; raise RefusedError for anything else."""
    try:
        # Decoded here, for `json` lets through bytes that are not UTF-8.
        payload = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise RefusedError("invalid_json", "The body is not UTF-8.") from None
    except RecursionError:
        raise RefusedError("invalid_json", "The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise RefusedError("invalid_json", f"The body is not JSON: line {error.lineno}, column {error.colno}.") from None
    except ValueError:
        raise RefusedError("invalid_json", "The body has a number that JSON does not know, or one of too many digits.") from None
    if not isinstance(payload, dict):
        raise RefusedError("invalid_json", "The body is JSON, but not an object.")
    return payload


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN, Infinity, -Infinity


def complete(
    payload: dict[str, Any], call: str | None, *, source: str, received_at: datetime, ip: str | None, is_browser: bool
) -> bytes:
    """Return a request's calls as NDJSON; raise RefusedError when one of them is no object or too large.

    `call` is the type that the path says, None for a batch, whose context, integrations and sentAt are merged into its calls.
    As Segment's API does: a client's `timestamp` becomes `originalTimestamp` where `sentAt` is known too, so that the warehouse
    can set it right; context.ip is filled in from browsers, or with context.direct. The write key is taken out.
    """
    calls = [payload] if call else payload.get("batch")
    if not isinstance(calls, list):
        raise RefusedError("invalid_batch", "A batch must have `batch`, a list of calls.")
    shared = {} if call else {name: payload[name] for name in ("context", "integrations", "sentAt") if name in payload}
    received = received_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    lines = []
    for number, sent in enumerate(calls):
        if not isinstance(sent, dict):
            raise RefusedError("invalid_batch", f"batch[{number}] is not an object.")
        sent.pop("writeKey", None)
        message = {name: _merged(shared.get(name), sent.get(name)) for name in shared} | {
            name: value for name, value in sent.items() if name not in shared
        }
        if call:
            message["type"] = call
        if message.get("messageId") in (None, ""):
            message["messageId"] = _message_id(message, source, number, received)
        if _is_time(message.get("timestamp")) and _is_time(message.get("sentAt")) and "originalTimestamp" not in message:
            message["originalTimestamp"] = message.pop("timestamp")
        context = message.get("context") or {}
        if ip and isinstance(context, dict) and (is_browser or context.get("direct") is True):
            message["context"] = {"ip": ip} | context
        message["receivedAt"] = received
        line = _line(message)
        if len(line) > MAX_CALL and len(_line(sent)) > MAX_CALL:
            raise RefusedError(
                "too_large", f"batch[{number}] is longer than {MAX_CALL >> 10} KB." if not call else "The call is too long."
            )
        lines.append(line + b"\n")
    return b"".join(lines)


def _merged(outer: Any, inner: Any) -> Any:
    """Return what a call says on top of what its batch says."""
    if isinstance(outer, dict) and isinstance(inner, dict):
        return outer | inner
    return outer if inner is None else inner


def _message_id(message: Mapping[str, Any], source: str, number: int, received: str) -> str:
    """Return an id that a repeated request gets again, for a call that has none.

    A call without any time of its client counts as new each time: a second click looks like the first one repeated.
    """
    times = [message.get(name) for name in ("timestamp", "originalTimestamp", "sentAt")]
    said = {name: value for name, value in message.items() if name not in ("messageId", "sentAt", "receivedAt")}
    identity = json.dumps([source, number, next(filter(None, times), received), said], sort_keys=True)
    return "collected-" + hashlib.sha256(identity.encode()).hexdigest()[:32]


def _is_time(text: object) -> bool:
    """Return whether a text is an ISO 8601 time with a zone; any other stays where it is, for the warehouse to judge."""
    shape = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)"
    if not isinstance(text, str) or not re.fullmatch(shape, text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _line(message: Mapping[str, Any]) -> bytes:
    """Return JSON in one line. Half of a surrogate pair, as a text cut within an emoji leaves it, becomes U+FFFD."""
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise RefusedError("invalid_json", "The body is nested too deeply.") from None
    except ValueError:
        raise RefusedError("invalid_json", "The body has a number too large for a double.") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


# ---------------------------------------------------------------- the journal


class Journal:
    """Appends to one open file a source. One thread writes; a single fsync serves all who wait for it."""

    def __init__(self, landing: Path, *, max_bytes: int, max_seconds: float) -> None:
        """Deliver what a killed collector left, then take lines. A file is delivered once it has so many bytes or seconds."""
        self.landing, self.max_bytes, self.max_seconds = landing, max_bytes, max_seconds
        self._open: dict[str, _File] = {}
        self._waiting: list[tuple[str, bytes, Future[None]]] = []
        self._is_closing = False
        self._changed = threading.Condition()
        recover(landing)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, source: str, lines: bytes) -> Future[None]:
        """Return a future that is done when the lines are on disk, or holds the OSError that kept them from it."""
        future: Future[None] = Future()
        with self._changed:
            if self._is_closing:
                future.set_exception(OSError("the collector is stopping"))
            else:
                self._waiting.append((source, lines, future))
                self._changed.notify()
        return future

    def close(self) -> None:
        """Write what is waiting and deliver every file."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = min((file.opened + self.max_seconds for file in self._open.values()), default=None)
                patience = None if due is None else max(due - time.monotonic(), 0)
                self._changed.wait_for(lambda: self._waiting or self._is_closing, patience)
                waiting, self._waiting = self._waiting, []
                is_closing = self._is_closing
            appends: dict[str, list[tuple[bytes, Future[None]]]] = {}
            for source, lines, future in waiting:
                if future.set_running_or_notify_cancel():
                    appends.setdefault(source, []).append((lines, future))
            for source, parts in appends.items():
                self._commit(source, parts)
            for source, file in list(self._open.items()):
                if is_closing or file.size >= self.max_bytes or time.monotonic() >= file.opened + self.max_seconds:
                    self._deliver(source)
            if is_closing:
                return

    def _commit(self, source: str, parts: Iterable[tuple[bytes, Future[None]]]) -> None:
        try:
            if source not in self._open:
                self._open[source] = _File(self.landing / source)
            self._open[source].append(b"".join(lines for lines, _ in parts))
        except Exception as error:  # whatever it is, those who wait must hear of it
            # After a failed write or fsync nothing can be said of what follows the last good one: cut it off, begin anew.
            self._deliver(source)
            for _, future in parts:
                future.set_exception(error)
        else:
            for _, future in parts:
                future.set_result(None)

    def _deliver(self, source: str) -> None:
        if file := self._open.pop(source, None):
            with suppress(OSError):  # what cannot be delivered now is at the next start
                file.deliver()


class _File:
    """A file being written; `size` is how many of its bytes are known to be on disk."""

    def __init__(self, folder: Path) -> None:
        _make_folder(folder)
        name = f"collected-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(6)}.ndjson.part"
        self.path, self.size, self.opened = folder / name, 0, time.monotonic()
        self._file = self.path.open("xb", buffering=0)
        try:
            _sync_folder(folder)
        except OSError:
            self.deliver()
            raise

    def append(self, content: bytes) -> None:
        """Write and fsync, or raise OSError."""
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self.size += len(content)

    def deliver(self) -> None:
        """Give the file its final name, without what is not known to be on disk."""
        with self._file:
            self._file.truncate(self.size)
        _deliver(self.path)


def recover(landing: Path) -> None:
    """Deliver the files that a killed collector left, without the torn last line: it was never acknowledged.

    Whole lines that had not been acknowledged either stay: their sender repeats them under the same message id.
    """
    for path in sorted(landing.glob("*/collected-*.ndjson.part")):
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(end - (64 << 10), 0)
                file.seek(start)
                if found := file.read(end - start).rfind(b"\n") + 1:
                    end = start + found
                    break
                end = start
            file.truncate(end)
            os.fsync(file.fileno())
        _deliver(path)


def _deliver(path: Path) -> None:
    if path.stat().st_size:
        path.rename(path.with_suffix(""))
    else:
        path.unlink()
    _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each on disk before anything is put into it."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
