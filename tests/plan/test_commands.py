"""`tessera plan …` as people type it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import tessera_in
from tests.orchestration.conftest import copy_tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a history of one commit."""
    tree = copy_tree(tmp_path_factory.mktemp("plan") / "tree")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=tree, check=True, capture_output=True)
    return tree


def test_a_clean_plan_lints_with_0_and_a_mistake_with_2(tree: Path, tmp_path: Path) -> None:
    assert "0 errors" in tessera_in(tree, tmp_path / "home", "plan", "lint").stdout
    file = tmp_path / "plan" / "events" / "order.yml"
    file.parent.mkdir(parents=True)
    file.write_text("event: Order Completed\nschema: {not: {}}\n", encoding="utf-8")
    result = tessera_in(tree, tmp_path / "home", "plan", "lint", tmp_path / "plan", check=False)
    assert result.returncode == 2
    assert f"{file}:2: not cannot be compiled to SQL" in result.stdout


def test_a_breaking_change_ends_with_1_and_a_new_event_with_0(tree: Path, tmp_path: Path) -> None:
    folder = tree / "dbt_project" / "tracking_plan" / "events"
    (folder / "cart_viewed.yml").write_text("event: Cart Viewed\nschema: {type: object}\n", encoding="utf-8")
    assert "other: Cart Viewed: added" in tessera_in(tree, tmp_path / "home", "plan", "diff", "HEAD").stdout
    (folder / "page_scrolled.yml").unlink()
    result = tessera_in(tree, tmp_path / "home", "plan", "diff", "HEAD", "--json", check=False)
    assert result.returncode == 1
    breaking = [change["event"] for change in json.loads(result.stdout) if change["is_breaking"]]
    assert breaking == ["Page Scrolled"]
    result = tessera_in(tree, tmp_path / "home", "plan", "diff", "no-such-branch", check=False)
    assert result.returncode == 2
    assert "a git revision" in result.stderr


def test_a_plan_goes_out_and_comes_back(tree: Path, tmp_path: Path) -> None:
    exported = tessera_in(tree, tmp_path / "home", "plan", "export", "--to", "segment").stdout
    file = tmp_path / "segment.json"
    file.write_text(exported, encoding="utf-8")
    tessera_in(tree, tmp_path / "home", "plan", "import", file, "--into", tmp_path / "plan")
    again = tessera_in(tree, tmp_path / "home", "plan", "export", tmp_path / "plan").stdout

    def rules(text: str) -> list[str]:
        return sorted(json.dumps(rule, sort_keys=True) for rule in json.loads(text)["rules"])

    assert rules(again) == rules(exported)
    second = tessera_in(tree, tmp_path / "home", "plan", "import", file, "--into", tmp_path / "plan", check=False)
    assert second.returncode == 2
    assert "--overwrite" in second.stderr


@pytest.mark.parametrize("content", ["{}", "not json", '{"rules": 3}', "[]x"])
def test_what_is_no_plan_is_refused(tree: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content, encoding="utf-8")
    result = tessera_in(tree, tmp_path / "home", "plan", "import", file, "--into", tmp_path / "plan", check=False)
    assert result.returncode == 2
    assert "to do:" in result.stderr
    assert not (tmp_path / "plan").exists()
