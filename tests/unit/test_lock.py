"""The writer's lock, with real processes and a real kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.lib.errors import LockedError
from orchestration.lib.lock import holder, writer
from tests.conftest import ROOT

HOLD = """
import sys
from pathlib import Path
from orchestration.lib.lock import writer
with writer(Path(sys.argv[1]), "load"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the home until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_the_lock_makes_the_home_and_says_who_holds_it(tmp_path: Path) -> None:
    with writer(tmp_path / "new" / "home", "run"):
        assert holder(tmp_path / "new" / "home").startswith("`tessera run`, process ")


def test_one_process_may_take_the_lock_again_and_keeps_it_until_the_outermost_ends(tmp_path: Path) -> None:
    ask = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from orchestration.lib.lock import writer\n"
        "with writer(Path(sys.argv[1]), 'other'): pass",
        str(tmp_path),
    ]
    with writer(tmp_path, "run"):
        with writer(tmp_path, "load"):
            pass
        assert b"`tessera run`" in subprocess.run(ask, cwd=ROOT, capture_output=True, check=False).stderr
    assert subprocess.run(ask, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_a_second_process_is_refused_at_once_and_told_who_writes(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(LockedError) as caught, writer(tmp_path, "run"):
        pass
    assert caught.value.exit_code == 3
    assert f"`tessera load`, process {other.pid}" in caught.value.what
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in caught.value.what


def test_being_refused_leaves_the_holder_named_and_holding(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    for _ in range(2):
        with pytest.raises(LockedError), writer(tmp_path, "run"):
            pass
    assert holder(tmp_path) == f"`tessera load`, process {other.pid}"


def test_kill_9_frees_the_lock(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    with writer(tmp_path, "run"):
        assert "`tessera run`" in holder(tmp_path)


def test_an_error_within_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), writer(tmp_path, "run"):
        raise ValueError("broken")
    with writer(tmp_path, "run"):
        pass


def test_two_homes_are_written_at_the_same_time(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with writer(tmp_path / "another", "run"):
        assert other.poll() is None


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"pid": 1'])
def test_a_lock_file_that_says_nothing_still_gives_a_phrase(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    assert holder(tmp_path) == "a process that has not said its name"
