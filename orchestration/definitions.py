"""The whole graph, for Dagster: one job from landing files to exported files."""

import dagster as dg

from orchestration.defs import ingestion, predictions, publishing, resources, warehouse

run_job = dg.define_asset_job("run", selection=dg.AssetSelection.all(), description="Load, build, train, score, publish, sync.")

rebuild_job = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("published", "exports"),
    description="Load, build, train and score as of a day of the past, for a replay: readers and destinations see nothing of it.",
)

daily = dg.ScheduleDefinition(job=run_job, cron_schedule="0 4 * * *", name="daily", description="One run a night, at 04:00 UTC.")

defs = dg.Definitions(
    assets=[
        ingestion.landing_files,
        ingestion.raw_tables,
        warehouse.dbt_models,
        predictions.repurchase_model,
        publishing.snapshot,
        publishing.exported_files,
    ],
    jobs=[run_job, rebuild_job],
    schedules=[daily],
    sensors=[ingestion.landing_sensor],
    resources={"dbt": resources.dbt_resource(), "workspace": resources.Workspace()},
    # One process: DuckDB has one writer, and the whole run holds one lock.
    executor=dg.in_process_executor,
)
