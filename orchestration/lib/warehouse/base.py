"""What every engine does for Python: give rows of a table to a DuckDB in this process, and take rows as Arrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.lib.errors import UsageError
from orchestration.lib.warehouse.tables import TABLES, PythonTable


def quote(name: str) -> str:
    """Return a quoted SQL identifier. The one function that quotes names (Spark has another mark)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal, where it cannot be bound. Raises ValueError for a backslash, which engines read differently."""
    if "\\" in text:
        raise ValueError("a text with a backslash must be bound")
    return "'" + text.replace("'", "''") + "'"


def schema_name(stage: str, space: str) -> str:
    """Return the schema of a stage in a space: the stage's word, prefixed outside prod (as dbt's generate_schema_name does)."""
    return stage if space == "prod" else f"{space}_{stage}"


class Warehouse(ABC):
    """The tables of a space on one engine, each called `stage.name`, and `local`: a DuckDB in this process, where Python computes.

    On the embedded engine the two are one and no row is copied; elsewhere rows come and go as Arrow.
    """

    def __init__(self, local: duckdb.DuckDBPyConnection, space: str) -> None:
        self.local = local
        self.space = space

    def name(self, table: str) -> str:
        """Return the quoted name of a table on the engine."""
        stage, name = table.split(".")
        return f"{self.quote(schema_name(stage, self.space))}.{self.quote(name)}"

    def quote(self, name: str) -> str:
        """Return a quoted identifier of the engine."""
        return quote(name)

    @abstractmethod
    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a portable query on the engine and return its (few) rows."""

    @abstractmethod
    def reading(self, table: str) -> AbstractContextManager[str]:
        """Make a table's rows readable in `local`, under the name that is given, as long as the context lasts."""

    @abstractmethod
    def write(self, table: str, rows: pa.Table, **key: str | datetime) -> None:
        """Append rows (columns by name, all of them); rows that are there with the same key are replaced."""

    @abstractmethod
    def collect(self, table: str) -> str:
        """Return the name in `local` of a table, of the same columns, whose rows `deliver` hands to the engine."""

    @abstractmethod
    def deliver(self, table: str) -> None:
        """Hand over what was collected for a table, key by key."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make the writes within it appear together or, on engines without transactions, in their order."""

    def columns_of(self, schema: str) -> dict[str, list[str]]:
        """Return the columns of each table of a schema that is not ours, both as they are written there."""
        columns: dict[str, list[str]] = {}
        for table, column in self.rows(
            f"select table_name, column_name from information_schema.columns where table_schema = {literal(schema)}"
        ):
            columns.setdefault(table, []).append(column)
        return columns

    @abstractmethod
    def create_schema(self, schema: str) -> None:
        """Create a schema where it is absent."""

    @abstractmethod
    def create_table(self, name: str, table: PythonTable) -> None:
        """Create a table, by its quoted name, where it is absent."""

    @abstractmethod
    def clear(self, table: str) -> None:
        """Remove all rows of a table."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the engine."""

    def ensure_tables(self, salt: str) -> None:
        """Create the tables that Python owns where they are missing, and store the salt of identifier hashes.

        Raises UsageError where files were loaded with another salt: the identifiers that are kept would not be those to come.
        """
        for stage in sorted({table.split(".")[0] for table in TABLES}):
            self.create_schema(self.quote(schema_name(stage, self.space)))
        for name, table in TABLES.items():
            self.create_table(self.name(name), table)
        if (stored := self.rows(f"select salt from {self.name('raw.workspace')}")) != [(salt,)]:
            if stored and self.rows(f"select file_id from {self.name('raw.ingest_files')} limit 1"):
                raise UsageError(
                    "The salt is not the one that this home began with.",
                    where="TESSERA_SALT",
                    found="another one, or none",
                    allowed="what it was when the first file was loaded (not set, if it was not)",
                    fix="set it as it was; a new salt, and with it new profile ids, takes a new home",
                )
            with self.transaction():
                self.clear("raw.workspace")
                self.write("raw.workspace", pa.table({"salt": [salt]}))


class Server(Warehouse):
    """An engine outside of this process."""

    def collect(self, table: str) -> str:
        self.local.execute(f"create or replace temporary table {quote(table)} ({TABLES[table].ddl})").fetchall()
        return f"temp.{quote(table)}"

    def deliver(self, table: str) -> None:
        [key] = TABLES[table].key
        collected = f"temp.{quote(table)}"
        for (value,) in self.local.execute(f"select distinct {key} from {collected} order by all").fetchall():
            rows = self.local.sql(f"select * from {collected} where {key} = $value", params={"value": value}).to_arrow_table()
            self.write(table, rows, **{key: value})
        self.local.execute(f"drop table {collected}").fetchall()

    def close(self) -> None:
        self.local.close()
