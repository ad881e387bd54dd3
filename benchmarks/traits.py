"""What the traits cost: the models' SQL in one bare DuckDB process, in CPU-seconds and as ratios to F within the same run.

    python -m benchmarks.traits --events 1000000 --folder /tmp/shop      # makes the shop there first, if it is not

F = `count(*), count(distinct anonymous_id)` over the Parquet of the demo shop's staged events.

Inside the measure of "all traits": the computed traits of people and accounts, every SQL trait, and the tall views of both that show them
all, read once. Outside, and printed above it: who is who, and the profiles stage, which reads the JSON once (int_properties_extracted for
the traits; int_visits_collected, int_orders_reported, sessions and orders for everybody). The events are read from the Parquet, as
accepted: the rules of the events stage are not measured.

An increment is the last percent of the events by receipt, as of their end, after the others as of theirs. Each of its parts is set beside
the same part of a whole run; the log of changes reads of the tall views what it compares.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb

from benchmarks.identity import connect, cpu, report, two_loads
from orchestration.lib import demo_shop, load
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.warehouse.bare import AS_OF, EVENTS, IDENTITY, SQL_TRAITS, BareProject, prepare, raw_tables

EVENTS_READ = ("int_properties_extracted", "int_orders_reported", "int_visits_collected", "int_fields_reported")
PROFILES = ("orders", "int_visits_located", "sessions", "profile_fields", "profiles", "accounts", "account_members")
TOUCHED = ("int_profiles_touched", "int_accounts_touched")
COMPUTED = ("int_profiles_computed", "int_accounts_computed")
SQL = tuple(sorted(file.stem for file in SQL_TRAITS.rglob("*.sql")))
TALL = ("profile_traits", "account_traits")
HISTORY = "int_traits_changed"
RUNS = 3


def make_shop(folder: Path, events: int) -> None:
    """Write the shop's staged events as Parquet, with their JSON, and the phone numbers."""
    if (folder / "events.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    demo_shop.generate(folder / "landing", folder / "truth", events=events)
    with duckdb.connect(str(folder / "making.duckdb")) as connection:
        connection.execute("set memory_limit = '6GB'")
        connection.execute("set preserve_insertion_order = false")
        raw_tables(connection)
        load.load_files(Embedded(connection), sorted((folder / "landing").glob("shop_*")), region="GB")
        connection.execute(
            f"""copy (select * from ({BareProject(connection).compile("stg_segment__events")})
            where received_at is not null and (user_id is not null or anonymous_id is not null))
            to '{folder / "events.parquet"}' (format parquet, compression zstd)"""
        )
        connection.execute(f"copy raw.phone_numbers to '{folder / 'phones.parquet'}' (format parquet)")
    (folder / "making.duckdb").unlink()
    shutil.rmtree(folder / "landing")


def open_shop(folder: Path) -> tuple[duckdb.DuckDBPyConnection, BareProject]:
    """Return the project over the shop's events, with its seeds, in a database file beside them."""
    (folder / "warehouse.duckdb").unlink(missing_ok=True)
    connection = connect(folder / "warehouse.duckdb")
    project = BareProject(connection)
    prepare(connection, [column["name"] for column in project.settings["columns"]])
    for schema in ("profiles", "traits", "sql_traits"):
        connection.execute(f"create schema {schema}")
    connection.execute("drop table events.int_events_accepted")
    read_events(connection, folder / "events.parquet")
    connection.execute(f"insert into raw.phone_numbers from '{folder / 'phones.parquet'}'")
    for seed in ("channel_sources", "company_domains"):
        file = ROOT / "seeds" / "reference" / f"{seed}.csv"
        connection.execute(f"create table reference.{seed} as from read_csv('{file}', header = true, all_varchar = true)")
    return connection, project


def read_events(connection: duckdb.DuckDBPyConnection, *files: Path) -> None:
    tables = " union all ".join(f"from '{file}'" for file in files)
    connection.execute(f"create or replace view events.int_events_accepted as {tables}")
    connection.execute("create or replace view events.events as from events.int_events_accepted")


def floor(connection: duckdb.DuckDBPyConnection) -> float:
    scans = []
    for _ in range(RUNS):
        started = cpu()
        connection.execute("select count(*), count(distinct anonymous_id) from events.int_events_accepted").fetchall()
        scans.append(cpu() - started)
    [(lines,)] = connection.execute("select count(*) from events.int_events_accepted").fetchall()
    print(f"F = {min(scans):.3f} CPU-s; {lines:,} events")
    return min(scans)


class Run:
    """One run of the project: CPU-seconds by model."""

    def __init__(self, project: BareProject) -> None:
        self.project = project
        self.spent: dict[str, float] = {}
        self.build("who is who", *IDENTITY, *EVENTS, "profile_events", "int_runs_compared")
        for model in (*EVENTS_READ, *PROFILES, *TOUCHED, *COMPUTED, *SQL, *TALL, HISTORY):
            self.build(model)

    def build(self, name: str, *models: str) -> None:
        started = cpu()
        self.project.run(models or (name,))
        self.spent[name] = cpu() - started

    def read_tall(self) -> None:
        """Add what reading the tall views once costs: they hold nothing."""
        for view in TALL:
            started = cpu()
            self.project.execute(f"create or replace temporary table tall as select * from traits.{view}")
            self.spent[view] += cpu() - started

    def sum(self, *models: str) -> float:
        return sum(self.spent[model] for model in models)


TRAITS = {"computed traits": (*TOUCHED, *COMPUTED), "SQL traits": SQL, "tall views, read once": TALL}
INCREMENTS = {
    "who is who": ("who is who",),
    "extraction": ("int_properties_extracted",),
    "who is touched, computed traits": (*TOUCHED, *COMPUTED),
    "SQL traits": SQL,
    "history (int_traits_changed)": (HISTORY,),
    "all traits, with their history": (*TOUCHED, *COMPUTED, *SQL, HISTORY),
    "all of these but who is who": ("int_properties_extracted", *TOUCHED, *COMPUTED, *SQL, HISTORY),
}
LEAST = {  # what is asked of the people touched, narrow
    "profiles.int_properties_extracted": "columns(lambda name: name in ('profile_key', 'event', 'occurred_at') or name like 'property%')",
    "profiles.sessions": "profile_id, session_id, channel, source, medium, has_conversion, started_at",
    "profiles.orders": "profile_id, revenue, refunded, has_sale, ordered_at",
    "traits.int_traits_changed": "profile_id, trait, value, value_type, change_number",
}


def cost(_: Path, connection: duckdb.DuckDBPyConnection, project: BareProject) -> None:
    """Print what each model of a whole run costs."""
    f = floor(connection)
    run = Run(project)
    run.read_tall()
    for model in ("who is who", *EVENTS_READ, *PROFILES):
        report(model, run.spent[model], f)
    for name, models in TRAITS.items():
        for model in models:
            report(f"  {model}", run.spent[model], f)
        report(name, run.sum(*models), f)
    report("all traits", sum(run.sum(*models) for models in TRAITS.values()), f, "goal: 4 F")
    report("their history (int_traits_changed)", run.spent[HISTORY], f)
    [(people, values)] = connection.execute(
        "select (select count(*) from profiles.profiles), (select count(*) from traits.profile_traits)"
    ).fetchall()
    print(
        f"{people:,} profiles, {values:,} values of traits; {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
    )


def read_touched(project: BareProject) -> float:
    """Return what reading once the facts and the logged values of the people touched costs: who computes them anew does no less."""
    started = cpu()
    for table, columns in LEAST.items():
        key = "profile_key" if table.endswith("extracted") else "profile_id"
        touched = f"select {key} from profiles.int_profiles_touched"
        project.execute(f"create or replace temporary table least as select {columns} from {table} where {key} in ({touched})")
    return cpu() - started


def increments(folder: Path, connection: duckdb.DuckDBPyConnection, project: BareProject) -> None:
    """Print what the last percent of the events costs, received as a load of its own, beside the whole."""
    loads, cut = two_loads(connection, folder)
    read_events(connection, loads[0])
    project.as_of = cut
    Run(project)
    read_events(connection, *loads)
    project.as_of = AS_OF
    added = Run(project)
    least = read_touched(project)
    [(touched, people)] = connection.execute(
        "select (select count(*) from profiles.int_profiles_touched), (select count(*) from profiles.profiles)"
    ).fetchall()
    project.full_refresh = True
    whole = Run(project)
    print(f"as of {cut}, then {AS_OF}: {touched:,} of {people:,} profiles touched")
    y = whole.sum(*INCREMENTS["all traits, with their history"])
    print(f"{'reading what is known of the touched':<44}{least:8.2f} of {y:8.2f} CPU-s: {least / y:.3f}")
    for name, models in INCREMENTS.items():
        x, y = added.sum(*models), whole.sum(*models)
        print(f"{name:<44}{x:8.2f} of {y:8.2f} CPU-s: {x / y:.3f}{'  (goal: 0.10)' if name.startswith('all') else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the shop lies or is made (default: a temporary folder)")
    parser.add_argument("--part", choices=["cost", "increments"], action="append", help="default: all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        make_shop(folder, chosen.events)
        for part in chosen.part or ["cost", "increments"]:
            connection, project = open_shop(folder)
            with closing(connection):
                {"cost": cost, "increments": increments}[part](folder, connection, project)
        (folder / "warehouse.duckdb").unlink()


if __name__ == "__main__":
    main()
