"""From landing files to `raw`."""

import hashlib
from collections.abc import Iterator

import dagster as dg

from orchestration import paths, project
from orchestration.defs.resources import Workspace
from orchestration.lib import config, load
from orchestration.lib.progress import step
from orchestration.lib.warehouse import TABLES as PYTHON_TABLES
from orchestration.lib.warehouse import Warehouse

TABLES = [name.split(".")[1] for name in PYTHON_TABLES if name.startswith("raw.")]

landing_files = dg.AssetSpec(
    ["landing", "files"],
    group_name="raw",
    description="Files delivered to the landing folder: `landing/<source>/*.ndjson[.gz]` and `landing/tables/<table>*.csv`.",
)


@dg.multi_asset(
    specs=[dg.AssetSpec(["raw", table], group_name="raw", deps=[landing_files], kinds={"python", "duckdb"}) for table in TABLES],
    name="load",
)
def raw_tables(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    """Load what is new in the landing folder, exactly once."""
    with step("load") as note, workspace.warehouse() as opened:
        opened.ensure_tables(project.salt())
        files = [file for file in load_landing(opened).files if file.status == "loaded"]
        lines, rejected, duplicates = (
            sum(getattr(file, name) for file in files) for name in ("lines", "rows_rejected", "rows_duplicate")
        )
        note(f"{len(files)} new files, {lines:,} lines, {rejected:,} rejected, {duplicates:,} duplicates")
    for table in TABLES:
        yield dg.MaterializeResult(asset_key=["raw", table])


def load_landing(opened: Warehouse) -> load.LoadReport:
    """Load the landing folder: every source's folder as events, `tables` as object tables. A refused file stops the run."""
    folders = sorted(folder for folder in paths.landing().glob("*") if folder.is_dir())
    identity = config.read(paths.identity_config(), "identity")
    sources = [folder for folder in folders if folder.name != "tables"]
    report = load.load_files(opened, sources, source=None, region=identity.default_region)
    if (tables := paths.landing() / "tables").is_dir():
        report.files += load.load_tables(opened, [tables], region=identity.default_region).files
    inputs = config.read(paths.CONFIG / "inputs.yml")
    schemas = [place.schema_ for place in inputs.segment_tables if not place.database]
    load.normalise_landed_phones(opened, schemas, region=identity.default_region)
    load.normalise_known_phones(opened, region=identity.default_region)
    report.raise_for_refused()
    return report


@dg.sensor(
    job_name="run",
    minimum_interval_seconds=60,
    description="Starts a run when files arrive in the landing folder.",
)
def landing_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request one run for each new state of the landing folder; files being written (hidden or .tmp) do not count."""
    digest = hashlib.sha256()
    files = sorted(file for file in paths.landing().rglob("*") if load.is_delivered(file, paths.landing()))
    for file in files:
        digest.update(f"{file}|{file.stat().st_size}|{file.stat().st_mtime_ns}\n".encode())
    if not files or digest.hexdigest() == context.cursor:
        return dg.SkipReason("nothing new in the landing folder")
    context.update_cursor(digest.hexdigest())
    return dg.RunRequest(run_key=digest.hexdigest())
