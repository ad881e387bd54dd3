"""What a run is: its as-of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from orchestration.lib.errors import UsageError


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
