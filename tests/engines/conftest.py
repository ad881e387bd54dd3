"""Other engines to run the models on. A test skips, and says how to get the engine, where it is absent."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import TIMINGS
from tests.engines.cluster import standalone_cluster


@pytest.fixture(scope="session")
def timings() -> list[tuple[str, str, float, float]]:
    """What was run where, for the summary at the end: engine, run, seconds, CPU-seconds."""
    return TIMINGS


@pytest.fixture(scope="session")
def duckdb_engine() -> Callable[[str], dict[str, str]]:
    """The embedded engine: nothing to set."""
    return lambda name: {}


@pytest.fixture(scope="session")
def postgres(postgres_server: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """Return the variables of a new database on the server."""
    import psycopg2

    def create(name: str) -> dict[str, str]:
        connection = psycopg2.connect(
            host=postgres_server["TESSERA_POSTGRES_HOST"],
            port=postgres_server["TESSERA_POSTGRES_PORT"],
            user=postgres_server["TESSERA_POSTGRES_USER"],
            dbname="postgres",
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", [name])
            if not cursor.fetchall():
                cursor.execute(f'create database "{name}"')
        connection.close()
        return postgres_server | {"TESSERA_POSTGRES_DATABASE": name}

    return create


@pytest.fixture(scope="session")
def spark(spark_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Spark in one process on this machine."""
    # So little data is not worth compiling queries for.
    folder = tmp_path_factory.mktemp("spark-conf")
    interpreted = "spark.sql.codegen.wholeStage false\nspark.sql.codegen.factoryMode NO_CODEGEN\n"
    (folder / "spark-defaults.conf").write_text(interpreted, encoding="utf-8")
    return lambda name: spark_server | {"TESSERA_SPARK_PARTITIONS": "1", "SPARK_CONF_DIR": str(folder)}


@pytest.fixture(scope="session")
def spark_cluster(
    spark_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], dict[str, str]]]:
    """A master and two workers, which compile queries as Spark does by default."""
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as variables:
        yield lambda name: spark_server | variables | {"TESSERA_SPARK_PARTITIONS": "2"}


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
    # So little data is not worth an optimising compiler.
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    return {"TESSERA_TARGET": "spark", "TESSERA_MEMORY_LIMIT": "2g", "JAVA_TOOL_OPTIONS": java}
