"""DuckDB, embedded: the build database is one file with one writer."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.lib.errors import LockedError, UsageError
from orchestration.lib.warehouse.base import Warehouse, quote
from orchestration.lib.warehouse.tables import PythonTable


def open_database(file: Path | None, settings: dict[str, Any], *, attempts: int = 10) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, or one in memory, with an engine's settings. Waits a while for another process that holds the file, then
    raises LockedError."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(attempts):
        try:
            connection = duckdb.connect(str(file) if file else ":memory:")
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
    for name, value in (settings | {"enable_progress_bar": "false"}).items():
        try:
            connection.execute(f"set {quote(name)} = ?", [value])
        except duckdb.Error as error:
            connection.close()
            raise UsageError(
                f"DuckDB does not take this value of {name}.",
                where="profiles.yml, or the variable that it names",
                found=f"{value!r}: {str(error).strip()}",
                fix="TESSERA_MEMORY_LIMIT is a size such as 8g, TESSERA_THREADS is a number",
            ) from None
    return connection


class Embedded(Warehouse):
    """The tables lie in the DuckDB of this process."""

    def __init__(self, local: duckdb.DuckDBPyConnection, space: str = "prod") -> None:
        super().__init__(local, space)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.local.execute(sql).fetchall()

    @contextmanager
    def reading(self, table: str) -> Iterator[str]:
        yield self.name(table)

    def write(self, table: str, rows: pa.Table, **key: str | datetime) -> None:
        if key:
            condition = " and ".join(f"{quote(column)} = ?" for column in key)
            self.local.execute(f"delete from {self.name(table)} where {condition}", list(key.values())).fetchall()
        self.local.execute(f"insert into {self.name(table)} by name select * from rows").fetchall()

    def collect(self, table: str) -> str:
        return self.name(table)

    def deliver(self, table: str) -> None:
        """Nothing to do: it was collected where it belongs."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.local.begin()
        try:
            yield
            self.local.commit()
        except BaseException:  # an interrupt too
            with suppress(duckdb.Error):
                self.local.rollback()
            raise

    def create_schema(self, schema: str) -> None:
        self.local.execute(f"create schema if not exists {schema}")

    def create_table(self, name: str, table: PythonTable) -> None:
        self.local.execute(f"create table if not exists {name} ({table.ddl})")

    def clear(self, table: str) -> None:
        self.local.execute(f"delete from {self.name(table)}").fetchall()

    def close(self) -> None:
        self.local.close()
