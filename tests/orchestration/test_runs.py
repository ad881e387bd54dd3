"""Runs after the first: beside each other, with nothing new, with a consent withdrawn, with a mistake in a trait."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.lib import snapshot
from orchestration.lib.publish import current, fingerprint
from tests.conftest import ROOT, tessera, tessera_in
from tests.orchestration.conftest import LATER, Watched, Workspace, copy_tree, files

LAST = "2026-11-09T00:00:00"


def _ask(home: Path, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in snapshot.query(home / "published", sql).rows]


# ---------------------------------------------------------------- beside each other


def test_a_second_run_ends_with_3_and_one_line_that_names_the_first(watched: Watched) -> None:
    assert watched.second.returncode == 3
    first_line = watched.second.stderr.splitlines()[0]
    assert first_line.startswith("error: ")
    assert f"`tessera run`, process {watched.run.process.pid}" in first_line
    assert "Traceback" not in watched.second.stderr
    assert watched.second.stdout == ""


def test_whoever_reads_while_a_run_writes_sees_no_error_and_no_half_run(workspace: Workspace, watched: Watched) -> None:
    assert watched.errors == []
    assert watched.reads > 50
    former, later = "2026-11-01 00:00:00", "2026-11-08 00:00:00"
    people = {as_of: {count for _, count, seen in watched.seen if seen == as_of} for as_of in (former, later)}
    # One number of people for each as-of time, and the former before the later.
    assert {as_of: len(counts) for as_of, counts in people.items()} == {former: 1, later: 1}
    times = [as_of for _, _, as_of in watched.seen]
    assert times == sorted(times)


# ---------------------------------------------------------------- a consent withdrawn


def _sent(home: Path, sync: str) -> list[dict[str, str]]:
    """Return every row sent to a sync, file after file."""
    rows = []
    for file in sorted((home / "exports" / sync).glob("*.csv"), key=lambda file: int(file.stem.split("-")[1])):
        rows += [row | {"file": file.stem} for row in csv.DictReader(file.open(encoding="utf-8", newline=""))]
    return rows


def test_a_withdrawn_consent_sends_a_removal_with_what_was_sent_before(restored: Workspace) -> None:
    first, second = (row for row in _sent(restored.home, "newsletter_vip") if row["record_key"] == restored.withdrawn)
    assert (first["operation"], first["file"]) == ("added", "20261101T000000-1")
    assert first["consent_basis"].startswith("email_marketing granted by event ")
    assert (second["operation"], second["file"]) == ("removed", "20261108T000000-2")
    assert (second["consent_basis"], second["consent_recorded_at"]) == ("", "")
    fields = ("email", "first_name", "country", "value_segment")
    assert [second[name] for name in fields] == [first[name] for name in fields]
    log = _ask(
        restored.home,
        f"""select op_type, payload from activation.sync_log where sync_id = 'newsletter_vip'
        and record_key = '{restored.withdrawn}' order by planned_at""",
    )
    assert [op for op, _ in log] == ["added", "removed"]
    assert len({payload for _, payload in log}) == 1


def test_the_plan_says_why_somebody_is_removed(restored: Workspace) -> None:
    [(reason, status)] = _ask(
        restored.home,
        f"""select reason, status from activation.sync_plan where sync_id = 'newsletter_vip' and op_type = 'removed'
        and record_key = '{restored.withdrawn}'""",
    )
    assert (reason, status) == ("consent for email_marketing is denied", "planned")


def test_only_what_changed_is_sent(restored: Workspace) -> None:
    for sync in ("newsletter_vip", "winback_ads"):
        latest: dict[str, dict[str, str]] = {}
        for row in _sent(restored.home, sync):
            content = {key: value for key, value in row.items() if key not in ("operation", "file")}
            before = latest.get(row["record_key"])
            match row["operation"]:
                case "added":
                    assert before is None
                case "changed":
                    assert before is not None
                    payload = set(content) - {"consent_basis", "consent_recorded_at"}
                    assert any(content[key] != before[key] for key in payload)
                case "removed":
                    assert before is not None
            latest[row["record_key"]] = content
            if row["operation"] == "removed":
                del latest[row["record_key"]]
        # What the destination now holds is what it should hold.
        wanted = _ask(
            restored.home,
            f"""select profile_id from audiences.audience_members inner join audiences.people using (profile_id)
            where audience = '{"high_value_customers" if sync == "newsletter_vip" else "lapsing_customers"}'
            and exited_at is null and arm = 'treatment' and email is not null
            and contains(granted_purposes, '{"email_marketing" if sync == "newsletter_vip" else "advertising"}')""",
        )
        assert set(latest) == {profile_id for (profile_id,) in wanted}


# ---------------------------------------------------------------- nothing new


@pytest.fixture(scope="module")
def repeated(workspace: Workspace, watched: Watched) -> dict[str, bytes]:
    """Run once more with nothing new, as of the same time; the state is `repeated`. Returns the exports of before."""
    workspace.restore("undisturbed")
    before = files(workspace.home / "exports")
    tessera(workspace.home, "run", as_of=LATER)
    workspace.keep("repeated")
    return before


def test_a_run_with_nothing_new_exports_nothing(workspace: Workspace, repeated: dict[str, bytes]) -> None:
    assert files(workspace.folder / "repeated" / "exports") == repeated
    sql = "select * from activation.sync_runs order by all"
    assert _ask(workspace.folder / "repeated", sql) == _ask(workspace.folder / "undisturbed", sql)


def test_a_run_with_nothing_new_publishes_equal_tables(workspace: Workspace, repeated: dict[str, bytes]) -> None:
    before = fingerprint(current(workspace.folder / "undisturbed" / "published"))
    after = fingerprint(current(workspace.folder / "repeated" / "published"))
    assert {table for table in before | after if before.get(table) != after.get(table)} == set()


def test_no_published_table_holds_the_id_of_a_run(workspace: Workspace, repeated: dict[str, bytes]) -> None:
    run = current(workspace.folder / "repeated" / "published").name.removesuffix("-synced").rpartition("-")[2]
    for file in current(workspace.folder / "repeated" / "published").glob("*.parquet"):
        with snapshot.open_snapshot(workspace.folder / "repeated" / "published") as connection:
            rows = connection.execute(f"select * from {file.stem}").fetchall()
        assert not any(run in str(row) for row in rows), file.stem


# ---------------------------------------------------------------- a damaged delivery


def test_a_damaged_file_in_the_landing_folder_stops_the_run_and_readers_keep_what_they_had(restored: Workspace) -> None:
    former = restored.current.name
    damaged = gzip.compress(b'{"messageId": "cut-1", "type": "page", "userId": "jane.doe.4711"}\n' * 50)[:60]
    (restored.home / "landing" / "shop_web" / "cut.ndjson.gz").write_bytes(damaged)
    result = tessera(restored.home, "run", as_of=LAST, check=False)
    assert result.returncode == 1
    assert "The run failed in step load" in result.stderr
    for said in ("cut.ndjson.gz", "found: gzip", "to do:"):
        assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert "jane.doe" not in result.stderr
    assert restored.current.name == former


# ---------------------------------------------------------------- a mistake in a trait, corrected


@dataclass
class Mistake:
    failed: subprocess.CompletedProcess[str]
    former: str  # the snapshot that was current before the failing run
    state: Path  # the home after the failing run


LARGEST_PROFILE = "largest_profile: 500"
DUPLICATES = 'select profile_id, 1 as value from {{ ref("tessera", "sessions") }}\n'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("changed") / "tree")


@pytest.fixture(scope="module")
def mistaken(workspace: Workspace, repeated: dict[str, bytes], tree: Path) -> Mistake:
    """Add a trait by the command line, write a hostile configuration value, give a profile two rows of another trait, call every
    profile with three identifiers an explosion, run.

    The state is `mistaken`.
    """
    workspace.restore("repeated")
    former = workspace.current.name
    tessera_in(tree, workspace.home, "trait", "new", "orders_placed", "--type", "bigint")
    identity = tree / "dbt_project/config/identity.yml"
    text = identity.read_text(encoding="utf-8")
    assert '- "guest"' in text
    hostile = """- "guest"\n        - "it's {{ 1 / 0 }}"\n        - '{% endmacro %} "quoted" \\'"""
    text = text.replace('- "guest"', hostile, 1).replace(LARGEST_PROFILE, "largest_profile: 2")
    identity.write_text(text, encoding="utf-8")
    (tree / "sql_traits/profiles/days_since_last_visit.sql").write_text(DUPLICATES, encoding="utf-8")
    failed = tessera_in(tree, workspace.home, "run", as_of=LAST, check=False)
    workspace.keep("mistaken")
    return Mistake(failed, former, workspace.folder / "mistaken")


def test_a_mistaken_trait_ends_the_run_with_1_and_is_named_with_its_file(mistaken: Mistake) -> None:
    assert mistaken.failed.returncode == 1
    assert "profiles/days_since_last_visit.sql" in mistaken.failed.stderr
    assert "one row for each profile_id" in mistaken.failed.stderr
    assert "Traceback" not in mistaken.failed.stderr
    assert "to do:" in mistaken.failed.stderr
    assert mistaken.failed.stdout == ""


def test_a_profile_that_exploded_ends_the_run_with_the_query_that_shows_it(mistaken: Mistake) -> None:
    assert "is_empty_found_exploded_profiles_" in mistaken.failed.stderr
    assert re.search("tessera dbt show --output json --select [a-z_]+", mistaken.failed.stderr)


def test_a_failing_test_builds_nothing_on_what_it_doubts(mistaken: Mistake) -> None:
    assert "profile_traits" not in mistaken.failed.stderr
    steps = [line.split()[0] for line in mistaken.failed.stderr.splitlines() if line.startswith("  ") and line.strip()]
    assert not {"train", "publish", "sync"} & set(steps)


def test_a_failing_run_leaves_the_snapshot_and_the_exports_as_they_were(workspace: Workspace, mistaken: Mistake) -> None:
    assert current(mistaken.state / "published").name == mistaken.former
    assert fingerprint(current(mistaken.state / "published")) == fingerprint(current(workspace.folder / "repeated" / "published"))
    assert files(mistaken.state / "exports") == files(workspace.folder / "repeated" / "exports")


@pytest.fixture(scope="module")
def corrected(workspace: Workspace, mistaken: Mistake, tree: Path) -> Path:
    """Correct the trait and the largest profile and run; return the home."""
    workspace.restore("mistaken")
    identity = tree / "dbt_project/config/identity.yml"
    text = identity.read_text(encoding="utf-8").replace("largest_profile: 2", LARGEST_PROFILE)
    identity.write_text(text, encoding="utf-8")
    trait = "sql_traits/profiles/days_since_last_visit.sql"
    shutil.copyfile(ROOT / trait, tree / trait)
    tessera_in(tree, workspace.home, "run", as_of=LAST)
    workspace.keep("corrected")
    return workspace.folder / "corrected"


def test_once_corrected_the_next_run_publishes(corrected: Path) -> None:
    assert json.loads((current(corrected / "published") / "manifest.json").read_text())["as_of"] == LAST


def test_a_new_trait_is_published_by_the_next_run(corrected: Path) -> None:
    traits = _ask(
        corrected, "select count(*), sum(value::bigint), min(value_type) from traits.profile_traits where trait = 'orders_placed'"
    )
    orders = _ask(
        corrected, "select count(distinct profile_id), count(*), 'bigint' from profiles.orders where profile_id is not null"
    )
    assert traits == orders


def test_three_runs_are_kept_and_the_one_that_was_current_until_now(workspace: Workspace, corrected: Path) -> None:
    names = {path.name for path in (corrected / "published").iterdir() if path.name != "current"}
    runs = {name.removesuffix("-synced") for name in names}
    assert len(runs) == 3
    assert not any(name.startswith("20261101") for name in names)
    kept = [current(workspace.folder / state / "published").name for state in ("undisturbed", "repeated", "corrected")]
    assert names - set(kept) == {kept[-1].removesuffix("-synced")}
