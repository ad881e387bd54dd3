"""The one layer through which Python reads and writes tables keeps every value, on every engine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration import project
from orchestration.lib.errors import LockedError, TesseraError, UsageError
from orchestration.lib.load import load_files
from orchestration.lib.warehouse import Embedded, Warehouse, connect

TEXTS = [None, "", " ", "a,b", 'say "hi"', "two\nlines", "tab\tback\\slash", "größe 🙂", "null", "\\N", "'quoted'", "\\."]


@pytest.fixture(params=["duckdb_engine", "postgres", "spark"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An engine as the environment would name it, with the tables that Python owns."""
    for name, value in request.getfixturevalue(request.param)(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    with project.open_warehouse() as opened:
        opened.ensure_tables("one salt")
        yield opened


def outcomes(texts: list[str | None], run: str) -> pa.Table:
    """Rows of the ledger whose payloads are these texts."""
    moment = datetime(2026, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001 (UTC without zone, as everywhere)
    row = dict.fromkeys(("sync_id", "op_type", "payload_hash", "consent_basis", "status", "failure_reason"), "x")
    row |= {"sync_run_id": run, "run_number": 2**40, "consent_recorded_at": None, "planned_at": moment, "attempted_at": moment}
    return pa.Table.from_pylist([row | {"payload": text, "record_key": f"k{number:02}"} for number, text in enumerate(texts)])


def test_the_layer_keeps_every_value_and_replaces_by_key(warehouse: Warehouse) -> None:
    """One test, for an engine's start may cost much."""

    def read(table: str, columns: str, order: str) -> list[tuple]:
        with warehouse.reading(table) as rows:
            return warehouse.local.execute(f"select {columns} from {rows} order by {order}").fetchall()

    assert read("ledger.sync_outcomes", "*", "record_key") == []
    warehouse.write("ledger.sync_outcomes", outcomes(TEXTS, "r1"), sync_run_id="r1")
    warehouse.write("ledger.sync_outcomes", outcomes(["other"], "r2"), sync_run_id="r2")
    moment = datetime(2026, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001
    stored = read("ledger.sync_outcomes", "payload, run_number, planned_at, consent_recorded_at", "sync_run_id, record_key")
    assert stored == [(text, 2**40, moment, None) for text in [*TEXTS, "other"]]
    # Written again, the rows of a key are those that were written last.
    warehouse.write("ledger.sync_outcomes", outcomes(["new"], "r1"), sync_run_id="r1")
    assert read("ledger.sync_outcomes", "payload", "sync_run_id") == [("new",), ("other",)]

    spend = {
        "platform": ["a", None], "account_id": ["", None], "account_name": [None, "n"], "campaign_id": ["c", "c"],
        "campaign_name": ["c", "c"], "currency": ["EUR", "EUR"], "clicks": [None, 7], "impressions": [0, -1],
        "spend": [Decimal("99999999999999.9999"), Decimal("-0.0001")], "date_day": [date(1999, 12, 31), None],
        "synced_at": [None, moment], "file_id": ["f", "f"], "line_number": [1, 2],
    }  # fmt: skip
    schema = pa.schema(
        [(name, pa.decimal128(18, 4) if name == "spend" else pa.array(values).type) for name, values in spend.items()]
    )
    warehouse.write("raw.ad_spend", pa.table(spend, schema), file_id="f")
    columns = ", ".join(spend)
    assert read("raw.ad_spend", columns, "line_number") == list(zip(*spend.values(), strict=True))

    # A key may be a time.
    scores = {"profile_id": ["p"], "target": ["t"], "model_version": [None], "probability": [0.1 + 0.2], "percentile": [1e-300]}
    for _ in range(2):
        warehouse.write("predictions.model_scores", pa.table(scores | {"as_of": [moment]}), target="t", as_of=moment)
    assert read("predictions.model_scores", "probability, percentile, as_of", "1") == [(0.1 + 0.2, 1e-300, moment)]

    # What was collected is handed over, and once.
    for _ in range(2):
        name = warehouse.collect("raw.ingest_rejects")
        if not isinstance(warehouse, Embedded):
            warehouse.local.execute(f"insert into {name} values ('f', 1, 'eA==', 'not JSON')").fetchall()
            warehouse.deliver("raw.ingest_rejects")
            assert read("raw.ingest_rejects", "file_id, line_number, raw_base64, reason", "1") == [("f", 1, "eA==", "not JSON")]

    # The salt is one row, whatever it was before.
    for salt in ("one salt", "another salt"):
        warehouse.ensure_tables(salt)
        assert warehouse.rows(f"select salt from {warehouse.name('raw.workspace')}") == [(salt,)]


def test_a_load_that_fails_before_its_line_in_the_ledger_is_repeated_whole(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "web" / "calls.ndjson"
    file.parent.mkdir()
    calls = [b'{"messageId":"m1","traits":{"phone":"07911123456"}}', b'{"messageId":"m2"}', b'{"messageId":"m1"}', b"{broken"]
    file.write_bytes(b"\n".join(calls))
    write = type(warehouse).write

    def fail_at_the_ledger(self: Warehouse, table: str, *arguments: object, **key: object) -> None:
        if table == "raw.ingest_files":
            raise KeyboardInterrupt
        write(self, table, *arguments, **key)

    with monkeypatch.context() as patch:
        patch.setattr(type(warehouse), "write", fail_at_the_ledger)
        with pytest.raises(KeyboardInterrupt):
            load_files(warehouse, [file], region="GB")
    [report] = load_files(warehouse, [file], region="GB").files
    assert (report.status, report.rows_loaded, report.rows_rejected, report.rows_duplicate) == ("loaded", 2, 1, 1)
    for table, rows in {"events": 3, "ingest_rejects": 1, "phone_numbers": 1, "ingest_files": 1}.items():
        assert warehouse.rows(f"select count(*) from {warehouse.name(f'raw.{table}')}") == [(rows,)]
    assert load_files(warehouse, [file], region="GB").files[0].status == "already loaded"


def test_a_failed_transaction_leaves_nothing_on_engines_that_have_transactions(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    for name, value in request.getfixturevalue("postgres")("transactions").items():
        monkeypatch.setenv(name, value)
    with project.open_warehouse() as opened:
        opened.ensure_tables("salt")

        def write_and_fail() -> None:
            with opened.transaction():
                opened.write("ledger.sync_outcomes", outcomes(["a"], "r1"), sync_run_id="r1")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_and_fail()
        assert opened.rows(f"select count(*) from {opened.name('ledger.sync_outcomes')}") == [(0,)]


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2", reason="no adapter for PostgreSQL: pip install '.[postgres]'")
    settings = {"TESSERA_HOME": str(tmp_path), "TESSERA_TARGET": "postgres", "TESSERA_POSTGRES_HOST": "127.0.0.1"}
    for name, value in (settings | {"TESSERA_POSTGRES_PORT": "1", "TESSERA_POSTGRES_PASSWORD": "canary"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TesseraError, match=r"127\.0\.0\.1:1") as error, project.open_warehouse():
        pass
    assert "canary" not in str(error.value)


def test_an_engine_that_python_does_not_write_to_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="snowflake"), connect({"snowflake": {"type": "snowflake"}}, "snowflake", space="prod"):
        pass


def test_duckdb_takes_memory_threads_and_temporary_folder_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "TESSERA_HOME": str(tmp_path),
        "TESSERA_MEMORY_LIMIT": "1GB",
        "TESSERA_THREADS": "3",
        "TESSERA_TEMP": str(tmp_path / "t"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with project.open_warehouse() as opened:
        names = ("memory_limit", "threads", "temp_directory", "TimeZone")
        [found] = opened.rows("select " + ", ".join(f"current_setting('{name}')" for name in names))
    assert found == ("953.6 MiB", 3, str(tmp_path / "t"), "UTC")


def test_two_homes_on_one_database_write_one_after_the_other(
    postgres: Callable[[str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postgres(tmp_path.name).items():
        monkeypatch.setenv(name, value)

    def from_home(name: str, space: str = "prod") -> AbstractContextManager[None]:
        monkeypatch.setenv("TESSERA_HOME", str(tmp_path / name))
        monkeypatch.setenv("TESSERA_SPACE", space)
        return project.writing("run")

    with from_home("one"):
        with pytest.raises(LockedError, match="Another home writes to this database") as error, from_home("two"):
            pytest.fail("both write")
        assert f"tessera run on {socket.gethostname()}" in str(error.value)
        with from_home("two", space="trial"):
            pass
    with from_home("two"):
        pass


@pytest.mark.parametrize(("variable", "found"), [("TESSERA_MEMORY_LIMIT", "lots"), ("TESSERA_THREADS", "many")])
def test_a_setting_that_duckdb_does_not_take_is_named(
    variable: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path))
    monkeypatch.setenv(variable, found)
    with pytest.raises(UsageError, match=f"(?s)found: '{found}'.*{variable} is a"), project.open_warehouse():
        pytest.fail("it was taken")
