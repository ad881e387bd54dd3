"""PostgreSQL. Rows travel by COPY, as CSV: it keeps null and the empty text apart, and both sides read it fast."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv

from orchestration.lib.errors import LockedError, TesseraError
from orchestration.lib.warehouse.base import Server, quote
from orchestration.lib.warehouse.tables import PythonTable

TYPES = {"varchar": "text", "double": "double precision"}
# By the number of the type in pg_type.
ARROW_TYPES = {
    16: pa.bool_(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 25: pa.string(), 700: pa.float32(), 701: pa.float64(),
    1043: pa.string(), 1082: pa.date32(), 1114: pa.timestamp("us"),
}  # fmt: skip
NUMERIC = 1700
BLOCK = 64 << 20  # bytes of CSV read at a time; a row must fit


class Postgres(Server):
    """The tables lie in a database of a PostgreSQL server."""

    def __init__(self, settings: dict[str, Any], local: duckdb.DuckDBPyConnection, space: str) -> None:
        super().__init__(local, space)
        self.connection = _connected(settings)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    @contextmanager
    def reading(self, table: str) -> Iterator[str]:
        with self.connection.cursor() as cursor, tempfile.TemporaryFile() as file:
            cursor.execute(f"select * from {self.name(table)} limit 0")
            types = {
                column.name: pa.decimal128(column.precision, column.scale)
                if column.type_code == NUMERIC
                else ARROW_TYPES[column.type_code]
                for column in cursor.description
            }
            cursor.copy_expert(f"copy (select * from {self.name(table)}) to stdout (format csv)", file)
            size = file.tell()
            file.seek(0)
            reader = pa.csv.open_csv(  # noqa: F841 (DuckDB finds it by its name)
                file,
                pa.csv.ReadOptions(column_names=list(types), block_size=BLOCK),
                pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                pa.csv.ConvertOptions(
                    column_types=types,
                    true_values=["t"],
                    false_values=["f"],
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) if size else pa.RecordBatchReader.from_batches(pa.schema(list(types.items())), [])  # fmt: skip
            self.local.execute(f"create or replace temporary table {quote(table)} as select * from reader").fetchall()
        yield f"temp.{quote(table)}"
        self.local.execute(f"drop table temp.{quote(table)}").fetchall()

    def write(self, table: str, rows: pa.Table, **key: str | datetime) -> None:
        # Decimals as text: Arrow does not write them as CSV.
        rows = rows.cast(
            pa.schema((field.name, pa.string() if pa.types.is_decimal(field.type) else field.type) for field in rows.schema)
        )
        columns = ", ".join(self.quote(name) for name in rows.column_names)
        with self.connection.cursor() as cursor, tempfile.TemporaryFile() as file:
            if key:
                condition = " and ".join(f"{self.quote(column)} = %s" for column in key)
                cursor.execute(f"delete from {self.name(table)} where {condition}", list(key.values()))
            pa.csv.write_csv(rows, file, pa.csv.WriteOptions(include_header=False))
            file.seek(0)
            cursor.copy_expert(f"copy {self.name(table)} ({columns}) from stdin (format csv)", file)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.autocommit = False
        try:
            yield
            self.connection.commit()
        except BaseException:  # an interrupt too
            self.connection.rollback()
            raise
        finally:
            self.connection.autocommit = True

    def create_schema(self, schema: str) -> None:
        self._execute(f"create schema if not exists {schema}")

    def create_table(self, name: str, table: PythonTable) -> None:
        columns = ", ".join(f"{self.quote(column)} {TYPES.get(kind, kind)}" for column, kind in table.columns)
        self._execute(f"create table if not exists {name} ({columns})")
        if table.key:
            index = self.quote(f"{name.split('.')[-1].strip(chr(34))}_by_{'_'.join(table.key)}")
            self._execute(f"create index if not exists {index} on {name} ({', '.join(table.key)})")

    def clear(self, table: str) -> None:
        self._execute(f"delete from {self.name(table)}")

    def close(self) -> None:
        self.connection.close()
        super().close()

    def _execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)


def _connected(settings: dict[str, Any], **options: Any) -> Any:
    import psycopg2

    try:
        connection = psycopg2.connect(
            host=settings["host"],
            port=settings["port"],
            user=settings["user"],
            password=settings["password"],
            dbname=settings["dbname"],
            options="-c timezone=UTC",
            **options,
        )
    except psycopg2.OperationalError as error:
        raise TesseraError(
            "PostgreSQL cannot be reached.",
            where=f"{settings['host']}:{settings['port']}, database {settings['dbname']}",
            found=str(error).strip(),
            fix="check TESSERA_POSTGRES_HOST, _PORT, _USER, _PASSWORD and _DATABASE, and that the server runs",
        ) from None
    connection.autocommit = True
    return connection


@contextmanager
def exclusive(settings: dict[str, Any], *, space: str, purpose: str) -> Iterator[None]:
    """Hold a space of the database for writing, from whichever home and machine others would write to it; raise LockedError.

    The server frees it when the connection ends, however it ends.
    """
    name = f"tessera {purpose} on {socket.gethostname()}"
    connection = _connected(settings, application_name=name, keepalives_idle=60)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_lock(hashtext('tessera'), hashtext(%s))", [space])
            if not cursor.fetchone()[0]:
                cursor.execute(
                    """select application_name from pg_locks inner join pg_stat_activity using (pid)
                    where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())
                        and classid = hashtext('tessera')::oid and objid = hashtext(%s)::oid""",
                    [space],
                )
                raise LockedError(
                    "Another home writes to this database.",
                    where=f"{settings['host']}:{settings['port']}, database {settings['dbname']}, space {space}",
                    found=", ".join(row[0] for row in cursor.fetchall()) or "it has just ended",
                    fix="wait for it to end and run this again; TESSERA_SPACE keeps what is tried out apart",
                )
        yield
    finally:
        connection.close()
