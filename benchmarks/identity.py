"""Identity's cost and accuracy: the models' SQL in one bare DuckDB process, as ratios to F within the same run.

F = `count(*), count(distinct anonymous_id)` over the Parquet of the demo shop's staged events. Times are CPU-seconds (user + system).

    python -m benchmarks.identity --events 1000000 --folder /tmp/shop      # makes the shop there first, if it is not
    python -m benchmarks.identity --part graphs                            # adversarial graphs of a million nodes
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.lib import demo_shop, load
from orchestration.lib.warehouse import Embedded
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, BareProject, prepare
from tests.warehouse.identity.accuracy import Observed, compare

SEGMENT_LIMITS = {"user_id": 1, "email": 5, "phone": 5, "anonymous_id": 5}
GRAPHS = ("chain in order", "chain scrambled", "chain zigzag", "star", "power-law blob")
NODES = 1_000_000


def cpu() -> float:
    """Return the CPU-seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def measured(store: dict[str, float], name: str) -> Iterator[None]:
    started = cpu()
    yield
    store[name] = cpu() - started


def report(name: str, seconds: float, unit: float, goal: str = "") -> None:
    print(f"{name:<44}{seconds:8.2f} s {seconds / unit:8.2f} F  {goal}", flush=True)


def connect(file: Path | str = ":memory:") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(file))
    for setting in ("threads = 2", "preserve_insertion_order = false", "memory_limit = '4GB'", "enable_progress_bar = false"):
        connection.execute(f"set {setting}")
    return connection


def make_shop(folder: Path, events: int) -> None:
    """Write the shop's staged events as Parquet (accepted ones: the rules of the events stage are not measured here) and its truth."""
    if (folder / "events.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    demo_shop.generate(folder / "landing", folder / "truth", events=events)
    with duckdb.connect(str(folder / "making.duckdb")) as connection:
        connection.execute("set memory_limit = '4GB'")
        load.load_files(Embedded(connection), [folder / "landing" / "shop_web", folder / "landing" / "shop_backend"], region="GB")
        project = BareProject(connection)
        columns = ", ".join(column["name"] for column in project.settings["columns"])
        connection.execute(
            f"""copy (select event_id, {columns}, occurred_at, received_at from ({project.compile("stg_segment__events")})
            where received_at is not null and (user_id is not null or anonymous_id is not null))
            to '{folder / "events.parquet"}' (format parquet, compression zstd)"""
        )
        connection.execute(f"copy raw.phone_numbers to '{folder / 'phones.parquet'}' (format parquet)")
    (folder / "making.duckdb").unlink()
    shutil.rmtree(folder / "landing")


def open_shop(folder: Path) -> tuple[duckdb.DuckDBPyConnection, BareProject]:
    connection = connect()
    project = BareProject(connection)
    prepare(connection, [column["name"] for column in project.settings["columns"]])
    connection.execute("drop table events.int_events_accepted")
    connection.execute(
        f"create view events.int_events_accepted as select *, 'shop' as file_id from '{folder / 'events.parquet'}'"
    )
    connection.execute(f"insert into raw.phone_numbers from '{folder / 'phones.parquet'}'")
    return connection, project


def cost(folder: Path) -> None:
    """Print what each model costs, and what others' clustering costs on the same edges."""
    connection, project = open_shop(folder)
    scans: dict[str, float] = {}
    for _ in range(3):
        with measured(scans, f"F{len(scans)}"):
            connection.execute("select count(*), count(distinct anonymous_id) from events.int_events_accepted").fetchall()
    f = min(scans.values())
    columns = ", ".join(column["name"] for column in project.settings["columns"])
    with measured(scans, "distinct"):
        connection.execute(f"select count(*) from (select distinct {columns} from events.int_events_accepted)").fetchall()
    print(f"F = {f:.3f} CPU-s; {connection.execute('select count(*) from events.int_events_accepted').fetchall()[0][0]:,} events")
    report("distinct-identifier scan", scans["distinct"], f)
    spent: dict[str, float] = {}
    for model in (*IDENTITY, *HISTORY, *EVENTS):
        with measured(spent, model):
            project.build(model)
        report(f"  {model}", spent[model], f)
    report("full (events to identifiers and links)", sum(spent[model] for model in IDENTITY), f, "goal: 7 F")
    report("history", sum(spent[model] for model in HISTORY), f)
    share = spent["int_identifiers_grouped"] / scans["distinct"]
    print(f"components alone: {share:.2f} of the distinct-identifier scan  (goal: 1)")
    peers(connection, spent["int_identifiers_grouped"])
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def two_loads(connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[list[Path], str]:
    """Write the events as two loads, the last percent by receipt the second; return them, and when the first ended."""
    events, loads = folder / "events.parquet", [folder / "first_load.parquet", folder / "second_load.parquet"]
    [(cut,)] = connection.execute(f"select quantile_disc(received_at, 0.99) from '{events}'").fetchall()
    for file, condition in zip(loads, ("<=", ">"), strict=True):
        if not file.exists():
            connection.execute(
                f"""copy (select columns(lambda name: name <> 'file_id'), '{file.stem}' as file_id
                from '{events}' where received_at {condition} '{cut}')
                to '{file}' (format parquet, compression zstd)"""
            )
    return loads, cut.isoformat()


def increments(folder: Path) -> None:
    """Print what the last percent of the events costs, received as a load of its own, and the un-merge of one profile, beside the whole."""
    connection, project = open_shop(folder)
    loads, _ = two_loads(connection, folder)

    def resolve(name: str, files: list[Path]) -> None:
        tables = " union all ".join(f"from '{file}'" for file in files)
        connection.execute(f"create or replace view events.int_events_accepted as {tables}")
        with measured(spent, name):
            project.run(IDENTITY)

    spent: dict[str, float] = {}
    resolve("first load", loads[:1])
    resolve("second load", loads)
    connection.execute(
        """insert into reference.identity_overrides
        select 'profile', x.identifier_value, 'email', 'EXCLUDE', y.identifier_value, 'anonymous_id', 'an un-merge'
        from identity.profile_identifiers as x inner join identity.profile_identifiers as y on x.profile_id = y.profile_id
        where x.identifier_type = 'email' and y.identifier_type = 'anonymous_id' order by 2, 5 limit 1"""
    )
    resolve("un-merge", loads)
    [(rebuilt,)] = connection.execute("select count(*) from identity.int_files_counted where is_new").fetchall()
    assert rebuilt == 0
    project.full_refresh = True
    resolve("full", loads)
    for name, goal in (("second load", 0.05), ("un-merge", 0.02)):
        print(
            f"{name}: {spent[name]:.2f} CPU-s, {spent[name] / spent['full']:.3f} of the whole ({spent['full']:.2f})  (goal: {goal})"
        )


def peers(connection: duckdb.DuckDBPyConnection, ours: float) -> None:
    """Cluster the same edges as others do."""
    edges = "select node_a as a, node_b as b from identity.int_identifiers_linked where not is_shared_a and not is_shared_b"
    [(wanted,)] = connection.execute("select count(distinct component) from identity.int_identifiers_grouped").fetchall()
    spent: dict[str, float] = {}
    with measured(spent, "loop"):
        found = rudderstack_style_loop(connection, edges)
    assert found == wanted
    print(f"RudderStack-style loop: {spent['loop']:.2f} CPU-s, {spent['loop'] / ours:.1f} times ours  (goal: 5)")
    if not importlib.util.find_spec("splink"):
        print("splink is not installed: pip install splink to compare with its clustering (goal: 2)")
        return
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection.execute(
        f"create or replace table peer_edges as select a as unique_id_l, b as unique_id_r, 1.0 as p from ({edges})"
    )
    connection.execute(
        "create or replace table peer_nodes as select distinct node as unique_id from identity.int_identifiers_grouped"
    )
    api = DuckDBAPI(connection=connection)
    with measured(spent, "splink"):
        clusters = cluster_pairwise_predictions_at_threshold(
            "peer_nodes", "peer_edges", db_api=api, node_id_column_name="unique_id",
            edge_id_column_name_left="unique_id_l", edge_id_column_name_right="unique_id_r", threshold_match_probability=None,
        )  # fmt: skip
        found = connection.execute(f"select count(distinct cluster_id) from {clusters.physical_name}").fetchall()[0][0]
    assert found == wanted
    print(f"splink: {spent['splink']:.2f} CPU-s, {spent['splink'] / ours:.1f} times ours  (goal: 2)")


def rudderstack_style_loop(connection: duckdb.DuckDBPyConnection, edges: str) -> int:
    """RudderLabs' dbt-id-stitching as a loop: an edge's id is the smallest of all edges that share an end; three hops a pass, until
    a pass changes nothing."""
    connection.execute(f"create or replace table loop_0 as select a, b, least(a, b) as id from ({edges})")
    hop = """create or replace table loop_{1} as select a, b, least(min(id) over (partition by a), min(id) over (partition by b)) as id
        from (select a, b, least(id, min(id) over (partition by a), min(id) over (partition by b)) as id from loop_{0})"""
    here = 0
    while True:
        [(before,)] = connection.execute(f"select sum(cast(id as hugeint)) from loop_{here}").fetchall()
        for _ in range(3):
            connection.execute(hop.format(here, 1 - here))
            here = 1 - here
        [(after,)] = connection.execute(f"select sum(cast(id as hugeint)) from loop_{here}").fetchall()
        if before == after:
            return connection.execute(f"select count(distinct id) from loop_{here}").fetchall()[0][0]


def graph(name: str) -> tuple[np.ndarray, int]:
    """Return a graph of a million nodes as (edges, 2), and the number of its components."""
    draws = np.random.default_rng(7)
    order = np.arange(NODES)
    if name == "chain scrambled":
        order = draws.permutation(NODES)
    elif name == "chain zigzag":
        order = np.empty(NODES, np.int64)
        order[0::2], order[1::2] = np.arange((NODES + 1) // 2), np.arange(NODES)[::-1][: NODES // 2]
    if name == "star":
        return np.column_stack((np.full(NODES - 1, NODES), np.arange(NODES - 1))), 1
    if name == "power-law blob":
        ends = (NODES * draws.power(0.3, (2 * NODES, 2))).astype(np.int64)
        return np.concatenate((ends, np.column_stack((np.arange(1, NODES), np.arange(1, NODES) // 2)))), 1
    return np.column_stack((order[:-1], order[1:])), 1


def components_of(name: str) -> None:
    """Print what the components of one adversarial graph cost, in this process."""
    edges, wanted = graph(name)
    connection = connect()
    connection.execute("create schema identity")
    connection.register("given", pa.table({"node_a": edges[:, 0], "node_b": edges[:, 1]}))
    connection.execute("create table edges as from given")
    connection.unregister("given")
    project = BareProject(connection)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = cpu()
    project.materialize("graph", "connected_components", "select node_a, node_b from edges")
    seconds = cpu() - started
    found = connection.execute("select count(distinct component), count(*) from identity.graph").fetchall()[0]
    assert found[0] == wanted
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{name:<20}{found[1]:>10,} nodes {seconds:6.2f} CPU-s (goal: 4)  {memory / 1024:6.0f} MB, of them {before / 1024:.0f} before",
        flush=True,
    )


def accuracy(folder: Path) -> None:
    """Print precision, recall and F1 by the shop's truth, ours beside other rules."""
    connection, project = open_shop(folder)
    project.run((*IDENTITY, *EVENTS))
    with (folder / "truth" / "events.csv").open(encoding="utf-8") as file:
        persons = {row["message_id"]: row["person_id"] for row in csv.DictReader(file)}
    ours = dict(connection.execute("select event_id, profile_id from identity.int_events_resolved").fetchall())
    names = [kind["type"] for kind in project.settings["identifiers"]]
    key = project.render("{{ combination_key(config_identity().columns | map(attribute='name') | list) }}")
    rows = connection.execute(
        f"""select events.event_id, events.occurred_at, {", ".join(f"collected.{name}" for name in names)}
        from (select event_id, occurred_at, received_at, {key} as combination from events.int_events_accepted) as events
        inner join identity.int_identifiers_collected as collected on events.combination = collected.combination
        order by events.received_at, events.event_id"""
    ).fetchall()
    events = [Observed(row[0], tuple((n, v) for n, v in zip(names, row[2:], strict=True) if v), row[1]) for row in rows]
    print("pairs of events:")
    for name, found in compare(ours, events, persons, SEGMENT_LIMITS).items():
        print(f"  {name:<28}{found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the shop lies or is made (default: a temporary folder)")
    parser.add_argument("--part", choices=["cost", "increments", "accuracy", "graphs"], action="append", help="default: all")
    parser.add_argument("--graph", choices=GRAPHS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.graph:
        components_of(chosen.graph)
        return
    parts = chosen.part or ["cost", "increments", "accuracy", "graphs"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        on_shop: dict[str, Callable[[Path], None]] = {"cost": cost, "increments": increments, "accuracy": accuracy}
        for part in (part for part in parts if part in on_shop):
            make_shop(folder, chosen.events)
            on_shop[part](folder)
    if "graphs" in parts:
        for name in GRAPHS:  # each in a process of its own, for its memory
            subprocess.run([sys.executable, "-m", "benchmarks.identity", "--graph", name], check=True)


if __name__ == "__main__":
    main()
