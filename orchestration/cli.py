"""The command line. Thin: it reads arguments, calls `lib/` or starts dbt and Dagster, prints, and sets the exit code.

Exit codes: 0 ok, 1 data failed, 2 usage, 3 locked. Imports are lazy, so that `--help` is quick.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration import paths, plan_commands
from orchestration.lib.errors import TesseraError, UsageError

app = typer.Typer(
    name="tessera",
    help="A customer data platform that lives in the warehouse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
trait_app = typer.Typer(help="The analysts' traits.", no_args_is_help=True)
app.add_typer(trait_app, name="trait")
app.add_typer(plan_commands.app, name="plan")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


def main() -> None:
    """Run the command; a TesseraError becomes its text on standard error (JSON with --json) and its exit code."""
    try:
        app()
    except TesseraError as error:
        if "--json" in sys.argv:
            print(json.dumps(error.as_dict()))
        else:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


@app.command()
def demo(
    events: Annotated[int, typer.Option(help="About how many lines of events to generate.", min=2_000)] = 40_000,
    as_json: Json = False,
) -> None:
    """Generate the demo shop, run everything as of its last day, and say what came out."""
    from orchestration import project
    from orchestration.lib import demo_shop

    with project.writing("demo"):
        _generate_demo_shop(events)
        os.environ["TESSERA_AS_OF"] = demo_shop.AS_OF
        run_job("demo")
    _print_summary(as_json, next_steps=True)


@app.command()
def run(
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Replay: the first day (UTC).")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Replay: the day after the last one (UTC).")] = None,
    as_json: Json = False,
) -> None:
    """Load what is in the landing folder, build, train, score, publish and sync, as of TESSERA_AS_OF (default: now).

    With --from and --to, first rebuild the days of that window from raw, one by one, as of the end of each: a message received by then
    counts, however late it was loaded. The logs (audience changes, holders, traits) gain what a day adds, unless they already hold a later
    run: they are never rewritten. Then follows an ordinary run, which alone is published and synced, and the window's late messages are
    counted.
    """
    if start is None and end is None:
        run_job("run")
        _print_summary(as_json, next_steps=False)
        return
    if start is None or end is None:
        raise UsageError(
            "A replay needs both ends.", allowed="--from DATE --to DATE", fix="name the first day and the day after the last"
        )
    _print_summary(as_json, next_steps=False, replayed=_replay(start, end))


def _replay(start: str, end: str) -> str:
    """Rebuild a window of days, run as of now and say what became of the window's messages."""
    from orchestration import project
    from orchestration.defs.ingestion import load_landing
    from orchestration.lib import replay, runs

    now = project.as_of()
    days = runs.window_days(start, end, now=now)
    with project.writing("replay"):
        with project.open_warehouse() as opened:
            opened.ensure_tables(project.salt())
            load_landing(opened)
            runs.require_data(days, replay.received(opened))
        for moment in dict.fromkeys([*days, now]):
            print(f"as of {moment}", file=sys.stderr)
            os.environ["TESSERA_AS_OF"] = moment
            run_job("replay", job="run" if moment == now else "rebuild")
    return replay.describe(paths.published(), days)


@app.command()
def load(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files (NDJSON or a JSON array, plain or gzip; Parquet) or folders of them."),
    ],
    source: Annotated[str | None, typer.Option(help="Name of the source; default: the name of each file's folder.")] = None,
    as_json: Json = False,
) -> None:
    """Load Segment-spec calls into raw.events, exactly once. Bad lines go to raw.ingest_rejects; a damaged file is refused whole."""
    from orchestration import project
    from orchestration.lib import config
    from orchestration.lib.load import load_files

    identity: Any = config.read(paths.identity_config(), "identity")
    with project.writing("load"), project.open_warehouse() as opened:
        opened.ensure_tables(project.salt())
        report = load_files(
            opened,
            files,
            source=source,
            region=identity.default_region,
            on_file=None if as_json else lambda file: print(_describe_file(file)),
        )
    if as_json:
        counts = ("status", "lines", "rows_loaded", "rows_rejected", "rows_duplicate", "message")
        print(json.dumps([{"path": str(file.path)} | {name: getattr(file, name) for name in counts} for file in report.files]))
        if report.refused:
            raise typer.Exit(1)
    elif not report.files:
        print(
            f"No files to load in {', '.join(map(str, files))}: a folder's *.ndjson, *.jsonl, *.json (also .gz) and *.parquet are."
        )
    report.raise_for_refused()


@app.command()
def collect(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")] = "127.0.0.1",
    proxy: Annotated[
        str | None, typer.Option(help="Address of your reverse proxy: only its X-Forwarded-For says where a browser is.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="A file is delivered to the landing folder at this age at the latest.", min=1)
    ] = 60,
    megabytes: Annotated[int, typer.Option(help="A file is delivered at this size.", min=1)] = 100,
) -> None:
    """Receive events from Segment's SDKs over HTTP into the landing folder. Write keys: TESSERA_WRITE_KEYS=source:key,…"""
    from orchestration import collector
    from orchestration.lib.collect import WriteKeys

    keys = WriteKeys(os.environ.get("TESSERA_WRITE_KEYS", ""))
    collector.serve(keys, host=host, port=port, proxy=proxy, max_bytes=megabytes << 20, max_seconds=seconds)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='One SQL statement, such as "select * from profiles.profiles limit 5".')],
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the published snapshot. Reading never waits for a run and never changes anything."""
    from orchestration.lib import snapshot

    result = snapshot.query(paths.published(), sql)
    if as_json:
        print(result.to_json())
    elif csv:
        sys.stdout.write(result.to_csv())
    else:
        from rich.console import Console

        result.print_to(Console())


@app.command()
def profile(
    identifier: Annotated[str, typer.Argument(metavar="TYPE:VALUE", help="Such as email:jane@example.com, or profile_id:…")],
    as_json: Json = False,
) -> None:
    """Show one person: identifiers, traits, segment, predictions, audiences, consent."""
    from orchestration.lib import snapshot

    person = snapshot.profile(paths.published(), identifier)
    if as_json:
        print(json.dumps(person, default=str))
    else:
        print(snapshot.describe_profile(person))


@app.command()
def explain(
    first: Annotated[str, typer.Argument(metavar="TYPE:VALUE", help="Such as email:jane@example.com, or profile_id:…")],
    second: Annotated[
        str | None, typer.Argument(metavar="TYPE:VALUE", help="Another one; without it: the whole profile.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the query instead of its answer.")] = False,
    as_json: Json = False,
) -> None:
    """Say why two identifiers are one person, or why not; with one, show its profile as evidence."""
    from orchestration.lib import explain as explaining
    from orchestration.lib import publish

    if sql:
        print(explaining.sql(paths.published(), first, second))
        return
    found = explaining.explain(paths.published(), first, second)
    found = {"as_of": publish.as_of(paths.published())} | found
    print(json.dumps(found, default=str) if as_json else f"as of {found['as_of']}\n{explaining.describe(found)}")


@app.command("dbt", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def dbt_command(context: typer.Context) -> None:
    """Run dbt on the build database with Tessera's settings: `tessera dbt build --select my_trait`."""
    from orchestration import project

    with project.writing("dbt"):
        project.ensure_tables()
        project.compile_config()
        result = project.dbt(*context.args, as_of=project.as_of())
    raise typer.Exit(result.returncode)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the page, on this machine only.")] = 3000,
) -> None:
    """Open Dagster: the graph, runs, checks, schedules. Stop it with Ctrl-C."""
    from orchestration import project

    with project.writing("dev"):
        project.ensure_tables()
        project.prepare()
    environment = os.environ | project.environment() | _dagster_environment()
    print(f"Dagster: http://127.0.0.1:{port}", file=sys.stderr)
    dagster = str(Path(sys.executable).parent / "dagster")
    os.chdir(paths.ROOT)
    os.execve(dagster, [dagster, "dev", "-m", "orchestration.definitions", "-h", "127.0.0.1", "-p", str(port)], environment)  # noqa: S606


@trait_app.command("new")
def trait_new(
    name: Annotated[str, typer.Argument(help="Name of the trait: lower case, digits, _.")],
    value_type: Annotated[
        str, typer.Option("--type", help="string, bigint, decimal, double, boolean, date or timestamp.")
    ] = "bigint",
    level: Annotated[str, typer.Option(help="Whose: profile or account.")] = "profile",
) -> None:
    """Write the two files of a new SQL trait and its line in dbt_project.yml; then edit the SQL."""
    from orchestration.lib import traits

    for file in traits.create(name, value_type, paths.SQL_TRAITS, paths.DBT_PROJECT, paths.SEEDS, level):
        print(f"wrote {file.relative_to(paths.ROOT)}")
    print(f"Edit the SQL, then: tessera dbt build --select {name}+")


def _describe_file(file: Any) -> str:
    """Return one line on what became of a file; a refused one is told at the end."""
    if file.status != "loaded":
        return f"{file.path}: {file.status}"
    counts = f"{file.lines:,} lines = {file.rows_loaded:,} loaded + {file.rows_rejected:,} rejected + {file.rows_duplicate:,} duplicates"
    return f"{file.path}: {counts}" + (f" ({file.message})" if file.message else "")


def _generate_demo_shop(events: int) -> None:
    """Write the demo shop into the landing folder, unless it lies there; raise UsageError where other data lie."""
    from orchestration.lib import demo_shop
    from orchestration.lib.progress import step

    if others := _other_sources({"shop_web", "shop_backend", "tables", "ad_spend", *demo_shop.TABLES}):
        raise UsageError(
            "This home holds other data; the demo shop would mix with it.",
            where=str(paths.home()),
            found=", ".join(sorted(others)),
            fix="choose an empty home: TESSERA_HOME=/some/folder tessera demo",
        )
    marker, made = paths.landing() / ".demo_shop.json", {"events": events, "seed": 7}
    if marker.exists():
        if json.loads(marker.read_text(encoding="utf-8")) != made:
            raise UsageError(
                "This home holds a demo shop of another size.",
                where=str(paths.home()),
                found=marker.read_text(encoding="utf-8"),
                fix=f"remove the folder, or choose another: TESSERA_HOME=/some/folder tessera demo --events {events}",
            )
        return
    with step("generate") as note:
        shop = demo_shop.generate(paths.landing(), paths.home() / "demo_truth", events=events, seed=made["seed"])
        marker.write_text(json.dumps(made), encoding="utf-8")
        note(f"{shop.events:,} lines, {shop.people:,} people")


def run_job(purpose: str, *, job: str = "run") -> None:
    """Run a job (the whole graph) in this process; raise TesseraError with the first step's failure."""
    from orchestration import project
    from orchestration.lib import warehouse

    warehouse.require_engine(project.outputs()[paths.target()])
    with project.writing(purpose):
        os.environ["TESSERA_AS_OF"] = project.as_of()
        os.environ.update(_dagster_environment())
        from orchestration.lib.progress import step

        with step("prepare"):
            project.prepare()
            import dagster as dg

            from orchestration.definitions import defs

            definition = defs.resolve_job_def(job)
        log = paths.home() / "logs" / "run.log"
        log.parent.mkdir(exist_ok=True)
        with dg.DagsterInstance.get() as instance, log.open("w") as output, contextlib.redirect_stdout(output):
            result = definition.execute_in_process(
                instance=instance,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
        if not result.success:
            failures = [event for event in result.all_events if event.is_step_failure]
            error = failures[0].step_failure_data.error if failures else None
            cause = error.cause if error and error.cause else error
            raise TesseraError(
                f"The run failed in step {failures[0].step_key}." if failures else "The run failed.",
                found=re.sub(r"^orchestration\.lib\.errors\.\w+: ", "", cause.message.strip()) if cause else "",
                fix="then run again; readers still see the former snapshot (`tessera dev` shows the run)",
            )


def _dagster_environment() -> dict[str, str]:
    home = paths.dagster_home()
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n", encoding="utf-8")
    return {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def _print_summary(as_json: bool, *, next_steps: bool, replayed: str = "") -> None:
    from orchestration.lib import summary

    lines = summary.summarise(paths.published(), paths.exports())
    if replayed:
        lines.append(("replayed", replayed))
    if as_json:
        print(json.dumps(dict(lines)))
        return
    if next_steps:
        lines.append(("next", 'tessera dev · tessera query "select * from segments.rfm_segments limit 5" · README: add a trait'))
    print()
    for label, text in lines:
        print(f"{label:>12}  {text}")


def _other_sources(known: set[str]) -> set[str]:
    """Return the sources that lie in the landing folder or were ever loaded, less the known ones."""
    from orchestration import project

    sources = {folder.name for folder in paths.landing().glob("*") if folder.is_dir()}
    with project.open_warehouse() as opened:
        opened.ensure_tables(project.salt())
        rows = opened.rows(f"select distinct source_id from {opened.name('raw.ingest_files')}")
    return sources.union(source for (source,) in rows) - known
