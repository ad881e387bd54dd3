"""The file destination: what was planned, once, with its consent, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from orchestration.lib.sync import SyncReport, run_file_sync
from orchestration.lib.warehouse import Embedded

DAY_1, DAY_2, DAY_3 = "2026-01-01T00:00:00", "2026-01-02T00:00:00", "2026-01-03T00:00:00"
COLUMNS = ["email", "phone", "score"]
PLAN = """
    sync_id varchar, record_key varchar, op_type varchar, payload varchar, payload_hash varchar, consent_basis varchar,
    status varchar, reason varchar, consent_recorded_at timestamp, planned_at timestamp
"""


@pytest.fixture
def warehouse_file(tmp_path: Path) -> Path:
    """A build database with an empty ledger."""
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        Embedded(connection).ensure_tables("salt")
    return file


@pytest.fixture
def warehouse(warehouse_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse_file)) as connection:
        yield connection


def _planned(key: str, op: str = "added", status: str = "planned", sync: str = "news", **payload: Any) -> dict[str, Any]:
    """One line of a plan; its payload is the e-mail of the key, unless told."""
    text = json.dumps({"email": f"{key}@example.com"} | payload)
    sent = status == "planned"
    consented = sent and op != "removed"
    return {
        "sync_id": sync,
        "record_key": key,
        "op_type": op,
        "payload": text if sent else None,
        "payload_hash": hashlib.md5(text.encode()).hexdigest() if sent else None,  # noqa: S324
        "consent_basis": f"email_marketing granted by event {key}-1" if consented else None,
        "status": status,
        "reason": None,
        "consent_recorded_at": "2025-12-24 18:00:00" if consented else None,
    }


def _sync(
    warehouse: duckdb.DuckDBPyConnection,
    folder: Path,
    as_of: str,
    *plan: dict[str, Any],
    sync: str = "news",
    columns: list[str] | None = None,
) -> SyncReport:
    """Publish a plan and run the sync on it."""
    snapshot = folder / f"snapshot-{len(list(folder.glob('snapshot-*')))}"
    snapshot.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"create table plan ({PLAN})")
        for line in plan:
            connection.execute(
                f"insert into plan by name select {', '.join(f'? as {name}' for name in line)}, ?::timestamp as planned_at",
                [*line.values(), as_of],
            )
        file = snapshot / "activation.sync_plan.parquet"
        connection.execute(f"copy plan to '{file}' (format parquet)")
    exports = folder / "exports"
    return run_file_sync(Embedded(warehouse), snapshot, sync, columns or COLUMNS, exports, as_of=as_of)


def _exports(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in (folder / "exports").rglob("*") if file.is_file())
    return {str(file.relative_to(folder / "exports")): file.read_bytes() for file in files}


def _rows(report: SyncReport) -> list[dict[str, str]]:
    file = next(Path(file) for file in report.files if file.endswith(".csv"))
    return list(csv.DictReader(file.open(encoding="utf-8", newline="")))


def _ledger(warehouse: duckdb.DuckDBPyConnection, table: str, columns: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(f"select {columns} from ledger.{table} order by all").fetchall()


def test_what_is_planned_is_written_as_csv_and_parquet_with_the_consent_that_allows_it(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = _sync(warehouse, tmp_path, DAY_1, _planned("a", phone="+44 20 7946 0123", score=0.5), _planned("b"))
    assert (report.added, report.changed, report.removed, report.held) == (2, 0, 0, 0)
    assert list(_exports(tmp_path)) == ["news/20260101T000000-1.csv", "news/20260101T000000-1.parquet"]
    expected = {
        "operation": "added",
        "record_key": "a",
        "email": "a@example.com",
        "phone": "+44 20 7946 0123",
        "score": "0.5",
        "consent_basis": "email_marketing granted by event a-1",
        "consent_recorded_at": "2025-12-24T18:00:00Z",
    }
    assert _rows(report)[0] == expected
    parquet = pyarrow.parquet.read_table(next(file for file in report.files if file.endswith(".parquet"))).to_pylist()
    assert parquet[0] == expected
    assert parquet[1] == expected | {
        "record_key": "b",
        "email": "b@example.com",
        "phone": None,
        "score": None,
        "consent_basis": "email_marketing granted by event b-1",
    }


def test_the_ledger_says_what_was_sent_and_when(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _sync(warehouse, tmp_path, DAY_1, _planned("a"), _planned("b", status="held"))
    assert _ledger(warehouse, "sync_outcomes", "sync_id, sync_run_id, record_key, op_type, status, planned_at::varchar") == [
        ("news", "news-20260101T000000-1", "a", "added", "succeeded", "2026-01-01 00:00:00")
    ]
    columns = "sync_run_id, run_number, destination, file, num_planned_add, num_succeeded_add, num_succeeded_remove, num_held"
    assert _ledger(warehouse, "sync_runs", columns) == [
        ("news-20260101T000000-1", 1, "files", "news/20260101T000000-1", 1, 1, 0, 1)
    ]


def test_who_is_held_is_counted_and_does_not_leave(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = _sync(warehouse, tmp_path, DAY_1, _planned("a"), _planned("b", status="held"), _planned("c", status="held"))
    assert report.held == 2
    assert [row["record_key"] for row in _rows(report)] == ["a"]


def test_nothing_planned_writes_nothing(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = _sync(warehouse, tmp_path, DAY_1, _planned("b", status="held"))
    assert (report.added, report.held, report.files) == (0, 1, ())
    assert not (tmp_path / "exports").exists()
    assert _ledger(warehouse, "sync_runs", "*") == []


def test_the_same_plan_at_the_same_time_is_sent_once(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    plan = [_planned("a"), _planned("b", "changed"), _planned("c", "removed")]
    _sync(warehouse, tmp_path, DAY_1, *plan)
    exports, ledger = _exports(tmp_path), _ledger(warehouse, "sync_outcomes", "*")
    report = _sync(warehouse, tmp_path, DAY_1, *plan)
    assert (report.added, report.changed, report.removed, report.files) == (0, 0, 0, ())
    assert _exports(tmp_path) == exports
    assert _ledger(warehouse, "sync_outcomes", "*") == ledger


def test_what_came_in_since_is_sent_alone_under_a_name_of_its_own(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _sync(warehouse, tmp_path, DAY_1, _planned("a"))
    first = _exports(tmp_path)
    report = _sync(warehouse, tmp_path, DAY_1, _planned("a"), _planned("b"))
    assert [row["record_key"] for row in _rows(report)] == ["b"]
    assert [Path(file).name for file in report.files] == ["20260101T000000-2.csv", "20260101T000000-2.parquet"]
    assert _exports(tmp_path).items() >= first.items()


def test_a_record_that_left_and_came_back_later_is_sent_again(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert _sync(warehouse, tmp_path, DAY_1, _planned("a")).added == 1
    assert _sync(warehouse, tmp_path, DAY_2, _planned("a", "removed")).removed == 1
    assert _sync(warehouse, tmp_path, DAY_3, _planned("a")).added == 1


def test_an_older_time_than_one_already_sent_sends_nothing(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _sync(warehouse, tmp_path, DAY_2, _planned("a"))
    before = _exports(tmp_path)
    report = _sync(warehouse, tmp_path, DAY_1, _planned("b"), _planned("a", "removed"))
    assert (report.added, report.removed, report.files) == (0, 0, ())
    assert _exports(tmp_path) == before
    assert _sync(warehouse, tmp_path, DAY_3, _planned("b")).added == 1


def test_syncs_do_not_see_each_other(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    plan = [_planned("a"), _planned("a", sync="ads"), _planned("b", sync="ads", status="held")]
    assert _sync(warehouse, tmp_path, DAY_2, *plan).held == 0
    ads = _sync(warehouse, tmp_path, DAY_1, *plan, sync="ads", columns=["email"])
    assert (ads.added, ads.held) == (1, 1)
    assert "ads/20260101T000000-1.csv" in _exports(tmp_path)


def test_a_failure_between_the_file_and_the_ledger_repeats_the_same_file(warehouse_file: Path, tmp_path: Path) -> None:
    plan = [_planned("b"), _planned("a"), _planned("c", "removed")]
    # A database opened read-only fails exactly there: the files are written, the ledger refuses.
    with duckdb.connect(str(warehouse_file), read_only=True) as warehouse:
        with pytest.raises(duckdb.Error):
            _sync(warehouse, tmp_path, DAY_1, *plan)
        assert _ledger(warehouse, "sync_outcomes", "*") == []
    written = _exports(tmp_path)
    assert list(written) == ["news/20260101T000000-1.csv", "news/20260101T000000-1.parquet"]
    with duckdb.connect(str(warehouse_file)) as warehouse:
        report = _sync(warehouse, tmp_path, DAY_1, *reversed(plan))
        assert (report.added, report.removed) == (2, 1)
        assert len(_ledger(warehouse, "sync_outcomes", "*")) == 3
    assert _exports(tmp_path) == written


def test_the_ledger_takes_a_run_whole_or_not_at_all(warehouse_file: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(warehouse_file)) as warehouse:
        # Outcomes can be written, the line of the run cannot.
        warehouse.execute("alter table ledger.sync_runs alter num_held type utinyint")
        held = [_planned(f"h{number}", status="held") for number in range(256)]
        with pytest.raises(duckdb.Error):
            _sync(warehouse, tmp_path, DAY_1, _planned("a"), *held)
        assert _ledger(warehouse, "sync_outcomes", "*") == []
        # The connection is still good.
        assert _sync(warehouse, tmp_path, DAY_1, _planned("a")).added == 1


def test_no_half_written_file_is_left(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _sync(warehouse, tmp_path, DAY_1, _planned("a"))
    assert [name for name in _exports(tmp_path) if "/." in name] == []


def test_removals_come_first_and_carry_what_was_sent_without_a_consent(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _sync(warehouse, tmp_path, DAY_1, _planned("z", phone="+442079460123", score=3))
    report = _sync(warehouse, tmp_path, DAY_2, _planned("a"), _planned("z", "removed", phone="+442079460123", score=3))
    removal, addition = _rows(report)
    assert (removal["operation"], addition["operation"]) == ("removed", "added")
    assert (removal["record_key"], removal["email"], removal["phone"], removal["score"]) == (
        "z",
        "z@example.com",
        "+442079460123",
        "3",
    )
    assert (removal["consent_basis"], removal["consent_recorded_at"]) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1;1)",
        "\t=1+1",
        "\r=1+1",
        "-1-1",
        "+1+1",
    ],
)
def test_no_cell_of_the_csv_is_a_formula_and_the_parquet_keeps_the_value(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, text: str
) -> None:
    report = _sync(warehouse, tmp_path, DAY_1, _planned("a", email=text))
    assert _rows(report)[0]["email"] == "'" + text
    assert pyarrow.parquet.read_table(report.files[1])["email"].to_pylist() == [text]


@pytest.mark.parametrize("text", ["+442079460123", "+44 20 7946 0123", "-5", "-5.25", "jane@example.com", "a=b", "", "0"])
def test_phones_numbers_and_plain_text_stay_as_they_are(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    assert _rows(_sync(warehouse, tmp_path, DAY_1, _planned("a", phone=text)))[0]["phone"] == text


@pytest.mark.parametrize("text", ['say "hi"', "a,b", "two\nlines", "größe 🙂", "semi;colon", " spaces "])
def test_any_text_comes_back_from_the_csv(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    assert _rows(_sync(warehouse, tmp_path, DAY_1, _planned("a", email=text)))[0]["email"] == text


def test_values_that_are_no_text_are_written_as_json(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = _sync(warehouse, tmp_path, DAY_1, _planned("a", phone=True, score=-0.125), _planned("b", score=[1, "x"]))
    assert [(row["phone"], row["score"]) for row in _rows(report)] == [("true", "-0.125"), ("", '[1, "x"]')]
