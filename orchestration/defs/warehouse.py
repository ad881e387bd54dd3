"""All of dbt as assets; its data tests become asset checks. Unit tests are left to `make test`."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, DbtProject, dbt_assets

from orchestration import project
from orchestration.defs.resources import Workspace
from orchestration.lib.errors import TesseraError
from orchestration.lib.progress import step

MANIFEST = project.prepare()


class StageTranslator(DagsterDbtTranslator):
    """A model's group is its stage: the folder's word, which is the schema too. Packages of their own are groups of their own."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        group = {"tessera": node["fqn"][1], "tessera_seeds": "reference"}.get(node["package_name"], node["package_name"])
        # What reads no raw table follows the load too: else Dagster would start dbt once more for it, at five CPU-seconds a start.
        deps = [] if any(dep.asset_key.path[0] != "ledger" for dep in spec.deps) else [["raw", "workspace"]]
        return spec.replace_attributes(group_name=group).merge_attributes(deps=deps)


@dbt_assets(manifest=MANIFEST, dagster_dbt_translator=StageTranslator(), name="dbt")
def dbt_models(context: dg.AssetExecutionContext, dbt: DbtCliResource, workspace: Workspace) -> Iterator[Any]:
    """Build and test every model and seed. Dagster splits this around the Python assets in between."""
    as_of = workspace.as_of(context)
    os.environ.update(project.environment(as_of))
    with step("build") as note:
        invocation = dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context, raise_on_error=False)
        yield from invocation.stream()
        results = _results(invocation)
        if not invocation.is_successful():
            tests = [result["unique_id"].split(".")[2] for result in results if result["status"] == "fail"]
            rows = f"; `tessera dbt show --output json --select {tests[0]}` prints the rows of the failed test" if tests else ""
            raise TesseraError(
                "dbt build failed.",
                found="\n" + "\n".join(_failures(results)),
                fix=f"correct what is named{rows}",
            )
        kinds = Counter(result["unique_id"].split(".")[0] for result in results)
        note(f"{kinds['model'] + kinds['seed']} models and seeds, {kinds['test']} tests")


def _results(invocation: DbtCliInvocation) -> list[Mapping[str, Any]]:
    try:
        return invocation.get_artifact("run_results.json")["results"]
    except Exception as error:
        log = (
            (invocation.target_path / "dbt.log").read_text(encoding="utf-8")
            if (invocation.target_path / "dbt.log").exists()
            else str(error)
        )
        raise TesseraError(
            "dbt did not start.", found=log[-3000:], fix="run `tessera dbt parse` to see the whole message"
        ) from error


def _failures(results: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"    {result['unique_id']}: {(result.get('message') or result['status']).strip()}"
        for result in results
        if result["status"] in ("error", "fail", "runtime error")
    ]
