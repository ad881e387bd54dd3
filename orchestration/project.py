"""The dbt project as the other parts start it: one environment, one preparation.

Belongs: what must be true before dbt or Dagster reads the project. May not: what a run does (`defs/`).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from orchestration import paths
from orchestration.lib import config, overrides, runs, warehouse
from orchestration.lib.errors import TesseraError, UsageError

DBT = Path(sys.executable).parent / "dbt"
DEFAULT_SALT = "tessera"
EMBEDDED = "duckdb"


def as_of() -> str:
    """Return the as-of time: TESSERA_AS_OF, or now. Call it once at the start of a run and hand the value on."""
    text = os.environ.get("TESSERA_AS_OF")
    return runs.parse_as_of(text) if text else runs.start_time(time.time())


def salt() -> str:
    """Return the secret that identifier hashes are made with (TESSERA_SALT); changing it changes every profile id."""
    return os.environ.get("TESSERA_SALT") or DEFAULT_SALT


def environment(as_of: str | None = None) -> dict[str, str]:
    """Return the variables dbt needs: absolute paths, so that the folder it is started in does not matter."""
    values = {
        "DBT_PROJECT_DIR": str(paths.DBT_PROJECT),
        "DBT_PROFILES_DIR": str(paths.ROOT),
        "DBT_TARGET_PATH": str(paths.dbt_target()),
        "DBT_LOG_PATH": str(paths.dbt_target() / "logs"),
        "TESSERA_WAREHOUSE": str(paths.warehouse_file()),
        "TESSERA_SPACE": paths.space(),
        "TESSERA_TARGET": paths.target(),
        "DO_NOT_TRACK": "1",
    }
    return values | ({"TESSERA_AS_OF": as_of} if as_of else {})


def require_embedded() -> None:
    """Raise UsageError on another engine than DuckDB: there the models build, but Python does not read and write tables yet."""
    if paths.target() != EMBEDDED:
        raise UsageError(
            "This command works on the embedded engine only so far.",
            where="TESSERA_TARGET",
            found=paths.target(),
            allowed=EMBEDDED,
            fix="unset TESSERA_TARGET; on other engines `tessera dbt build` builds and tests the models over tables that lie there",
        )


def dbt(*arguments: str, as_of: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one dbt command. With `capture`, its output is returned instead of shown."""
    return subprocess.run(
        [str(DBT), *arguments],
        env=os.environ | environment(as_of),
        cwd=paths.DBT_PROJECT,
        capture_output=capture,
        text=True,
        check=False,
    )


def prepare() -> Path:
    """Make the project ready: config compiled, local packages linked, tables of Python created, manifest current. Return the manifest.

    Does nothing twice: the manifest is parsed again only when a file of the project changed.
    """
    config.compile_macros(paths.CONFIG, paths.DBT_PROJECT / "models", paths.COMPILED_MACROS, paths.identity_config())
    overrides.check(paths.IDENTITY_OVERRIDES, config.read(paths.identity_config(), "identity"))
    if paths.target() == EMBEDDED:
        with warehouse.connect(paths.warehouse_file()) as connection:
            warehouse.ensure_tables(connection, space=paths.space(), salt=salt())
    manifest, stamp = paths.dbt_target() / "manifest.json", paths.dbt_target() / "prepared.json"
    state = {"files": _project_state(), **environment()}
    if manifest.exists() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == state:
        return manifest
    if not all((paths.DBT_PROJECT / "dbt_packages" / package).exists() for package in ("sql_traits", "tessera_seeds")):
        _check(dbt("deps", "--quiet", as_of="2000-01-01T00:00:00", capture=True), "dbt could not link the local packages.")
    _check(dbt("parse", "--quiet", as_of="2000-01-01T00:00:00", capture=True), "dbt could not read the project.")
    stamp.write_text(json.dumps(state), encoding="utf-8")
    return manifest


def _check(result: subprocess.CompletedProcess[str], what: str) -> None:
    if result.returncode:
        raise TesseraError(what, found=(result.stdout + result.stderr).strip()[-3000:], fix="correct the file that dbt names")


def _project_state() -> str:
    """Return a hash of the names, sizes and times of every file that dbt reads."""
    digest = hashlib.sha256()
    skipped = {"target", "dbt_packages", "logs"}
    for root in (paths.DBT_PROJECT, paths.SQL_TRAITS, paths.SEEDS):
        for file in sorted(root.rglob("*")):
            if file.is_file() and not skipped & set(file.relative_to(root).parts):
                stat = file.stat()
                digest.update(f"{file}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    digest.update((paths.ROOT / "profiles.yml").read_bytes())
    return digest.hexdigest()
