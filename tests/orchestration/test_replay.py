"""A window of days replayed from raw, with late and duplicate deliveries in between, beside a build from scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.lib.publish import current, fingerprint
from tests.conftest import ask, tessera
from tests.warehouse.helpers import built, dice, write_calls

pytestmark = pytest.mark.slow
LOGS = ("audiences.audience_changes", "identity.holder_changes", "traits.int_traits_changed", "segments.rfm_boundaries")


def _call(draws: Any, number: int, occurred: str, received: str) -> dict[str, Any]:
    user = number % 20
    call = {"messageId": f"m{occurred}{received}{number}", "timestamp": f"{occurred}T10:00:{number % 60:02d}Z", "userId": f"u{user}",
            "receivedAt": f"{received}T11:00:{number % 60:02d}Z", "anonymousId": f"a{draws.randrange(25)}"}  # fmt: skip
    if draws.random() < 0.3:
        return call | {"type": "identify", "traits": {"email": f"u{user}@example.com", "firstName": draws.choice(["Ada", "Ben"])}}
    order = {"order_id": call["messageId"], "revenue": draws.randrange(10, 200), "total": 200, "currency": "EUR", "products": []}
    return call | {"type": "track", "event": "Order Completed", "properties": order}


def test_a_replayed_window_equals_a_build_from_scratch_and_rewrites_no_log(tmp_path: Path) -> None:
    """Three days; then messages of those days that come on the fifth, and half of the others once more. 1 + 2 + 3 builds."""
    draws, (first, second, third, fifth) = dice(8), [f"2026-03-0{day}" for day in (1, 2, 3, 5)]
    days = [(first, first), (second, second), (first, second)]
    punctual = [_call(draws, number, *day) for day in days for number in range(40)]
    late = [_call(draws, number, day, fifth) for day in (first, second) for number in range(15)]
    again = draws.sample(punctual, len(punctual) // 2)
    grown, whole = tmp_path / "grown", tmp_path / "whole"

    write_calls(grown / "landing" / "web" / "punctual.ndjson", punctual)
    tessera(grown, "run", "--from", first, "--to", third, as_of=third)
    logs = {log: built(grown, f"select * from {log}") for log in LOGS}
    assert all(logs[log] for log in LOGS[1:3])

    draws.shuffle(again)
    write_calls(grown / "landing" / "web" / "late.ndjson", [*again[::2], *late])
    write_calls(grown / "landing" / "web" / "again.ndjson", again[1::2])
    said = json.loads(tessera(grown, "run", "--from", second, "--to", third, "--json", as_of="2026-03-06").stdout)
    assert "of 55 messages that occurred in them 0 were received on a later day of them and 15 after them" in said["replayed"]

    for name, calls in (("a", [*late, *again]), ("b", punctual)):
        write_calls(whole / "landing" / "web" / f"{name}.ndjson", calls)
    tessera(whole, "run", "--from", first, "--to", third, as_of="2026-03-06")

    tables = [fingerprint(current(home / "published")) for home in (grown, whole)]
    assert {table for table in tables[0] if tables[0][table] != tables[1][table]} == set()
    for log, before in logs.items():
        assert set(before) <= set(built(grown, f"select * from {log}")), log
    counted = ask(grown, "select occurred_date, received_date, message_count from events.late_events order by all")
    assert [tuple(row.values()) for row in counted] == [(first, second, 40), (first, fifth, 15), (second, fifth, 15)]
    assert ask(grown, "select count(*) as n from events.events") == [{"n": len(punctual) + len(late)}]
