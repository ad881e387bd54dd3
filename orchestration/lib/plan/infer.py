"""A draft of the plan from what was observed: a structure of each event, and how often each top-level property was there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
TYPES = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "UBIGINT": "integer",
    "HUGEINT": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
}

# One row an event: its call, its name, how many there are, the merged structure of its payload, and for each key how many have it.
SQL = """
with calls as (
    select type, case when type = 'track' then event end as event,
        case when type in ('identify', 'group') then traits else properties end as payload
    from events.events
),
structures as (
    select type, event, count(*) as calls, cast(json_group_structure(cast(payload as json)) as varchar) as structure
    from calls group by type, event
),
presences as (select type, event, unnest(json_keys(payload)) as key from calls),
counts as (select type, event, key, count(*) as present from presences group by type, event, key)
select structures.type, structures.event, calls, structure,
    cast(to_json(map_from_entries(list((key, present)) filter (where key is not null))) as varchar) as present
from structures left join counts on structures.type = counts.type and structures.event is not distinct from counts.event
group by all order by structures.type, structures.event
"""


def draft(call: str, event: str | None, count: int, structure: str, present: Mapping[str, int]) -> Json:
    """Return an event's mapping: types as observed, required what every message had. It is a draft until somebody reads it."""
    schema = _schema(json.loads(structure))
    schema = schema if schema.get("type") == "object" else {"type": "object"}
    required = [name for name in schema.get("properties", {}) if present.get(name) == count]
    if required:
        schema = {"type": "object", "required": required} | schema
    named: Json = ({"event": event} if event else {}) | ({"type": call} if call != "track" else {})
    return named | {"status": "draft", "description": f"Inferred from {count:,} messages; say when it is sent.", "schema": schema}


def _schema(structure: Any) -> Json:
    """Return the schema of DuckDB's JSON structure: "VARCHAR", ["VARCHAR"], {"key": …}; JSON is a mixture, NULL tells nothing."""
    if isinstance(structure, dict):
        return {"type": "object", "properties": {key: _schema(value) for key, value in structure.items()}}
    if isinstance(structure, list):
        items = _schema(structure[0]) if structure else {}
        return {"type": "array"} | ({"items": items} if items else {})
    return {"type": TYPES[structure]} if structure in TYPES else {}
