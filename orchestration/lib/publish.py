"""Publish: what readers open is an immutable snapshot, swapped in by one rename. They never open the build database.

`published/<run>/` holds one Parquet file a public table, one DuckDB file with the same schemas (in a storage version that older
clients read) and manifest.json. `published/current` is a symbolic link to the newest; three runs are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.lib.errors import TesseraError
from orchestration.lib.warehouse import Warehouse, quote

DATABASE = "tessera.duckdb"
KEPT_RUNS = 3
RENEWED = "-synced"


@dataclass(frozen=True)
class PublicTable:
    """A table that readers may rely on: its stage (the schema) and its name."""

    stage: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.stage}.{self.name}"


def public_tables(manifest: Path) -> list[PublicTable]:
    """Return the public models of dbt's manifest, in the order of their names. The stage is the model's folder."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    return sorted(
        (
            PublicTable(node["fqn"][1], node["alias"])
            for node in nodes
            if node["resource_type"] == "model" and node["access"] == "public" and node["package_name"] == "tessera"
        ),
        key=lambda table: table.key,
    )


def publish(
    warehouse: Warehouse,
    tables: Sequence[PublicTable],
    folder: Path,
    run: str,
    *,
    as_of: str,
    git_commit: str,
) -> Path:
    """Write a snapshot of the tables and make it current; return its folder. Rows are sorted, so equal tables give equal files."""
    snapshot = _write(warehouse, tables, folder, run, {"run": run, "as_of": as_of, "git_commit": git_commit}, base=None)
    _swap(folder, snapshot)
    return snapshot


def republish(warehouse: Warehouse, tables: Sequence[PublicTable], folder: Path) -> Path:
    """Publish the current snapshot once more with a few tables renewed (the ledger, after a sync); the rest is not written again."""
    base = current(folder)
    manifest = json.loads((base / "manifest.json").read_text(encoding="utf-8"))
    run = manifest["run"] + RENEWED
    snapshot = _write(warehouse, tables, folder, run, {**manifest, "run": run}, base=base)
    _swap(folder, snapshot)
    return snapshot


def current(folder: Path) -> Path:
    """Return the current snapshot's folder; raise TesseraError when nothing was published yet."""
    link = folder / "current"
    if not link.exists():
        raise TesseraError(
            "Nothing has been published yet.",
            where=str(folder),
            fix="run `tessera demo`, or `tessera load …` and `tessera run`",
        )
    return link.resolve()


def as_of(folder: Path) -> str:
    """Return the time that the current snapshot is as of, for people to read."""
    return f"{json.loads((current(folder) / 'manifest.json').read_text(encoding='utf-8'))['as_of']} UTC"


def _write(
    warehouse: Warehouse,
    tables: Sequence[PublicTable],
    folder: Path,
    run: str,
    manifest: dict[str, object],
    base: Path | None,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".writing-*"):
        shutil.rmtree(leftover)
    draft = folder / f".writing-{run}"
    draft.mkdir()
    rows: dict[str, int] = {}
    if base:
        renewed = {f"{table.key}.parquet" for table in tables}
        for file in base.glob("*.parquet"):
            if file.name not in renewed:
                os.link(file, draft / file.name)
        shutil.copyfile(base / DATABASE, draft / DATABASE)
        rows |= json.loads((base / "manifest.json").read_text(encoding="utf-8"))["rows"]
    local = warehouse.local
    local.execute(f"attach {_text(draft / DATABASE)} as snapshot (storage_version 'v1.2.0')")
    try:
        local.execute("set preserve_insertion_order = true")
        for table in tables:
            copy = f"snapshot.{quote(table.stage)}.{quote(table.name)}"
            local.execute(f"create schema if not exists snapshot.{quote(table.stage)}")
            with warehouse.reading(table.key) as rows_there:
                local.execute(f"create or replace table {copy} as select * from {rows_there} order by all").fetchall()
            file = draft / f"{table.key}.parquet"
            local.execute(f"copy {copy} to {_text(file)} (format parquet, compression zstd)")
            [(rows[table.key],)] = local.execute(f"select count(*) from {copy}").fetchall()
    finally:
        local.execute("detach snapshot")
    manifest["rows"] = dict(sorted(rows.items()))
    (draft / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for file in draft.iterdir():
        file.chmod(0o444)  # a BI tool that opened it for writing would lock out every other reader
        _fsync(file)
    _fsync(draft)
    snapshot = folder / run
    if snapshot.exists():
        shutil.rmtree(snapshot)
    draft.rename(snapshot)
    return snapshot


def _swap(folder: Path, snapshot: Path) -> None:
    """Make a snapshot current and remove old ones: never the one that was current until now, which a reader may be opening."""
    link = folder / "current"
    former = link.resolve()
    draft = folder / ".current-next"
    draft.unlink(missing_ok=True)
    draft.symlink_to(snapshot.name)
    draft.replace(link)
    _fsync(folder)
    runs = [run for run in folder.iterdir() if run.is_dir() and not run.is_symlink() and not run.name.startswith(".")]
    superseded = [run for run in runs if (folder / f"{run.name}{RENEWED}").exists()]
    final = sorted(set(runs) - set(superseded), key=lambda run: run.stat().st_mtime_ns)
    for run in {*superseded, *final[:-KEPT_RUNS]} - {former, snapshot}:
        shutil.rmtree(run)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def fingerprint(snapshot: Path) -> dict[str, str]:
    """Return a hash of each table's sorted rows: two snapshots with the same tables have the same fingerprint."""
    with duckdb.connect() as connection:
        return {
            file.stem: hashlib.sha256(
                json.dumps(
                    connection.execute(f"select * from read_parquet({_text(file)}) order by all").fetchall(),
                    default=str,
                ).encode()
            ).hexdigest()
            for file in sorted(snapshot.glob("*.parquet"))
        }
