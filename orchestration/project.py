"""The dbt project as the other parts start it: one environment, one preparation.

Belongs: what must be true before dbt or Dagster reads the project. May not: what a run does (`defs/`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import yaml

from orchestration import paths
from orchestration.lib import config, lock, overrides, runs, traits, warehouse
from orchestration.lib.errors import TesseraError, UsageError
from orchestration.lib.plan import compile as plan_compile
from orchestration.lib.plan import model as plan_model

DBT = Path(sys.executable).parent / "dbt"
DEFAULT_SALT = "tessera"


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
        "TESSERA_MACROS": str(paths.compiled_macros()),
        "TESSERA_SPACE": paths.space(),
        "TESSERA_TARGET": paths.target(),
        "TESSERA_SPARK_WAREHOUSE": os.environ.get("TESSERA_SPARK_WAREHOUSE") or str(paths.home() / "spark"),
        "TESSERA_THREADS": os.environ.get("TESSERA_THREADS") or str(os.cpu_count()),
        "DO_NOT_TRACK": "1",
    }
    return values | ({"TESSERA_AS_OF": as_of} if as_of else {})


def outputs() -> dict[str, Any]:
    """Return the outputs of profiles.yml with their variables filled in: Python and dbt open an engine with the same settings."""
    variables = os.environ | environment()
    profiles = yaml.safe_load((paths.ROOT / "profiles.yml").read_text(encoding="utf-8"))["tessera"]["outputs"]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        if isinstance(value, str):
            return jinja2.Template(value).render(env_var=lambda name, default="": variables.get(name) or default)
        return value

    if paths.target() not in profiles:
        raise UsageError(
            "The engine is unknown.",
            where="TESSERA_TARGET",
            found=paths.target(),
            allowed=", ".join(profiles),
            fix="choose one of these",
        )
    return filled(profiles)


def open_warehouse() -> AbstractContextManager[warehouse.Warehouse]:
    """Open the warehouse of this space on the engine in use. Close it before dbt starts: DuckDB and Spark's metastore take one writer."""
    return warehouse.connect(outputs(), paths.target(), space=paths.space())


def writing(purpose: str) -> AbstractContextManager[None]:
    """Hold the home, and this space of a server's database, for writing; raise LockedError that names the holder."""
    beside = partial(warehouse.exclusive, outputs()[paths.target()], space=paths.space(), purpose=purpose)
    return lock.writer(paths.home(), purpose, beside)


def ensure_tables() -> None:
    """Create the tables that Python owns, where the engine is one that Python writes to."""
    if outputs()[paths.target()]["type"] in warehouse.ENGINES:
        with open_warehouse() as opened:
            opened.ensure_tables(salt())


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


def compile_config() -> None:
    """Make the project ready for dbt: the YAML files checked and compiled, the local packages linked."""
    config.compile_macros(paths.CONFIG, paths.DBT_PROJECT / "models", paths.compiled_macros(), paths.identity_config())
    traits.check(paths.SQL_TRAITS, paths.DBT_PROJECT / "dbt_project.yml")
    overrides.check(paths.IDENTITY_OVERRIDES, config.read(paths.identity_config(), "identity"))
    plan_compile.write(plan_model.read(paths.TRACKING_PLAN), paths.compiled_macros() / "tracking_plan.sql")
    inputs, parsed = paths.compiled_macros() / "config_inputs.sql", paths.dbt_target() / "partial_parse.msgpack"
    if parsed.exists() and parsed.stat().st_mtime_ns <= inputs.stat().st_mtime_ns:
        parsed.unlink()  # or dbt would not find the model of landed tables, which was off when it parsed last
    checkout = os.open(paths.DBT_PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)  # another home on this checkout may be linking them as well
        if not all((paths.DBT_PROJECT / "dbt_packages" / package).exists() for package in ("sql_traits", "tessera_seeds")):
            check(dbt("deps", "--quiet", as_of="2000-01-01T00:00:00", capture=True), "dbt could not link the local packages.")
    finally:
        os.close(checkout)


def prepare() -> Path:
    """Make the project ready for Dagster too: its manifest is current. Return the manifest.

    Does nothing twice: the manifest is parsed again only when a file of the project changed.
    """
    compile_config()
    manifest, stamp = paths.dbt_target() / "manifest.json", paths.dbt_target() / "prepared.json"
    state = {"files": _project_state(), **environment()}
    if manifest.exists() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == state:
        return manifest
    check(dbt("parse", "--quiet", as_of="2000-01-01T00:00:00", capture=True), "dbt could not read the project.")
    stamp.write_text(json.dumps(state), encoding="utf-8")
    return manifest


def check(result: subprocess.CompletedProcess[str], what: str) -> None:
    """Raise TesseraError with dbt's output when it failed."""
    if result.returncode:
        raise TesseraError(what, found=(result.stdout + result.stderr).strip()[-3000:], fix="correct the file that dbt names")


def _project_state() -> str:
    """Return a hash of the names, sizes and times of every file that dbt reads."""
    digest = hashlib.sha256()
    skipped = {"target", "dbt_packages", "logs"}
    for root in (paths.DBT_PROJECT, paths.compiled_macros(), paths.SQL_TRAITS, paths.SEEDS):
        for file in sorted(root.rglob("*")):
            if file.is_file() and not skipped & set(file.relative_to(root).parts):
                stat = file.stat()
                digest.update(f"{file}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    digest.update((paths.ROOT / "profiles.yml").read_bytes())
    return digest.hexdigest()
