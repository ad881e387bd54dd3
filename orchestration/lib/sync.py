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
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from orchestration.lib.warehouse import Warehouse


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
    warehouse: Warehouse,
    snapshot: Path,
    sync: str,
    columns: Sequence[str],
    folder: Path,
    *,
    as_of: str,
) -> SyncReport:
    """Write the changes of one sync as CSV and Parquet to `folder/<sync>/` and append their outcomes to the ledger.

    Each row holds the operation, the record key, the columns and, for what is added or changed, the consent that allows it.
    """
    local, plan, moment = warehouse.local, str(snapshot / "activation.sync_plan.parquet"), datetime.fromisoformat(as_of)
    [(held,)] = local.execute(
        "select count(*) from read_parquet(?) where sync_id = ? and status = 'held'", [plan, sync]
    ).fetchall()
    # An outcome counts when its run is in the ledger.
    with warehouse.reading("ledger.sync_outcomes") as outcomes, warehouse.reading("ledger.sync_runs") as runs:
        pending = local.sql(
            f"""
            select plan.record_key, plan.op_type, plan.payload, plan.payload_hash, plan.consent_basis, plan.consent_recorded_at
            from read_parquet($plan) as plan
            anti join (select * from {outcomes} semi join {runs} using (sync_run_id)) as sent
                on plan.sync_id = sent.sync_id and plan.record_key = sent.record_key and plan.op_type = sent.op_type
                and plan.payload_hash = sent.payload_hash and plan.planned_at = sent.planned_at and sent.status = 'succeeded'
            where plan.sync_id = $sync and plan.status = 'planned'
                and not exists (select 1 from {runs} as later where later.sync_id = $sync and later.planned_at > $moment)
            order by case plan.op_type when 'removed' then 0 else 1 end, plan.record_key
            """,
            params={"plan": plan, "sync": sync, "moment": moment},
        ).to_arrow_table()
        [(run_number,)] = local.execute(
            f"select coalesce(max(run_number), 0) + 1 from {runs} where sync_id = ?", [sync]
        ).fetchall()
    if pending.num_rows == 0:
        return SyncReport(sync, 0, 0, 0, held, ())

    name = f"{re.sub('[-:]', '', as_of)}-{run_number}"
    files = _write_files(pending, columns, folder / sync, name)

    counts = {op: pending["op_type"].to_pylist().count(op) for op in ("added", "changed", "removed")}
    run = {
        "sync_run_id": f"{sync}-{name}",
        "run_number": run_number,
        "sync_id": sync,
        "planned_at": moment,
        "status": "succeeded",
    }
    outcome = run | {"failure_reason": None, "attempted_at": moment}
    summary = run | {"destination": "files", "file": f"{sync}/{name}", "num_held": held}
    for op, count in zip(("add", "change", "remove"), counts.values(), strict=True):
        summary |= {f"num_planned_{op}": count, f"num_succeeded_{op}": count}
    outcomes = pa.Table.from_pylist([record | outcome for record in pending.to_pylist()])
    with warehouse.transaction():
        warehouse.write("ledger.sync_outcomes", outcomes, sync_run_id=run["sync_run_id"])
        warehouse.write("ledger.sync_runs", pa.Table.from_pylist([summary]))
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
