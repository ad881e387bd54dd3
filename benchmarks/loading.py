"""What loading a million events of the demo shop costs, beside the least that any loader must do.

    python -m benchmarks.loading [--events 1000000]

Measured is `load_files` on NDJSON.gz into a DuckDB file: checksum, gzip's CRC, line numbers, rejected lines, duplicates, phones, commit.
The floor is one pass of the same bytes through sha256 and gzip, and DuckDB's json_valid over the lines; nothing is stored.
Bar: 8 CPU-seconds a million events. Belongs: measurements that print ratios. May not: assertions; those are tests.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.lib import demo_shop
from orchestration.lib.load import load_files
from orchestration.lib.warehouse import Embedded

BAR = 8.0


def main() -> None:
    """Print CPU seconds a million events, the ratio to the bar and to the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--landing", type=Path, help="a landing folder to load instead of a generated shop")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not arguments.landing:
            demo_shop.generate(folder / "landing", folder / "truth", events=arguments.events)
        files = sorted((arguments.landing or folder / "landing").glob("*/*.ndjson.gz"))
        floor = _floor(files)
        lines, seconds = _load(files, folder / "loaded.duckdb")
    per_million = seconds / lines * 1_000_000
    print(
        f"{lines:,} lines in {len(files)} files: {per_million:.1f} CPU-seconds a million, {per_million / BAR:.2f} of the bar of {BAR:.0f}"
    )
    print(f"the floor: {floor / lines * 1_000_000:.1f} CPU-seconds a million; loading costs {seconds / floor:.1f} times that")


def _load(files: list[Path], database: Path) -> tuple[int, float]:
    """Return the lines and the CPU seconds of loading them into a new database."""
    with duckdb.connect(str(database)) as connection:
        warehouse = Embedded(connection)
        warehouse.ensure_tables("benchmark")
        started = time.process_time()
        report = load_files(warehouse, files, region="GB")
        connection.execute("checkpoint")
        return sum(file.lines for file in report.files), time.process_time() - started


def _floor(files: list[Path]) -> float:
    """Return the CPU seconds of sha256, gzip and json_valid alone."""
    started = time.process_time()
    with duckdb.connect() as connection:
        for file in files:
            with file.open("rb") as opened:
                hashlib.file_digest(opened, "sha256").hexdigest()
            lines = pa.table({"line": pa.array(gzip.decompress(file.read_bytes()).split(b"\n"), pa.binary())})  # noqa: F841 (DuckDB finds it by its name)
            connection.execute("select count(*) from lines where json_valid(try(decode(line)))").fetchall()
    return time.process_time() - started


if __name__ == "__main__":
    main()
