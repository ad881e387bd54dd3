"""One line a step on standard error, with its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Show a step while it runs and how long it took. Call what it yields with a note on the outcome."""
    notes: list[str] = []
    start = time.monotonic()
    print(f"  {name:<10} …", file=sys.stderr, flush=True)
    try:
        yield notes.append
    except BaseException:
        print(f"  {name:<10} failed after {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
        raise
    print(f"  {name:<10} {time.monotonic() - start:5.1f} s  {'; '.join(notes)}", file=sys.stderr, flush=True)
