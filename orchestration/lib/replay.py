"""What a replay needs to know of raw, and what it says of a window's messages.

Derived tables are whole and as of one time, so a window is replayed by building as of the end of each of its days (`runs.window_days`).
A message counts from the time it was received: as of an earlier time it does not exist, so it never changes what that day's run said.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from orchestration.lib import snapshot
from orchestration.lib.warehouse import Warehouse


def received(warehouse: Warehouse) -> tuple[datetime, datetime] | None:
    """Return the first and the last time (UTC) at which a loaded message was received; None where there is none with a readable time."""
    local = warehouse.local
    with warehouse.reading("raw.events") as events:
        [(first, last)] = local.execute(
            f"""select min(moment), max(moment) from (
                select cast(try_cast(coalesce(received_at, sent_at, timestamp) as timestamptz) at time zone 'UTC' as timestamp) as moment
                from {events}
            ) where isfinite(moment)"""
        ).fetchall()
    return (first, last) if first else None


def describe(published: Path, days: list[str]) -> str:
    """Return a sentence on the messages that occurred in a window: how many came on their day, late but within the window, and after it."""
    with snapshot.open_snapshot(published) as connection:
        [(total, late, after)] = connection.execute(
            """select count(*), count(*) filter (where received_at::date > occurred_at::date and received_at < $end),
                count(*) filter (where received_at >= $end)
            from (
                select occurred_at, received_at from events.events
                union all select occurred_at, received_at from events.events_quarantine
            ) where occurred_at >= $end - to_days($days) and occurred_at < $end""",
            {"end": datetime.fromisoformat(days[-1]), "days": len(days)},
        ).fetchall()
    return (
        f"the {len(days)} days before {days[-1][:10]}; of {total:,} messages that occurred in them {late:,} were received on a later "
        f"day of them and {after:,} after them: each counts from when it was received (events.late_events)"
    )
