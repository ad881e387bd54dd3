"""The command line: exit codes, and messages that say what, where and what to do, and never quote what customers wrote."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.lib import lock
from tests.conftest import ROOT, TESSERA, ask, tessera, tessera_in
from tests.orchestration.conftest import copy_tree

SECRET = "jane.doe.4711@example.com"  # noqa: S105
LINE = json.dumps({"messageId": "m-{}", "type": "identify", "userId": SECRET, "receivedAt": "2026-01-01T00:00:00Z"})


def _lines(count: int, first: int = 1) -> bytes:
    return "".join(LINE.replace("{}", str(number)) + "\n" for number in range(first, first + count)).encode()


def _said(result: subprocess.CompletedProcess[str]) -> str:
    """Return all that was said; whatever it was, it quotes no content and shows no traceback."""
    text = result.stdout + result.stderr
    assert SECRET not in text
    assert "Traceback" not in text
    return text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that nothing was published in."""
    return tmp_path_factory.mktemp("command_line") / "home"


def _count(home: Path, sql: str) -> int:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        [(count,)] = connection.execute(sql).fetchall()
        return count


# ---------------------------------------------------------------- load


def test_a_broken_line_is_counted_and_the_rest_is_loaded(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "broken_line.ndjson"
    file.write_bytes(_lines(2, first=100) + LINE[:40].encode() + b"\n" + _lines(1, first=102))
    result = tessera(home, "load", file, "--source", "broken", check=False)
    assert result.returncode == 0
    assert f"{file}: 4 lines = 3 loaded + 1 rejected + 0 duplicates" in _said(result)
    assert "ingest_rejects" in result.stdout
    assert _count(home, "select count(*) from raw.events where source_id = 'broken'") == 3
    assert _count(home, "select line_number from raw.ingest_rejects") == 3


def test_loading_a_file_again_says_so_and_does_nothing(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "twice.ndjson"
    file.write_bytes(_lines(2, first=200))
    assert "2 loaded" in _said(tessera(home, "load", file, "--source", "twice"))
    assert f"{file}: already loaded" in _said(tessera(home, "load", file, "--source", "twice"))
    assert _count(home, "select count(*) from raw.events where source_id = 'twice'") == 2


def test_an_empty_file_is_no_failure_and_is_named_as_empty(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "empty.ndjson"
    file.touch()
    result = tessera(home, "load", file, check=False)
    assert result.returncode == 0
    assert f"{file}: 0 lines" in _said(result)
    assert "it is empty" in result.stdout


def _truncated(lines: bytes) -> bytes:
    packed = gzip.compress(lines)
    return packed[: len(packed) // 2]


def _wrong_crc(lines: bytes) -> bytes:
    packed = bytearray(gzip.compress(lines))
    packed[-8] ^= 0xFF
    return bytes(packed)


def _zip(lines: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("events.ndjson", lines)
    return archive.getvalue()


def _parquet(folder: Path) -> bytes:
    file = folder / "made.parquet"
    duckdb.sql(f"select '{SECRET}' as email from range(10)").write_parquet(str(file))
    content = file.read_bytes()
    file.unlink()
    return content


# Name of the file → its content, and a word of what the message says it is.
REFUSED: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "truncated.ndjson.gz": (lambda _: _truncated(_lines(50)), "gzip"),
    "wrong_crc.ndjson.gz": (lambda _: _wrong_crc(_lines(50)), "gzip"),
    "is_parquet.ndjson": (_parquet, "Parquet"),
    "is_pdf.ndjson": (lambda _: b"%PDF-1.7\n" + _lines(1), "PDF"),
    "is_zip.ndjson": (lambda _: _zip(_lines(5)), "zip"),
    "is_csv.ndjson": (lambda _: f"email,name\n{SECRET},Jane\n".encode(), "CSV"),
    "is_cut_array.json": (lambda _: f'[{{"userId": "{SECRET}"}},'.encode(), "array"),
    "is_pretty.json": (lambda _: json.dumps(json.loads(LINE), indent=2).encode(), "several lines"),
    "is_utf16.ndjson": (lambda _: _lines(2).decode().encode("utf-16"), "UTF-16"),
}


@pytest.fixture(scope="module")
def refused(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Load a folder of files that cannot be loaded, with a good one among them."""
    folder = tmp_path_factory.mktemp("delivered")
    for name, (content, _) in REFUSED.items():
        (folder / name).write_bytes(content(folder))
    (folder / "good.ndjson").write_bytes(_lines(3, first=300))
    return folder, tessera(home, "load", folder, "--source", "mixed", "--json", check=False)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_of_another_kind_is_refused_whole_with_what_it_is_and_what_to_do(
    refused: tuple[Path, subprocess.CompletedProcess[str]], name: str
) -> None:
    folder, result = refused
    assert result.returncode == 1
    _said(result)
    [file] = [file for file in json.loads(result.stdout) if file["path"] == str(folder / name)]
    assert (file["status"], file["lines"], file["rows_loaded"]) == ("refused", 0, 0)
    what, where, found, allowed, fix = file["message"].splitlines()
    assert what == f"{name} was refused; nothing of it was loaded."
    assert where == f"  where: {folder / name}"
    assert found.startswith("  found: ")
    assert REFUSED[name][1] in found
    assert allowed.startswith("  allowed: ")
    assert len(fix) > len("  to do: ") + 10


def test_good_files_beside_refused_ones_are_loaded(home: Path, refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    statuses = {Path(file["path"]).name: file["status"] for file in json.loads(refused[1].stdout)}
    assert statuses == dict.fromkeys(REFUSED, "refused") | {"good.ndjson": "loaded"}
    assert _count(home, "select count(*) from raw.events where source_id = 'mixed'") == 3


def test_one_refused_file_ends_with_1_and_says_what_where_and_what_to_do(
    home: Path, refused: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    file = refused[0] / "truncated.ndjson.gz"
    result = tessera(home, "load", file, check=False)
    assert result.returncode == 1
    _said(result)
    what, where, found, allowed, fix = result.stderr.splitlines()
    assert what == "error: truncated.ndjson.gz was refused; nothing of it was loaded."
    assert where == f"  where: {file}"
    assert found.startswith("  found: gzip")
    assert allowed.startswith("  allowed: ")
    assert fix.startswith("  to do: ")


def test_several_refused_files_are_all_named(home: Path, refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    result = tessera(home, "load", refused[0], "--source", "mixed", check=False)
    assert result.returncode == 1
    _said(result)
    assert f"{len(REFUSED)} of {len(REFUSED) + 1} files were refused" in result.stderr
    for name, (_, found) in REFUSED.items():
        [line] = [line for line in result.stderr.splitlines() if str(refused[0] / name) in line]
        assert found in line
        assert "; " in line  # what to do follows


def test_a_missing_path_is_a_usage_error_and_nothing_is_loaded(home: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.ndjson"
    good.write_bytes(_lines(1, first=400))
    result = tessera(home, "load", good, tmp_path / "absent.ndjson", "--source", "missing", check=False)
    assert result.returncode == 2
    assert str(tmp_path / "absent.ndjson") in _said(result)
    assert "check the path" in result.stderr
    assert _count(home, "select count(*) from raw.events where source_id = 'missing'") == 0


def test_with_json_an_error_is_json_with_its_exit_code(home: Path, tmp_path: Path) -> None:
    result = tessera(home, "load", tmp_path / "absent.ndjson", "--json", check=False)
    assert result.returncode == 2
    error = json.loads(result.stdout)
    assert error["exit_code"] == 2
    assert error["where"] == str(tmp_path / "absent.ndjson")
    assert set(error) == {"error", "where", "found", "allowed", "to_do", "exit_code"}
    assert result.stderr == ""


def test_a_folder_without_any_file_to_load_says_so(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    result = tessera(home, "load", tmp_path, "--source", "nothing", check=False)
    assert str(tmp_path) in _said(result)


def test_no_path_at_all_is_a_usage_error(home: Path) -> None:
    assert tessera(home, "load", check=False).returncode == 2


def test_a_source_with_a_bad_name_is_a_usage_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(_lines(1, first=500))
    result = tessera(home, "load", tmp_path / "a.ndjson", "--source", "a b", check=False)
    assert result.returncode == 2
    assert "--source" in _said(result)


# ---------------------------------------------------------------- query


def test_a_query_before_anything_was_published_says_what_to_do(home: Path) -> None:
    result = tessera(home, "query", "select 1", check=False)
    assert result.returncode == 1
    assert "Nothing has been published yet" in _said(result)
    assert "tessera run" in result.stderr


def test_a_query_prints_a_table_csv_or_json(demo_home: Path) -> None:
    sql = "select profile_id, email from profiles.profiles where email is not null order by all limit 3"
    rows = ask(demo_home, sql)
    assert len(rows) == 3
    assert list(csv.DictReader(io.StringIO(tessera(demo_home, "query", sql, "--csv").stdout))) == rows
    table = tessera(demo_home, "query", sql).stdout
    assert all(cell in table for row in rows for pair in row.items() for cell in pair)


def test_a_query_of_many_columns_prints_them_one_below_the_other_and_cuts_nothing_off(demo_home: Path) -> None:
    sql = "select * from profiles.profiles order by profile_id limit 2"
    table = tessera(demo_home, "query", sql, COLUMNS="80").stdout
    assert max(map(len, table.splitlines())) <= 80
    assert all(cell in table for row in ask(demo_home, sql) for pair in row.items() for cell in pair if isinstance(cell, str))


def test_a_demo_of_another_size_is_refused_and_its_own_data_are_not_taken_for_others(demo_home: Path) -> None:
    result = tessera(demo_home, "demo", "--events", "13000", check=False)
    assert (result.returncode, "demo shop of another size" in result.stderr) == (2, True), result.stderr


def test_money_and_times_are_not_rounded_in_json(demo_home: Path) -> None:
    sql = "select 12345678901234.5678::decimal(18, 4) as money, timestamp '2026-01-01 00:00:00' as at, null as none"
    assert ask(demo_home, sql) == [{"money": "12345678901234.5678", "at": "2026-01-01 00:00:00", "none": None}]


REFUSED_SQL = {
    "bad SQL": ("selct 1", "syntax error"),
    "no statement": ("", ""),
    "an unknown table": ("select * from profiles.nobody", "nobody"),
    "creating a table": ("create table profiles.mine as select 1", "read-only"),
    "changing a row": ("delete from profiles.profiles", "read-only"),
    "reading a file": (f"select * from read_csv('{ROOT / 'pyproject.toml'}')", "disabled by configuration"),
    "reading a file by its name": (f"select * from '{ROOT / 'pyproject.toml'}'", ""),
    "writing a file": ("copy (select 1) to '{}/stolen.csv'", "disabled by configuration"),
    "opening another database": ("attach '{}/other.duckdb' as other", ""),
    "loosening the settings": ("set enable_external_access = true", "Cannot"),
}


@pytest.mark.parametrize("name", REFUSED_SQL)
def test_the_snapshot_is_read_only_and_shut_off(demo_home: Path, tmp_path: Path, name: str) -> None:
    sql, found = REFUSED_SQL[name]
    result = tessera(demo_home, "query", sql.replace("{}", str(tmp_path)), check=False)
    assert result.returncode == 2, _said(result)
    assert found in _said(result)
    assert "to do:" in result.stderr
    assert "[build-system]" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_with_json_a_failing_query_is_json_too(demo_home: Path) -> None:
    result = tessera(demo_home, "query", "selct 1", "--json", check=False)
    assert (result.returncode, json.loads(result.stdout)["exit_code"]) == (2, 2)


# ---------------------------------------------------------------- the environment and the configuration


@pytest.mark.parametrize("text", ["nonsense", "2026-13-01", "31/12/2026"])
def test_an_as_of_time_that_is_none_is_a_usage_error(home: Path, text: str) -> None:
    result = tessera(home, "run", as_of=text, check=False)
    assert result.returncode == 2
    assert "TESSERA_AS_OF is not a time" in _said(result)
    assert repr(text) in result.stderr


@pytest.mark.parametrize("arguments", [("run",), ("query", "select 1"), ("load", "x.ndjson")])
def test_a_space_with_a_bad_name_is_a_usage_error(home: Path, arguments: tuple[str, ...]) -> None:
    result = tessera(home, *arguments, check=False, TESSERA_SPACE="../prod")
    assert result.returncode == 2
    assert "TESSERA_SPACE is not a valid name" in _said(result)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("configured") / "tree")


@pytest.mark.parametrize(
    ("name", "old", "new", "line_of", "command"),
    [
        ("syncs", "destination: files", "destination: pigeons", "pigeons", "run"),
        ("audiences", "holdout_percent: 10", "holdout_percent: lots", "lots", "run"),
        ("identity", "sharing_limit: 10", "sharing_limit: 0", "sharing_limit:", "load"),
        ("syncs", "    - name: newsletter_vip", "   - name: newsletter_vip\n  oops", "oops", "run"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_file_and_line(
    tree: Path, tmp_path: Path, name: str, old: str, new: str, line_of: str, command: str
) -> None:
    file = tree / "dbt_project" / "config" / f"{name}.yml"
    shipped = file.read_text(encoding="utf-8")
    assert old in shipped
    file.write_text(shipped.replace(old, new, 1), encoding="utf-8")
    line = next(number for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if line_of in text)
    (tmp_path / "a.ndjson").write_bytes(_lines(1))
    try:
        arguments = [command] if command == "run" else [command, tmp_path / "a.ndjson"]
        result = tessera_in(tree, tmp_path / "home", *arguments, check=False)
    finally:
        file.write_text(shipped, encoding="utf-8")
    assert result.returncode == 2
    assert f"{file}:{line}" in _said(result)
    assert "to do:" in result.stderr


def test_a_warehouse_file_without_tables_is_no_obstacle(tmp_path: Path) -> None:
    """What a kill in the first moment of the first run leaves."""
    home = tmp_path / "home"
    (home / "landing").mkdir(parents=True)
    (home / "landing" / ".demo_shop.json").write_text('{"events": 2000, "seed": 1}')
    duckdb.connect(str(home / "warehouse.duckdb")).close()
    result = tessera(home, "demo", "--events", "2000", check=False)
    assert result.returncode == 2  # for the marker of another size: it got as far as that
    assert "another size" in _said(result)


# ---------------------------------------------------------------- demo


def test_the_demo_refuses_a_home_that_holds_other_data(home: Path, refused: object) -> None:
    result = tessera(home, "demo", "--events", "2000", check=False)
    assert result.returncode == 2
    assert "mixed" in _said(result)
    assert "TESSERA_HOME=" in result.stderr
    assert not (home / "landing").exists()


def test_the_demo_generates_nothing_while_somebody_else_writes(tmp_path: Path) -> None:
    """Two demos at once would write each other's files while they are loaded."""
    with lock.writer(tmp_path / "home", "run"):
        result = tessera(tmp_path / "home", "demo", "--events", "2000", check=False)
    assert result.returncode == 3
    assert "`tessera run`, process" in _said(result)
    assert not (tmp_path / "home" / "landing").exists()


# ---------------------------------------------------------------- start-up


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run", "--help"], ["load", "--help"], ["trait", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = ["dagster", "dbt", "duckdb", "sklearn", "pandas", "numpy", "pyarrow", "yaml", "rich"]
    code = f"""
import contextlib, io, sys
from orchestration.cli import app
with contextlib.redirect_stdout(io.StringIO()):
    app({arguments!r}, standalone_mode=False) if {arguments!r} else None
print([name for name in {heavy!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_an_unknown_command_is_a_usage_error(home: Path) -> None:
    assert tessera(home, "frobnicate", check=False).returncode == 2
    assert TESSERA[0] == sys.executable


# ---------------------------------------------------------------- trait new


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Orders-Placed"], "not a name for a trait"),
        (["1st_order"], "not a name for a trait"),
        (["../../orders_placed"], "not a name for a trait"),
        (["orders placed"], "not a name for a trait"),
        (["a" * 62], "not a name for a trait"),
        (["orders_placed", "--type", "money"], "no such type"),
        (["orders_placed", "--level", "household"], "no traits of this level"),
        (["average_order_value"], "exists"),  # a trait
        (["average_order_value", "--level", "account"], "exists"),  # a trait of the other level
        (["orders"], "exists"),  # a public model
        (["int_events_resolved"], "exists"),  # a private one
        (["order_count"], ""),  # a computed trait: profile_traits would hold two of that name
        (["channel_sources"], ""),  # a seed
    ],
)
def test_a_bad_or_taken_name_or_type_is_refused_and_nothing_is_written(
    tree: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    def state() -> dict[str, bytes]:
        folders = (tree / "sql_traits", tree / "dbt_project")
        return {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}

    before = state()
    result = tessera_in(tree, tmp_path / "home", "trait", "new", *arguments, check=False)
    after = state()
    for file in set(after) - set(before):
        Path(file).unlink()
    (tree / "dbt_project" / "dbt_project.yml").write_bytes(before[str(tree / "dbt_project" / "dbt_project.yml")])
    assert result.returncode == 2
    assert said in _said(result)
    assert "to do:" in result.stderr
    assert after == before


def test_a_new_trait_is_a_pair_of_files_and_a_line(tmp_path: Path) -> None:
    """That it builds and is published is shown by a run, in test_runs.py."""
    tree = copy_tree(tmp_path / "tree")
    listing = tree / "dbt_project" / "dbt_project.yml"
    before = listing.read_text(encoding="utf-8").splitlines()
    result = tessera_in(tree, tmp_path / "home", "trait", "new", "orders_placed", "--type", "bigint")
    assert set(listing.read_text(encoding="utf-8").splitlines()) - set(before) == {"        orders_placed: bigint"}
    assert len(listing.read_text(encoding="utf-8").splitlines()) == len(before) + 1
    for suffix in ("sql", "yml"):
        assert (tree / "sql_traits" / "profiles" / f"orders_placed.{suffix}").exists()
        assert f"wrote sql_traits/profiles/orders_placed.{suffix}" in result.stdout
    assert "tessera dbt build --select orders_placed+" in result.stdout
    tessera_in(tree, tmp_path / "home", "trait", "new", "account_orders_placed", "--level", "account")
    assert "group by account_id" in (tree / "sql_traits" / "accounts" / "account_orders_placed.sql").read_text(encoding="utf-8")
    again = tessera_in(tree, tmp_path / "home", "trait", "new", "orders_placed", check=False)
    assert again.returncode == 2


# ---------------------------------------------------------------- profile


@pytest.fixture(scope="module")
def person(demo_asks: Callable[[str], list[dict[str, Any]]]) -> dict[str, Any]:
    """Somebody with an identifier of every type, one of each."""
    [row] = demo_asks(
        """select profile_id, max(identifier_value) filter (where identifier_type = 'user_id') as user_id,
            max(identifier_value) filter (where identifier_type = 'email') as email,
            max(identifier_value) filter (where identifier_type = 'phone') as phone,
            max(identifier_value) filter (where identifier_type = 'anonymous_id') as anonymous_id
        from identity.profile_identifiers where profile_id is not null
        group by profile_id having count(distinct identifier_type) = 4 order by profile_id limit 1"""
    )
    return row


@pytest.mark.parametrize("kind", ["user_id", "email", "phone", "anonymous_id", "profile_id"])
def test_a_person_is_found_by_every_type_of_identifier(demo_home: Path, person: dict[str, Any], kind: str) -> None:
    value = person[kind].upper() if kind == "email" else person[kind]
    found = json.loads(tessera(demo_home, "profile", f"{kind}:{value}", "--json").stdout)
    assert found["profile"]["profile_id"] == person["profile_id"]
    assert (kind, person[kind]) in {(row["identifier_type"], row["identifier_value"]) for row in found["identifiers"]} or (
        kind == "profile_id"
    )
    assert {"order_count", "lifetime_revenue"} <= set(found["traits"])
    assert set(found["consent"]) == {"analytics", "advertising", "email_marketing"}


def test_a_person_is_shown_as_text(demo_home: Path, person: dict[str, Any]) -> None:
    text = tessera(demo_home, "profile", f"email:{person['email']}").stdout
    for word in (
        "as of 20",
        "profile",
        "golden record",
        "identifiers",
        "traits",
        "consent",
        person["profile_id"],
        person["anonymous_id"],
    ):
        assert word in text


def test_the_id_of_a_profile_that_was_merged_away_leads_to_the_one_it_became(
    demo_home: Path, demo_asks: Callable[[str], list[dict[str, Any]]]
) -> None:
    [merge] = demo_asks("select profile_id, canonical_profile_id from identity.profile_merges order by all limit 1")
    found = json.loads(tessera(demo_home, "profile", f"profile_id:{merge['profile_id']}", "--json").stdout)
    assert found["profile"]["profile_id"] == merge["canonical_profile_id"] != merge["profile_id"]


@pytest.mark.parametrize("identifier", [f"email:{SECRET}", "user_id:nobody", "profile_id:0", "phone:+440000000000"])
def test_an_unknown_identifier_ends_with_1_and_is_not_repeated(demo_home: Path, identifier: str) -> None:
    result = tessera(demo_home, "profile", identifier, check=False)
    assert result.returncode == 1
    assert "Nobody holds this identifier" in _said(result)
    assert "to do:" in result.stderr


def test_an_identifier_that_is_shared_belongs_to_nobody_and_says_so(
    demo_home: Path, demo_asks: Callable[[str], list[dict[str, Any]]]
) -> None:
    [shared] = demo_asks(
        "select identifier_type, identifier_value from identity.profile_identifiers where profile_id is null order by all limit 1"
    )
    result = tessera(demo_home, "profile", f"{shared['identifier_type']}:{shared['identifier_value']}", check=False)
    assert result.returncode == 1
    assert "shared" in _said(result)


@pytest.mark.parametrize("identifier", ["jane", "email:", ":jane"])
def test_an_identifier_without_type_or_value_is_a_usage_error(demo_home: Path, identifier: str) -> None:
    result = tessera(demo_home, "profile", identifier, check=False)
    assert result.returncode == 2
    assert "TYPE:VALUE" in _said(result)


def test_a_type_of_identifier_that_does_not_exist_is_a_usage_error(demo_home: Path) -> None:
    result = tessera(demo_home, "profile", "e-mail:jane@example.com", check=False)
    assert result.returncode == 2
    assert "user_id, email, phone, anonymous_id or profile_id" in _said(result)
