"""`tessera plan …`: the tracking plan on the command line. Thin, like `cli.py`; the logic is in `lib/plan/`."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchestration import paths
from orchestration.lib.errors import UsageError

app = typer.Typer(help="The tracking plan: checked, compared, exchanged, enforced anew.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Format = Literal["segment", "segment-legacy", "jsonschema"]
HELD = "select event_id, coalesce(event, type, '(no type)') as event, reason from events.events_quarantine"


@app.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="The plan's folder; default: this project's.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with the plan, and what could be better, with file and line. Ends with 2 when something is wrong."""
    from orchestration.lib.plan import model

    plan, problems = model.lint(folder or paths.TRACKING_PLAN)
    errors = [problem for problem in problems if problem.is_error]
    if as_json:
        found = [{"file": str(p.file), "line": p.line, "text": p.text, "is_error": p.is_error} for p in problems]
        print(json.dumps(found))
    else:
        for problem in problems:
            print(problem)
        print(f"{len(plan.events)} events: {len(errors)} errors, {len(problems) - len(errors)} warnings")
    if errors:
        raise typer.Exit(2)


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Segment's JSON or CSV, or RudderStack's YAML (files or a folder).")
    ],
    into: Annotated[Path | None, typer.Option(help="Folder to write; default: this project's plan.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same name.")] = False,
) -> None:
    """Write the plan of another tool as YAML files, one an event; nothing it says is lost."""
    from orchestration.lib.plan import exchange, model

    folder = into or paths.TRACKING_PLAN
    named = [path for file in files for path in (sorted(file.rglob("*.y*ml")) if file.is_dir() else [file])]
    found = exchange.read(named)
    for file in exchange.write(found, folder, overwrite=overwrite):
        print(f"wrote {file}")
    for note in found.notes:
        print(f"note: {note}")
    if errors := [problem for problem in model.lint(folder)[1] if problem.is_error]:
        print("What cannot be compiled yet (until then `status: draft` keeps a file from being used):")
        for problem in errors:
            print(problem)


@app.command()
def export(
    to: Annotated[Format, typer.Option(help="The format.")] = "segment",
    folder: Annotated[Path | None, typer.Argument(help="The plan's folder; default: this project's.")] = None,
) -> None:
    """Print the plan as Segment's JSON or as JSON Schemas."""
    from orchestration.lib.plan import exchange, model

    print(json.dumps(exchange.EXPORTS[to](model.read(folder or paths.TRACKING_PLAN)), indent=2, ensure_ascii=False))


@app.command()
def infer(
    into: Annotated[Path | None, typer.Option(help="Folder to write drafts into; default: print them.")] = None,
) -> None:
    """Draft the events that were observed and are not planned, from the published snapshot."""
    from orchestration.lib import snapshot
    from orchestration.lib.plan import exchange, model
    from orchestration.lib.plan import infer as inference

    plan = model.lint(paths.TRACKING_PLAN)[0]
    planned = {(event.type, event.event) for event in plan.events}
    with snapshot.open_snapshot(paths.published()) as connection:
        rows = connection.execute(inference.SQL).fetchall()
    drafts = [
        inference.draft(call, event, count, structure, json.loads(present or "{}"))
        for call, event, count, structure, present in rows
        if (call, event) not in planned and structure and call in model.PAYLOADS
    ]
    if into:
        for file in exchange.write(exchange.Imported(drafts), into):
            print(f"wrote {file}")
        return
    print("\n---\n".join(exchange.to_yaml(draft) for draft in drafts) or "Every event that was observed is planned.")


@app.command()
def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A git revision (such as main), or a folder with a plan.")],
    as_json: Json = False,
) -> None:
    """Compare the plan with a former one. Ends with 1 when a change may hold back or strip what passes today."""
    from orchestration.lib.plan import compare, model

    with tempfile.TemporaryDirectory() as folder:
        before = Path(base) if Path(base).is_dir() else _plan_at(base, Path(folder))
        found = compare.changes(model.lint(before)[0], model.read(paths.TRACKING_PLAN))
    if as_json:
        print(json.dumps([{"event": c.event, "text": c.text, "is_breaking": c.is_breaking} for c in found]))
    else:
        for change in found:
            print(change)
        print(f"{sum(change.is_breaking for change in found)} breaking changes, {sum(not c.is_breaking for c in found)} others")
    if any(change.is_breaking for change in found):
        raise typer.Exit(1)


def _plan_at(revision: str, folder: Path) -> Path:
    """Return the plan of a git revision, unpacked into a folder."""
    name = str(paths.TRACKING_PLAN.relative_to(paths.ROOT))
    result = subprocess.run(["git", "archive", revision, "--", name], cwd=paths.ROOT, capture_output=True, check=False)
    if revision.startswith("-") or result.returncode:
        raise UsageError(
            "There is no plan to compare with.",
            where=revision,
            found=result.stderr.decode(errors="replace").strip()[:300],
            allowed="a git revision that has dbt_project/tracking_plan, or a folder",
            fix="name one, such as main",
        )
    with tarfile.open(fileobj=BytesIO(result.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / name


@app.command()
def release(
    preview: Annotated[
        bool, typer.Option("--preview", help="Say what would come back, as of the last run; publish nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge every message by today's plan and let back in what passes: a run, and a report of what it released and newly held."""
    from orchestration import cli, project
    from orchestration.lib import publish, snapshot

    with snapshot.open_snapshot(paths.published()) as connection:
        before = connection.execute(HELD).fetchall()
    with project.writing("plan release"):
        if preview:
            published = json.loads((publish.current(paths.published()) / "manifest.json").read_text(encoding="utf-8"))
            project.compile_config()
            project.check(
                project.dbt(
                    "run", "--quiet", "--select", "stg_segment__events", "events", as_of=published["as_of"], capture=True
                ),
                "The messages could not be judged.",
            )
            with project.open_warehouse() as opened:
                after = opened.rows(HELD.replace("events.events_quarantine", opened.name("events.events_quarantine")))
        else:
            cli.run_job("plan release")
            with snapshot.open_snapshot(paths.published()) as connection:
                after = connection.execute(HELD).fetchall()
    _report(before, after, preview=preview, as_json=as_json)


def _report(before: list[Any], after: list[Any], *, preview: bool, as_json: bool) -> None:
    """Print what was held and is no more, and the reverse, by event and reason."""
    old, new = ({row[0]: row[1:] for row in rows} for rows in (before, after))
    released = Counter(old[key] for key in old.keys() - new.keys())
    held = Counter(new[key] for key in new.keys() - old.keys())
    if as_json:
        groups = {"released": released, "newly_held": held}
        counted = {
            name: [{"event": event, "reason": reason, "messages": n} for (event, reason), n in found.most_common()]
            for name, found in groups.items()
        }
        print(json.dumps({"held_before": len(old), "held_now": len(new)} | counted))
        return
    print(f"{len(old):,} messages held before, {len(new):,} {'would be held' if preview else 'held'} now")
    for title, found in (("comes back" if preview else "released", released), ("newly held", held)):
        for (event, reason), count in found.most_common():
            print(f"{title}: {count:,} × {event}: {reason}")
