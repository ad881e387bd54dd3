"""The one place where Python opens the warehouse, and the tables that Python owns there.

Python writes at three places only: `raw` (ingestion), the predictions of the models, and the ledger of the syncs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.lib.errors import LockedError
from orchestration.lib.load import ensure_raw_tables

PYTHON_TABLES = {
    "raw.workspace": "salt varchar",
    "predictions.model_runs": """target varchar, model_version varchar, algorithm varchar, status varchar, reason varchar,
        train_rows bigint, train_positives bigint, test_rows bigint, test_positives bigint, auc double, baseline_auc double,
        auc_gain_lower double, auc_gain_upper double, lift_top_decile double, brier_score double, test_cutoff_at timestamp,
        as_of timestamp""",
    "predictions.model_scores": """profile_id varchar, target varchar, model_version varchar, probability double, percentile double,
        as_of timestamp""",
    "ledger.sync_outcomes": """sync_id varchar, sync_run_id varchar, run_number bigint, record_key varchar, op_type varchar,
        payload varchar, payload_hash varchar, consent_basis varchar, status varchar, failure_reason varchar,
        consent_recorded_at timestamp, planned_at timestamp, attempted_at timestamp""",
    "ledger.sync_runs": """sync_run_id varchar, run_number bigint, sync_id varchar, destination varchar, file varchar, status varchar,
        num_planned_add bigint, num_planned_change bigint, num_planned_remove bigint, num_succeeded_add bigint,
        num_succeeded_change bigint, num_succeeded_remove bigint, num_held bigint, planned_at timestamp""",
}


def quote(name: str) -> str:
    """Return a quoted SQL identifier. The one function that quotes names; values are bound."""
    return '"' + name.replace('"', '""') + '"'


def schema_name(stage: str, space: str) -> str:
    """Return the schema of a stage in a space: the stage's word, prefixed outside prod (as dbt's generate_schema_name does)."""
    return stage if space == "prod" else f"{space}_{stage}"


@contextmanager
def connect(file: Path, *, attempts: int = 10) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the build database, waiting a while for another process that holds it; raise LockedError when it keeps it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(attempts):
        try:
            connection = duckdb.connect(str(file))
            break
        except duckdb.IOException as error:
            holder = re.search(r"lock is held in (.*?)\. See|lock is held in (.*?)$", str(error), re.MULTILINE)
            if "lock" not in str(error):
                raise
            if attempt == attempts - 1:
                raise LockedError(
                    "The build database is in use.",
                    where=str(file),
                    found=next((group for group in holder.groups() if group), "held by another process") if holder else "",
                    fix="wait for it to end; readers open the published snapshot (`tessera query`)",
                ) from None
            time.sleep(0.2 * 1.5**attempt)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        yield connection
    finally:
        connection.close()


def ensure_tables(connection: duckdb.DuckDBPyConnection, *, space: str, salt: str) -> None:
    """Create the tables that Python owns where they are missing, and store the salt of identifier hashes.

    The salt lives in the warehouse, not in compiled SQL, so that no artefact of a run holds it.
    """
    ensure_raw_tables(connection, schema=schema_name("raw", space))
    for table, columns in PYTHON_TABLES.items():
        stage, name = table.split(".")
        schema = quote(schema_name(stage, space))
        connection.execute(f"create schema if not exists {schema}")
        connection.execute(f"create table if not exists {schema}.{quote(name)} ({columns})")
    workspace = f"{quote(schema_name('raw', space))}.workspace"
    if connection.execute(f"select salt from {workspace}").fetchall() != [(salt,)]:
        connection.begin()
        connection.execute(f"delete from {workspace}")
        connection.execute(f"insert into {workspace} values (?)", [salt])
        connection.commit()
