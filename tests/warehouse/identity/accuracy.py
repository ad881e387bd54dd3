"""How right profiles are by a known truth, and what others' rules would have made of the same events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

Identifiers = Sequence[tuple[str, str]]  # (type, value), strongest first


class Score(NamedTuple):
    """Of pairs of events: how many of those in one profile are one person's, and the other way round; `placed`: the part of events
    that lie in a profile of which most events are their person's."""

    precision: float
    recall: float
    f1: float
    placed: float

    def __str__(self) -> str:
        return f"precision {self.precision:.4f}  recall {self.recall:.4f}  F1 {self.f1:.4f}  event to person {self.placed:.4f}"


@dataclass(frozen=True)
class Observed:
    """One event as resolution sees it, in the order of receipt."""

    event_id: str
    identifiers: Identifiers
    occurred_at: object = None


def score(profiles: Mapping[str, Hashable | None], persons: Mapping[str, str]) -> Score:
    """Compare event → profile with event → person, over all events of `profiles`; an event without a profile is in none."""
    cells = Counter((profile, persons[event]) for event, profile in profiles.items() if profile is not None)
    by_profile: Counter[Hashable] = Counter()
    largest: Counter[Hashable] = Counter()
    for (profile, _), count in cells.items():
        by_profile[profile] += count
        largest[profile] = max(largest[profile], count)
    by_person = Counter(persons[event] for event in profiles)
    together = sum(comb(count, 2) for count in cells.values())
    precision = together / max(1, sum(comb(count, 2) for count in by_profile.values()))
    recall = together / max(1, sum(comb(count, 2) for count in by_person.values()))
    f1 = 2 * precision * recall / (precision + recall) if together else 0.0
    return Score(precision, recall, f1, sum(largest.values()) / len(profiles))


def plain_closure(events: Iterable[Observed]) -> dict[str, Hashable | None]:
    """Whatever is connected is one person: no limits, no shared identifiers."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def find(item: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(item, item) != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    events = list(events)
    for event in events:
        for identifier in event.identifiers:
            parent[find(identifier)] = find(event.identifiers[0])
    return {event.event_id: find(event.identifiers[0]) if event.identifiers else None for event in events}


def last_user_of_cookie(events: Iterable[Observed]) -> dict[str, Hashable | None]:
    """The rule of dbt-labs' segment package: an anonymous_id is its last user_id, else itself; a user_id alone is itself."""
    events = list(events)
    last: dict[str, tuple[object, str]] = {}
    for event in events:
        found = dict(reversed(event.identifiers))
        if "user_id" in found and "anonymous_id" in found:
            moment = (event.occurred_at, found["user_id"])
            last[found["anonymous_id"]] = max(last.get(found["anonymous_id"], moment), moment)
    people: dict[str, Hashable | None] = {}
    for event in events:
        found = dict(reversed(event.identifiers))
        cookie, user = found.get("anonymous_id"), found.get("user_id")
        people[event.event_id] = last[cookie][1] if cookie in last else cookie or user
    return people


def segment_flat(events: Iterable[Observed], limits: Mapping[str, int]) -> dict[str, Hashable | None]:
    """Segment's documented rule, event by event as received: profiles that an event matches are merged; while the result would break
    a limit, the event's weakest identifier is left out."""
    holder: dict[tuple[str, str], int] = {}
    members: dict[int, set[tuple[str, str]]] = {}
    merged: dict[int, int] = {}
    placed: dict[str, int | None] = {}

    def current(profile: int) -> int:
        while profile in merged:
            profile = merged[profile]
        return profile

    for number, event in enumerate(events):
        kept = list(event.identifiers)
        while kept:
            found = sorted({holder[i] for i in kept if i in holder})
            result = set(kept).union(*(members[profile] for profile in found))
            counts = Counter(kind for kind, _ in result)
            if all(count <= limits.get(kind, count) for kind, count in counts.items()):
                break
            kept.pop()
        if not kept:
            placed[event.event_id] = None
            continue
        into, *others = found or [number]
        members[into] = result
        for other in others:
            merged[other] = into
            del members[other]
        holder |= dict.fromkeys(result, into)
        placed[event.event_id] = into
    return {event: None if profile is None else current(profile) for event, profile in placed.items()}


def compare(
    ours: Mapping[str, str | None], events: Sequence[Observed], persons: Mapping[str, str], limits: Mapping[str, int]
) -> dict[str, Score]:
    """Return the score of our profiles and of three other rules on the same normalised, unblocked identifiers."""
    others = {
        "plain transitive closure": plain_closure(events),
        "last user_id of the cookie": last_user_of_cookie(events),
        "Segment's flat rule": segment_flat(events, limits),
    }
    return {"tessera": score(ours, persons)} | {name: score(found, persons) for name, found in others.items()}


def strangers(profiles: Mapping[str, str | None], persons: Mapping[str, str], used_by: Iterable[set[str]]) -> dict[str, set[str]]:
    """Return the profiles whose people never used an identifier together; `used_by` gives the people of each one that few share."""
    household: dict[str, set[str]] = {person: {person} for person in set(persons.values())}
    for people in used_by:
        joined = set().union(*(household[person] for person in people))
        household |= dict.fromkeys(joined, joined)
    found: dict[str, set[str]] = defaultdict(set)
    for event, profile in profiles.items():
        if profile is not None:
            found[profile].add(persons[event])
    return {profile: people for profile, people in found.items() if not people <= household[next(iter(people))]}
