"""From the build database to what readers open, and from there to the destinations."""

import dagster as dg

from orchestration import paths
from orchestration.defs.resources import Workspace
from orchestration.defs.warehouse import MANIFEST, dbt_models
from orchestration.lib import config, git, publish, runs, sync
from orchestration.lib.progress import step

LEDGER = [publish.PublicTable("activation", name) for name in ("sync_log", "sync_runs")]


@dg.asset(key=["published", "snapshot"], group_name="published", deps=[dbt_models], kinds={"parquet", "duckdb"})
def snapshot(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Write the public tables as an immutable snapshot and make it current. Any failure before leaves the former one in place."""
    as_of = workspace.as_of(context)
    tables = publish.public_tables(MANIFEST)
    with step("publish") as note, workspace.warehouse() as opened:
        folder = publish.publish(
            opened,
            tables,
            paths.published(),
            runs.run_name(as_of, context.run.run_id),
            as_of=as_of,
            git_commit=git.commit(paths.ROOT),
        )
        note(f"{len(tables)} tables")
    return dg.MaterializeResult(metadata={"folder": dg.MetadataValue.path(folder), "tables": len(tables)})


@dg.asset(key=["exports", "files"], group_name="exports", deps=[snapshot], kinds={"csv", "parquet"})
def exported_files(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Send what changed to the file destination, from the published snapshot, and publish the ledger with its outcome."""
    as_of = workspace.as_of(context)
    syncs = config.read(paths.CONFIG / "syncs.yml").syncs
    with step("sync") as note, workspace.warehouse() as opened:
        current = publish.current(paths.published())
        reports = [sync.run_file_sync(opened, current, item.name, item.columns, paths.exports(), as_of=as_of) for item in syncs]
        publish.republish(opened, LEDGER, paths.published())
        sent = sum(report.added + report.changed + report.removed for report in reports)
        note(f"{sent:,} changes sent, {sum(report.held for report in reports):,} held for want of consent or an address")
    return dg.MaterializeResult(
        metadata={report.sync: f"+{report.added} ~{report.changed} -{report.removed}" for report in reports}
    )
