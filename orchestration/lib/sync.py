"""Send what a plan says to a destination, once, and record what was acknowledged.

The plan is a table of the published snapshot (activation.sync_plan); the ledger is a table of the warehouse. A planned change whose
outcome at the same as-of time is already in the ledger is not sent again. The file of a run is written under a temporary name,
flushed and renamed before the ledger is committed: a crash between the two repeats the same file under the same name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from orchestration.lib.warehouse import quote, schema_name


@dataclass(frozen=True)
class SyncReport:
    """What one sync did: counts of records by operation, records held back, and the files written (none when nothing changed)."""

    sync: str
    added: int
    changed: int
    removed: int
    held: int
    files: tuple[str, ...]


def run_file_sync(
    warehouse: duckdb.DuckDBPyConnection,
    snapshot: Path,
    sync: str,
    columns: Sequence[str],
    folder: Path,
    *,
    space: str,
    as_of: str,
) -> SyncReport:
    """Write the changes of one sync as CSV and Parquet to `folder/<sync>/` and append their outcomes to the ledger.

    Each row holds the operation, the record key, the columns and, for what is added or changed, the consent that allows it.
    """
    ledger = quote(schema_name("ledger", space))
    plan = snapshot / "activation.sync_plan.parquet"
    [(held,)] = warehouse.execute(
        "select count(*) from read_parquet(?) where sync_id = ? and status = 'held'", [str(plan), sync]
    ).fetchall()
    pending = warehouse.sql(
        f"""
        select plan.record_key, plan.op_type, plan.payload, plan.payload_hash, plan.consent_basis, plan.consent_recorded_at
        from read_parquet(?) as plan
        anti join {ledger}.sync_outcomes as sent
            on plan.sync_id = sent.sync_id and plan.record_key = sent.record_key and plan.op_type = sent.op_type
            and plan.payload_hash = sent.payload_hash and plan.planned_at = sent.planned_at and sent.status = 'succeeded'
        where plan.sync_id = ? and plan.status = 'planned'
            and not exists (select 1 from {ledger}.sync_runs as later where later.sync_id = ? and later.planned_at > ?::timestamp)
        order by case plan.op_type when 'removed' then 0 else 1 end, plan.record_key
        """,
        params=[str(plan), sync, sync, as_of],
    ).to_arrow_table()
    if pending.num_rows == 0:
        return SyncReport(sync, 0, 0, 0, held, ())

    [(run_number,)] = warehouse.execute(
        f"select coalesce(max(run_number), 0) + 1 from {ledger}.sync_runs where sync_id = ?", [sync]
    ).fetchall()
    name = f"{re.sub('[-:]', '', as_of)}-{run_number}"
    files = _write_files(pending, columns, folder / sync, name)

    counts = {op: sum(1 for value in pending["op_type"].to_pylist() if value == op) for op in ("added", "changed", "removed")}
    warehouse.begin()
    try:
        warehouse.register("pending_records", pending)
        warehouse.execute(
            f"""
            insert into {ledger}.sync_outcomes by name
            select ? as sync_id, ? as sync_run_id, ? as run_number, record_key, op_type, payload, payload_hash, consent_basis,
                'succeeded' as status, null as failure_reason, consent_recorded_at, ?::timestamp as planned_at, ?::timestamp as attempted_at
            from pending_records
            """,
            [sync, f"{sync}-{name}", run_number, as_of, as_of],
        )
        warehouse.execute(
            f"insert into {ledger}.sync_runs values (?, ?, ?, 'files', ?, 'succeeded', ?, ?, ?, ?, ?, ?, ?, ?::timestamp)",
            [f"{sync}-{name}", run_number, sync, f"{sync}/{name}", *counts.values(), *counts.values(), held, as_of],
        )
        warehouse.commit()
    except BaseException:
        warehouse.rollback()
        raise
    finally:
        warehouse.unregister("pending_records")
    return SyncReport(sync, counts["added"], counts["changed"], counts["removed"], held, tuple(str(file) for file in files))


def _write_files(pending: pa.Table, columns: Sequence[str], folder: Path, name: str) -> list[Path]:
    payloads = [json.loads(payload) for payload in pending["payload"].to_pylist()]
    fields: dict[str, Any] = {"operation": pending["op_type"], "record_key": pending["record_key"]}
    fields |= {column: pa.array([_as_text(payload.get(column)) for payload in payloads], pa.string()) for column in columns}
    recorded = [value and value.isoformat(timespec="seconds") + "Z" for value in pending["consent_recorded_at"].to_pylist()]
    fields |= {"consent_basis": pending["consent_basis"], "consent_recorded_at": pa.array(recorded, pa.string())}
    table = pa.table(fields)
    safe = pa.table(
        {
            key: pa.array([_no_formula(value) for value in table[key].to_pylist()], pa.string()) if key in columns else table[key]
            for key in fields
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for suffix, write, content in (
        ("csv", pyarrow.csv.write_csv, safe),
        ("parquet", pyarrow.parquet.write_table, table),
    ):
        draft, final = folder / f".{name}.{suffix}", folder / f"{name}.{suffix}"
        write(content, str(draft))
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(final)
        files.append(final)
    return files


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _no_formula(value: str | None) -> str | None:
    """Return a cell that no spreadsheet runs as a formula; numbers and phone numbers stay as they are."""
    if value and value[0] in "=+-@\t\r" and not re.fullmatch(r"[+-][0-9. ]+", value):
        return "'" + value
    return value
