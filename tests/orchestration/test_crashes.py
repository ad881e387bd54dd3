"""kill -9 at any moment of a run: readers keep a whole snapshot, and the next run gives what an undisturbed one gives."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.lib import snapshot
from orchestration.lib.publish import fingerprint
from tests.conftest import tessera
from tests.orchestration.conftest import FIRST, LATER, Run, Watched, Workspace, files, make_workspace

LEDGER = {"activation.sync_log", "activation.sync_runs"}


@dataclass(frozen=True)
class Outcome:
    """What there is to compare: the published tables by their fingerprint, the exported files, what readers had before."""

    former: dict[str, str]
    tables: dict[str, str]
    exports: dict[str, bytes]


def _outcome(workspace: Workspace) -> Outcome:
    """Read the outcome of the undisturbed run."""
    workspace.restore("landed")
    former = fingerprint(workspace.current)
    workspace.restore("undisturbed")
    return Outcome(former, fingerprint(workspace.current), files(workspace.home / "exports"))


@pytest.fixture(scope="module")
def outcome(workspace: Workspace, watched: Watched) -> Outcome:
    return _outcome(workspace)


@pytest.fixture(scope="module")
def large_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A shop large enough for the model to speak, and the undisturbed run of its next week."""
    folder = tmp_path_factory.mktemp("large")
    tessera(folder / "source", "demo", "--events", "40000")
    workspace = make_workspace(folder, folder / "source")
    shutil.rmtree(folder / "source")
    tessera(workspace.home, "run", as_of=LATER)
    assert snapshot.query(workspace.home / "published", "select auc is not null from predictions.model_cards").rows == [(True,)]
    workspace.keep("undisturbed")
    yield workspace
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def large_outcome(large_workspace: Workspace) -> Outcome:
    return _outcome(large_workspace)


def _step(name: str, occurrence: int = 1) -> Callable[[Run, Path], None]:
    """Return what waits until the run says that it begins a step."""

    def wait(run: Run, home: Path) -> None:
        # A step says its name when it begins and again, with its seconds, when it ends.
        run.wait_for(lambda _: sum(line.split()[:1] == [name] for line in run.output) >= 2 * occurrence - 1)

    return wait


def _ended(name: str) -> Callable[[Run, Path], None]:
    """Return what waits until the run says that a step has ended."""

    def wait(run: Run, home: Path) -> None:
        run.wait_for(lambda line: line.split()[:1] == [name] and "…" not in line)

    return wait


def _model(name: str) -> Callable[[Run, Path], None]:
    """Return what waits until dbt, in this run, begins to build a model."""
    begins = re.compile(rf'"description": "sql \w+ model {re.escape(name)}"')

    def wait(run: Run, home: Path) -> None:
        _step("build", 1)(run, home)
        before = {file for file in home.glob("dbt/dbt*-*/dbt.log") if file.stat().st_mtime < run.started}
        while True:
            logs = set(home.glob("dbt/dbt*-*/dbt.log")) - before
            if any(begins.search(file.read_text(encoding="utf-8", errors="replace")) for file in logs):
                return
            assert run.process.poll() is None, f"it ended before {name}:\n{''.join(run.output)}"
            time.sleep(0.005)

    return wait


@dataclass(frozen=True)
class Moment:
    """A moment of a run: what to wait for, and for how long after it (seconds)."""

    name: str
    wait: Callable[[Run, Path], None]
    delay: float = 0.0


MOMENTS = [
    Moment("while the project is prepared", _step("prepare"), 0.4),
    Moment("while files are loaded", _step("load"), 0.05),
    Moment("while dbt starts", _step("build"), 0.5),
    Moment("while the raw events are typed", _model("staging.stg_segment__events")),
    Moment("while people are found", _model("identity.profile_identifiers")),
    Moment("while buyers are measured", _model("segments.rfm_scores")),
    Moment("while the model learns", _step("train"), 0.3),
    Moment("while the history of the audiences is appended to", _model("audiences.audience_changes")),
    Moment("while the snapshot is written", _step("publish"), 0.2),
    Moment("while changes are sent", _step("sync"), 0.02),
    Moment("after changes were sent", _ended("sync")),
]


def _prove(workspace: Workspace, outcome: Outcome, moment: Moment) -> None:
    """Kill a run at the moment, look at what readers have, run again, compare."""
    workspace.restore("landed")
    exports = files(workspace.home / "exports")
    run = workspace.start("run")
    moment.wait(run, workspace.home)
    time.sleep(moment.delay)
    assert run.process.poll() is None, f"too late:\n{''.join(run.output)}"
    run.kill()

    [(as_of,)] = snapshot.query(workspace.home / "published", "select max(as_of)::varchar from audiences.people").rows
    tables = fingerprint(workspace.current)
    if as_of == FIRST.replace("T", " "):
        assert tables == outcome.former
    else:  # The swap had happened; what was sent is not yet published.
        assert as_of == LATER.replace("T", " ")
        assert {key for key in tables if tables[key] != outcome.tables[key]} <= LEDGER
    # A file under its final name is whole.
    visible = {name: content for name, content in files(workspace.home / "exports").items() if "/." not in name}
    assert exports.items() <= visible.items() <= outcome.exports.items()

    tessera(workspace.home, "run", as_of=LATER)
    again = fingerprint(workspace.current)
    assert {key for key in outcome.tables | again if again.get(key) != outcome.tables.get(key)} == set()
    assert files(workspace.home / "exports") == outcome.exports
    assert list((workspace.home / "published").glob(".*")) == []


def test_a_run_killed_while_it_appends_to_the_history_is_made_good_by_the_next(workspace: Workspace, outcome: Outcome) -> None:
    _prove(workspace, outcome, Moment("history", _model("audiences.audience_changes")))


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_run_killed_is_made_good_by_the_next(large_workspace: Workspace, large_outcome: Outcome, moment: Moment) -> None:
    _prove(large_workspace, large_outcome, moment)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["staging.stg_segment__events", "audiences.audience_changes"])
def test_a_run_whose_first_process_alone_is_killed_spoils_nothing_through_what_it_started(
    large_workspace: Workspace, large_outcome: Outcome, model: str
) -> None:
    """The kernel, out of memory, kills one process: dbt goes on without its parent while the next run starts."""
    workspace = large_workspace
    workspace.restore("landed")
    run = workspace.start("run")
    _model(model)(run, workspace.home)
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    # The next run waits for what is left of the former one, or says that the home is in use; then it is run again.
    for _ in range(5):
        result = tessera(workspace.home, "run", as_of=LATER, check=False)
        if result.returncode != 3:
            break
        time.sleep(2)
    assert result.returncode == 0, result.stderr
    again = fingerprint(workspace.current)
    assert {key for key in large_outcome.tables if again.get(key) != large_outcome.tables[key]} == set()
    assert files(workspace.home / "exports") == large_outcome.exports
