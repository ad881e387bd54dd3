"""Shared fixtures: homes of their own under a temporary folder, and one small demo shop built once a session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
TIMINGS: list[tuple[str, str, float, float]] = []  # what tests/engines ran, printed at the end
TESSERA = [sys.executable, "-c", "from orchestration.cli import main; main()"]


def tessera(home: Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line of this checkout in a home."""
    return tessera_in(ROOT, home, *arguments, **options)


def tessera_in(
    tree: Path, home: Path, *arguments: str | Path, as_of: str | None = None, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a checkout's command line in a home; with `check`, fail the test with its output when it does not end with 0."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TESSERA_", "DBT_", "DAGSTER_"))}
    environment |= {"TESSERA_HOME": str(home), "PYTHONPATH": str(tree)} | variables
    if as_of:
        environment["TESSERA_AS_OF"] = as_of
    result = subprocess.run(
        [*TESSERA, *map(str, arguments)], env=environment, cwd=home.parent, capture_output=True, text=True, check=False
    )
    if check:
        assert result.returncode == 0, f"tessera {' '.join(map(str, arguments))}\n{result.stdout}\n{result.stderr}"
    return result


def ask(home: Path, sql: str) -> list[dict[str, Any]]:
    """Ask the published snapshot of a home; numbers that are exact come as text."""
    return json.loads(tessera(home, "query", sql, "--json").stdout)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data and peers' answers, which the project does not ship."""
    if not SHARED_DATA.exists():
        pytest.skip(f"no real data to test against: {SHARED_DATA} does not exist")
    return SHARED_DATA


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small demo shop, built and published once."""
    home = tmp_path_factory.mktemp("demo") / "home"
    tessera(home, "demo", "--events", "12000")
    return home


@pytest.fixture(scope="session")
def demo_asks(demo_home: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Ask the demo shop's snapshot."""
    return lambda sql: ask(demo_home, sql)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """dbt's manifest of the project as it is in the working tree."""
    home = tmp_path_factory.mktemp("manifest") / "home"
    tessera(home, "dbt", "parse", "--quiet")
    return json.loads((home / "dbt" / "manifest.json").read_text(encoding="utf-8"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands over what its runs cost."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["timings"] = TIMINGS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it from the worker."""
    TIMINGS.extend(tuple(timing) for timing in getattr(node, "workeroutput", {}).get("timings", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each engine's runs cost."""
    if TIMINGS:
        terminalreporter.section("runs by engine")
    for engine, what, seconds, cpu_seconds in TIMINGS:
        terminalreporter.write_line(f"{engine:<14} {what:<28} {seconds:6.1f} s {cpu_seconds:6.1f} CPU-s")
