"""Identity's cost and accuracy: the models' SQL in one bare DuckDB process, as ratios to F within the same run.

F = `count(*), count(distinct anonymous_id)` over the Parquet of the demo shop's staged events. Times are CPU-seconds (user + system).

    python -m benchmarks.identity --events 1000000 --folder /tmp/shop      # makes the shop there first, if it is not
    python -m benchmarks.identity --part graphs                            # adversarial graphs of a million nodes
"""

from __future__ import annotations

import argparse
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
from pyarrow import parquet

from orchestration.lib import demo_shop, load
from orchestration.lib.warehouse import Embedded
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, BareProject, prepare
from tests.warehouse.identity.accuracy import Observed, Score, segment_flat

SEGMENT_LIMITS = {"user_id": 1, "email": 5, "phone": 5, "anonymous_id": 5}
GRAPHS = ("chain in order", "chain scrambled", "chain zigzag", "star", "power-law blob")
NODES = 1_000_000


def cpu() -> float:
    """Return the CPU-seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory() -> float:
    """Return the most memory that this program held so far, in MB (ru_maxrss counts the process that started it as well)."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    parts = parts_of_full(project, columns) | {"components (int_identifiers_grouped)": spent["int_identifiers_grouped"]}
    for part, seconds in parts.items():
        report(f"  {part}", seconds, f)
    report("these parts alone, done so", sum(parts.values()), f)
    report("history", sum(spent[model] for model in HISTORY), f)
    share = spent["int_identifiers_grouped"] / scans["distinct"]
    print(f"components alone: {share:.2f} of the distinct-identifier scan  (goal: 1)")
    peers(connection, spent["int_identifiers_grouped"])
    print(f"memory: {memory():,.0f} MB")


def parts_of_full(project: BareProject, columns: str) -> dict[str, float]:
    """Return the CPU-seconds of parts of a whole run, each alone: the distinct identifiers of events with their first event (found as
    the model finds it), a hash of each, and the two tables written."""
    spent: dict[str, float] = {}
    for part, query in (
        (
            "events grouped, with the first of each",
            f"select {columns}, count(*), min(row(received_at, event_id)) from events.int_events_accepted group by all",
        ),
        (
            "identifiers hashed",
            project.render("select {{ text_hash('identifier_value') }} from identity.int_identifiers_observed"),
        ),
        ("profile_identifiers written", "from identity.profile_identifiers"),
        ("identity_links written", "from identity.identity_links"),
    ):
        with measured(spent, part):
            project.execute(f"create or replace temporary table part as {query}")
    return spent


def parts_of_increment(project: BareProject, events: Path) -> float:
    """Return the CPU-seconds of parts of an increment: its events grouped, and in the two tables the rows replaced of what occurred on
    them. The tables are copies."""
    columns = ", ".join(column["name"] for column in project.settings["columns"])
    spent: dict[str, float] = {}
    with measured(spent, "grouped"):
        project.execute(
            f"""create or replace temporary table part as
            select {columns}, count(*), min(row(received_at, event_id)) from '{events}' group by all"""
        )
    [(newest,)] = project.execute(f"select min(received_at) from '{events}'")
    for table, key in (
        ("profile_identifiers", "identifier_id"),
        ("identity_links", "identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b"),
    ):
        project.execute(f"create or replace temporary table part as from identity.{table}")
        project.execute(f"create or replace temporary table new as from part where last_seen_at >= timestamp '{newest}'")
        with measured(spent, table):
            project.execute(f"delete from part where ({key}) in (select {key} from new)")
            project.execute("insert into part from new")
    return sum(spent.values())


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
    spent["parts"] = parts_of_increment(project, loads[1])
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
    share = spent["parts"] / spent["full"]
    print(f"grouping the second load and replacing its rows in both tables, alone: {spent['parts']:.2f} CPU-s, {share:.3f}")


def peers(connection: duckdb.DuckDBPyConnection, ours: float) -> None:
    """Cluster the same edges as others do."""
    edges = """select linked.node_a as a, linked.node_b as b from identity.int_identifiers_linked as linked
        anti join identity.int_identifiers_shared as x on linked.node_a = x.node
        anti join identity.int_identifiers_shared as y on linked.node_b = y.node"""
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


def graph(name: str) -> np.ndarray:
    """Return a connected graph of a million nodes as (edges, 2)."""
    draws = np.random.default_rng(7)
    order = np.arange(NODES)
    if name == "chain scrambled":
        order = draws.permutation(NODES)
    elif name == "chain zigzag":
        order = np.empty(NODES, np.int64)
        order[0::2], order[1::2] = np.arange((NODES + 1) // 2), np.arange(NODES)[::-1][: NODES // 2]
    if name == "star":
        return np.column_stack((np.full(NODES - 1, NODES), np.arange(NODES - 1)))
    if name == "power-law blob":
        ends = (NODES * draws.power(0.3, (2 * NODES, 2))).astype(np.int64)
        return np.concatenate((ends, np.column_stack((np.arange(1, NODES), np.arange(1, NODES) // 2))))
    return np.column_stack((order[:-1], order[1:]))


def components_of(name: str, file: Path) -> None:
    """Print what the components of one adversarial graph cost, in this process; all have one component."""
    connection = connect()
    connection.execute("create schema identity")
    connection.execute(f"create table edges as from '{file}'")
    project = BareProject(connection)
    before = memory()
    started = cpu()
    project.materialize("graph", "connected_components", "select node_a, node_b from edges")
    seconds = cpu() - started
    found = connection.execute("select count(distinct component), count(*) from identity.graph").fetchall()[0]
    assert found[0] == 1
    print(
        f"{name:<20}{found[1]:>10,} nodes {seconds:6.2f} CPU-s (goal: 4)  {memory():6.0f} MB, of them {before:.0f} before",
        flush=True,
    )


def accuracy(folder: Path) -> None:
    """Print precision, recall and F1 by the shop's truth, ours beside other rules on the same normalised identifiers, and the profiles
    that join strangers. The other rules place an event by its identifiers alone, so they are asked once a combination of them."""
    connection, project = open_shop(folder)
    project.run((*IDENTITY, *EVENTS))
    key = project.render("{{ combination_key(config_identity().columns | map(attribute='name') | list) }}")
    connection.execute(
        f"""create table seen as select hash(truth.person_id) as person, {key} as combination,
        case when resolved.profile_id is not null then hash(resolved.profile_id) end as profile
        from events.int_events_accepted as events inner join identity.int_events_resolved as resolved using (event_id)
        inner join '{folder / "truth" / "events.csv"}' as truth on events.event_id = truth.message_id"""
    )
    print("pairs of events:")
    print(f"  {'tessera':<28}{score(connection, 'select person, profile from seen')}", flush=True)
    for name, placed in (
        ("plain transitive closure", plain_closure(project)),
        ("last user_id of the cookie", LAST_USER),
        ("Segment's flat rule", segment_rule(connection, [kind["type"] for kind in project.settings["identifiers"]])),
    ):
        found = f"select seen.person, placed.profile from seen left join ({placed}) as placed using (combination)"
        print(f"  {name:<28}{score(connection, found)}", flush=True)
    joined, visited = strangers(project, folder)
    print(f"profiles that join strangers: {joined}  (goal: 0); with an event of a stranger on a kiosk: {visited}")


def score(connection: duckdb.DuckDBPyConnection, placed: str) -> Score:
    """Compare whose events are (person) with where they were placed (profile; null: in none), one row an event."""
    connection.execute(
        f"create or replace temp table cells as select person, profile, count(*) as n from ({placed}) group by all"
    )
    [(together, in_profiles, of_persons, at_home, events)] = connection.execute(
        """select (select sum(n * (n - 1) / 2) from cells where profile is not null),
        (select sum(n * (n - 1) / 2) from (select sum(n) as n from cells where profile is not null group by profile)),
        (select sum(n * (n - 1) / 2) from (select sum(n) as n from cells group by person)),
        (select sum(n) from (select max(n) as n from cells where profile is not null group by profile)), (select sum(n) from cells)"""
    ).fetchall()
    precision, recall = float(together / in_profiles), float(together / of_persons)
    return Score(precision, recall, 2 * precision * recall / (precision + recall), float(at_home / events))


def plain_closure(project: BareProject) -> str:
    """Whatever is connected is one person: no limits, no shared identifiers."""
    project.materialize("closure", "connected_components", "select node_a, node_b from identity.int_identifiers_linked")
    nodes = ", ".join(f"{column['name']}_node" for column in project.settings["columns"])
    return f"""select combination, coalesce(component, strongest) as profile
        from (select combination, coalesce({nodes}) as strongest from identity.int_identifiers_collected)
        left join identity.closure on strongest = node"""


# The rule of dbt-labs' segment package: an anonymous_id is its last user_id, else itself; a user_id alone is itself.
LAST_USER = """
    with last as (
        select anonymous_id, arg_max(user_id, (last_occurred_at, user_id)) as user_id from identity.int_identifiers_collected
        where anonymous_id is not null and user_id is not null group by anonymous_id
    )
    select combination, hash(coalesce(last.user_id, anonymous_id, collected.user_id)) as profile
    from identity.int_identifiers_collected as collected left join last using (anonymous_id)
    where coalesce(anonymous_id, collected.user_id) is not null"""


def segment_rule(connection: duckdb.DuckDBPyConnection, types: list[str]) -> str:
    """Segment's documented rule. What it once leaves out of a combination it leaves out for ever, for profiles only grow: the first
    event of each is enough."""
    rows = connection.execute(
        f"""select combination, {", ".join(types)} from identity.int_identifiers_collected order by first_received_at, first_event_id"""
    ).fetchall()
    events = [Observed(row[0], tuple((n, v) for n, v in zip(types, row[1:], strict=True) if v)) for row in rows]
    placed = segment_flat(events, SEGMENT_LIMITS)
    table = pa.table({"combination": list(placed), "profile": pa.array(placed.values(), pa.int64())})
    connection.register("placed_by_segment", table)
    return "select combination, profile from placed_by_segment"


def strangers(project: BareProject, folder: Path) -> tuple[int, int]:
    """Return how many profiles hold identifiers of people who never used one together that few use (no junk, no kiosk), and how many
    hold events of such people: also those on a kiosk that the login nearest in time was taken for."""
    truth = f"(select hash(person_id) >> 1 as person, * from '{folder / 'truth' / 'identifiers.csv'}')"
    project.materialize(
        "households",
        "connected_components",
        f"""select cast(first_person as bigint) as node_a, cast(person as bigint) as node_b from (
            select person, first_value(person) over used as first_person, count(*) over used as people
            from {truth} window used as (partition by identifier_type, identifier_value)
        ) where people between 2 and {project.settings["sharing_limit"]}""",
    )
    by_identifiers = f"""select profile_id as profile, person from identity.profile_identifiers
        inner join {truth} using (identifier_type, identifier_value)"""
    return tuple(
        project.execute(
            f"""select count(*) from (
                select profile from ({held}) left join identity.households on person = node
                where profile is not null group by profile having count(distinct coalesce(component, person)) > 1
            )"""
        )[0][0]
        for held in (by_identifiers, "select profile, person >> 1 as person from seen")
    )  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the shop lies or is made (default: a temporary folder)")
    parser.add_argument("--part", choices=["cost", "increments", "accuracy", "graphs"], action="append", help="default: all")
    parser.add_argument("--graph", choices=GRAPHS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.graph:
        components_of(chosen.graph, chosen.folder)
        return
    parts = chosen.part or ["cost", "increments", "accuracy", "graphs"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        on_shop: dict[str, Callable[[Path], None]] = {"cost": cost, "increments": increments, "accuracy": accuracy}
        for part in (part for part in parts if part in on_shop):
            make_shop(folder, chosen.events)
            on_shop[part](folder)
    if "graphs" in parts:
        with tempfile.TemporaryDirectory() as temporary:
            for name in GRAPHS:  # each in a process of its own, for its memory
                edges, file = graph(name), Path(temporary) / "edges.parquet"
                parquet.write_table(pa.table({"node_a": edges[:, 0], "node_b": edges[:, 1]}), file, row_group_size=100_000)
                command = [sys.executable, "-m", "benchmarks.identity", "--graph", name, "--folder", str(file)]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
