"""The one place where Python reads and writes tables, whichever engine holds them.

Belongs: connections, and rows in and out as Arrow. May not: what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from orchestration.lib.errors import UsageError
from orchestration.lib.warehouse.base import Warehouse, literal, quote, schema_name
from orchestration.lib.warehouse.embedded import Embedded, open_database
from orchestration.lib.warehouse.tables import TABLES, PythonTable

__all__ = [
    "ENGINES",
    "TABLES",
    "Embedded",
    "PythonTable",
    "Warehouse",
    "connect",
    "exclusive",
    "literal",
    "open_database",
    "quote",
    "schema_name",
]

ENGINES = ("duckdb", "postgres", "spark")


def require_engine(settings: dict[str, Any]) -> None:
    """Raise UsageError on an engine that Python does not read and write."""
    if settings["type"] not in ENGINES:
        raise UsageError(
            "Python does not read and write the tables of this engine.",
            where="TESSERA_TARGET",
            found=settings["type"],
            allowed=", ".join(ENGINES),
            fix="`tessera dbt …` works on it, over tables that lie there; loading, training, publishing and syncing do not yet",
        )


def exclusive(settings: dict[str, Any], *, space: str, purpose: str) -> AbstractContextManager[None]:
    """Hold a space of the warehouse for writing where other machines could write to it as well; raise LockedError that names the holder."""
    if settings["type"] != "postgres":
        return nullcontext()
    from orchestration.lib.warehouse import postgres

    return postgres.exclusive(settings, space=space, purpose=purpose)


@contextmanager
def connect(outputs: dict[str, Any], target: str, *, space: str) -> Iterator[Warehouse]:
    """Open the warehouse by the outputs of profiles.yml. Where DuckDB is not the engine, its settings hold for the one beside it.

    Raises LockedError when another process holds the embedded database, TesseraError when a server cannot be reached, UsageError on an
    engine that Python does not know.
    """
    settings = outputs[target]
    require_engine(settings)
    engine = settings["type"]
    if engine == "duckdb":
        warehouse: Warehouse = Embedded(open_database(Path(settings["path"]), settings["settings"]), space)
    else:
        local = open_database(None, outputs["duckdb"]["settings"])
        if engine == "postgres":
            from orchestration.lib.warehouse.postgres import Postgres

            warehouse = Postgres(settings, local, space)
        else:
            from orchestration.lib.warehouse.spark import Spark

            warehouse = Spark(settings, local, space)
    try:
        yield warehouse
    finally:
        warehouse.close()
