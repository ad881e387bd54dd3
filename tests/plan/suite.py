"""The JSON Schema test suite's draft-7 groups whose keywords the plan supports (its licence lies beside it)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILES = json.loads((Path(__file__).parent / "json_schema_suite.json").read_text(encoding="utf-8"))["files"]
GROUPS: list[tuple[str, dict[str, Any]]] = [
    (f"{file}: {group['description']}", group) for file, groups in _FILES.items() for group in groups
]
SOURCE = "select event_id, event, event_version, source_id, '' as on_invalid, '' as on_unplanned_property, value from cases"
