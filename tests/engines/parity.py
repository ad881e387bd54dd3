"""What is compared across engines: deliveries in, the published tables in a canonical form out."""

from __future__ import annotations

import csv
import gzip
import hashlib
import itertools
import json
import resource
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.lib import demo_shop
from tests.conftest import tessera

CLASSES = {"VARCHAR": "text", "BIGINT": "integer", "INTEGER": "integer", "DOUBLE": "float"}


@dataclass(frozen=True)
class Delivery:
    """Files for the landing folder (path within it → bytes), and the time as of which they are run."""

    as_of: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Table:
    """A table in canonical form: columns with the class of their type, rows sorted, floats to 9 digits, decimals exact."""

    columns: list[tuple[str, str]]
    rows: list[str]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self.columns, self.rows]).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What a run published and exported, and what it cost (seconds of CPU of all its processes, seconds that passed)."""

    tables: dict[str, Table]
    exports: dict[str, str]
    cpu_seconds: float
    seconds: float


def deliveries(folder: Path, *, events: int, shares: tuple[float, ...]) -> list[Delivery]:
    """Cut a demo shop into deliveries that end after these shares of its lines, in the order of their receipt.

    Every 17th line of one comes late, with the next; every 13th comes again with the next. Each brings all spend until then anew.
    """
    demo_shop.generate(folder / "landing", folder / "truth", events=events, seed=11, files=1)
    calls = []
    for file in sorted((folder / "landing").glob("shop_*/*.gz")):
        for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True):
            calls.append((_received(line), file.parent.name, line))
    calls.sort()
    spend = list(csv.reader((folder / "landing" / "tables" / "ad_spend.csv").read_text(encoding="utf-8").splitlines()))
    day = spend[0].index("date_day")
    cuts = [0, *(round(len(calls) * share) for share in shares)]
    result, held = [], []
    for number, (begin, end) in enumerate(itertools.pairwise(cuts), start=1):
        part = calls[begin:end]
        late, again = part[16::17], part[12::13]
        as_of = max(received for received, _, _ in part)[:10] + "T23:59:59"
        files: dict[str, bytes] = {}
        for _, source, line in [*held, *(call for call in part if call not in late)]:
            name = f"{source}/{number}.ndjson"
            files[name] = files.get(name, b"") + line
        lines = [",".join(row) for row in spend[1:] if row[day] <= as_of]
        files[f"tables/ad_spend-{number}.csv"] = "\n".join([",".join(spend[0]), *lines, ""]).encode()
        files |= {f"tables/{name}.csv": (folder / "landing" / "tables" / f"{name}.csv").read_bytes() for name in demo_shop.TABLES}
        held = [*late, *again]
        result.append(Delivery(as_of, files))
    return result


def _received(line: bytes) -> str:
    try:
        return str(json.loads(line).get("receivedAt") or "")
    except ValueError:
        return ""


def run(home: Path, delivery: Delivery, variables: dict[str, str]) -> Outcome:
    """Land a delivery in a home, run everything, and read what was published."""
    for name, content in delivery.files.items():
        file = home / "landing" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    tessera(home, "run", as_of=delivery.as_of, **variables)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    exports = {
        str(file.relative_to(home / "exports")): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((home / "exports").rglob("*.csv"))
    }
    return Outcome(published(home), exports, cpu_seconds, seconds)


def published(home: Path) -> dict[str, Table]:
    """Return the tables of a home's current snapshot."""
    tables = {}
    with duckdb.connect() as connection:
        for file in sorted((home / "published" / "current").glob("*.parquet")):
            cursor = connection.execute("select * from read_parquet(?)", [str(file)])
            columns = [(column[0], CLASSES.get(str(column[1]), str(column[1]).lower())) for column in cursor.description]
            tables[file.stem] = Table(columns, sorted(repr(tuple(map(_canonical, row))) for row in cursor.fetchall()))
    return tables


def _canonical(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value) if isinstance(value, Decimal) else value


def differences(expected: Outcome, found: Outcome) -> str:
    """Return the first rows in which two outcomes differ, as text; empty when all fingerprints are equal."""
    report = [f"published by one only: {name}" for name in sorted(expected.tables.keys() ^ found.tables.keys())]
    for name in sorted(expected.tables.keys() & found.tables.keys()):
        one, other = expected.tables[name], found.tables[name]
        if one.fingerprint == other.fingerprint:
            continue
        report.append(f"{name}: {len(one.rows)} rows, {len(other.rows)} on the other engine")
        if one.columns != other.columns:
            report.append(f"  columns: {sorted(set(one.columns) ^ set(other.columns)) or 'in another order'}")
        report += [f"  only on DuckDB: {row}" for row in sorted(set(one.rows) - set(other.rows))[:2]]
        report += [f"  only there:     {row}" for row in sorted(set(other.rows) - set(one.rows))[:2]]
    if expected.exports != found.exports:
        report.append(f"exports: {sorted(expected.exports.items() ^ found.exports.items())}")
    return "\n".join(report)
