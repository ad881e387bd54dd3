"""What a run is: its as-of time; and a replay: the as-of times of a window's days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from orchestration.lib.errors import TesseraError, UsageError


def parse_as_of(text: str) -> str:
    """Return an as-of time in the one form the project uses: `2011-12-10T00:00:00` (UTC, no zone, whole seconds).

    A date means its first moment. A time with a zone is turned into UTC.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(
            "TESSERA_AS_OF is not a time.",
            found=repr(text),
            allowed="ISO 8601, such as 2011-12-10 or 2011-12-10T12:00:00Z",
            fix="correct it, or unset it to mean now",
        ) from None
    return moment.replace(microsecond=0).isoformat()


def start_time(timestamp: float) -> str:
    """Return the as-of time of a run that began at a POSIX timestamp (seconds)."""
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None, microsecond=0).isoformat()


def run_name(as_of: str, run_id: str) -> str:
    """Return the name of a run's snapshot: its as-of time and the start of its id."""
    return f"{re.sub('[-:]', '', as_of)}-{run_id[:8]}"


def window_days(start: str, end: str, *, now: str) -> list[str]:
    """Return the as-of times that replay a window [start, end) of days in UTC: the end of each day, so the last one is `end`.

    `now` is the as-of time of today's run; a day that has not ended by then cannot be replayed. Raises UsageError.
    """
    first, last = _day(start, "--from"), _day(end, "--to")
    asked = f"--from {start} --to {end}"
    if last <= first:
        raise UsageError(
            "The window holds no day.",
            where=asked,
            allowed="--to after --from: the day of --to is no longer part of the window",
            fix=f"to replay the one day, use --from {first} --to {first + timedelta(days=1)}",
        )
    ended = datetime.fromisoformat(now).date()
    if last > ended:
        raise UsageError(
            "The window reaches into the future.",
            where=asked,
            found=f"as of {now} (UTC), {ended} has not ended",
            allowed=f"--to {ended} or earlier",
            fix="replay the days that have ended; today belongs to `tessera run`",
        )
    return [f"{first + timedelta(days=number)}T00:00:00" for number in range(1, (last - first).days + 1)]


def require_data(days: list[str], received: tuple[datetime, datetime] | None) -> None:
    """Raise TesseraError when nothing had been received by the end of the window; `received`: the first and last time of receipt."""
    if received is None or received[0] > datetime.fromisoformat(days[-1]):
        raise TesseraError(
            "There is nothing to replay: no message had been received by the end of the window.",
            where=f"--to {days[-1][:10]}",
            found=f"messages received from {received[0]} to {received[1]} (UTC)" if received else "no message at all",
            fix="choose a window after the first message" if received else "load events first: `tessera load …`",
        )


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} is not a day.", found=repr(text), allowed="a date such as 2026-10-01 (UTC)", fix="correct it"
        ) from None
