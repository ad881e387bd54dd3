"""The graph as Dagster sees it: one job from landing files to exported files, through every stage, and the part that a replay repeats."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration.lib.warehouse import TABLES
from tests.conftest import ROOT

LANDING, EXPORTS, SNAPSHOT = (dg.AssetKey(key) for key in (["landing", "files"], ["exports", "files"], ["published", "snapshot"]))


@pytest.fixture(scope="module", autouse=True)
def _home(demo_home: Path) -> Iterator[None]:
    """Load the definitions in a home that is prepared, as `tessera dev` does."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("TESSERA_", "DBT_", "DAGSTER_"))]:
            patch.delenv(name)
        patch.setenv("TESSERA_HOME", str(demo_home))
        yield


@pytest.fixture(scope="module")
def defs(_home: None) -> dg.Definitions:
    from orchestration.definitions import defs

    return defs


@pytest.fixture(scope="module")
def graph(defs: dg.Definitions) -> Any:
    return defs.resolve_asset_graph()


@pytest.fixture(scope="module")
def nodes(demo_home: Path, defs: dg.Definitions) -> dict[str, dict[str, Any]]:
    """dbt's models, seeds and tests."""
    return json.loads((demo_home / "dbt" / "manifest.json").read_text(encoding="utf-8"))["nodes"]


def _stages() -> list[str]:
    project = yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    return [stage for stage in project["models"]["tessera"] if not stage.startswith("+")]


def _reachable(graph: Any, start: dg.AssetKey, direction: str) -> set[dg.AssetKey]:
    found, todo = {start}, [start]
    while todo:
        for key in getattr(graph.get(todo.pop()), direction):
            if key not in found:
                found.add(key)
                todo.append(key)
    return found


def test_the_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_model_seed_and_python_asset_is_in_the_job(
    defs: dg.Definitions, graph: Any, nodes: dict[str, dict[str, Any]]
) -> None:
    assert [job.name for job in defs.jobs or []] == ["run", "rebuild"]
    in_job = {key.to_user_string() for key in defs.resolve_job_def("run").asset_layer.selected_asset_keys}
    stage = {"tessera": lambda node: node["fqn"][1], "tessera_seeds": lambda _: "reference"}
    built = {
        f"{stage.get(node['package_name'], lambda _: 'sql_traits')(node)}/{node['name']}"
        for node in nodes.values()
        if node["resource_type"] in ("model", "seed")
    }
    assert len(built) > 50
    raw = {name.replace(".", "/") for name in TABLES if name.startswith("raw.")}
    by_python = {*raw, "predictions/model_runs", "predictions/model_scores"}
    assert in_job == built | by_python | {"published/snapshot", "exports/files"}
    assert {key.to_user_string() for key in graph.executable_asset_keys} == in_job
    rebuilt = {key.to_user_string() for key in defs.resolve_job_def("rebuild").asset_layer.selected_asset_keys}
    assert rebuilt == built | by_python, "a day of the past is rebuilt where no reader and no destination sees it"


def test_every_stage_is_a_group_and_every_models_group_is_its_folder(graph: Any, nodes: dict[str, dict[str, Any]]) -> None:
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert set(_stages()) <= groups
    # "default" holds what nothing makes: the tables of the ledger as dbt sees them.
    assert groups - set(_stages()) == {"raw", "reference", "sql_traits", "published", "exports", "default"}
    by_name = {tuple(key.path[-2:]): graph.get(key).group_name for key in graph.executable_asset_keys}
    for node in nodes.values():
        if node["resource_type"] == "model" and node["package_name"] == "tessera":
            folder = Path(node["original_file_path"]).parts[1]
            assert by_name[folder, node["name"]] == folder, node["name"]


def test_nothing_that_runs_is_without_a_group(graph: Any) -> None:
    assert [key.to_user_string() for key in graph.executable_asset_keys if graph.get(key).group_name in (None, "default")] == []


def test_a_path_leads_from_the_landing_files_through_every_stage_to_the_exported_files(graph: Any) -> None:
    between = _reachable(graph, LANDING, "child_keys") & _reachable(graph, EXPORTS, "parent_keys")
    groups = {graph.get(key).group_name for key in between}
    assert {"raw", *_stages(), "published"} - groups == set()


def test_every_asset_that_runs_is_upstream_of_the_snapshot_and_follows_the_landing_files(graph: Any) -> None:
    after = _reachable(graph, LANDING, "child_keys")
    before = _reachable(graph, SNAPSHOT, "parent_keys")
    assert [key.to_user_string() for key in graph.executable_asset_keys if key not in after] == []
    assert [key.to_user_string() for key in graph.executable_asset_keys if key not in before] == ["exports/files"]


def test_stages_follow_each_other_in_the_order_of_the_project(graph: Any) -> None:
    order = {stage: number for number, stage in enumerate(_stages())}
    for key in graph.executable_asset_keys:
        group = graph.get(key).group_name
        for parent in graph.get(key).parent_keys:
            parent_group = graph.get(parent).group_name
            if group in order and parent_group in order:
                assert order[parent_group] <= order[group], (parent, key)


def test_the_model_in_python_stands_between_the_traits_and_the_predictions(graph: Any) -> None:
    scores = dg.AssetKey(["predictions", "model_scores"])
    assert {key.path[-1] for key in graph.get(scores).parent_keys} == {"int_purchases_observed"}
    assert "propensities" in {key.path[-1] for key in graph.get(scores).child_keys}


def test_every_data_test_is_a_check_and_no_unit_test_is(graph: Any, nodes: dict[str, dict[str, Any]]) -> None:
    tests = {node["name"] for node in nodes.values() if node["resource_type"] == "test"}
    checks = {key.name for key in graph.asset_check_keys}
    assert len(tests) > 50
    assert checks == tests


def test_the_run_is_daily(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("daily")
    assert (schedule.job_name, schedule.cron_schedule) == ("run", "0 4 * * *")
    [request] = schedule.evaluate_tick(dg.build_schedule_context()).run_requests or []
    assert isinstance(request, dg.RunRequest)


def test_the_run_holds_one_process(defs: dg.Definitions) -> None:
    assert defs.executor is not None
    assert defs.resolve_job_def("run").executor_def.name == "in_process"


# ---------------------------------------------------------------- the sensor


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The landing folder of an empty home."""
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path))
    folder = tmp_path / "landing" / "shop"
    folder.mkdir(parents=True)
    return folder


def _tick(defs: dg.Definitions, cursor: str | None) -> tuple[dg.RunRequest | dg.SkipReason, str | None]:
    context = dg.build_sensor_context(cursor=cursor)
    result = defs.resolve_sensor_def("landing_sensor")(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result, context.cursor


def test_the_sensor_waits_while_nothing_has_landed(defs: dg.Definitions, landing: Path) -> None:
    assert isinstance(_tick(defs, None)[0], dg.SkipReason)
    landing.rmdir()
    landing.parent.rmdir()
    assert isinstance(_tick(defs, None)[0], dg.SkipReason)


def test_the_sensor_asks_for_one_run_for_each_new_state_of_the_landing_folder(defs: dg.Definitions, landing: Path) -> None:
    (landing / "a.ndjson").write_text("{}\n")
    first, cursor = _tick(defs, None)
    assert isinstance(first, dg.RunRequest)
    assert first.run_key
    assert isinstance(_tick(defs, cursor)[0], dg.SkipReason)

    (landing / "b.ndjson").write_text("{}\n")
    second, cursor = _tick(defs, cursor)
    assert isinstance(second, dg.RunRequest)
    assert isinstance(_tick(defs, cursor)[0], dg.SkipReason)

    (landing / "b.ndjson").write_text('{"longer": 1}\n')
    third, cursor = _tick(defs, cursor)
    assert isinstance(third, dg.RunRequest)
    assert len({first.run_key, second.run_key, third.run_key}) == 3


def test_the_sensor_asks_once_even_when_its_cursor_was_lost(defs: dg.Definitions, landing: Path) -> None:
    (landing / "a.ndjson").write_text("{}\n")
    first, again = _tick(defs, None)[0], _tick(defs, None)[0]
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key  # Dagster starts one run a key


@pytest.mark.parametrize("name", [".hidden.ndjson", "a.ndjson.tmp", "a.ndjson.part", "a.ndjson.gz.partial", ".parts/a.ndjson"])
def test_a_file_still_being_written_starts_nothing(defs: dg.Definitions, landing: Path, name: str) -> None:
    """What `tessera load` leaves out of a folder does not start a run either: it would start one a minute while it grows."""
    (landing / name).parent.mkdir(exist_ok=True)
    (landing / name).write_text("{}\n")
    assert isinstance(_tick(defs, None)[0], dg.SkipReason)
