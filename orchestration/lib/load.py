"""Loads delivered files into the raw tables, exactly once: Segment calls as NDJSON, and ad spend as CSV, each plain or gzip.

One file is one transaction: its rows, its rejected lines, its phone numbers and its line in the ledger appear together or not
at all. Nothing is dropped: lines = rows loaded + rows rejected + duplicates, for every file.

DuckDB parses, but Python decompresses and splits the lines, because DuckDB's own reader does not verify the CRC of a gzip file,
fails a whole file for one bad line or loses that line's bytes, and refuses a line over 16 MB.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import duckdb
import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.lib.errors import TesseraError, UsageError

CALL_SUFFIXES = (".ndjson", ".jsonl", ".json")
MAX_LINE = 16 << 20  # bytes; a longer line is rejected, as DuckDB's own JSON reader would
MAX_LINE_HELD = 256 << 20  # bytes; without a line end for so long, a file is not NDJSON, and memory must stay bounded
BLOCK = 16 << 20  # bytes of whole lines parsed at a time
ROWS_PER_INSERT = 98_304  # below DuckDB's row group (122,880 rows): just above it, each insert leaves fragments to rewrite
ROWS_PER_BATCH = 8_192  # several batches an insert let DuckDB parse on every core
BOM = b"\xef\xbb\xbf"

RAW_TABLES: dict[str, str] = {
    # One readable delivered line, duplicates included. Times stay the text that was delivered; staging types them.
    # zstd for long or unique text: half the size and two thirds of the CPU that DuckDB's own choice takes.
    "events": """
        message_id varchar using compression zstd, type varchar, event varchar,
        user_id varchar, anonymous_id varchar, group_id varchar,
        timestamp varchar using compression zstd, original_timestamp varchar using compression zstd,
        sent_at varchar using compression zstd, received_at varchar using compression zstd,
        context varchar using compression zstd, properties varchar using compression zstd,
        traits varchar using compression zstd, integrations varchar, previous_id varchar, name varchar,
        source_id varchar, file_id varchar, line_number bigint, line_hash varchar using compression zstd""",
    # One landed file, by the sha256 of its bytes as delivered.
    "ingest_files": """
        file_id varchar, path varchar, source_id varchar, bytes bigint, sha256 varchar,
        lines bigint, rows_loaded bigint, rows_rejected bigint, rows_duplicate bigint""",
    # One line that could not be read.
    "ingest_rejects": "file_id varchar, line_number bigint, raw_base64 varchar, reason varchar",
    # One phone as delivered, read as a number of the region; phone_e164 is null where it is none.
    "phone_numbers": "phone varchar, region varchar, phone_e164 varchar",
    # One row of a delivered spend report; a row delivered again, equal in every column, is not stored again.
    "ad_spend": """
        platform varchar, account_id varchar, account_name varchar, campaign_id varchar, campaign_name varchar,
        currency varchar, clicks bigint, impressions bigint, spend decimal(18,4), date_day date, synced_at timestamp,
        file_id varchar, line_number bigint""",
}

# Column of raw.events → key of the call.
CALL_TEXTS = {
    "message_id": "messageId", "type": "type", "event": "event", "user_id": "userId", "anonymous_id": "anonymousId",
    "group_id": "groupId", "timestamp": "timestamp", "original_timestamp": "originalTimestamp", "sent_at": "sentAt",
    "received_at": "receivedAt", "previous_id": "previousId", "name": "name",
}  # fmt: skip
CALL_OBJECTS = {"context": "context", "properties": "properties", "traits": "traits", "integrations": "integrations"}

SPEND_REQUIRED = (
    "platform", "account_id", "account_name", "campaign_id", "campaign_name", "clicks", "impressions", "spend", "date_day",
)  # fmt: skip
SPEND_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("platform", "account_id", "account_name", "campaign_id", "campaign_name", "currency")]
    + [("clicks", pa.int64()), ("impressions", pa.int64()), ("spend", pa.decimal128(18, 4))]
    + [("date_day", pa.date32()), ("synced_at", pa.timestamp("us")), ("line_number", pa.int64())]
)


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `error` is set when it was refused, and nothing of it was loaded."""

    path: Path
    file_id: str
    status: Literal["loaded", "already loaded", "refused"]
    lines: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    seconds: float = 0.0
    message: str = ""
    error: TesseraError | None = None


@dataclass
class LoadReport:
    """What became of every file, in the order of loading."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def refused(self) -> list[FileReport]:
        return [file for file in self.files if file.status == "refused"]

    def raise_for_refused(self) -> None:
        """Raise one TesseraError that tells of every refused file; the other files stay loaded."""
        errors = [file.error for file in self.refused if file.error]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise TesseraError(
                f"{len(errors)} of {len(self.files)} files were refused; nothing of them was loaded, the others were.",
                found="".join(f"\n    {error.where}: {error.found}; {error.fix}" for error in errors),
                allowed=errors[0].allowed,
            )


class _Counts(NamedTuple):
    loaded: int
    rejected: int
    duplicate: int


class _RefusedError(Exception):
    """A file that cannot be loaded: what it seems to be, and what to do."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.fix = found, fix


def ensure_raw_tables(con: duckdb.DuckDBPyConnection, schema: str = "raw") -> None:
    """Create the schema and the raw tables where they are absent."""
    _rows(con, f"create schema if not exists {_quoted(schema)}")
    for table, columns in RAW_TABLES.items():
        _rows(con, f"create table if not exists {_quoted(schema)}.{table} ({columns})")


def load_files(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    region: str,
    schema: str = "raw",
    on_file: Callable[[FileReport], None] | None = None,
) -> LoadReport:
    """Load NDJSON files of Segment calls; of a folder, every *.ndjson, *.jsonl and *.json (.gz) in it.

    `source` names who sent them (default: the file's folder), `region` (such as GB) reads phone numbers without a country code.
    Refused files are in the report. Raises UsageError, before anything is loaded, for a missing path or a bad name.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError(
            "The region for phone numbers is unknown.", found=repr(region), allowed="a two-letter country code such as GB"
        )
    files = [(path, _source_of(path, source)) for path in _find(paths, CALL_SUFFIXES)]
    return _load(con, files, schema, partial(_load_calls, region=region), "Segment calls as NDJSON: one JSON object a line", on_file)


def load_ad_spend(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    *,
    schema: str = "raw",
    on_file: Callable[[FileReport], None] | None = None,
) -> LoadReport:
    """Load CSV files of ad spend (the columns of Fivetran's `ad_reporting__campaign_report`); of a folder, every *.csv (.gz)."""
    files = [(path, "ad_spend") for path in _find(paths, (".csv",))]
    return _load(con, files, schema, _load_spend, f"CSV with the columns {', '.join(SPEND_REQUIRED)}", on_file)


# ---------------------------------------------------------------- files and the ledger


def _find(paths: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files to load, each once, those of a folder sorted; hidden and half-written ones in a folder are left out."""
    if missing := [str(path) for path in paths if not (path.is_file() or path.is_dir())]:
        raise UsageError(
            "There is no such file or folder.", where=", ".join(missing), fix="check the path; nothing has been loaded"
        )

    def wanted(path: Path, folder: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        partial_file = {".tmp", ".part", ".partial"} & set(path.suffixes)
        return path.name.lower().removesuffix(".gz").endswith(suffixes) and not hidden and not partial_file and path.is_file()

    found = [[file for file in sorted(path.rglob("*")) if wanted(file, path)] if path.is_dir() else [path] for path in paths]
    return list(dict.fromkeys(file.resolve() for files in found for file in files))


def _source_of(path: Path, source: str | None) -> str:
    name = path.parent.name if source is None else source
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise UsageError(
            "The source has no valid name.",
            where=str(path),
            found=repr(name),
            allowed="1 to 64 letters, digits, dots, dashes or underscores",
            fix="name it with --source NAME",
        )
    return name


def _load(
    con: duckdb.DuckDBPyConnection,
    files: Iterable[tuple[Path, str]],
    schema: str,
    load: Callable[..., _Counts],
    allowed: str,
    on_file: Callable[[FileReport], None] | None,
) -> LoadReport:
    ensure_raw_tables(con, schema)
    report = LoadReport()
    _rows(con,"set checkpoint_threshold='256MB'")
    for path, source in files:
        started = time.perf_counter()
        try:
            outcome = _load_file(con, path, source, _quoted(schema), load)
        except (_RefusedError, OSError) as reason:
            found, fix = (
                (reason.found, reason.fix)
                if isinstance(reason, _RefusedError)
                else (reason.strerror or "it cannot be read", "check that the file is still there and may be read")
            )
            error = TesseraError(
                f"{path.name} was refused; nothing of it was loaded.", where=str(path), found=found, allowed=allowed, fix=fix
            )
            outcome = {"file_id": "", "status": "refused", "message": str(error), "error": error}
        report.files.append(FileReport(path=path, seconds=time.perf_counter() - started, **outcome))
        if on_file:
            on_file(report.files[-1])
    return report


def _load_file(
    con: duckdb.DuckDBPyConnection, path: Path, source: str, raw: str, load: Callable[..., _Counts]
) -> dict[str, Any]:
    """Load one file in one transaction, unless its bytes are in the ledger; return the fields of its report."""
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        file_id = hashlib.file_digest(file, "sha256").hexdigest()
        if known := _rows(con, f"select path from {raw}.ingest_files where file_id = $file_id", file_id=file_id):
            return {"file_id": file_id, "status": "already loaded", "message": f"the same bytes as {known[0][0]}"}
        file.seek(0)
        with _transaction(con):
            counts = load(con, file, file_id=file_id, source=source, raw=raw)
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise _RefusedError("it changed while it was read", "load it again when its writer has finished")
            ledger = [file_id, str(path), source, before.st_size, file_id, sum(counts), *counts]
            con.execute(f"insert into {raw}.ingest_files values (?, ?, ?, ?, ?, ?, ?, ?, ?)", ledger).fetchall()
    message = "it has no lines" if before.st_size else "it is empty"
    if sum(counts):
        message = f"{counts.rejected:,} lines could not be read: see {raw}.ingest_rejects" if counts.rejected else ""
    return {
        "file_id": file_id, "status": "loaded", "message": message, "lines": sum(counts),
        "rows_loaded": counts.loaded, "rows_rejected": counts.rejected, "rows_duplicate": counts.duplicate,
    }  # fmt: skip


# ---------------------------------------------------------------- bytes to lines


def _content(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file's bytes, decompressed (and verified against the CRC and length of each member) when it is gzip."""
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    member = None
    while part := file.read(1 << 17):
        while is_gzip and part:
            if member is None:
                part = part.lstrip(b"\0")  # members may be padded with zeros
                member = zlib.decompressobj(wbits=31) if part else None
                continue
            try:
                yield member.decompress(part)
            except zlib.error as error:
                raise _RefusedError(f"damaged gzip ({error})", "fetch the file again; its checksum does not hold") from None
            part = member.unused_data
            member = None if member.eof else member
        yield part
    if member:
        raise _RefusedError("gzip that ends too early", "fetch the file again; its end is missing")


def _blocks(parts: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Join the parts into blocks of about BLOCK bytes: (text, where its last whole line ends; at the end of the file, its length)."""
    held, size = [], 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size < BLOCK:
            continue
        text = b"".join(held)
        end = text.rfind(b"\n") + 1
        if len(text) - end > MAX_LINE_HELD:
            raise _RefusedError(f"a line longer than {MAX_LINE_HELD >> 20} MiB", "write one JSON object a line")
        held, size = [text[end:]], 0
        if end:
            yield text, end
    if text := b"".join(held):
        yield text, len(text)


def _lines(text: bytes, begin: int, end: int) -> pa.Array:
    """Return the lines of text[begin:end], without their ends, as an Arrow array of views into the text: nothing is copied."""
    octets = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(octets[:end] == ord("\n"))
    if text[end - 1 : end] != b"\n":
        ends = np.append(ends, end)
    starts = np.concatenate(([begin], ends[:-1] + 1))
    sizes = ends - starts
    sizes -= (sizes > 0) & (octets[ends - 1] == ord("\r"))
    # A view is 16 bytes: the size, then the line itself if it is of 12 bytes or less, else its first 4, 0 (the buffer), its start.
    views = np.zeros((len(ends), 4), np.int32)
    views[:, 0], views[:, 3] = sizes, starts
    views[:, 1] = _octets_at(octets, starts, 4).view(np.int32)[:, 0]
    short = sizes <= 12
    inline = _octets_at(octets, starts[short], 12)
    inline[np.arange(12) >= sizes[short, None]] = 0
    views[short, 1:] = inline.view(np.int32)
    return pa.Array.from_buffers(pa.binary_view(), len(ends), [None, pa.py_buffer(views), pa.py_buffer(text)])


def _octets_at(octets: np.ndarray, starts: np.ndarray, count: int) -> np.ndarray:
    return octets[np.minimum(starts[:, None] + np.arange(count), len(octets) - 1)]


def _refuse_other_kind(head: bytes) -> None:
    """Refuse content whose first bytes tell that it is not text in UTF-8."""
    for magic, kind, fix in (
        (b"PAR1", "a Parquet file", "export it as NDJSON"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or export it as text"),
        (b"\x1f\x8b", "gzip within gzip", "decompress it once"),
        (b"%PDF", "a PDF", "load the data it was made from"),
        (b"SQLite format 3", "an SQLite database", "export its tables as text"),
        (b"ORC", "an ORC file", "export it as text"),
        (b"Obj\x01", "an Avro file", "export it as text"),
        (b"ARROW1", "an Arrow file", "export it as text"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd", "decompress it, or compress it with gzip"),
        (b"BZh", "compressed by bzip2", "decompress it, or compress it with gzip"),
        (b"\xfd7zXZ", "compressed by xz", "decompress it, or compress it with gzip"),
        (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
        (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
    ):
        if head.startswith(magic):
            raise _RefusedError(f"it seems to be {kind}", fix)


def _refuse_other_text(head: bytes) -> None:
    """Refuse a file in which no line is a JSON object, saying what it seems to be."""
    start, first_line = head.lstrip()[:1], head.lstrip().split(b"\n")[0]
    if start == b"[":
        raise _RefusedError("it seems to be a JSON array", "write one object a line, for example with jq -c '.[]'")
    if start == b"{":
        raise _RefusedError(
            "no line is a whole JSON object: each is broken, or objects are spread over several lines",
            "write one object a line, for example with jq -c .",
        )
    if b"\0" in head:
        raise _RefusedError("it seems to be binary data", "load the text it was made from")
    if start == b"<":
        raise _RefusedError("it seems to be XML or HTML", "export the data as NDJSON")
    if re.search(rb"[,;\t]", first_line):
        raise _RefusedError("it seems to be CSV", "write events as NDJSON; ad spend as CSV goes to landing/tables/ad_spend.csv")
    raise _RefusedError("no line of it is a JSON object", "write one JSON object a line")


# ---------------------------------------------------------------- Segment calls

_STRUCTURE = json.dumps(dict.fromkeys(CALL_TEXTS.values(), "VARCHAR") | dict.fromkeys(CALL_OBJECTS.values(), "JSON"))
_IS_OBJECT = r"regexp_matches(text, '^[ \t]*\{')"
# DuckDB also reads NaN and Infinity as numbers, which other engines' JSON refuses. Few lines have these letters, so few are
# looked at closely, without their strings. (A case, because DuckDB evaluates both sides of an `and`.)
_HAS_NAN = r"""case
    when contains(text, 'NaN') or contains(text, 'nan') or contains(text, 'Inf') or contains(text, 'inf')
    then regexp_matches(regexp_replace(text, '"(?:[^"\\]|\\.)*"', '', 'g'), '(?i)nan|inf') else false end"""
# No warehouse but this one stores a NUL within text, so an escaped one becomes U+FFFD. (A backslash may itself be escaped.)
_WITHOUT_NUL = r"""case
    when contains(text, '\u0000') then regexp_replace(text, '((?:^|[^\\])(?:\\\\)*)(?:\\u0000)+', '\1\\ufffd', 'g')
    else text end"""
_READABLE = f"octet_length(line) <= {MAX_LINE} and {_IS_OBJECT} and not {_HAS_NAN} and json_valid(text)"
_LINES = "(select line_number, line, try(decode(line)) as text from tessera_lines)"
_CALL_COLUMNS = ", ".join(f"call.{key} as {column}" for column, key in (CALL_TEXTS | CALL_OBJECTS).items())
_CALLS = f"""
    select * replace (coalesce(nullif(message_id, ''), line_hash) as message_id)
    from (
        select {_CALL_COLUMNS}, $source as source_id, $file_id as file_id, line_number, md5(line) as line_hash
        from (select line_number, line, from_json({_WITHOUT_NUL}, '{_STRUCTURE}') as call from {_LINES} where {_READABLE})
    )
    returning line_number,
        case when contains(traits, '"phone"') then traits ->> '$.phone' end as phone,
        case when contains(context, '"phone"') then context ->> '$.traits.phone' end as context_phone"""
_REJECTS = rf"""
    select $file_id as file_id, line_number, to_base64(line) as raw_base64,
        case
            when octet_length(line) > {MAX_LINE} then 'longer than {MAX_LINE >> 20} MiB'
            when text is null then 'not UTF-8'
            when contains(text, chr(0)) then 'has a NUL byte'
            when json_valid(text) and not {_IS_OBJECT} then 'JSON, but not an object'
            when json_valid(text) then 'has NaN or Infinity, which JSON does not know'
            when json_valid(regexp_replace(text, '\\u[dD][89a-fA-F][0-9a-fA-F]{{2}}', '.', 'g'))
                then 'has half of a surrogate pair (\ud800 to \udfff)'
            when line_number = $last_line then 'not JSON: the file ends within this line'
            else 'not JSON'
        end as reason
    from {_LINES} where not coalesce(regexp_full_match(text, '\s*'), false)"""


def _load_calls(
    con: duckdb.DuckDBPyConnection, file: BinaryIO, *, file_id: str, source: str, region: str, raw: str
) -> _Counts:
    head, tail, line_number, stored, rejected, phones = b"", b"", 1, 0, 0, set()
    for text, end in _blocks(_content(file)):
        begin = 0
        if not head:
            _refuse_other_kind(text)
            begin = len(BOM) if text.startswith(BOM) else 0
            head = text[begin : begin + 4096]
        tail = text[max(end - 4096, 0) : end].rstrip()[-1:] or tail
        lines = _lines(text, begin, end)
        last_line = None if text[end - 1 : end] == b"\n" else line_number + len(lines) - 1
        for start in range(0, len(lines), ROWS_PER_INSERT):
            some = lines[start : start + ROWS_PER_INSERT]
            table = pa.table({"line_number": np.arange(line_number, line_number + len(some)), "line": some})
            line_number += len(some)
            con.register("tessera_lines", pa.Table.from_batches(table.to_batches(max_chunksize=ROWS_PER_BATCH)))
            new = con.execute(f"insert into {raw}.events by name {_CALLS}", {"file_id": file_id, "source": source}).to_arrow_table()
            stored += len(new)
            phones.update(*(new[column].drop_null().to_pylist() for column in ("phone", "context_phone")))
            if len(new) < len(some):  # the others are blank or bad
                con.register("tessera_lines", table.filter(~np.isin(table["line_number"], new["line_number"])))
                insert = f"insert into {raw}.ingest_rejects by name {_REJECTS}"
                rejected += _rows(con, insert, file_id=file_id, last_line=last_line)[0][0]
    # An array over several lines has one that reads as an object: its last element.
    is_array = head.lstrip()[:1] == b"[" and tail == b"]" and rejected > stored
    if is_array or (rejected and not stored):
        _refuse_other_text(head)
    _normalise_phones(con, raw, phones, region)
    [(distinct, seen)] = _rows(
        con,
        f"""select
            (select count(distinct message_id) from {raw}.events where file_id = $file_id),
            (select count(distinct message_id) from {raw}.events where file_id <> $file_id
                and message_id in (select message_id from {raw}.events where file_id = $file_id))""",
        file_id=file_id,
    )
    return _Counts(distinct - seen, rejected, stored - (distinct - seen))


def _normalise_phones(con: duckdb.DuckDBPyConnection, raw: str, phones: set[str], region: str) -> None:
    """Add phones to the look-up table: a SQL engine cannot read them, and there are fewer of them than events."""
    con.register("tessera_phones", pa.table({"phone": pa.array(sorted(phones), pa.string())}))
    known = f"select phone from {raw}.phone_numbers where region = $region"
    new = _rows(con, f"select phone from tessera_phones where phone not in ({known}) order by phone", region=region)
    con.register("tessera_phones", pa.Table.from_pylist([{"phone": p, "e164": e164(p, region)} for (p,) in new], _PHONES))
    _rows(con, f"insert into {raw}.phone_numbers select phone, $region, e164 from tessera_phones", region=region)


_PHONES = pa.schema([("phone", pa.string()), ("e164", pa.string())])


def e164(phone: str, region: str) -> str | None:
    """Return the number as +<country code><number>, or None where it is none: not of a possible length, or one digit repeated.

    Possible, not valid: the numbering plan inside the library is older than the newest ranges, and calls new numbers invalid.
    """
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not possible or len(set(str(number.national_number))) == 1:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# ---------------------------------------------------------------- ad spend


def _load_spend(con: duckdb.DuckDBPyConnection, file: BinaryIO, *, file_id: str, source: str, raw: str) -> _Counts:
    content = b"".join(_content(file)).removeprefix(BOM)
    _refuse_other_kind(content[:4096])
    header_line, *lines = (line.rstrip(b"\r") for line in content.split(b"\n"))
    header = [name.strip().lower() for name in header_line.decode(errors="replace").split(",")]
    header = [name.strip('"') for name in header]
    if content and (missing := [name for name in SPEND_REQUIRED if name not in header]):
        raise _RefusedError(f"a header without {', '.join(missing)}", "name the columns in the first line, separated by commas")
    rows, rejects = [], []
    for line_number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        try:
            rows.append({**_spend_row(line, header), "line_number": line_number})
        except ValueError as reason:
            rejects.append([file_id, line_number, base64.b64encode(line).decode(), str(reason)])
    con.register("tessera_rows", pa.Table.from_pylist(rows, SPEND_SCHEMA))
    columns = ", ".join(SPEND_SCHEMA.names[:-1])
    # Grouping, unlike a join, takes two nulls for equal. Line 0 stands for the rows of earlier files.
    [(stored,)] = _rows(
        con,
        f"""insert into {raw}.ad_spend by name
        select {columns}, $file_id as file_id, min(line_number) as line_number
        from (select {columns}, line_number from tessera_rows union all select {columns}, 0 from {raw}.ad_spend)
        group by {columns} having min(line_number) > 0""",
        file_id=file_id,
    )
    if rejects:
        con.executemany(f"insert into {raw}.ingest_rejects values (?, ?, ?, ?)", rejects)
    return _Counts(stored, len(rejects), len(rows) - stored)


def _spend_row(line: bytes, header: list[str]) -> dict[str, Any]:
    """Return the typed columns of one line of CSV; ValueError gives the reason for rejecting it, never its content."""
    try:
        [values] = csv.reader([line.decode()], strict=True)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except csv.Error:
        raise ValueError("a quote is not closed on its line") from None
    if len(values) != len(header):
        raise ValueError(f"{len(values)} fields where the header has {len(header)}")
    row = {name: value.strip() or None for name, value in zip(header, values, strict=True)}
    if not row["platform"]:
        raise ValueError("platform is missing")
    return {
        **{name: row.get(name) for name in SPEND_SCHEMA.names if pa.types.is_string(SPEND_SCHEMA.field(name).type)},
        "clicks": _typed(row, "clicks", _count),
        "impressions": _typed(row, "impressions", _count),
        "spend": _typed(row, "spend", _money, required=True),
        "date_day": _typed(row, "date_day", _day, required=True),
        "synced_at": _typed(row, "synced_at", _utc),
    }


def _typed(row: dict[str, str | None], column: str, parse: Callable[[str], Any], *, required: bool = False) -> Any:
    text = row.get(column)
    if text is None:
        if required:
            raise ValueError(f"{column} is missing")
        return None
    try:
        return parse(text)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{column} cannot be read") from None


def _count(text: str) -> int:
    number = Decimal(text)  # some exports write 12.0
    if number != int(number) or not 0 <= number < 2**63:
        raise ValueError
    return int(number)


def _money(text: str) -> Decimal:
    number = Decimal(text)
    if not abs(number) < 10**14:
        raise ValueError
    return number.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


# ---------------------------------------------------------------- DuckDB


def _quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise UsageError("The schema has no valid name.", found=repr(name), allowed="letters, digits and underscores")
    return f'"{name}"'


def _rows(con: duckdb.DuckDBPyConnection, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """Run a statement and fetch all of its result: DuckDB 2.0 refuses the next statement while rows are left."""
    return con.execute(sql, values).fetchall()


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
        con.commit()
    except BaseException:  # KeyboardInterrupt too
        with suppress(duckdb.Error):
            con.rollback()
        raise
