"""The contract of SQL traits: what breaks it is refused with the file and the rows, and what keeps it is shown."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.lib import traits
from orchestration.lib.errors import UsageError
from tests.conftest import ROOT, tessera_in
from tests.orchestration.conftest import copy_tree
from tests.warehouse.helpers import write_calls

AS_OF = "2026-01-31"
BROKEN = {
    "twice": "select profile_id, 1 as value from {{ ref('tessera', 'profile_events') }} where profile_id is not null",
    "nobody": "select profile_id, 1 as value from {{ ref('tessera', 'orders') }} union all select null as profile_id, 2 as value",
    "wide": "select profile_id, 1 as orders_placed, 2 as value from {{ ref('tessera', 'profiles') }}",
    "by_email": "select email, 1 as value from {{ ref('tessera', 'profiles') }}",
    "halved": "select profile_id, 1.5 as value from {{ ref('tessera', 'profiles') }}",
    "listed": "select profile_id, [1, 2] as value from {{ ref('tessera', 'profiles') }}",
    "wordy": "select profile_id, 'many' as value from {{ ref('tessera', 'profiles') }}",
    "by_user_id": "select user_id as profile_id, 1 as value from {{ ref('tessera', 'profiles') }}",
    "by_number": "select 17 as profile_id, 1 as value",
    "account_by_profile": "select profile_id as account_id, 1 as value from {{ ref('tessera', 'profiles') }}",
    "account_of_nobody": "select account_id, 1 as value from {{ ref('tessera', 'orders') }}",
}


def level_of(name: str) -> str:
    return "account" if name.startswith("account_") else "profile"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a build of traits says that each break the contract in their own way, made by `tessera trait new`."""
    folder = tmp_path_factory.mktemp("contract")
    tree, home = copy_tree(folder / "tree"), folder / "home"
    calls = [
        {
            "messageId": f"m{n}", "type": "track", "event": "Order Completed", "userId": f"u{n % 7}",
            "receivedAt": "2026-01-02T00:00:00Z", "properties": {"order_id": f"o{n}", "revenue": 1, "currency": "EUR"},
        }
        for n in range(14)
    ]  # fmt: skip
    tessera_in(tree, home, "load", write_calls(folder / "calls.ndjson", calls), "--source", "shop")
    for name, sql in BROKEN.items():
        tessera_in(tree, home, "trait", "new", name, "--level", level_of(name))
        (tree / "sql_traits" / f"{level_of(name)}s" / f"{name}.sql").write_text(sql, encoding="utf-8")
    names = [f"+{name}" for name in BROKEN]
    result = tessera_in(
        tree, home, "dbt", "build", "--exclude-resource-type", "unit_test", "--select", *names, as_of=AS_OF, check=False
    )
    assert result.returncode == 1
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("name", "found", "allowed"),
    [
        (
            "twice",
            r"found: (profile_id \w{32} in 2 rows; ){4}profile_id \w{32} in 2 rows \(the first 5\)",
            "one row for each profile_id",
        ),
        ("nobody", r"found: .*profile_id null in 1 row", "one row for each profile_id, none without it"),
        ("wide", "found: the columns profile_id, orders_placed, value", "two columns: profile_id and value"),
        ("by_email", "found: the columns email, value", "two columns: profile_id and value"),
        ("halved", r"found: value 1\.5 of profile_id \w{32}", "whole numbers: dbt_project.yml declares halved: bigint"),
        ("listed", r"found: a value that is of type integer\[\]", "a number: dbt_project.yml declares listed: bigint"),
        (
            "by_user_id",
            r"found: in 7 rows no profile_id that is one of profiles\.profiles",
            "the profile_id of public tables",
        ),
        (
            "by_number",
            r"found: in 1 row no profile_id that is one of profiles\.profiles",
            "the profile_id of public tables",
        ),
        (
            "account_by_profile",
            r"found: in 7 rows no account_id that is one of profiles\.accounts",
            "the account_id of public",
        ),
        ("account_of_nobody", "found: account_id null in 14 rows", "one row for each account_id"),
        ("wordy", "found: a value that is text", "a number: dbt_project.yml declares wordy: bigint"),
    ],
)
def test_a_trait_that_breaks_the_contract_is_refused_with_its_file_and_rows(
    said: str, name: str, found: str, allowed: str
) -> None:
    [message] = re.findall(rf"where: sql_traits/{level_of(name)}s/{name}\.sql .*?to do: [^>]+", said)[:1]
    assert re.search(found, message), message
    assert f"allowed: {allowed}" in message


def test_a_trait_that_reads_a_private_model_is_refused(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    tessera_in(tree, tmp_path / "home", "trait", "new", "prying")
    sql = "select profile_id, 1 as value from {{ ref('tessera', 'int_orders_reported') }}"
    (tree / "sql_traits" / "profiles" / "prying.sql").write_text(sql, encoding="utf-8")
    result: subprocess.CompletedProcess[str] = tessera_in(tree, tmp_path / "home", "dbt", "parse", check=False)
    assert result.returncode != 0
    assert "prying" in result.stdout + result.stderr
    assert "int_orders_reported" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda package, _: (package / "profiles" / "unlisted.sql").touch(),
            "a .sql that is not listed: unlisted; a .sql without",
        ),
        (lambda package, _: (package / "profiles" / "lonely.yml").touch(), "a .yml without its .sql: lonely"),
        (lambda package, _: (package / "profiles" / "lifecycle_stage.yml").unlink(), "a .sql without its .yml: lifecycle_stage"),
        (
            lambda package, _: (package / "accounts" / "active_members_30_days.sql").unlink(),
            "listed without a .sql: active_members",
        ),
        (lambda _, listing: listing.write_text("vars: {}"), "a .sql that is not listed: abandoned_cart_at, "),
    ],
)
def test_files_and_lists_that_differ_are_refused_before_dbt_starts(
    tmp_path: Path, change: Callable[[Path, Path], object], found: str
) -> None:
    package, listing = tmp_path / "sql_traits", tmp_path / "dbt_project.yml"
    shutil.copytree(ROOT / "sql_traits", package)
    shutil.copy(ROOT / "dbt_project" / "dbt_project.yml", listing)
    traits.check(package, listing)
    change(package, listing)
    with pytest.raises(UsageError) as caught:
        traits.check(package, listing)
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("name: scroll_depth", "name: lifecycle_stage", "A computed trait and a SQL trait have the same name."),
        ("no_history: [", "no_history: [days_of_old, ", "no_history names a trait that does not exist."),
    ],
)
def test_names_of_traits_that_clash_or_do_not_exist_are_refused(tmp_path: Path, old: str, new: str, found: str) -> None:
    tree = copy_tree(tmp_path / "tree")
    config = tree / "dbt_project" / "config" / "traits.yml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    result = tessera_in(tree, tmp_path / "home", "dbt", "parse", check=False)
    assert result.returncode != 0
    assert found in result.stdout + result.stderr
    assert "config/traits.yml" in result.stdout + result.stderr
