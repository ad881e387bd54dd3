"""How well the eight cohorts tell who buys in the next 90 days, on the CDNOW sample.

    python benchmarks/rfm.py [FOLDER OF rfm_cdnow]

Each cohort's purchase rate is learned at 1997-07-01 and ranks the buyers of 1997-10-01: both scored by `tessera`, as of those dates.
Twice: without the guard for `new` (as in the published rule), and with the shipped one. All of the sample's customers first bought in
the first quarter of 1997, so from October on nobody is new, and the guard leaves six cohorts.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parents[1]
LEARNED_AT, TESTED_AT, HORIZON = date(1997, 7, 1), date(1997, 10, 1), timedelta(days=90)
TESSERA = [sys.executable, "-c", "from orchestration.cli import main; main()"]


def tessera(home: Path, *arguments: str, as_of: date) -> None:
    environment = os.environ | {"TESSERA_HOME": str(home), "TESSERA_AS_OF": as_of.isoformat(), "PYTHONPATH": str(ROOT)}
    subprocess.run([*TESSERA, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "rfm_cdnow"
    with (source / "cdnow_sample_orders.csv").open(encoding="utf-8") as file:
        orders = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        home, calls = Path(folder) / "home", Path(folder) / "calls.ndjson"
        lines = []
        for order in orders:
            at = f"{order['order_date']}T12:00:00Z"
            properties = {"order_id": order["order_id"], "revenue": float(order["amount"]), "currency": "USD"}
            call = {"messageId": f"order-{order['order_id']}", "type": "track", "event": "Order Completed"}
            lines.append(
                json.dumps(call | {"userId": order["customer_id"], "timestamp": at, "receivedAt": at, "properties": properties})
            )
        calls.write_text("\n".join(lines) + "\n", encoding="utf-8")
        tessera(home, "load", str(calls), "--source", "cdnow", as_of=TESTED_AT)

        for guard in (100_000, 180):
            learned, tested = (segments(home, as_of, guard) for as_of in (LEARNED_AT, TESTED_AT))
            _report(f"`new` within {guard:,} days", learned, tested, orders)


def segments(home: Path, as_of: date, guard: int) -> dict[str, str]:
    """Return each buyer's cohort as of a date."""
    build = ("dbt", "build", "--quiet", "--exclude-resource-type", "unit_test", "--select", "+rfm_segments")
    tessera(home, *build, "--vars", f"{{rfm_new_within_days: {guard}}}", as_of=as_of)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        sql = """select user_id, segment from segments.rfm_segments inner join profiles.profiles using (profile_id)
            where segment <> 'prospect'"""
        return dict(connection.execute(sql).fetchall())


def _report(title: str, learned: dict[str, str], tested: dict[str, str], orders: list[dict[str, str]]) -> None:
    def buys_after(as_of: date) -> set[str]:
        return {o["customer_id"] for o in orders if as_of <= date.fromisoformat(o["order_date"]) < as_of + HORIZON}

    bought = buys_after(LEARNED_AT)
    members = {segment: [customer for customer, own in learned.items() if own == segment] for segment in set(learned.values())}
    rates = {segment: sum(customer in bought for customer in own) / len(own) for segment, own in members.items()}
    bought = buys_after(TESTED_AT)
    overall = sum(customer in bought for customer in tested) / len(tested)
    auc = roc_auc_score([customer in bought for customer in tested], [rates.get(own, overall) for own in tested.values()])
    print(f"{title}: AUC {auc:.3f} of the cohorts, {len(tested):,} buyers at {TESTED_AT}")
    for segment, rate in sorted(rates.items(), key=lambda item: -item[1]):
        print(f"    {segment:<18}{rate:.3f} of {len(members[segment]):>5,} bought within {HORIZON.days} days of {LEARNED_AT}")


if __name__ == "__main__":
    main()
