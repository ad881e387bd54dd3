"""Where things are. The only place that knows absolute paths and reads TESSERA_* variables for them.

Variables: TESSERA_HOME (warehouse, landing files, snapshots, exports, state; default `.tessera/` in the checkout), TESSERA_TARGET
(engine, default duckdb), TESSERA_IDENTITY_CONFIG (another identity.yml), TESSERA_SPACE (prod by default; other spaces keep schemas
and data of their own).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestration.lib.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT = ROOT / "dbt_project"
SQL_TRAITS = ROOT / "sql_traits"
SEEDS = ROOT / "seeds"
CONFIG = DBT_PROJECT / "config"
TRACKING_PLAN = DBT_PROJECT / "tracking_plan"
IDENTITY_OVERRIDES = SEEDS / "reference" / "identity_overrides.csv"

DEFAULT_SPACE = "prod"


def space() -> str:
    """Return the name of the space, an identifier in lower case."""
    name = os.environ.get("TESSERA_SPACE") or DEFAULT_SPACE
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise UsageError(
            "TESSERA_SPACE is not a valid name.",
            found=repr(name),
            allowed="a lower-case letter, then letters, digits or _ (31 characters at most)",
            fix="set TESSERA_SPACE to a name such as dev, staging or prod, or unset it",
        )
    return name


def identity_config() -> Path:
    """Return the file that says who is who: TESSERA_IDENTITY_CONFIG, or the checkout's."""
    return Path(os.environ.get("TESSERA_IDENTITY_CONFIG") or CONFIG / "identity.yml").expanduser().resolve()


def target() -> str:
    """Return the name of the engine (a target in profiles.yml)."""
    return os.environ.get("TESSERA_TARGET") or "duckdb"


def home() -> Path:
    """Return the folder that holds everything a space writes; other spaces than prod live in `spaces/<name>` within it."""
    base = Path(os.environ.get("TESSERA_HOME") or ROOT / ".tessera").expanduser().resolve()
    return base if space() == DEFAULT_SPACE else base / "spaces" / space()


def warehouse_file() -> Path:
    """Return the private build database (DuckDB). Readers open the published snapshot instead."""
    return home() / "warehouse.duckdb"


def landing() -> Path:
    """Return the folder whose files a run loads: `landing/<source>/*.ndjson[.gz]` and `landing/tables/<table>*.csv`."""
    return home() / "landing"


def published() -> Path:
    """Return the folder of published snapshots; `current` within it is the newest."""
    return home() / "published"


def exports() -> Path:
    """Return the folder that the file destination of the syncs writes to."""
    return home() / "exports"


def models() -> Path:
    """Return the folder of trained models and their cards."""
    return home() / "models"


def dagster_home() -> Path:
    """Return the folder of Dagster's run storage."""
    return home() / "dagster"


def compiled_macros() -> Path:
    """Return the folder of the macros that the YAML files compile to; each home has its own, so two homes never share a setting."""
    return home() / "macros"


def dbt_target() -> Path:
    """Return the folder of dbt's artefacts; each home has its own, so two homes never share a manifest."""
    return home() / "dbt"
