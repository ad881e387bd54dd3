"""What the traits cost: each model's SQL in one bare DuckDB process, in CPU-seconds and as a ratio to F in the same run.

    tessera demo --events 1000000 && python -m benchmarks.traits [HOME]

F = `count(*), count(distinct anonymous_id)` over the Parquet of the home's events. The SQL is what dbt compiled for the home's last run.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import duckdb

from orchestration import paths

TRAITS = ("int_profiles_computed", "profile_traits")
RUNS = 3


def cpu() -> float:
    """Return the CPU-seconds (user and system) of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    home = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.home()
    files = [file for file in (home / "dbt").rglob("*.sql") if "compiled" in file.parts and not file.parent.name.endswith(".yml")]
    compiled = {file.stem: file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)}
    connection = duckdb.connect()
    for setting in ("threads = 2", "memory_limit = '4GB'", "preserve_insertion_order = false", "enable_progress_bar = false"):
        connection.execute(f"set {setting}")
    connection.execute(f"attach '{home / 'warehouse.duckdb'}' as warehouse (read_only)")
    events = home / "published" / "current" / "events.events.parquet"

    def seconds(sql: str) -> float:
        started = cpu()
        connection.execute(sql).fetchall()
        return cpu() - started

    unit = min(seconds(f"select count(*), count(distinct anonymous_id) from '{events}'") for _ in range(RUNS))
    [(lines,)] = connection.execute(f"select count(*) from '{events}'").fetchall()
    print(f"F = {unit:.3f} CPU-s; {lines:,} events")
    sql_traits = sorted(file.stem for file in (paths.SQL_TRAITS / "profiles").glob("*.sql"))
    total = 0.0
    for name in (*sql_traits, *TRAITS):
        spent = min(seconds(f"create or replace temp table measured as {compiled[name]}") for _ in range(RUNS))
        total += spent
        print(f"{name:<32}{spent:8.2f} s {spent / unit:8.2f} F")
    print(f"{'all traits':<32}{total:8.2f} s {total / unit:8.2f} F  goal: 4 F")


if __name__ == "__main__":
    main()
