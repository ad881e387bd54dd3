"""Spark, on this machine or a cluster. Its Parquet tables know no transaction, UPDATE or DELETE: rows that are replaced together are
a partition, and what makes a write count (the ledger's line) is written last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.lib.warehouse.base import Server, literal, quote
from orchestration.lib.warehouse.tables import PythonTable

TYPES = {"varchar": "string", "timestamp": "timestamp_ntz"}


class Spark(Server):
    """The tables lie in Spark's warehouse. dbt needs the session's metastore for itself: close this before dbt starts."""

    def __init__(self, settings: dict[str, Any], local: duckdb.DuckDBPyConnection, space: str) -> None:
        super().__init__(local, space)
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("tessera").enableHiveSupport()
        for name, value in settings["server_side_parameters"].items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.session.sql(sql).collect()]

    @contextmanager
    def reading(self, table: str) -> Iterator[str]:
        rows = self.session.table(self.name(table)).toArrow()  # noqa: F841 (DuckDB finds it by its name)
        self.local.execute(f"create or replace temporary table {quote(table)} as select * from rows").fetchall()
        yield f"temp.{quote(table)}"
        self.local.execute(f"drop table temp.{quote(table)}").fetchall()

    def write(self, table: str, rows: pa.Table, **key: str | datetime) -> None:
        if key:
            values = ", ".join(
                f"{self.quote(column)} = " + (f"timestamp_ntz'{value}'" if isinstance(value, datetime) else literal(value))
                for column, value in key.items()
            )
            self.session.sql(f"alter table {self.name(table)} drop if exists partition ({values})")
        if rows.num_rows:
            columns = self.session.table(self.name(table)).columns
            self.session.createDataFrame(rows).select(*columns).coalesce(1).write.insertInto(self.name(table))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def columns_of(self, schema: str) -> dict[str, list[str]]:
        tables = [row[1] for row in self.rows(f"show tables in {self.quote(schema)}")]
        return {name: self.session.table(f"{self.quote(schema)}.{self.quote(name)}").columns for name in tables}

    def create_schema(self, schema: str) -> None:
        self.session.sql(f"create schema if not exists {schema}")

    def create_table(self, name: str, table: PythonTable) -> None:
        columns = ", ".join(f"{self.quote(column)} {TYPES.get(kind, kind)}" for column, kind in table.columns)
        partitions = f" partitioned by ({', '.join(table.key)})" if table.key else ""
        self.session.sql(f"create table if not exists {name} ({columns}) using parquet{partitions}")

    def clear(self, table: str) -> None:
        self.session.sql(f"truncate table {self.name(table)}")

    def close(self) -> None:
        """End the session and its JVM, which else would keep the metastore from dbt."""
        from pyspark import SparkContext

        gateway = self.session.sparkContext._gateway
        self.session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None
        super().close()
