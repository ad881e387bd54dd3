"""One writer at a time: an flock on the home folder. The kernel frees it when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from orchestration.lib.errors import LockedError

_held: dict[Path, TextIO] = {}


@contextmanager
def writer(home: Path, purpose: str, beside: Callable[[], AbstractContextManager[None]] = nullcontext) -> Iterator[None]:
    """Hold the home folder for writing; raise LockedError that names the holder. Re-entrant within one process.

    `purpose` is what the holder is doing, in a word or two, for the one who has to wait; `beside` holds what else has one writer.
    """
    if home in _held:
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    file = (home / "lock").open("a+", encoding="utf-8")
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"Another process is writing to this home: {holder(home)}.",
                where=str(home),
                fix="wait for it to end and run this again; reading (`tessera query`) never waits",
            ) from None
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "purpose": purpose}, file)
        file.flush()
        with beside():
            _held[home] = file
            yield
    finally:
        _held.pop(home, None)
        file.close()


def holder(home: Path) -> str:
    """Return who holds (or last held) the lock, as a phrase."""
    try:
        content = json.loads((home / "lock").read_text(encoding="utf-8"))
        return f"`tessera {content['purpose']}`, process {content['pid']}"
    except (OSError, ValueError, KeyError):
        return "a process that has not said its name"
