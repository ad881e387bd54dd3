"""Two plans compared: what breaks for those who send the events, and what is merely new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestration.lib.plan.model import Event, Plan
from orchestration.lib.plan.schema import TYPES

Key = tuple[str, str | None, int]
STRICTNESS = ("allow", "omit", "quarantine")
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")  # narrower when greater
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")  # narrower when smaller


@dataclass(frozen=True)
class Change:
    """A sentence about an event. A breaking change may hold back messages that pass today."""

    event: str
    text: str
    is_breaking: bool

    def __str__(self) -> str:
        return f"{'breaking' if self.is_breaking else 'other'}: {self.event}: {self.text}"


def changes(before: Plan, after: Plan) -> list[Change]:
    """Return what changed from one plan to the other, breaking changes first."""
    old, new = _by_key(before), _by_key(after)
    found: list[Change] = []
    for key in sorted(old.keys() | new.keys(), key=str):
        event = new.get(key) or old[key]
        name = event.label + (f" version {event.version}" if event.version != 1 else "")
        if key not in new:
            found.append(Change(name, "removed: its messages become unplanned", True))
        elif key not in old:
            found.append(Change(name, "added", False))
        else:
            found += [Change(name, text, breaks) for text, breaks in _event_changes(old[key], new[key])]
    for rule in ("unplanned_event", "unplanned_property", "invalid"):
        for source in sorted({*before.settings.sources, *after.settings.sources, ""}):
            was, now = (getattr(plan.settings.sources.get(source, plan.settings.default), rule) for plan in (before, after))
            found += _enforced(f"source {source}" if source else "the default", rule, was, now)
    return sorted(found, key=lambda change: (not change.is_breaking, change.event, change.text))


def _by_key(plan: Plan) -> dict[Key, Event]:
    events = [*plan.live(), *([plan.common] if plan.common else [])]
    return {(event.type, event.event, event.version): event for event in events}


def _enforced(name: str, rule: str, was: str | None, now: str | None) -> Iterator[Change]:
    if was != now:
        stricter = (STRICTNESS.index(now) if now else -1) > (STRICTNESS.index(was) if was else -1)
        yield Change(name, f"{rule}: {was or 'as its source'} → {now or 'as its source'}", stricter)


def _event_changes(old: Event, new: Event) -> Iterator[tuple[str, bool]]:
    if old.status != new.status:
        yield f"status {old.status} → {new.status}", False
    for rule in ("unplanned_event", "unplanned_property", "invalid"):
        for change in _enforced("", rule, getattr(old.enforce, rule), getattr(new.enforce, rule)):
            yield f"enforce.{change.text}", change.is_breaking
    if old.consolidate != new.consolidate:
        yield "consolidation changed: history changes with the next run", False
    payload = "" if old.type == "common" else {"identify": "traits", "group": "traits"}.get(old.type, "properties")
    yield from schema_changes(old.schema_, new.schema_, payload)


def schema_changes(old: Any, new: Any, at: str) -> Iterator[tuple[str, bool]]:
    """Yield what changed between two schemas: a sentence, and whether it is narrower."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{at}: schema {old} → {new}", new is not True
        return
    was, now = _types(old), _types(new)
    if was != now:
        lost = was - now
        yield f"{at}: type {_said(old)} → {_said(new)}", bool(lost)
    for keyword in ("enum", "const"):
        if old.get(keyword) != new.get(keyword) or (keyword in old) != (keyword in new):
            before, after = (part.get(keyword) for part in (old, new))
            if keyword == "enum" and isinstance(before, list) and isinstance(after, list):
                gone = [value for value in before if value not in after]
                more = [value for value in after if value not in before]
                if gone:
                    yield f"{at}: enum no longer allows {', '.join(map(str, gone))}", True
                if more:
                    yield f"{at}: enum allows {', '.join(map(str, more))} as well", False
            else:
                yield f"{at}: {keyword} {before} → {after}", keyword in new
    for keyword in (*LOWER, *UPPER):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            narrower = after is not None and (before is None or (after > before if keyword in LOWER else after < before))
            yield f"{at}: {keyword} {before} → {after}", narrower
    for keyword in ("pattern", "format"):
        if old.get(keyword) != new.get(keyword):
            yield f"{at}: {keyword} {old.get(keyword)} → {new.get(keyword)}", keyword in new
    if old.get("additionalProperties", True) != new.get("additionalProperties", True):
        yield f"{at}: additionalProperties → {new.get('additionalProperties', True)}", new.get("additionalProperties") is False
    yield from _member_changes(old, new, at)
    if "items" in old or "items" in new:
        yield from schema_changes(old.get("items", {}), new.get("items", {}), f"{at}.$")


def _member_changes(old: dict[str, Any], new: dict[str, Any], at: str) -> Iterator[tuple[str, bool]]:
    before, after = (part.get("properties") or {} for part in (old, new))
    for name in [name for name in new.get("required") or [] if name not in (old.get("required") or [])]:
        yield f"{at}.{name}: now required", True
    for name in [name for name in old.get("required") or [] if name not in (new.get("required") or [])]:
        yield f"{at}.{name}: no longer required", False
    for name in sorted(before.keys() | after.keys()):
        place = f"{at}.{name}" if at else name
        if name not in after:
            yield f"{place}: removed: it becomes unplanned", True
        elif name not in before:
            yield f"{place}: added", False
        else:
            yield from schema_changes(before[name], after[name], place)


def _types(schema: dict[str, Any]) -> set[str]:
    named = schema.get("type", list(TYPES))
    kinds = {named} if isinstance(named, str) else set(named)
    return kinds | ({"integer"} if "number" in kinds else set())


def _said(schema: dict[str, Any]) -> str:
    named = schema.get("type", "any")
    return named if isinstance(named, str) else " or ".join(named)
