"""The published snapshot: whole or not at all, equal for equal tables, readable at every moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.lib import snapshot
from orchestration.lib.errors import TesseraError
from orchestration.lib.publish import DATABASE, PublicTable, current, fingerprint, public_tables, publish, republish
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT

PEOPLE, ORDERS, LOG = (
    PublicTable("profiles", "people"),
    PublicTable("profiles", "orders"),
    PublicTable("activation", "sync_log"),
)
TABLES = [LOG, ORDERS, PEOPLE]
STORAGE_OF_DUCKDB_1_2 = 65  # in a DuckDB file, 8 bytes at offset 12; an older client refuses a higher number


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A build database with three public tables and one that is private."""
    with duckdb.connect(str(tmp_path.with_name(f"{tmp_path.name}.duckdb"))) as connection:
        connection.execute(
            """
            create schema profiles;
            create schema activation;
            create table profiles.people as
                select 'p' || range as profile_id, case when range % 3 > 0 then 'mail ' || range end as email from range(1000);
            -- More rows than a row group of DuckDB (122,880), so that more than one thread writes them.
            create table profiles.orders as
                select range as order_number, cast(range as decimal(18, 4)) / 7 as revenue,
                    timestamp '2026-01-01' + range * interval 1 minute as ordered_at
                from range(130000);
            create table activation.sync_log (sync_id varchar, record_key varchar);
            create table profiles.int_secrets as select 1 as secret;
            """
        )
        yield connection


def _publish(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, run: str, tables: list[PublicTable] | None = None, space: str = "prod"
) -> Path:
    return publish(Embedded(warehouse, space), tables or TABLES, folder, run, as_of="2026-01-01T00:00:00", git_commit="abc")


def _runs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "current")


def test_a_snapshot_holds_each_public_table_once_as_parquet_and_once_in_the_database(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    folder = _publish(warehouse, tmp_path / "published", "run-1")
    assert sorted(file.name for file in folder.iterdir()) == [
        "activation.sync_log.parquet",
        "manifest.json",
        "profiles.orders.parquet",
        "profiles.people.parquet",
        "tessera.duckdb",
    ]
    assert json.loads((folder / "manifest.json").read_text()) == {
        "run": "run-1",
        "as_of": "2026-01-01T00:00:00",
        "git_commit": "abc",
        "rows": {"activation.sync_log": 0, "profiles.orders": 130_000, "profiles.people": 1_000},
    }
    with duckdb.connect(str(folder / DATABASE), read_only=True) as connection:
        names = connection.execute("select schema_name || '.' || table_name from duckdb_tables() order by 1").fetchall()
        assert [name for (name,) in names] == ["activation.sync_log", "profiles.orders", "profiles.people"]
        for table in TABLES:
            in_database = connection.execute(f"select * from {table.key} order by all").fetchall()
            file = str(folder / f"{table.key}.parquet")
            assert connection.execute("select * from read_parquet(?) order by all", [file]).fetchall() == in_database
            assert warehouse.execute(f"select * from {table.key} order by all").fetchall() == in_database


def test_equal_tables_give_equal_parquet_files_whatever_the_order_of_their_rows(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = _publish(warehouse, tmp_path / "a", "run-1")
    warehouse.execute("create or replace table profiles.orders as select * from profiles.orders order by hash(order_number)")
    warehouse.execute("create or replace table profiles.people as select * from profiles.people order by profile_id desc")
    warehouse.execute("set preserve_insertion_order = false")
    second = _publish(warehouse, tmp_path / "b", "run-2")
    for file in sorted(first.glob("*.parquet")):
        assert (second / file.name).read_bytes() == file.read_bytes(), file.name
    assert fingerprint(first) == fingerprint(second)


def test_a_fingerprint_tells_one_changed_row(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    before = fingerprint(_publish(warehouse, tmp_path / "a", "run-1"))
    warehouse.execute("update profiles.people set email = null where profile_id = 'p7'")
    after = fingerprint(_publish(warehouse, tmp_path / "b", "run-2"))
    assert {table for table in before if before[table] != after[table]} == {"profiles.people"}


def test_older_clients_open_the_database(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, "run-1")
    for folder in (current(tmp_path), republish(Embedded(warehouse), [LOG], tmp_path)):
        header = (folder / DATABASE).read_bytes()[:20]
        assert header[8:12] == b"DUCK"
        assert int.from_bytes(header[12:20], "little") <= STORAGE_OF_DUCKDB_1_2


def test_current_is_a_link_that_always_leads_to_a_whole_snapshot(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(TesseraError, match="Nothing has been published yet") as caught:
        current(tmp_path)
    assert caught.value.exit_code == 1
    assert "tessera run" in caught.value.fix
    for run in ("run-1", "run-2"):
        folder = _publish(warehouse, tmp_path, run)
        assert (tmp_path / "current").is_symlink()
        # Relative, so that the home can be moved or mounted elsewhere.
        assert (tmp_path / "current").readlink() == Path(folder.name)
        assert current(tmp_path) == folder


def test_another_space_is_published_under_the_names_without_its_prefix(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    warehouse.execute("create schema dev_profiles; create table dev_profiles.people as select 'd1' as profile_id")
    _publish(warehouse, tmp_path, "run-1", [PEOPLE], space="dev")
    assert snapshot.query(tmp_path, "select * from profiles.people").rows == [("d1",)]


def test_a_failure_leaves_the_former_snapshot_current_and_the_next_run_cleans_up(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    former = _publish(warehouse, tmp_path, "run-1")
    before = fingerprint(former)
    with pytest.raises(duckdb.CatalogException):
        _publish(warehouse, tmp_path, "run-2", [*TABLES, PublicTable("profiles", "zz_missing")])
    assert current(tmp_path) == former
    assert fingerprint(former) == before
    assert _publish(warehouse, tmp_path, "run-3").name == "run-3"
    assert _runs(tmp_path) == ["run-1", "run-3"]


def test_a_draft_left_by_a_kill_is_removed_and_never_shown(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    killed = """
import os, signal, sys
from pathlib import Path
import duckdb
from orchestration.lib import publish
from orchestration.lib.warehouse import Embedded
with duckdb.connect() as connection:
    connection.execute("create schema profiles; create table profiles.people as select 1 as profile_id")
    connection.create_function("die", lambda x: os.kill(os.getpid(), signal.SIGKILL), ["BIGINT"], "BIGINT")
    connection.execute("create view profiles.zz_deadly as select die(range) as x from range(1)")
    tables = [publish.PublicTable("profiles", "people"), publish.PublicTable("profiles", "zz_deadly")]
    publish.publish(Embedded(connection), tables, Path(sys.argv[1]), "run-2", as_of="2026-01-01T00:00:00", git_commit="abc")
"""
    former = _publish(warehouse, tmp_path / "published", "run-1")
    process = subprocess.run([sys.executable, "-c", killed, str(tmp_path / "published")], cwd=ROOT, check=False)
    assert process.returncode == -9
    assert _runs(tmp_path / "published") == [".writing-run-2", "run-1"]
    assert current(tmp_path / "published") == former
    _publish(warehouse, tmp_path / "published", "run-3")
    assert _runs(tmp_path / "published") == ["run-1", "run-3"]


def test_three_runs_are_kept_each_with_its_ledger(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for number in range(1, 6):
        _publish(warehouse, tmp_path, f"run-{number}")
        republish(Embedded(warehouse), [LOG], tmp_path)
    # Besides the three: the one that was current until just now, which somebody may be opening.
    assert _runs(tmp_path) == ["run-3-synced", "run-4-synced", "run-5", "run-5-synced"]


def test_three_runs_are_kept_where_nothing_was_synced(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for number in range(1, 6):
        _publish(warehouse, tmp_path, f"run-{number}")
    assert _runs(tmp_path) == ["run-3", "run-4", "run-5"]


def test_publishing_again_renews_only_the_tables_given(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first = _publish(warehouse, tmp_path, "run-1")
    warehouse.execute("insert into activation.sync_log values ('newsletter', 'p1')")
    warehouse.execute("delete from profiles.people")
    second = republish(Embedded(warehouse), [LOG], tmp_path)
    assert current(tmp_path) == second
    before, after = fingerprint(first), fingerprint(second)
    assert {table for table in before if before[table] != after[table]} == {"activation.sync_log"}
    assert snapshot.query(tmp_path, "select * from activation.sync_log").rows == [("newsletter", "p1")]
    assert snapshot.query(tmp_path, "select count(*) from profiles.people").rows == [(1000,)]
    rows = json.loads((second / "manifest.json").read_text())["rows"]
    assert rows == {"activation.sync_log": 1, "profiles.orders": 130_000, "profiles.people": 1_000}
    # The former snapshot stays what it was, although the two share files.
    with duckdb.connect(str(first / DATABASE), read_only=True) as connection:
        assert connection.execute("select count(*) from activation.sync_log").fetchall() == [(0,)]
    assert fingerprint(first) == before


def test_one_who_reads_a_former_snapshot_reads_on_after_it_is_gone(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, "run-1")
    reader = snapshot.open_snapshot(tmp_path)
    warehouse.execute("delete from profiles.orders")
    for number in range(2, 6):
        _publish(warehouse, tmp_path, f"run-{number}")
    assert "run-1" not in _runs(tmp_path)
    assert reader.execute("select count(*), max(order_number) from profiles.orders").fetchall() == [(130_000, 129_999)]
    reader.close()
    assert snapshot.query(tmp_path, "select count(*) from profiles.orders").rows == [(0,)]


def test_readers_in_a_loop_see_whole_snapshots_only(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def fill(number: int) -> None:
        warehouse.execute("create or replace table profiles.people as select ? as number from range(?)", [number, number])
        warehouse.execute("create or replace table activation.sync_log as select * from profiles.people")

    fill(1)
    _publish(warehouse, tmp_path, "run-1", [PEOPLE, LOG])
    errors: list[BaseException] = []
    seen: set[int] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                with duckdb.connect(str(tmp_path / "current" / DATABASE), read_only=True) as connection:
                    people = connection.execute("select number, count(*) from profiles.people group by 1").fetchall()
                    log = connection.execute("select number, count(*) from activation.sync_log group by 1").fetchall()
                [(number, count)] = people
                assert people == log
                assert number == count
                file = str(tmp_path / "current" / "profiles.people.parquet")
                with duckdb.connect() as connection:
                    connection.execute("select count(*) from read_parquet(?)", [file]).fetchall()
                seen.add(number)
            except BaseException as error:
                errors.append(error)

    # One reader: within one process DuckDB shares an open database by its path, which separate tools do not.
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 12):
        fill(number)
        _publish(warehouse, tmp_path, f"run-{number}", [PEOPLE, LOG])
        republish(Embedded(warehouse), [LOG], tmp_path)
    stop.set()
    reader.join()
    assert errors == []
    assert len(seen) > 3


def test_public_tables_are_the_public_models_of_the_product_by_stage(tmp_path: Path) -> None:
    def node(name: str, **changes: object) -> dict[str, object]:
        model = {"resource_type": "model", "access": "public", "package_name": "tessera", "name": name, "alias": name}
        return model | {"fqn": ["tessera", "profiles", name]} | changes

    nodes = {
        "a": node("sessions"),
        "b": node("orders"),
        "c": node("int_orders_sorted", access="private"),
        "d": node("average_order_value", package_name="sql_traits"),
        "e": node("channels", resource_type="seed"),
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    assert [table.key for table in public_tables(tmp_path / "manifest.json")] == ["profiles.orders", "profiles.sessions"]
