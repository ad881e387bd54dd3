"""How many events of the demo shop the tracking plan judges in a CPU-second on DuckDB, beside jsonschema-rs, the quickest in Python.

    python -m benchmarks.validation [--events 200000]

Measured is the model events.int_events_planned as it is: JSON parsed, every rule of the demo plan, violations in rows. jsonschema-rs is
given parsed calls and says only valid or not, for the same schemas, without the common rule and unplanned properties.
Printed too is what planning the same model costs for plans of more events, which should grow no faster than the plan.
Bar: 150,000 events per CPU-second. Belongs: measurements that print ratios. May not: assertions; those are tests.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.lib import demo_shop
from orchestration.lib.plan import compile, model
from tests.conftest import ROOT
from tests.plan.rendering import Renderer

BAR = 150_000
MODEL = ROOT / "dbt_project" / "models" / "events" / "int_events_planned.sql"


def main() -> None:
    """Print events per CPU-second, the ratio to the bar and to jsonschema-rs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    calls = _demo_calls(parser.parse_args().events)
    plan = model.read(ROOT / "dbt_project" / "tracking_plan")
    per_second = len(calls) / _in_sql(plan, calls)
    print(f"SQL on DuckDB: {per_second:,.0f} events per CPU-second, {per_second / BAR:.1f} times the bar of {BAR:,}")
    planned = dict(_planning((10, 50, 100, 200)))
    print("planning: " + ", ".join(f"{size} events {seconds:.2f} CPU-s" for size, seconds in planned.items()))
    if peer := _in_rust(plan, calls):
        print(
            f"jsonschema-rs: {len(calls) / peer:,.0f} events per CPU-second; SQL is {per_second / (len(calls) / peer):.1f} times as quick"
        )


def _planning(sizes: Sequence[int]) -> Iterator[tuple[int, float]]:
    """Yield plans' numbers of events with the CPU seconds of running the model over no call: DuckDB's planning."""
    items = {
        "type": "array",
        "items": {"type": "object", "required": ["id"], "properties": {"price": {"type": "number", "minimum": 0}}},
    }
    texts = {"a": {"minLength": 2}, "b": {"enum": ["x", "y"]}, "c": {"pattern": "^[A-Z]{3}$"}, "d": {"format": "date-time"}}
    properties = {name: {"type": "string"} | rule for name, rule in texts.items()} | {"items": items}
    schema = {"type": "object", "required": ["a", "b"], "properties": properties}
    for size in sizes:
        plan = model.Plan(events=[model.Event.model_validate({"event": f"Event {n}", "schema": schema}) for n in range(size)])
        yield size, _in_sql(plan, [{"messageId": "none", "source": "none"}])


def _demo_calls(events: int) -> list[dict[str, Any]]:
    calls = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo_shop.generate(folder / "landing", folder / "truth", events=events)
        for file in sorted(folder.glob("landing/*/*.ndjson.gz")):
            for line in gzip.decompress(file.read_bytes()).decode().splitlines():
                try:
                    calls.append(json.loads(line) | {"source": file.parent.name})
                except json.JSONDecodeError:
                    continue
    return calls


def _in_sql(plan: model.Plan, calls: list[dict[str, Any]]) -> float:
    """Return the CPU seconds of the model, on one thread."""
    names = {"page": "Page Viewed", "screen": "Screen Viewed"}

    def text(call: dict[str, Any], key: str) -> str | None:
        return json.dumps(call[key], ensure_ascii=False, separators=(",", ":")) if key in call else None

    columns = {
        "event_id": [call["messageId"] for call in calls],
        "type": [call.get("type") for call in calls],
        "event": [call.get("event") or names.get(call.get("type", "")) for call in calls],
        "name": [call.get("name") for call in calls],
        "source_id": [call["source"] for call in calls],
    } | {key: [text(call, key) for call in calls] for key in ("properties", "traits", "context")}
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        unnested = ", ".join(f"unnest(${number}::varchar[]) as {name}" for number, name in enumerate(columns, start=1))
        connection.execute(
            f"create table calls as select {unnested}, null::varchar as event_version, timestamp '2026-01-01' as occurred_at",
            list(columns.values()),
        )
        breaches = Renderer().render(compile.breaches(plan), messages="calls")
        sql = Renderer().render(MODEL.read_text(encoding="utf-8"), plan_breaches=lambda _: breaches, ref=lambda name: name)
        started = time.process_time()
        connection.execute(f"create table planned as {sql}")
        return time.process_time() - started


def _in_rust(plan: model.Plan, calls: list[dict[str, Any]]) -> float | None:
    try:
        import jsonschema_rs
    except ImportError:
        return None
    validators = {
        (event.type, event.event): jsonschema_rs.Draft7Validator(event.schema_, validate_formats=True) for event in plan.live()
    }
    payloads = [
        (validator, json.dumps(call.get(model.PAYLOADS[call["type"]]) or {}))
        for call in calls
        if (validator := validators.get((call.get("type", ""), call.get("event"))))
    ]
    started = time.process_time()
    for validator, text in payloads:
        validator.is_valid(json.loads(text))
    return time.process_time() - started


if __name__ == "__main__":
    main()
