"""One home at one path, with states of it kept aside, so that every proof starts where it wants at the price of a copy.

A copy at another path would cost a parse: dbt's manifest holds absolute paths.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from orchestration.lib import publish
from tests.conftest import ROOT, TESSERA, tessera

FIRST, LATER = "2026-11-01T00:00:00", "2026-11-08T00:00:00"
MADE = shutil.ignore_patterns(
    ".venv", ".tessera", ".git", "target", "dbt_packages", "__pycache__", "*.egg-info", ".hypothesis", "logs", ".ruff_cache"
)


def copy_tree(folder: Path) -> Path:
    """Copy the checkout as git would check it out, to be changed."""
    shutil.copytree(ROOT, folder, ignore=MADE)
    return folder


@dataclass
class Run:
    """A command that runs in the background, with what it has said so far."""

    process: subprocess.Popen[str]
    started: float  # POSIX time, seconds
    output: list[str] = field(default_factory=list)

    def wait_for(self, said: Callable[[str], bool], seconds: float = 600) -> None:
        """Wait until a line of its output is as wanted; fail when it ends before."""
        limit = time.monotonic() + seconds
        while not any(said(line) for line in self.output):
            assert self.process.poll() is None, f"it ended with {self.process.returncode} before:\n{''.join(self.output)}"
            assert time.monotonic() < limit, f"not within {seconds} s:\n{''.join(self.output)}"
            time.sleep(0.002)

    def kill(self) -> None:
        """End it and its children, where it still runs, with no chance to tidy up."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Workspace:
    """A home with a snapshot as of FIRST and newer files in the landing folder."""

    folder: Path
    withdrawn: str  # the profile whose consent is withdrawn in the newer files
    bought: str  # the profile that orders in the newer files

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def current(self) -> Path:
        return publish.current(self.home / "published")

    def keep(self, state: str) -> None:
        shutil.copytree(self.home, self.folder / state, symlinks=True)

    def restore(self, state: str) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.folder / state, self.home, symlinks=True)

    def start(self, *arguments: str, as_of: str = LATER) -> Run:
        """Start a command in a process group of its own."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("TESSERA_", "DBT_", "DAGSTER_"))}
        environment |= {"TESSERA_HOME": str(self.home), "PYTHONPATH": str(ROOT), "TESSERA_AS_OF": as_of}
        started = time.time()
        process = subprocess.Popen(
            [*TESSERA, *arguments],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        run = Run(process, started)
        threading.Thread(target=lambda: run.output.extend(process.stdout or ()), daemon=True).start()
        return run


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def land_news(home: Path) -> tuple[str, str]:
    """Land one file of everything that changes a shop; return the profiles whose consent is withdrawn and who orders.

    A consent withdrawn, an order, two new people, a visit that proves to be somebody's, a late visit, a call that was delivered
    before, a broken line.
    """
    with duckdb.connect(str(home / "published" / "current" / publish.DATABASE), read_only=True) as connection:
        [(withdrawn, withdrawn_user), (bought, bought_user)] = connection.execute(
            """select record_key, user_id from activation.sync_log inner join audiences.people on record_key = profile_id
            where sync_id = 'newsletter_vip' and user_id is not null order by record_key limit 2"""
        ).fetchall()
        [(stranger,)] = connection.execute(
            """select anonymous_id from profiles.profile_events inner join profiles.profiles using (profile_id)
            where not is_known and anonymous_id is not null order by anonymous_id limit 1"""
        ).fetchall()
    consent = {"categoryPreferences": {"analytics": True, "advertising": True, "email_marketing": True}}
    no_consent = {"categoryPreferences": {"analytics": False, "advertising": False, "email_marketing": False}}
    preferences = "Segment Consent Preference Updated"

    def call(number: int, at: str, **fields: object) -> str:
        received = at if at > FIRST else "2026-11-03T12:00:00.000Z"
        times = {"timestamp": at, "originalTimestamp": at, "sentAt": at, "receivedAt": received}
        return json.dumps({"messageId": f"news-{number}", "type": "track", "properties": {}, "context": {}} | times | fields)

    def order(number: int, at: str, user: str, revenue: float) -> str:
        properties = {"order_id": f"NEWS-{number}", "revenue": revenue, "total": revenue, "currency": "EUR", "products": []}
        return call(number, at, event="Order Completed", userId=user, properties=properties)

    lines = [
        call(1, "2026-11-02T09:00:00.000Z", event=preferences, userId=withdrawn_user, context={"consent": no_consent}),
        order(2, "2026-11-02T10:00:00.000Z", bought_user, 120.0),
        call(3, "2026-11-03T08:00:00.000Z", type="identify", userId="news_a", traits={"email": "News.A@Example.com"}),
        call(4, "2026-11-03T08:01:00.000Z", event=preferences, userId="news_a", context={"consent": consent}),
        order(5, "2026-11-03T08:02:00.000Z", "news_a", 950.0),
        call(6, "2026-11-03T09:00:00.000Z", type="identify", userId="news_b", traits={"phone": "+44 20 7946 0999"}),
        call(7, "2026-11-04T09:00:00.000Z", type="identify", userId=bought_user, anonymousId=stranger),
        call(8, "2026-10-15T09:00:00.000Z", type="page", name="Home", anonymousId="late-visitor"),
        '{"messageId": "news-9", "type": "tra',
        call(10, "2026-11-05T09:00:00.000Z", type="page", name="Home", anonymousId=stranger),
        call(10, "2026-11-05T09:00:00.000Z", type="page", name="Home", anonymousId=stranger),
    ]
    (home / "landing" / "shop_web" / "news.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return withdrawn, bought


def make_workspace(folder: Path, source: Path) -> Workspace:
    """Copy a home with a snapshot, land newer files in it and make it ready to run; its state is `landed`."""
    shutil.copytree(source, folder / "home", symlinks=True)
    workspace = Workspace(folder, *land_news(folder / "home"))
    tessera(workspace.home, "dbt", "--version")  # prepares the project for this path, once for all that starts here
    workspace.keep("landed")
    return workspace


@pytest.fixture(scope="session")
def workspace(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The small demo shop, a week later."""
    folder = tmp_path_factory.mktemp("workspace")
    yield make_workspace(folder, demo_home)
    shutil.rmtree(folder)  # half a gigabyte of states, which pytest would keep for three sessions


@dataclass
class Watched:
    """An undisturbed run with readers beside it."""

    run: Run
    second: subprocess.CompletedProcess[str]  # `tessera run` in the same home, meanwhile
    errors: list[BaseException]
    reads: int
    seen: list[tuple[str, int, str]]  # the distinct (run, people, as-of time) that readers saw, in order


@pytest.fixture(scope="session")
def watched(workspace: Workspace) -> Watched:
    """Run the newer files while somebody reads in a loop and somebody else wants to run too; the state is `undisturbed`."""
    workspace.restore("landed")
    published = workspace.home / "published" / "current"
    errors: list[BaseException] = []
    seen: list[tuple[str, int, str]] = []
    reads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            try:
                run = json.loads((published / "manifest.json").read_text(encoding="utf-8"))["run"]
                with duckdb.connect(str(published / publish.DATABASE), read_only=True) as connection:
                    [(people, as_of)] = connection.execute(
                        "select count(*), max(as_of)::varchar from audiences.people"
                    ).fetchall()
                with duckdb.connect() as connection:
                    for table in ("audiences.people", "activation.sync_log"):
                        file = str(published / f"{table}.parquet")
                        connection.execute("select count(*) from read_parquet(?)", [file]).fetchall()
                if not seen or seen[-1] != (run, people, as_of):
                    seen.append((run, people, as_of))
                reads += 1
            except BaseException as error:
                errors.append(error)
            # The moments that matter are the swaps, near the end.
            stop.wait(0 if any("publish" in line for line in background.output) else 0.1)

    background = workspace.start("run")
    reader = threading.Thread(target=read)
    reader.start()
    try:
        background.wait_for(lambda line: "load" in line)
        second = tessera(workspace.home, "run", as_of=LATER, check=False)
        assert background.process.wait(300) == 0, "".join(background.output)
    finally:
        stop.set()
        reader.join()
        background.kill()
    workspace.keep("undisturbed")
    return Watched(background, second, errors, reads, seen)


@pytest.fixture
def restored(workspace: Workspace, watched: Watched) -> Workspace:
    """The workspace as it is after the undisturbed run."""
    workspace.restore("undisturbed")
    return workspace
