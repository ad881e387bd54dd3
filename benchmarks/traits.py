"""What the traits cost: the models' SQL in one bare DuckDB process, in CPU-seconds and as ratios to F within the same run.

    python -m benchmarks.traits --events 1000000 --folder /tmp/shop      # makes the shop there first, if it is not

F = `count(*), count(distinct anonymous_id)` over the Parquet of the demo shop's staged events.

Inside the measure of "all traits": the computed traits of people and accounts, every SQL trait, and the tall tables of both that hold them
all. Outside, and printed above it: who is who, and the profiles stage, which reads the JSON once (int_properties_extracted for the traits;
int_visits_located, int_orders_reported, sessions and orders for everybody). The events are read from the Parquet, as accepted: the rules
of the events stage are not measured.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from pathlib import Path

import duckdb

from benchmarks.identity import connect, cpu, report
from orchestration.lib import demo_shop, load
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.warehouse.bare import EVENTS, IDENTITY, SQL_TRAITS, BareProject, prepare, raw_tables

EVENTS_READ = ("int_properties_extracted", "int_orders_reported", "int_visits_located", "int_fields_reported")
PROFILES = ("orders", "sessions", "profile_fields", "profiles", "accounts", "account_members")
COMPUTED = ("int_profiles_computed", "int_accounts_computed")
TALL = ("profile_traits", "account_traits")
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
    """Return the project over the shop's events, with its seeds."""
    connection = connect()
    connection.execute(f"set temp_directory = '{folder / 'spill'}'")
    project = BareProject(connection)
    prepare(connection, [column["name"] for column in project.settings["columns"]])
    for schema in ("profiles", "traits", "sql_traits"):
        connection.execute(f"create schema {schema}")
    connection.execute("drop table events.int_events_accepted")
    connection.execute(f"create view events.int_events_accepted as from '{folder / 'events.parquet'}'")
    connection.execute("create view events.events as from events.int_events_accepted")
    connection.execute(f"insert into raw.phone_numbers from '{folder / 'phones.parquet'}'")
    for seed in ("channel_sources", "company_domains"):
        file = ROOT / "seeds" / "reference" / f"{seed}.csv"
        connection.execute(f"create table reference.{seed} as from read_csv('{file}', header = true, all_varchar = true)")
    return connection, project


def cost(folder: Path) -> None:
    connection, project = open_shop(folder)

    def spent(*models: str) -> float:
        started = cpu()
        project.run(models)
        return cpu() - started

    scans = []
    for _ in range(RUNS):
        started = cpu()
        connection.execute("select count(*), count(distinct anonymous_id) from events.int_events_accepted").fetchall()
        scans.append(cpu() - started)
    f = min(scans)
    [(lines,)] = connection.execute("select count(*) from events.int_events_accepted").fetchall()
    print(f"F = {f:.3f} CPU-s; {lines:,} events")
    report("who is who", spent(*IDENTITY, *EVENTS, "profile_events"), f)
    for model in (*EVENTS_READ, *PROFILES):
        report(f"  {model}", spent(model), f)
    sql_traits = sorted(file.stem for file in SQL_TRAITS.rglob("*.sql"))
    total = 0.0
    for name, models in {"computed traits": COMPUTED, "SQL traits": sql_traits, "tall tables": TALL}.items():
        each = {model: spent(model) for model in models}
        for model, seconds in each.items():
            report(f"  {model}", seconds, f)
        report(name, sum(each.values()), f)
        total += sum(each.values())
    report("all traits", total, f, "goal: 4 F")
    [(people, values)] = connection.execute(
        "select (select count(*) from profiles.profiles), (select count(*) from traits.profile_traits)"
    ).fetchall()
    print(
        f"{people:,} profiles, {values:,} values of traits; {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the shop lies or is made (default: a temporary folder)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        make_shop(folder, chosen.events)
        cost(folder)


if __name__ == "__main__":
    main()
