"""The same models give the same tables on every engine: a canonical form of each public table is compared with DuckDB's."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.conftest import tessera
from tests.engines.conftest import python_tables

AS_OF = "2026-11-01T00:00:00"
Tables = dict[str, list[str]]


def canonical(value: Any) -> Any:
    """Return a value in the form in which engines are compared: floats to 9 digits, decimals exactly."""
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value) if isinstance(value, Decimal) else value


def rows(found: list[tuple[Any, ...]]) -> list[str]:
    return sorted(repr(tuple(canonical(value) for value in row)) for row in found)


@pytest.fixture(scope="session")
def public_models(demo_home: Path) -> list[tuple[str, str]]:
    """The public tables and findings: (schema, name)."""
    nodes = json.loads((demo_home / "dbt" / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    return sorted(
        (node["fqn"][1], node["alias"]) for node in nodes if node.get("access") == "public" and node["package_name"] == "tessera"
    )


@pytest.fixture(scope="session")
def duckdb_tables(
    demo_home: Path, public_models: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Tables]:
    """The reference: the demo shop's build database, built once more in a home of its own."""
    home = tmp_path_factory.mktemp("reference") / "home"
    home.mkdir()
    shutil.copy(demo_home / "warehouse.duckdb", home / "warehouse.duckdb")
    tessera(home, "dbt", "build", "--quiet", "--exclude-resource-type", "unit_test", as_of=AS_OF)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = {
            f"{schema}.{name}": rows(connection.execute(f"select * from {schema}.{name}").fetchall())
            for schema, name in public_models
        }
    return home / "warehouse.duckdb", tables


def differences(reference: Tables, other: Tables) -> str:
    """Return the first rows in which two sets of tables differ, as text; empty when they are equal."""
    report = []
    for table, expected in reference.items():
        missing, more = sorted(set(expected) - set(other[table])), sorted(set(other[table]) - set(expected))
        if expected != other[table]:
            report.append(f"{table}: {len(expected)} rows, {len(other[table])} on the other engine")
            report += [f"  only on DuckDB: {row}" for row in missing[:2]] + [f"  only there:     {row}" for row in more[:2]]
    return "\n".join(report)


def test_postgres_builds_the_same_tables_as_duckdb(
    duckdb_tables: tuple[Path, Tables], postgres_server: dict[str, str], tmp_path: Path
) -> None:
    import psycopg2

    warehouse, reference = duckdb_tables
    server = postgres_server
    connection = psycopg2.connect(
        host=server["TESSERA_POSTGRES_HOST"],
        port=server["TESSERA_POSTGRES_PORT"],
        user=server["TESSERA_POSTGRES_USER"],
        dbname="postgres",
    )
    with connection, connection.cursor() as cursor:
        for schema, table, content in python_tables(warehouse):
            columns = ", ".join(f'"{field.name}" {postgres_type(field.type)}' for field in content.schema)
            cursor.execute(f'create schema if not exists "{schema}"')
            cursor.execute(f'create table "{schema}"."{table}" ({columns})')
            lines = io.StringIO()
            csv.writer(lines).writerows(
                [["\\N" if value is None else value for value in row.values()] for row in content.to_pylist()]
            )
            lines.seek(0)
            cursor.copy_expert(f'copy "{schema}"."{table}" from stdin with (format csv, null \'\\N\')', lines)
    tessera(tmp_path / "home", "dbt", "build", "--quiet", "--exclude-resource-type", "unit_test", as_of=AS_OF, **server)
    other = {}
    with connection, connection.cursor() as cursor:
        for table in reference:
            cursor.execute(f"select * from {table}")
            other[table] = rows(cursor.fetchall())
    connection.close()
    assert differences(reference, other) == ""


def postgres_type(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return {"int64": "bigint", "double": "double precision", "date32[day]": "date", "timestamp[us]": "timestamp"}[str(kind)]


SPARK_SHIP = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
folder, home = Path(sys.argv[1]), sys.argv[2]
spark = (SparkSession.builder.master("local[2]").config("spark.sql.warehouse.dir", home).config("spark.ui.enabled", "false")
    .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={home} -Duser.timezone=UTC").config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.timestampType", "TIMESTAMP_NTZ").config("spark.sql.legacy.createHiveTableByDefault", "false")
    .enableHiveSupport().getOrCreate())
for file in sorted(folder.glob("*.parquet")):
    schema, table = file.stem.split(".")
    spark.sql(f"create schema if not exists {schema}")
    spark.sql(f"create table {schema}.{table} using parquet as select * from parquet.`{file}`")
"""


@pytest.mark.slow
def test_spark_builds_the_same_tables_as_duckdb(
    duckdb_tables: tuple[Path, Tables], public_models: list[tuple[str, str]], tmp_path: Path
) -> None:
    if not shutil.which("java"):
        pytest.skip("no Java: install Debian's package default-jre-headless")
    if not (importlib.util.find_spec("pyspark") and importlib.util.find_spec("dbt.adapters.spark")):
        pytest.skip("no Spark: pip install '.[spark]'")
    warehouse, reference = duckdb_tables
    shipped, spark_home = tmp_path / "shipped", tmp_path / "spark"
    shipped.mkdir()
    for schema, table, content in python_tables(warehouse):
        pyarrow.parquet.write_table(content, shipped / f"{schema}.{table}.parquet")
    subprocess.run(
        [sys.executable, "-c", SPARK_SHIP, str(shipped), str(spark_home)], check=True, capture_output=True, env=os.environ
    )
    variables = {"TESSERA_TARGET": "spark", "TESSERA_SPARK_WAREHOUSE": str(spark_home)}
    # Views have no files to read back, and data tests on Spark cost minutes: tables are compared instead.
    tessera(
        tmp_path / "home", "dbt", "build", "--quiet", "--exclude-resource-type", "unit_test", "test", as_of=AS_OF, **variables
    )
    compared: Tables = {}
    with duckdb.connect() as connection, duckdb.connect(str(warehouse), read_only=True) as own:
        for schema, name in public_models:
            files = spark_home / f"{schema}.db" / name
            if files.exists():
                columns = ", ".join(f'"{column[0]}"' for column in own.execute(f"describe {schema}.{name}").fetchall())
                found = connection.execute(f"select {columns} from read_parquet('{files}/*.parquet')").fetchall()
                compared[f"{schema}.{name}"] = rows(found)
    assert len(compared) > 20
    assert differences({name: reference[name] for name in compared}, compared) == ""
