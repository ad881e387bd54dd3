"""Why two identifiers are one person, or why not: read from the published snapshot's evidence.

The questions are SQL (`PATH`, `BETWEEN`), so that whoever does not want the command can ask them: `tessera explain A B --sql`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb

from orchestration.lib import snapshot
from orchestration.lib.errors import TesseraError, UsageError

# The shortest chain of used evidence from one identifier to another: a walk from the first, each step to identifiers not yet seen
# (of several ways there, by the evidence seen first), then back from the second. One row a step, in order.
PATH = """
with recursive
    evidence as (
        select identifier_type_a || ':' || identifier_value_a as this, identifier_type_b || ':' || identifier_value_b as other,
            identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b, rule, override_reason,
            first_event_id, event_count, first_seen_at, last_seen_at
        from identity.identity_links where status = 'used'
        union all
        select identifier_type_b || ':' || identifier_value_b, identifier_type_a || ':' || identifier_value_a,
            identifier_type_b, identifier_value_b, identifier_type_a, identifier_value_a, rule, override_reason,
            first_event_id, event_count, first_seen_at, last_seen_at
        from identity.identity_links where status = 'used'
    ),
    walk(identifier, came_from, step) using key (identifier) as (
        select $a, cast(null as varchar), 0
        union
        select evidence.other, arg_min(evidence.this, row(evidence.first_seen_at, evidence.first_event_id, evidence.this)),
            min(walk.step) + 1
        from walk inner join evidence on walk.identifier = evidence.this
        left join recurring.walk as seen on evidence.other = seen.identifier
        where seen.identifier is null group by evidence.other
    ),
    way(identifier, came_from, step) as (
        select identifier, came_from, step from walk where identifier = $b
        union all
        select walk.identifier, walk.came_from, walk.step from way inner join walk on way.came_from = walk.identifier
    )
select way.step, evidence.identifier_type_a, evidence.identifier_value_a, evidence.identifier_type_b, evidence.identifier_value_b,
    evidence.rule, evidence.override_reason, evidence.first_event_id, events.type, events.event, events.source_id,
    evidence.first_seen_at, evidence.last_seen_at, evidence.event_count
from way inner join evidence on way.came_from = evidence.this and way.identifier = evidence.other
left join events.events as events on evidence.first_event_id = events.event_id
order by way.step
"""

# Refused evidence that would have joined two people: between their profiles, or from each of them to one shared identifier or to one
# third profile.
BETWEEN = """
with
    sides as (
        select identifier_type, identifier_value, 'a' as side from identity.profile_identifiers
        where identifier_type || ':' || identifier_value = $a or profile_id = $profile_a
        union all
        select identifier_type, identifier_value, 'b' as side from identity.profile_identifiers
        where identifier_type || ':' || identifier_value = $b or profile_id = $profile_b
    ),
    refused as (
        select links.*, x.side as side_a, y.side as side_b
        from identity.identity_links as links
        left join sides as x on links.identifier_type_a = x.identifier_type and links.identifier_value_a = x.identifier_value
        left join sides as y on links.identifier_type_b = y.identifier_type and links.identifier_value_b = y.identifier_value
        where links.status = 'refused' and (x.side is not null or y.side is not null)
    ),
    one_sided as (
        select refused.*, coalesce(third.profile_id, third.identifier_id) as third
        from refused
        inner join identity.profile_identifiers as third
            on third.identifier_type = case when side_a is null then identifier_type_a else identifier_type_b end
            and third.identifier_value = case when side_a is null then identifier_value_a else identifier_value_b end
        where refused.side_a is null or refused.side_b is null
    ),
    told as (
        select * from refused where side_a <> side_b
        union all
        select * exclude (third) from one_sided
        where third in (select third from one_sided group by third having count(distinct coalesce(side_a, side_b)) = 2)
    )
select told.identifier_type_a, told.identifier_value_a, told.identifier_type_b, told.identifier_value_b, told.reason, told.rule,
    told.first_event_id, events.type, events.event, events.source_id, told.first_seen_at, told.last_seen_at, told.event_count
from told
left join events.events as events on told.first_event_id = events.event_id
order by told.first_seen_at, told.first_event_id, 1, 2, 3, 4
limit 100
"""

EVIDENCE = """
select links.identifier_type_a, links.identifier_value_a, links.identifier_type_b, links.identifier_value_b, links.status, links.reason,
    links.rule, links.override_reason, links.first_event_id, events.type, events.event, events.source_id, links.first_seen_at,
    links.last_seen_at, links.event_count
from identity.identity_links as links
inner join (
    select distinct links.identifier_type_a, links.identifier_value_a, links.identifier_type_b, links.identifier_value_b
    from identity.identity_links as links inner join identity.profile_identifiers as identifiers
        on (identifiers.profile_id = $profile or identifiers.identifier_type || ':' || identifiers.identifier_value = $a)
        and ((links.identifier_type_a = identifiers.identifier_type and links.identifier_value_a = identifiers.identifier_value)
            or (links.identifier_type_b = identifiers.identifier_type and links.identifier_value_b = identifiers.identifier_value))
) as own using (identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b)
left join events.events as events on links.first_event_id = events.event_id
order by links.status desc, links.first_seen_at nulls last, links.first_event_id, 1, 2, 3, 4
"""


def explain(folder: Path, first: str, second: str | None = None) -> dict[str, Any]:
    """Return why `first` and `second` (TYPE:VALUE) are one person, or why not; with one identifier, its whole profile as evidence.

    Two: is_one_person, path (steps of used evidence, in order) or refused (evidence that would have joined them, with reasons).
    One: profile_id (null: shared), identifiers, evidence (used, then refused), merges.
    """
    with snapshot.open_snapshot(folder) as connection:
        a = _find(connection, first)
        if second is None:
            return _profile(connection, a)
        b = _find(connection, second)
        is_one = a["profile_id"] is not None and a["profile_id"] == b["profile_id"]
        found: dict[str, Any] = {"a": a, "b": b, "is_one_person": is_one, "path": [], "refused": []}
        keys = {"a": _key(a), "b": _key(b)}
        if is_one:
            found["path"] = _rows(connection, PATH, keys)
        else:
            profiles = {"profile_a": a["profile_id"], "profile_b": b["profile_id"]}
            found["refused"] = _rows(connection, BETWEEN, keys | profiles)
        return found


def sql(folder: Path, first: str, second: str | None = None) -> str:
    """Return the statement that `explain` asks about two identifiers, or about one's evidence, with their values written in."""
    with snapshot.open_snapshot(folder) as connection:
        a, b = _find(connection, first), _find(connection, second or first)
    is_one = a["profile_id"] is not None and a["profile_id"] == b["profile_id"]
    text = (EVIDENCE if second is None else PATH if is_one else BETWEEN).strip()
    values = {"profile": a["profile_id"], "profile_a": a["profile_id"], "profile_b": b["profile_id"], "a": _key(a), "b": _key(b)}
    literals = {name: "null" if value is None else "'" + value.replace("'", "''") + "'" for name, value in values.items()}
    return re.sub(r"\$(\w+)", lambda found: literals[found[1]], text)


def describe(found: dict[str, Any]) -> str:
    """Return an explanation as text."""
    if "evidence" in found:
        return _describe_profile(found)
    a, b = _key(found["a"]), _key(found["b"])
    if found["is_one_person"]:
        steps = len(found["path"])
        head = f"{a} and {b} are one person (profile {found['a']['profile_id']}), {steps} step{'s' * (steps != 1)} apart:"
        return "\n".join([head if steps else f"{a} is {b}.", *(_step(row) for row in found["path"])])
    lines = [f"{a} and {b} are not one person."]
    for identifier in (found["a"], found["b"]):
        holder = identifier["profile_id"]
        lines.append(f"  {_key(identifier)} is held by " + (f"profile {holder}" if holder else "nobody: it is shared"))
    if found["refused"]:
        lines.append("Evidence that would have joined them was refused:")
        lines += [f"{_step(row)}\n      refused: {row['reason']}" for row in found["refused"]]
    else:
        lines.append(
            "No evidence connects them, directly or through one other person. If they are one person, add an INCLUDE line to"
            " seeds/reference/identity_overrides.csv."
        )
    return "\n".join(lines)


def _profile(connection: duckdb.DuckDBPyConnection, a: dict[str, Any]) -> dict[str, Any]:
    values = {"profile": a["profile_id"]}
    return {
        "identifier": a,
        "profile_id": a["profile_id"],
        "identifiers": _rows(
            connection,
            "select identifier_type, identifier_value, identifier_id, event_count, first_seen_at, last_seen_at"
            " from identity.profile_identifiers where profile_id = $profile order by first_seen_at, 1, 2",
            values,
        ),
        "evidence": _rows(connection, EVIDENCE, values | {"a": _key(a)}),
        "merges": _rows(
            connection,
            "select profile_id, merged_at, event_id from identity.profile_merges where canonical_profile_id = $profile"
            " order by merged_at, profile_id",
            values,
        ),
    }


def _describe_profile(found: dict[str, Any]) -> str:
    lines = [
        f"{_key(found['identifier'])}: " + (f"profile {found['profile_id']}" if found["profile_id"] else "shared, held by nobody")
    ]
    if found["identifiers"]:
        lines.append("identifiers")
        lines += [f"  {_key(row):<56}{row['event_count']:>8} events since {row['first_seen_at']}" for row in found["identifiers"]]
    for status, title in (("used", "evidence that joins them"), ("refused", "evidence that was refused")):
        if rows := [row for row in found["evidence"] if row["status"] == status]:
            lines.append(title)
            lines += [_step(row) + (f"\n      refused: {row['reason']}" if status == "refused" else "") for row in rows]
    if found["merges"]:
        lines.append("profiles that merged into it")
        lines += [f"  {row['profile_id']} at {row['merged_at']} by event {row['event_id']}" for row in found["merges"]]
    return "\n".join(lines)


def _step(row: dict[str, Any]) -> str:
    a, b = (f"{row[f'identifier_type_{side}']}:{row[f'identifier_value_{side}']}" for side in "ab")
    if row["first_event_id"] is None:
        how = f"a reviewed line: {row.get('override_reason')}"
    else:
        name = " ".join(filter(None, (row["type"], row["event"])))
        more = f", {row['event_count']} events" if row["event_count"] > 1 else ""
        how = f"on event {row['first_event_id']} ({name}) of {row['source_id']}, first at {row['first_seen_at']}{more}"
        if row["rule"] != "event":
            how += f"; {row['rule']}" + (f": {row['override_reason']}" if row.get("override_reason") else "")
    return f"  {a} — {b}\n      {how}"


def _key(identifier: dict[str, Any]) -> str:
    return f"{identifier['identifier_type']}:{identifier['identifier_value']}"


def _find(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    """Return the identifier that TYPE:VALUE names, as it is stored (e-mails in lower case); `profile_id` names a profile's first."""
    kind, _, value = text.partition(":")
    types = [
        row["identifier_type"] for row in _rows(connection, "select distinct identifier_type from identity.profile_identifiers")
    ]
    if kind not in (*types, "profile_id") or not value.strip():
        raise UsageError(
            "An identifier is TYPE:VALUE.",
            found=repr(kind),
            allowed=", ".join([*sorted(types), "profile_id"]),
            fix="for example email:jane@example.com",
        )
    found = _rows(
        connection,
        "select identifier_type, identifier_value, profile_id from identity.profile_identifiers"
        " where identifier_type = $kind and identifier_value in ($value, lower($value))"
        " or $kind = 'profile_id' and identifier_id = $value order by identifier_value = $value desc limit 1",
        {"kind": kind, "value": value.strip()},
    )
    if not found:
        raise TesseraError(
            "This identifier was never seen, or it is blocked.",
            found=kind,
            fix="check its type and spelling (phones as +442079460000); what config/identity.yml or a line of"
            " identity_overrides.csv blocks joins nobody and is not kept",
        )
    return found[0]


def _rows(connection: duckdb.DuckDBPyConnection, statement: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, values or {})
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
