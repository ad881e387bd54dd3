"""What every asset needs: the writer's lock, the as-of time of the run, the warehouse."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration import paths, project
from orchestration.lib import runs
from orchestration.lib.warehouse import Warehouse

AS_OF_TAG = "tessera/as_of"


class Workspace(dg.ConfigurableResource):
    """The home folder, held for writing as long as a run lasts."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        with project.writing("run"):
            yield self

    def warehouse(self) -> AbstractContextManager[Warehouse]:
        """Open the warehouse. Close it before dbt starts."""
        return project.open_warehouse()

    def as_of(self, context: dg.AssetExecutionContext) -> str:
        """Return the run's as-of time: TESSERA_AS_OF, else the run's tag, else when the run was created. One answer for all steps."""
        if os.environ.get("TESSERA_AS_OF"):
            return project.as_of()
        tag = context.run.tags.get(AS_OF_TAG)
        if tag:
            return runs.parse_as_of(tag)
        return runs.start_time(context.instance.get_run_record_by_id(context.run.run_id).create_timestamp.timestamp())


def dbt_resource() -> DbtCliResource:
    """Return dbt as the graph starts it."""
    return DbtCliResource(project_dir=str(paths.DBT_PROJECT), profiles_dir=str(paths.ROOT), dbt_executable=str(project.DBT))
