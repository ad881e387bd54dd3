"""What several warehouse tests need: calls written as NDJSON, the build database read, tables compared."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

DBT_BUILD = ("dbt", "build", "--quiet", "--exclude-resource-type", "unit_test")


def dice(seed: int) -> random.Random:
    """Return draws that are the same in every run."""
    return random.Random(seed)  # noqa: S311 (nothing here is a secret)


def write_calls(path: Path, calls: Iterable[dict[str, Any]]) -> Path:
    """Write Segment calls, one JSON object a line."""
    return write_lines(path, [json.dumps(call, ensure_ascii=False) for call in calls])


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Write lines that are calls already; a name that ends in .gz is compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)
    return path


def read_lines(path: Path) -> list[str]:
    """Return the lines of a plain or gzip file."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()


def write_shuffled(folder: Path, lines: Sequence[str], pieces: int, seed: int) -> list[Path]:
    """Deal shuffled lines to files whose names sort in another order than they were dealt in; return them in shuffled order."""
    draws = dice(seed)
    shuffled = list(lines)
    draws.shuffle(shuffled)
    names = [f"piece-{n:02d}" for n in range(pieces)]
    draws.shuffle(names)
    files = [write_lines(folder / f"{name}.ndjson", shuffled[n::pieces]) for n, name in enumerate(names)]
    draws.shuffle(files)
    return files


def built(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the build database of a home, in which nothing runs now."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()
