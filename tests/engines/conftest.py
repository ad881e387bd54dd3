"""Other engines to run the models on. A test skips, and says how to get the engine, where it is absent."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

# What Python writes, and so must lie in an engine before its models run.
PYTHON_SCHEMAS = ("raw", "ledger")
PYTHON_TABLES = ("model_runs", "model_scores")


def python_tables(warehouse: Path) -> Iterator[tuple[str, str, pa.Table]]:
    """Yield (schema, table, rows) of the tables that Python owns in a build database."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
        for schema, table in sorted(names):
            if schema in PYTHON_SCHEMAS or table in PYTHON_TABLES:
                yield schema, table, connection.sql(f'select * from "{schema}"."{table}"').to_arrow_table()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[dict[str, str]]:
    """A PostgreSQL server of our own on a free port of this machine; yields the variables that reach it."""
    folders = [*os.environ["PATH"].split(os.pathsep), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    initdb = shutil.which("initdb", path=os.pathsep.join(folders))
    if not initdb:
        pytest.skip("no PostgreSQL: install Debian's package postgresql (its initdb and pg_ctl are all that is needed)")
    if not importlib.util.find_spec("dbt.adapters.postgres"):
        pytest.skip("no adapter for PostgreSQL: pip install '.[postgres]'")
    owner = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = next((user.pw_name for user in pwd.getpwall() if user.pw_name == "postgres"), "nobody")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="tessera-postgres-") as name:
        yield from _serve(Path(name), initdb, owner, port)


def _serve(folder: Path, initdb: str, owner: str | None, port: str) -> Iterator[dict[str, str]]:
    if owner:
        shutil.chown(folder, owner)
    data = str(folder / "data")

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    run(initdb, "--pgdata", data, "--encoding", "UTF8", "--locale", "C", "--auth", "trust", "--username", "tessera")
    control = str(Path(initdb).parent / "pg_ctl")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(control, "--pgdata", data, "--options", options, "--log", str(folder / "log"), "--wait", "start")
    try:
        yield {
            "TESSERA_TARGET": "postgres",
            "TESSERA_POSTGRES_HOST": "127.0.0.1",
            "TESSERA_POSTGRES_PORT": port,
            "TESSERA_POSTGRES_USER": "tessera",
            "TESSERA_POSTGRES_DATABASE": "postgres",
        }
    finally:
        run(control, "--pgdata", data, "--mode", "immediate", "stop")


@pytest.fixture(scope="session")
def spark_server() -> dict[str, str]:
    """Spark within dbt's own process; yields the variables that choose it."""
    if not shutil.which("java"):
        pytest.skip("no Java: install Debian's package default-jre-headless")
    if not (importlib.util.find_spec("pyspark") and importlib.util.find_spec("dbt.adapters.spark")):
        pytest.skip("no Spark: pip install '.[spark]'")
    return {"TESSERA_TARGET": "spark"}
