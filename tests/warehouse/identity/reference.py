"""Who is who, worked out one piece of evidence after the other: what the models' set-based SQL must equal."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple


class Identifier(NamedTuple):
    """A normalised identifier."""

    type: str
    value: str


@dataclass(frozen=True)
class Event:
    """One accepted event. `delivered` maps columns of identity.yml to what was delivered, `identifiers` to what it is read as (no junk)."""

    event_id: str
    occurred_at: datetime
    received_at: datetime
    delivered: dict[str, str]
    identifiers: dict[str, Identifier]
    file_id: str = "1"

    def present(self) -> list[Identifier]:
        return list(dict.fromkeys(self.identifiers.values()))


class Override(NamedTuple):
    """A reviewed line; without a second identifier it blocks the first."""

    action: str
    first: Identifier
    second: Identifier | None = None


@dataclass
class Resolution:
    """Keyed by identifiers; profiles are identifier ids. A link: (first event, events, status, reason, rule)."""

    profiles: dict[Identifier, str | None] = field(default_factory=dict)
    links: dict[tuple[Identifier, Identifier], tuple[str | None, int, str, str | None, str]] = field(default_factory=dict)
    merges: set[tuple[str, str, str, datetime]] = field(default_factory=set)
    events: dict[str, str | None] = field(default_factory=dict)
    history: set[tuple[str, str, str]] = field(default_factory=set)  # identifier, its profile after an event, that event
    groups: list[set[Identifier]] = field(default_factory=list)


def identifier_id(identifier: Identifier, salt: str = "tessera") -> str:
    return hashlib.sha256(f"{salt}|{identifier.type}|{identifier.value}".encode()).hexdigest()[:32]


class _Sets:
    """Union-find over identifiers."""

    def __init__(self) -> None:
        self.parent: dict[Identifier, Identifier] = {}

    def find(self, item: Identifier) -> Identifier:
        self.parent.setdefault(item, item)
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def unite(self, x: Identifier, y: Identifier) -> None:
        self.parent[self.find(y)] = self.find(x)


def resolve(events: Sequence[Event], settings: dict[str, Any], overrides: Iterable[Override] = ()) -> Resolution:
    """Return who is who by identity.yml's settings (as compiled) and the reviewed lines."""
    priority = {kind["type"]: kind["priority"] for kind in settings["identifiers"]}
    limits = {kind["type"]: kind["limit"] for kind in settings["identifiers"] if kind["limit"]}
    blocked = {override.first for override in overrides if override.action == "EXCLUDE" and override.second is None}
    pairs = [override for override in overrides if override.second is not None]
    ordered = sorted(events, key=lambda event: (event.received_at, event.event_id))

    def strength(identifier: Identifier) -> tuple[int, str]:
        return priority[identifier.type], identifier.value

    # Evidence and first sight.
    born: dict[Identifier, tuple[Any, ...]] = {}
    links: dict[tuple[Identifier, Identifier], list[Event]] = defaultdict(list)
    aliases: set[tuple[Identifier, Identifier]] = set()
    for event in ordered:
        present = sorted((i for i in event.present() if i not in blocked), key=strength)
        for identifier in present:
            born.setdefault(identifier, (event.received_at, event.event_id, *strength(identifier)))
        for position, strong in enumerate(present):
            for weak in present[position + 1 :]:
                links[strong, weak].append(event)
        user, previous = event.identifiers.get("user_id"), event.identifiers.get("previous_id")
        if user and previous and user != previous and not {user, previous} & blocked:
            aliases.add(tuple(sorted((user, previous), key=strength)))  # type: ignore[arg-type]

    stronger: dict[Identifier, set[Identifier]] = defaultdict(set)
    for strong, weak in links:
        if priority[strong.type] < priority[weak.type]:
            stronger[weak].add(strong)
    shared = {identifier for identifier, seen_with in stronger.items() if len(seen_with) > settings["sharing_limit"]}

    # What reviewed lines and alias calls say comes first, and counts once.
    seen = [o for o in pairs if o.first in born and o.second in born]
    included = _Sets()
    include = {
        tuple(sorted((o.first, o.second), key=strength))  # type: ignore[type-var, arg-type]
        for o in seen
        if o.action == "INCLUDE"
    }
    usable = {pair for pair in include if not shared & set(pair)}
    reviewed = {identifier for o in seen for identifier in (o.first, o.second)}
    usable |= {pair for pair in aliases if not shared & set(pair) and not reviewed & set(pair)}
    for x, y in usable:
        included.unite(x, y)  # type: ignore[arg-type]
    apart = [(o.first, o.second) for o in seen if o.action == "EXCLUDE"]

    group = _Sets()
    members: dict[Identifier, set[Identifier]] = {}
    for identifier in born:
        if identifier not in shared:
            group.unite(included.find(identifier), identifier)
    for identifier in born:
        if identifier not in shared:
            members.setdefault(group.find(identifier), set()).add(identifier)

    def broken_rule(x: set[Identifier], y: set[Identifier]) -> str | None:
        """Return the rule that one profile of both would break."""
        if any((a in x and b in y) or (a in y and b in x) for a, b in apart):
            return "Kept apart by an override"
        for kind, limit in limits.items():
            held = [{included.find(i) for i in side if i.type == kind} for side in (x, y)]
            if all(held) and len(set.union(*held)) > limit:
                return f"Identifier value limit exceeded: {kind}"
        return None

    def rank(pair: tuple[Identifier, Identifier]) -> tuple[Any, ...]:
        first = links[pair][0]
        ids = sorted(map(identifier_id, pair))
        return priority[pair[1].type], priority[pair[0].type], first.received_at, first.event_id, *ids

    for pair in sorted(links, key=rank):
        if shared & set(pair):
            continue
        x, y = map(group.find, pair)
        if x != y and not broken_rule(members[x], members[y]):
            group.unite(x, y)
            members[x] |= members.pop(y)

    # Names, and what became of each piece of evidence.
    result = Resolution(groups=list(members.values()))
    for identifier in born:
        result.profiles[identifier] = None
    for people in members.values():
        founder = identifier_id(min(people, key=born.__getitem__))
        for identifier in people:
            result.profiles[identifier] = founder

    for pair in {*links, *include}:
        a, b = pair
        found = links.get(pair, [])  # type: ignore[call-overload]
        reason = None
        if shared & set(pair):
            reason = f"shared identifier: {a.type if a in shared else b.type}"
        elif group.find(a) != group.find(b):
            reason = broken_rule(members[group.find(a)], members[group.find(b)])
            assert reason, "refused without a reason"
        rule = "override" if pair in include else "alias" if pair in aliases else "event"
        status = "refused" if reason else "used"
        result.links[pair] = (found[0].event_id if found else None, len(found), status, reason, rule)  # type: ignore[index]

    result.merges, result.history = _replay(result, born, links, include)
    result.events = _assign(events, result, settings, priority, blocked, apart)
    return result


def _replay(result: Resolution, born: Any, links: Any, include: Any) -> tuple[set[Any], set[Any]]:
    """Take used evidence as it was received; return the profiles that ended (into what, by which event, when), and who held what."""
    evidence = []
    for pair, (_, _, status, _, _) in result.links.items():
        if status == "used":
            older, younger = sorted(pair, key=born.__getitem__)
            if pair in links:
                evidence.append((links[pair][0].received_at, links[pair][0].event_id, False, older, younger))
            if pair in include:
                evidence.append((*born[younger][:2], True, older, younger))
    moments: dict[tuple[Any, str], tuple[list[Identifier], list[Any]]] = defaultdict(lambda: ([], []))
    for identifier in born:
        if result.profiles[identifier]:
            moments[born[identifier][:2]][0].append(identifier)
    for item in evidence:
        moments[item[:2]][1].append(item[2:])
    leader = _Sets()
    merges, history, held = set(), set(), {}
    for (received_at, event_id), (newborn, joined) in sorted(moments.items(), key=lambda item: item[0]):
        for is_reviewed, *pair in sorted(joined, key=lambda join: join[0]):
            older, younger = sorted(map(leader.find, pair), key=born.__getitem__)
            if older != younger:
                leader.unite(older, younger)
                if born[younger][1] != event_id or is_reviewed:
                    merges.add((identifier_id(younger), result.profiles[younger], event_id, received_at))
        for identifier in [*held, *newborn]:
            now = leader.find(identifier)
            if held.get(identifier) != now:
                held[identifier] = now
                history.add((identifier_id(identifier), identifier_id(now), event_id))
    return merges, history


def _assign(events: Any, result: Resolution, settings: Any, priority: Any, blocked: Any, apart: Any) -> dict[str, str | None]:
    """Return each event's profile: the holder of its strongest identifier, or the nearest login on one that several use."""
    contested = {i for pair, link in result.links.items() if link[2] == "refused" and link[4] != "override" for i in pair}
    contested |= {i for pair, link in result.links.items() if link[2] == "refused" and link[0] for i in pair}

    def present(event: Event) -> list[Identifier]:
        """Identifiers, strongest first; of one type in the order of the columns."""
        columns = [column["name"] for column in settings["columns"]]
        found = [event.identifiers[c] for c in columns if c in event.identifiers and event.identifiers[c] not in blocked]
        return sorted(found, key=lambda i: priority[i.type])

    refused_logins = {(x, result.profiles[y]) for pair in apart for x, y in (pair, pair[::-1])}
    logins: dict[Identifier, list[tuple[datetime, str, str]]] = defaultdict(list)
    for event in events:
        strongest, *rest = present(event) or [None]
        if strongest and (holder := result.profiles[strongest]):
            for identifier in rest:
                is_weaker = priority[identifier.type] > priority[strongest.type]
                if identifier in contested and is_weaker and (identifier, holder) not in refused_logins:
                    logins[identifier].append((event.occurred_at, event.event_id, holder))
    assigned: dict[str, str | None] = {}
    for event in events:
        strongest, *_ = present(event) or [None]
        assigned[event.event_id] = result.profiles[strongest] if strongest else None
        kind = "contested" if assigned[event.event_id] else "shared"
        window = timedelta(minutes=settings["login_window_minutes"][kind])
        if strongest in contested and window:
            near = [
                (abs(at - event.occurred_at), at, event_id, holder)
                for at, event_id, holder in logins[strongest]
                if abs(at - event.occurred_at) <= window
            ]
            if near:
                assigned[event.event_id] = min(near)[3]
    return assigned
