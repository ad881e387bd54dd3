"""Loads delivered files into the raw tables, exactly once: Segment calls as NDJSON, JSON arrays or Parquet, object tables.

A file's rows, rejected lines, phone numbers and line in the ledger appear together or not at all: one transaction holds a file, or
several small ones.
Nothing is dropped: lines = rows loaded + rows rejected + duplicates, for every file.

DuckDB parses the lines, but Python reads, decompresses and splits them: DuckDB's own reader does not verify the checksum of
gzip, and fails a whole file for one bad line, or forgets that line's bytes. What is said of a line holds for an element of an
array and a row of Parquet too; its line number is its place among them, from 1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import duckdb
import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from isal import isal_zlib

from orchestration.lib import object_tables, sources
from orchestration.lib.errors import TesseraError, UsageError
from orchestration.lib.warehouse import TABLES, Warehouse, literal

MAX_LINE = 16 << 20  # bytes; a longer line is rejected
MAX_LINE_HELD = 256 << 20  # bytes; a file without a line end for so long is not NDJSON, and memory must stay bounded
BLOCK = 32 << 20  # bytes of whole lines parsed at a time
ROWS_PER_INSERT = 98_304  # less than a row group of DuckDB (122,880): just above it, inserts leave fragments to rewrite
ROWS_PER_COMMIT = 200_000  # small files share a commit and a search for duplicates; between two row groups of DuckDB, as above
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `error` is set when it was refused; then nothing of it was loaded."""

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
        return [file for file in self.files if file.error]

    def raise_for_refused(self) -> None:
        """Raise one TesseraError about all refused files, if there are any; the other files stay loaded."""
        errors = [file.error for file in self.files if file.error]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise TesseraError(
                f"{len(errors)} of {len(self.files)} files were refused; nothing of them was loaded, all of the others was.",
                found="".join(f"\n    {error.where}: {error.found}; {error.fix}" for error in errors),
                allowed=errors[0].allowed,
            )


class _Counts(NamedTuple):
    loaded: int
    rejected: int
    duplicate: int

    def with_duplicates(self, count: int) -> _Counts:
        """Return the counts when so many of the loaded rows have turned out to be duplicates."""
        return _Counts(self.loaded - count, self.rejected, self.duplicate + count)


class _RefusedError(Exception):
    """The file cannot be loaded: what was found in it, and what to do."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.fix = found, fix


def load_files(
    warehouse: Warehouse,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    region: str,
    on_file: Callable[[FileReport], None] | None = None,
) -> LoadReport:
    """Load files of Segment calls (NDJSON, a JSON array, Parquet); of a folder, every *.ndjson, *.jsonl, *.json (also .gz) and *.parquet.

    `source` says who sent them (default: the name of the file's folder); `region`, such as GB, how to read phone numbers
    without a country code. Refused files are in the report. Raises UsageError, before anything is loaded, for a missing
    path or a bad name.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError("The region of phone numbers is unknown.", found=repr(region), allowed="a country code such as GB")
    files = [(path, _source_of(path, source)) for path in _find(paths, (".ndjson", ".jsonl", ".json", ".parquet"))]
    allowed = "Segment calls as NDJSON or as one JSON array (UTF-8, plain or gzip), or as Parquet with one row a call"
    return _load(warehouse, files, partial(_CallLoader, region=region), allowed, on_file)


def load_tables(
    warehouse: Warehouse,
    paths: Sequence[Path],
    *,
    region: str,
    table: str | None = None,
    on_file: Callable[[FileReport], None] | None = None,
) -> LoadReport:
    """Load files of object tables (`object_tables.SHAPES`), each by its name's beginning or by `table`; of a folder, every *.csv,
    *.ndjson, *.jsonl (also .gz) and *.parquet in it."""
    report = LoadReport()
    for path in _find(paths, (".csv", ".ndjson", ".jsonl", ".parquet")):
        name = table or object_tables.name_of(path.name)
        shape = object_tables.SHAPES[name] if name else None
        allowed = f"a name that begins with one of {', '.join(object_tables.SHAPES)}"
        if shape:
            allowed = f"CSV, NDJSON or Parquet with the columns {', '.join(shape.required)}"
            allowed += f", and one of {', '.join(shape.one_of)}" if shape.one_of else ""
            more = [
                column for column in shape.types if column not in (*shape.required, *shape.one_of, *shape.columns, *shape.fixed)
            ]
            allowed += f"; {', '.join(more)} may be added" if more else ""
        loader = partial(_RowLoader, shape=shape, region=region)
        report.files += _load(warehouse, [(path, name or "tables")], loader, allowed, on_file).files
    return report


# ---------------------------------------------------------------- files and the ledger


def is_delivered(path: Path, folder: Path) -> bool:
    """Return whether a file below a folder is there to be read: neither hidden nor still being written (.tmp, .part, .partial)."""
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not is_hidden and not re.search(r"\.(tmp|part|partial)\b", path.name.lower())


def _find(paths: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files to load, each once; of a folder its files in order, without the hidden and the half-written."""
    if missing := [str(path) for path in paths if not (path.is_file() or path.is_dir())]:
        raise UsageError("There is no such file or folder.", where=", ".join(missing), fix="check the path; nothing was loaded")

    def is_wanted(path: Path, folder: Path) -> bool:
        return path.name.lower().removesuffix(".gz").endswith(suffixes) and is_delivered(path, folder)

    def files_of(path: Path) -> list[Path]:
        return [file for file in sorted(path.rglob("*")) if is_wanted(file, path)] if path.is_dir() else [path]

    return list(dict.fromkeys(file.parent.resolve() / file.name for path in paths for file in files_of(path)))


def _source_of(path: Path, source: str | None) -> str:
    name = path.parent.name if source is None else source
    if not sources.NAME.fullmatch(name):
        raise UsageError(
            "The source needs another name.",
            where=str(path),
            found=repr(name),
            allowed=sources.ALLOWED,
            fix="pass --source NAME",
        )
    return name


class _File(NamedTuple):
    """An open file, known by the sha256 of its bytes."""

    content: BinaryIO
    file_id: str
    source: str
    before: os.stat_result

    def refuse_if_changed(self) -> None:
        after = os.fstat(self.content.fileno())
        if (self.before.st_size, self.before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _RefusedError("it changed while it was read", "load it again when its writer has finished")


class _Loader(Protocol):
    """Loads the files of one transaction."""

    def load(self, file: _File) -> _Counts:
        """Store the rows of a file; leave nothing of a file that is refused."""

    def finish(self) -> dict[str, int]:
        """Return how many of the rows counted as loaded are duplicates, by file_id, where some are."""


def _load(
    warehouse: Warehouse,
    files: Iterable[tuple[Path, str]],
    loader: Callable[[Warehouse], _Loader],
    allowed: str,
    on_file: Callable[[FileReport], None] | None,
) -> LoadReport:
    con = warehouse.local
    report = LoadReport()
    # Else each 16 MB of small files would rewrite the last row group of the table.
    [(checkpoint_threshold,)] = _rows(con, "select current_setting('checkpoint_threshold')")
    _rows(con, "set checkpoint_threshold = '256MB'")
    waiting = deque(files)
    try:
        while waiting:
            with warehouse.transaction():
                group = _load_group(warehouse, waiting, loader(warehouse), allowed)
            report.files += group
            for file in group if on_file else ():
                on_file(file)
    finally:
        _rows(con, f"set checkpoint_threshold = '{checkpoint_threshold}'")
    return report


def _load_group(warehouse: Warehouse, waiting: deque[tuple[Path, str]], loader: _Loader, allowed: str) -> list[FileReport]:
    """Load files, until they have rows enough to be worth a commit and a search for duplicates; write their lines of the ledger."""
    reports: dict[Path, FileReport] = {}
    files: dict[str, tuple[Path, _File, _Counts]] = {}
    while waiting and sum(sum(counts) for *_, counts in files.values()) < ROWS_PER_COMMIT:
        path, source = waiting.popleft()
        started = time.perf_counter()
        try:
            with path.open("rb") as content:
                file = _File(content, hashlib.file_digest(content, "sha256").hexdigest(), source, os.fstat(content.fileno()))
                if known := files[file.file_id][0] if file.file_id in files else _known_path(warehouse, file.file_id):
                    message = f"the same bytes as {known}"
                    reports[path] = FileReport(path, file.file_id, "already loaded", message=message)
                    continue
                content.seek(0)
                files[file.file_id] = path, file, loader.load(file)
                reports[path] = FileReport(path, file.file_id, "loaded", seconds=time.perf_counter() - started)
        except (_RefusedError, OSError) as reason:
            found, fix = f"it cannot be read ({type(reason).__name__})", "check that it is there and may be read"
            if isinstance(reason, _RefusedError):
                found, fix = reason.found, reason.fix
            what = f"{path.name} was refused; nothing of it was loaded."
            error = TesseraError(what, where=str(path), found=found, allowed=allowed, fix=fix)
            reports[path] = FileReport(path, "", "refused", message=str(error), error=error)
    duplicates = loader.finish()
    ledger = []
    for path, file, counts in files.values():
        counts = counts.with_duplicates(duplicates.get(file.file_id, 0))
        message = f"lines that could not be read: {counts.rejected:,} (see ingest_rejects)" if counts.rejected else ""
        if not sum(counts):
            message = "it has no lines" if file.before.st_size else "it is empty"
        loaded, rejected, duplicate = counts
        reports[path] = replace(
            reports[path],
            message=message,
            lines=sum(counts),
            rows_loaded=loaded,
            rows_rejected=rejected,
            rows_duplicate=duplicate,
        )
        ledger.append((file.file_id, str(path), file.source, file.before.st_size, file.file_id, sum(counts), *counts))
    if ledger:
        columns = [name for name, _ in TABLES["raw.ingest_files"].columns]
        warehouse.write("raw.ingest_files", pa.Table.from_pylist([dict(zip(columns, line, strict=True)) for line in ledger]))
    return list(reports.values())


def _known_path(warehouse: Warehouse, file_id: str) -> str | None:
    """Return where the file with these bytes lay when it was loaded."""
    known = warehouse.rows(f"select path from {warehouse.name('raw.ingest_files')} where file_id = {literal(file_id)}")
    return known[0][0] if known else None


# ---------------------------------------------------------------- bytes to lines


def _content(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file's bytes; those of gzip decompressed, every member checked against its checksum and length."""
    is_gzip = file.read(2) == GZIP
    file.seek(0)
    if not is_gzip:
        yield from iter(partial(file.read, 1 << 20), b"")
        return
    member = None
    while part := file.read(1 << 15):  # small, so that what it unpacks to fits memory that is used again
        while part := (part if member else part.lstrip(b"\0")):  # zeros may pad the members
            if not member and part[0] != GZIP[0]:  # the library would wait for the rest of a header
                raise _RefusedError("damaged gzip (followed by other bytes)", "deliver the file again")
            member = member or isal_zlib.decompressobj(wbits=31)
            try:
                yield member.decompress(part)
            except isal_zlib.error as error:
                raise _RefusedError(f"damaged gzip ({error})", "deliver the file again") from None
            part = member.unused_data
            member = None if member.eof else member
    if member:
        raise _RefusedError("gzip whose end is missing", "deliver the file again")


def _blocks(parts: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Cut the parts behind whole lines: (text, where its last whole line ends; in the last block, its length)."""
    held = b""
    for part in parts:
        text = held + part
        end = text.rfind(b"\n") + 1
        if len(text) - end > MAX_LINE_HELD:
            raise _RefusedError(f"a line longer than {MAX_LINE_HELD >> 20} MiB", "write one JSON object a line")
        held = text[end:]
        if end:
            yield text, end
    if held:
        yield held, len(held)


def _spans(text: bytes, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the starts and the sizes of the lines of text[begin:end]; a line's end is no part of it."""
    octets = np.frombuffer(text, np.uint8)
    steps = range(0, end, 1 << 20)  # by the MiB: fresh memory for a mask of the whole text costs more than the search
    ends = np.concatenate([i + np.flatnonzero(octets[i : min(i + steps.step, end)] == ord("\n")) for i in steps])
    if text[end - 1 : end] != b"\n":
        ends = np.append(ends, end)
    starts = np.concatenate(([begin], ends[:-1] + 1))
    sizes = ends - starts
    return starts, sizes - ((sizes > 0) & (octets[ends - 1] == ord("\r")))


def _views(text: bytes, starts: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """Return stretches of the text as an Arrow array of bytes. None of them is copied.

    Arrow's view is 16 bytes: the size, then the stretch itself if that has 12 bytes or less, else its first 4, 0, its start.
    """
    octets = np.frombuffer(text, np.uint8)

    def first(count: int, of: np.ndarray) -> np.ndarray:
        return octets[np.minimum(of[:, None] + np.arange(count), len(octets) - 1)]

    views = np.zeros((len(starts), 4), np.int32)
    views[:, 0], views[:, 1], views[:, 3] = sizes, first(4, starts).view(np.int32)[:, 0], starts
    is_short = sizes <= 12
    whole = first(12, starts[is_short])
    whole[np.arange(12) >= sizes[is_short, None]] = 0
    views[is_short, 1:] = whole.view(np.int32)
    return pa.Array.from_buffers(pa.binary_view(), len(starts), [None, pa.py_buffer(views), pa.py_buffer(text)])


def _are_utf8(text: bytes, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return for each line whether it is UTF-8; looked at one by one only if not all are."""

    def is_utf8(line: bytes) -> bool:
        try:
            line.decode()
        except UnicodeDecodeError:
            return False
        return True

    try:
        _views(text, starts, sizes).view(pa.string_view()).validate(full=True)
    except pa.ArrowInvalid:
        return np.array([is_utf8(text[start : start + size]) for start, size in zip(starts, sizes, strict=True)])
    return np.ones(len(starts), bool)


OTHER_KINDS = {
    b"PAR1": "Parquet within gzip", b"PK\x03\x04": "a zip archive or a spreadsheet", GZIP: "gzip within gzip",
    b"%PDF": "a PDF", b"SQLite format 3": "an SQLite database", b"ORC": "an ORC file", b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file", b"\x28\xb5\x2f\xfd": "compressed by zstd", b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz", b"\xff\xfe": "text in UTF-16", b"\xfe\xff": "text in UTF-16",
}  # fmt: skip


def _refuse_other_kind(content: bytes) -> None:
    """Refuse a file whose first bytes are not those of text in UTF-8."""
    for first_bytes, kind in OTHER_KINDS.items():
        if content.startswith(first_bytes):
            raise _RefusedError(f"it seems to be {kind}", "unpack or convert it to text in UTF-8 (plain or gzip) and load that")


def _refuse_other_text(head: bytes) -> None:
    """Refuse a file in which no line is a JSON object, with a guess at what it is."""
    start, first_line = head[:1], head.split(b"\n")[0]
    fix = "write one JSON object a line"
    if start == b"[":
        raise _RefusedError(
            "an array in which no element is a JSON object", "write one array of calls, or one JSON object a line"
        )
    if start == b"{":
        raise _RefusedError("each object is broken or goes over several lines", f"{fix}, for example with jq -c .")
    if re.search(rb"[\0-\x08\x0e-\x1f]", head):
        raise _RefusedError("it seems to be binary data", fix)
    if start == b"<":
        raise _RefusedError("it seems to be XML or HTML", fix)
    if re.search(rb"[,;\t]", first_line):
        raise _RefusedError("it seems to be CSV", f"{fix}; ad spend as CSV is loaded from landing/tables/ad_spend.csv")
    raise _RefusedError("no line is a JSON object", fix)


# ---------------------------------------------------------------- arrays and Parquet to lines


class _Lines(NamedTuple):
    """Lines within a text: where they start, their sizes, the number of the first, and of the one that the file's end cut."""

    text: bytes
    starts: np.ndarray
    sizes: np.ndarray
    first_number: int
    unended: int | None = None
    are_elements: bool = False


def _lines(parts: Iterable[bytes]) -> Iterator[_Lines]:
    """Yield the lines of NDJSON, or the elements of a file that is one JSON array, by the block."""
    groups = _grouped(parts)
    first = next(groups, b"")
    _refuse_other_kind(first)
    groups = chain([first.removeprefix(BOM)], groups)
    if _is_array(first.removeprefix(BOM)):
        yield from _elements(groups)
        return
    number = 1
    for text, end in _blocks(groups):
        starts, sizes = _spans(text, 0, end)
        yield _Lines(text, starts, sizes, number, None if text[end - 1 : end] == b"\n" else number + len(starts) - 1)
        number += len(starts)


def _grouped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join the parts to stretches of BLOCK bytes or more."""
    held, size = [], 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _is_array(text: bytes) -> bool:
    """Return whether a file that begins so is one JSON array; a line that holds a whole array, with more to come, is a bad line."""
    content = text.lstrip()
    if not content.startswith(b"["):
        return False
    _, end = _separators(content[1:])
    return end is None or not content[end + 2 :].strip()


# What gives JSON its structure: 1 quote, 2 backslash, 3 opens, 4 closes, 5 comma.
_STRUCTURE_OF = np.zeros(256, np.uint8)
for _kind, _octets in enumerate((b'"', b"\\", b"[{", b"]}", b","), start=1):
    _STRUCTURE_OF[list(_octets)] = _kind


def _separators(text: bytes) -> tuple[np.ndarray, int | None]:
    """Return where commas part the elements of an array, whose text begins after its bracket, and where it closes, if it does."""
    octets = np.frombuffer(text, np.uint8)
    at = np.flatnonzero(_STRUCTURE_OF[octets])
    kinds = _STRUCTURE_OF[octets[at]]
    if (kinds == 2).any():  # an odd run of backslashes escapes the quote that follows it
        slashes = at[kinds == 2]
        last = np.append(np.flatnonzero(np.diff(slashes) != 1), len(slashes) - 1)
        escaped = (slashes[last] + 1)[np.diff(np.append(-1, last)) % 2 == 1]
        is_kept = (kinds != 2) & ~((kinds == 1) & np.isin(at, escaped))
        at, kinds = at[is_kept], kinds[is_kept]
    is_outside = np.cumsum(kinds == 1) % 2 == 0
    at, kinds = at[is_outside & (kinds > 2)], kinds[is_outside & (kinds > 2)]
    depth = np.cumsum((kinds == 3).astype(np.int64) - (kinds == 4))
    closes = np.flatnonzero(depth < 0)
    stop = closes[0] if len(closes) else len(at)
    return at[:stop][(depth[:stop] == 0) & (kinds[:stop] == 5)], int(at[stop]) if len(closes) else None


def _elements(blocks: Iterable[bytes]) -> Iterator[_Lines]:
    """Yield the elements of one JSON array; refuse it where its end is missing or more follows: nobody can tell what belongs where."""
    blocks = iter(blocks)
    held, number = next(blocks).lstrip()[1:], 1
    fix = "deliver the whole array again, or write one JSON object a line: then one bad line costs no other"
    for block in chain([b""], blocks):
        text = held + block
        separators, end = _separators(text)
        if end is not None and text[end : end + 1] != b"]":
            raise _RefusedError(f"a JSON array whose element {number + len(separators):,} closes what it did not open", fix)
        is_last = end is not None
        ends = np.append(separators, end) if is_last else separators
        starts = np.concatenate(([0], separators + 1))[: len(ends)].astype(np.int64)
        starts, sizes = _trimmed(text, starts, ends.astype(np.int64) - starts)
        yield _Lines(text, starts, sizes, number, are_elements=True)
        number += len(starts)
        if is_last:
            if text[end + 1 :].strip() or any(rest.strip() for rest in blocks):
                raise _RefusedError("more text after the end of a JSON array", fix)
            return
        held = text[separators[-1] + 1 :] if len(separators) else text
        if len(held) > MAX_LINE_HELD:
            raise _RefusedError(f"a JSON array whose element {number:,} is longer than {MAX_LINE_HELD >> 20} MiB", fix)
    raise _RefusedError(f"a JSON array that ends within its element {number:,}", fix)


def _trimmed(text: bytes, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the stretches without the blanks around them."""
    if not len(starts):
        return starts, sizes
    octets = np.frombuffer(text, np.uint8)
    first, last = octets[np.minimum(starts, len(octets) - 1)], octets[starts + sizes - 1]
    for i in np.flatnonzero((sizes > 0) & ((first <= ord(" ")) | (last <= ord(" ")))):
        element = text[starts[i] : starts[i] + sizes[i]]
        content = element.lstrip()
        starts[i] += len(element) - len(content)
        sizes[i] = len(content.rstrip())
    return starts, sizes


def _parquet_lines(file: BinaryIO, con: duckdb.DuckDBPyConnection) -> Iterator[_Lines]:
    """Yield the rows of Parquet as calls in JSON: columns by Segment's names, in camelCase or snake_case; objects are structs, maps or
    JSON as text."""
    damaged = "deliver the file again; Parquet's checksums tell which page is damaged, where its writer keeps them"
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        found = {name.lower().replace("_", ""): name for name in reversed(parquet.schema_arrow.names)}
        keys = [key for key in (*CALL_TEXTS.values(), *CALL_OBJECTS.values()) if key.lower() in found]
        if "type" not in keys or not {"userId", "anonymousId"} & set(keys):
            columns = ", ".join(parquet.schema_arrow.names[:8])
            raise _RefusedError(
                f"Parquet with the columns {columns[:200]}",
                "name a column `type`, and `userId` or `anonymousId`, as Segment does",
            )
        number = 1
        for batch in parquet.iter_batches(ROWS_PER_INSERT // 8, columns=[found[key.lower()] for key in keys]):
            rows = pa.table({key: _decoded(batch.column(found[key.lower()])) for key in keys})
            rows.validate(full=True)
            line = "json_object(" + ", ".join(f"'{key}', {_json_of(rows.schema.field(key))}" for key in keys) + ")"
            texts = [text.encode() for (text,) in _rows(con, f"select cast({line} as varchar) from tessera_delivered", rows)]
            sizes = np.array([len(text) for text in texts], np.int64)
            yield _Lines(b"".join(texts), np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64), sizes, number)
            number += len(texts)
    except (pa.ArrowException, OSError, duckdb.Error, UnicodeDecodeError) as error:
        raise _RefusedError(f"damaged Parquet ({type(error).__name__})", damaged) from None


def _decoded(column: pa.Array) -> pa.Array:
    """Return a column of bytes (some writers call texts so) as text, dictionaries as their values, times in UTC."""
    if pa.types.is_timestamp(column.type):
        return pc.cast(column, pa.timestamp("us"), safe=False)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_bytes = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    return pc.cast(column, pa.string()) if is_bytes else column


def _json_of(column: pa.Field) -> str:
    """Return DuckDB's expression of a column as JSON: times in ISO 8601 and UTC; the text of an object is JSON already."""
    name = f'"{column.name}"'
    if pa.types.is_timestamp(column.type):
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if column.name in CALL_OBJECTS.values() and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return f"case when json_valid({name}) then cast({name} as json) else to_json({name}) end"
    return name


# ---------------------------------------------------------------- Segment calls

# Column of raw.events → key of the call. Texts: a number becomes its text. Objects: JSON that DuckDB writes anew, without
# spaces; the values stay equal, but a decimal number keeps no more digits than a double has.
CALL_TEXTS = {
    "message_id": "messageId", "type": "type", "event": "event", "user_id": "userId", "anonymous_id": "anonymousId",
    "group_id": "groupId", "timestamp": "timestamp", "original_timestamp": "originalTimestamp", "sent_at": "sentAt",
    "received_at": "receivedAt", "previous_id": "previousId", "name": "name",
}  # fmt: skip
CALL_OBJECTS = {"context": "context", "properties": "properties", "traits": "traits", "integrations": "integrations"}

_STRUCTURE = json.dumps(dict.fromkeys(CALL_TEXTS.values(), "VARCHAR") | dict.fromkeys(CALL_OBJECTS.values(), "JSON"))
_COLUMNS = ", ".join(f"call.{key} as {column}" for column, key in (CALL_TEXTS | CALL_OBJECTS).items() if column != "message_id")
_IS_OBJECT = r"case when starts_with(line, '{') then true else regexp_matches(line, '^[ \t]*\{') end"
# DuckDB takes NaN and Infinity for numbers, other engines do not read such JSON. (It also takes nan and inf, which no writer
# of JSON makes and which cost more to look for.) A case, because both sides of an `and` are evaluated.
_HAS_NAN = r"""case when contains(line, 'NaN') or contains(line, 'Infinity')
    then regexp_matches(regexp_replace(line, '"(?:[^"\\]|\\.)*"', '', 'g'), 'NaN|Infinity') else false end"""
# An escaped NUL becomes U+FFFD, for most warehouses cannot store it. (A backslash may itself be escaped.)
_TEXT = r"""case when contains(line, '\u0000')
    then regexp_replace(line, '((?:^|[^\\])(?:\\\\)*)(?:\\u0000)+', '\1\\ufffd', 'g') else line end"""
# Asked before parsing: one failure within `try` would make DuckDB parse 2,048 lines one by one.
_IS_READABLE = f"strlen(line) <= {MAX_LINE} and {_IS_OBJECT} and not {_HAS_NAN} and json_valid(line)"
_CALLS = f"""
    select {_COLUMNS}, case when call.messageId <> '' then call.messageId else md5(line) end as message_id,
        $source as source_id, $file_id as file_id, line_number
    from (select line_number, line, from_json({_TEXT}, '{_STRUCTURE}') as call from tessera_delivered where {_IS_READABLE})
    returning line_number,
        case when contains(traits, '"phone"') then traits ->> '$.phone' end as phone,
        case when contains(context, '"phone"') then context ->> '$.traits.phone' end as context_phone"""
_REJECTS = rf"""
    select $file_id as file_id, line_number, to_base64(bytes) as raw_base64,
        case
            when octet_length(bytes) > {MAX_LINE} then 'longer than {MAX_LINE >> 20} MiB'
            when line is null then 'not UTF-8'
            when contains(line, chr(0)) then 'has a NUL byte'
            when json_valid(line) and not {_IS_OBJECT} then 'JSON, but not an object'
            when json_valid(line) then 'has NaN or Infinity, which JSON does not know'
            when json_valid(regexp_replace(line, '\\u[dD][89a-fA-F][0-9a-fA-F]{{2}}', '.', 'g'))
                then 'has half of a surrogate pair (\ud800 to \udfff)'
            when line_number = $unended then 'not JSON: the file ends within this line'
            else 'not JSON'
        end as reason
    from (select line_number, line as bytes, try(decode(line)) as line from tessera_delivered)
    where not coalesce(regexp_full_match(line, '\s*'), false)"""


class _CallLoader:
    """Loads files of Segment calls."""

    def __init__(self, warehouse: Warehouse, *, region: str) -> None:
        self.warehouse, self.region = warehouse, region
        self.calls, self.rejects = warehouse.collect("raw.events"), warehouse.collect("raw.ingest_rejects")
        self.stored: dict[str, int] = {}
        self.phones: set[str] = set()

    def load(self, file: _File) -> _Counts:
        try:
            counts = self._collect(file)
            file.refuse_if_changed()
        except (_RefusedError, OSError):
            for table in (self.calls, self.rejects):
                _rows(self.warehouse.local, f"delete from {table} where file_id = $file_id", file_id=file.file_id)
            raise
        self.stored[file.file_id] = counts.loaded
        return counts

    def _collect(self, file: _File) -> _Counts:
        con, file_id = self.warehouse.local, file.file_id
        head, stored, rejected = b"", 0, 0
        is_parquet = file.content.read(4) == b"PAR1"
        file.content.seek(0)
        lines_of_file = _parquet_lines(file.content, con) if is_parquet else _lines(_content(file.content))
        for text, starts, sizes, number, unended, are_elements in lines_of_file:
            head = head or b"[" * are_elements + text[:4096].lstrip()
            are_utf8 = _are_utf8(text, starts, sizes)
            for first in range(0, len(starts), ROWS_PER_INSERT):
                some = np.arange(first, min(first + ROWS_PER_INSERT, len(starts)))
                likely = some[are_utf8[some]]
                lines = _views(text, starts[likely], sizes[likely]).view(pa.string_view())
                table = pa.table({"line_number": number + likely, "line": lines})
                insert = f"insert into {self.calls} by name {_CALLS}"
                new = _run(con, insert, table, file_id=file_id, source=file.source).fetchnumpy()
                stored += len(new["line_number"])
                self.phones.update(np.ma.compressed(new["phone"]), np.ma.compressed(new["context_phone"]))
                rest = some[~np.isin(number + some, new["line_number"])]  # blank or bad
                if len(rest):
                    table = pa.table({"line_number": number + rest, "line": _views(text, starts[rest], sizes[rest])})
                    insert = f"insert into {self.rejects} by name {_REJECTS}"
                    rejected += _rows(con, insert, table, file_id=file_id, unended=unended)[0][0]
        if rejected and not stored:
            _refuse_other_text(head)
        return _Counts(stored, rejected, 0)

    def finish(self) -> dict[str, int]:
        self.warehouse.deliver("raw.events")
        self.warehouse.deliver("raw.ingest_rejects")
        _normalise_phones(self.warehouse, self.phones, self.region)
        if not self.stored:
            return {}
        events, file_ids = self.warehouse.name("raw.events"), ", ".join(literal(file_id) for file_id in self.stored)
        position = " ".join(f"when {literal(file_id)} then {place}" for place, file_id in enumerate(self.stored))
        # A message counts as loaded by the first file that holds it.
        first_copies = dict(
            self.warehouse.rows(
                f"""with delivered as (
                    select message_id, min(case file_id {position} end) as place
                    from {events} where file_id in ({file_ids}) group by message_id
                ),
                seen as (
                    select distinct delivered.message_id from {events} as earlier
                    inner join delivered on earlier.message_id = delivered.message_id
                    where earlier.file_id not in ({file_ids})
                )
                select delivered.place, count(*) from delivered
                left join seen on delivered.message_id = seen.message_id
                where seen.message_id is null group by delivered.place"""
            )
        )
        return {file_id: stored - first_copies.get(place, 0) for place, (file_id, stored) in enumerate(self.stored.items())}


PHONES = pa.schema([("phone", pa.string()), ("region", pa.string()), ("phone_e164", pa.string())])


def _normalise_phones(warehouse: Warehouse, phones: set[str], region: str) -> None:
    phone_numbers = warehouse.name("raw.phone_numbers")
    known = {phone for (phone,) in warehouse.rows(f"select phone from {phone_numbers} where region = {literal(region)}")}
    if new := sorted(phones - known):
        rows = {"phone": new, "region": [region] * len(new), "phone_e164": [e164(phone, region) for phone in new]}
        warehouse.write("raw.phone_numbers", pa.table(rows, PHONES))


def normalise_landed_phones(warehouse: Warehouse, schemas: Iterable[str], *, region: str) -> None:
    """Add the phone numbers in tables that Segment or RudderStack landed (traits of identifies and of contexts) to raw.phone_numbers."""
    phones: set[str] = set()
    for schema in schemas:
        for table, columns in warehouse.columns_of(schema).items():
            wanted = ("phone", "context_traits_phone") if table.lower() == "identifies" else ("context_traits_phone",)
            for column in (warehouse.quote(name) for name in columns if name.lower() in wanted):
                relation = f"{warehouse.quote(schema)}.{warehouse.quote(table)}"
                phones.update(str(phone) for (phone,) in warehouse.rows(f"select distinct {column} from {relation}") if phone)
    if phones:
        _normalise_phones(warehouse, phones, region)


def normalise_known_phones(warehouse: Warehouse, *, region: str) -> None:
    """Read the phone numbers that were loaded while `default_region` was another once more, as numbers of this region."""
    table = warehouse.name("raw.phone_numbers")
    here = f"select phone from {table} where region = {literal(region)}"
    if phones := {phone for (phone,) in warehouse.rows(f"select distinct phone from {table} where phone not in ({here})")}:
        _normalise_phones(warehouse, phones, region)


def e164(phone: str, region: str) -> str | None:
    """Return the number as +<country code><number>; None where its length is impossible or all its digits are the same.

    Possible, not valid: the library calls numbers invalid that are newer than its copy of the numbering plans.
    """
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not possible or len(set(str(number.national_number))) == 1:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# ---------------------------------------------------------------- object tables

REJECTS = pa.schema([("file_id", pa.string()), ("line_number", pa.int64()), ("raw_base64", pa.string()), ("reason", pa.string())])


class _RowLoader:
    """Loads files of one object table."""

    def __init__(self, warehouse: Warehouse, *, shape: object_tables.Shape | None, region: str) -> None:
        self.warehouse, self.shape, self.region = warehouse, shape, region

    def load(self, file: _File) -> _Counts:
        shape, warehouse = self.shape, self.warehouse
        if shape is None:
            raise _RefusedError("its name begins with that of no table", "rename the file, or move it out of landing/tables")
        columns = ", ".join(shape.types)
        types = ", ".join(f"{name} {kind}" for name, kind in shape.types.items())
        _rows(warehouse.local, f"create or replace temporary table delivered ({types}, line_number bigint)")
        count, rejects, phones = 0, [], set()
        lines = _fields(file.content, shape)
        while batch := list(islice(lines, ROWS_PER_INSERT)):
            rows = []
            for line_number, line, fields in batch:
                try:
                    rows.append(object_tables.typed(fields(), shape) | {"line_number": line_number})
                except ValueError as reason:
                    raw_base64 = base64.b64encode(line).decode()
                    rejects.append(
                        {"file_id": file.file_id, "line_number": line_number, "raw_base64": raw_base64, "reason": str(reason)}
                    )
            table = pa.Table.from_pylist(rows, object_tables.schema(shape))
            _rows(warehouse.local, "insert into delivered by name select * from tessera_delivered", table)
            phones |= {row["recipient"] for row in rows if row.get("channel") == "sms" and "recipient" in row}
            count += len(rows)
        file.refuse_if_changed()
        # Grouping takes two nulls for equal, as a join does not. Line 0 stands for the rows of earlier files.
        with warehouse.reading(shape.table) as earlier:
            new = warehouse.local.sql(
                f"""select {columns}, $file_id as file_id, min(line_number) as line_number
                from (select {columns}, line_number from delivered union all select {columns}, 0 from {earlier})
                group by {columns} having min(line_number) > 0 order by line_number""",
                params={"file_id": file.file_id},
            ).to_arrow_table()
        _rows(warehouse.local, "drop table delivered")
        warehouse.write(shape.table, new, file_id=file.file_id)
        warehouse.write("raw.ingest_rejects", pa.Table.from_pylist(rejects, REJECTS), file_id=file.file_id)
        _normalise_phones(warehouse, phones, self.region)
        return _Counts(new.num_rows, len(rejects), count - new.num_rows)

    def finish(self) -> dict[str, int]:
        return {}


def _fields(file: BinaryIO, shape: object_tables.Shape) -> Iterator[tuple[int, bytes, Callable[[], Mapping[str, str | None]]]]:
    """Yield the rows of CSV (line 1 is its header), NDJSON or Parquet: number, bytes, and what reads its fields."""
    if file.read(4) == b"PAR1":
        try:
            table = pq.read_table(pa.BufferReader(b"PAR1" + file.read()), page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise _RefusedError(f"damaged Parquet ({type(error).__name__})", "deliver the file again") from None
        _refuse_missing(shape, [name.lower() for name in table.column_names])
        for number, row in enumerate(table.to_pylist(), start=1):
            fields = {name.lower(): object_tables.text_of(value) for name, value in row.items()}
            yield number, json.dumps(fields).encode(), partial(dict, fields)
        return
    file.seek(0)
    content = b"".join(_content(file)).removeprefix(BOM)
    _refuse_other_kind(content)
    lines = [line.rstrip(b"\r") for line in content.split(b"\n")]
    if content.lstrip()[:1] == b"{":
        for number, line in enumerate(lines, start=1):
            if line.strip():
                if number == 1:
                    _refuse_missing(shape, _names_of(line))
                yield number, line, partial(object_tables.from_json, line)
        return
    header = [name.strip(' "').lower() for name in lines[0].decode(errors="replace").split(",")]
    if content:
        _refuse_missing(shape, header)
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            yield number, line, partial(object_tables.from_csv, line, header)


def _names_of(line: bytes) -> Sequence[str]:
    try:
        return list(object_tables.from_json(line))
    except ValueError:
        return []


def _refuse_missing(shape: object_tables.Shape, columns: Sequence[str]) -> None:
    if missing := [name for name in shape.required if name not in columns]:
        raise _RefusedError(
            f"columns without {', '.join(missing)}",
            "name the columns in the first line, separated by commas (in NDJSON: as keys)",
        )


# ---------------------------------------------------------------- DuckDB


def _run(
    con: duckdb.DuckDBPyConnection, sql: str, tessera_delivered: pa.Table | None = None, **values: object
) -> duckdb.DuckDBPyConnection:
    """Run a statement. DuckDB finds the table by the parameter's name; a registered one would stay in memory until commit."""
    return con.execute(sql, values)


def _rows(con: duckdb.DuckDBPyConnection, sql: str, table: pa.Table | None = None, **values: object) -> list[tuple[Any, ...]]:
    """Run a statement and fetch its whole result: DuckDB refuses the next statement while rows are left."""
    return _run(con, sql, table, **values).fetchall()
