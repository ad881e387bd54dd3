"""Other people's plans in and out: Segment's JSON (Public API and the legacy Config API), Segment's CSV, RudderStack's YAML, JSON Schema.

An event goes as the mapping that its YAML file holds. What another format says and ours does not is kept verbatim under `x-segment` or
`x-rudder` and written back on export; what ours says and Segment's does not travels in the schema, under `x-tessera`.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestration.lib.errors import UsageError
from orchestration.lib.plan.model import COMMON_PAYLOADS, PAYLOADS, Event, Loader, Plan

Json = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
NEVER = "0001-01-01T00:00:00.000Z"
ORDER = ("event", "type", "version", "status", "sunset", "owner", "description", "labels", "schema", "consolidate", "enforce")


@dataclass
class Imported:
    """Events as the mappings of their files, the common rule, what plan.yml should say, and sentences about what needs a look."""

    events: list[Json] = field(default_factory=list)
    common: Json | None = None
    settings: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that either YAML 1.1 or our own loader would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    letter: yaml.SafeDumper.yaml_implicit_resolvers.get(letter, []) + Loader.yaml_implicit_resolvers.get(letter, [])
    for letter in {*yaml.SafeDumper.yaml_implicit_resolvers, *Loader.yaml_implicit_resolvers}
}


def to_yaml(content: Json) -> str:
    """Return an event's or the plan's mapping as the YAML of its file, keys in their usual order."""
    ordered = {key: content[key] for key in ORDER if key in content} | content
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=130)


def mapping(event: Event) -> Json:
    """Return an event as the mapping of its file, defaults left out."""
    return event.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def file_name(event: Json, taken: set[str]) -> str:
    """Return a name for an event's file that no other has: its name in snake_case, with the version after the first."""
    said = event.get("event") or event.get("type", "track")
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", said).lower()).strip("_")[:80] or "event"
    name += f"_v{event['version']}" if event.get("version", 1) != 1 else ""
    free = next(candidate for n in range(len(taken) + 2) if (candidate := name if n == 0 else f"{name}_{n + 1}") not in taken)
    taken.add(free)
    return f"{free}.yml"


def read(files: Sequence[Path]) -> Imported:
    """Return the plan in files of one format, recognised by their content; raise UsageError where it is none of those known."""
    if not files:
        raise UsageError("There is nothing to import.", fix="name a file, or RudderStack's folder of YAML files")
    first = files[0]
    try:
        texts = [file.read_text(encoding="utf-8-sig") for file in files]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("A plan cannot be read.", where=str(first), found=str(error), fix="name a text file in UTF-8") from None
    try:
        if all(file.suffix in (".yml", ".yaml") for file in files):
            return from_rudder([yaml.load(text, Loader=Loader) for text in texts])  # noqa: S506 (a kind of SafeLoader)
        if first.suffix == ".csv":
            return from_csv(texts[0])
        content = json.loads(texts[0])
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError("A plan cannot be read.", where=str(first), found=str(error), fix="export it again") from None
    content = content.get("data", content) if isinstance(content, dict) else {"rules": content}
    content = content.get("trackingPlan", content)
    if isinstance(content.get("rules"), dict):
        return from_segment_legacy(content)
    if isinstance(content.get("rules"), list):
        return from_segment(content)
    raise UsageError(
        "This is no tracking plan that can be imported.",
        where=str(first),
        found=f"a mapping with the keys {', '.join(map(str, list(content)[:8]))}",
        allowed="Segment's JSON with `rules`, Segment's CSV, RudderStack's YAML",
        fix="name such a file",
    )


# ---------------------------------------------------------------- Segment, Public API


def from_segment(plan: Json) -> Imported:
    """Read `{…, rules: [{type, key, version, jsonSchema, …}]}`. The schema may be the properties' own or that of the whole payload."""
    found = Imported(settings=_named(plan))
    for rule in plan["rules"]:
        call = str(rule.get("type") or "TRACK").lower()
        event, rest = _event(call, rule.get("key")), {k: v for k, v in rule.items() if k not in ("type", "version", "jsonSchema")}
        if event.get("event") == rest.get("key"):
            rest.pop("key", None)
        if rule.get("version", 1) != 1:
            event["version"] = rule["version"]
        if rule.get("deprecatedAt") not in (None, "", NEVER):
            event["status"] = "deprecated"
        _schema(event, call, deepcopy(rule.get("jsonSchema") or {}), rest)
        _keep(found, event, rest)
    return found


def to_segment(plan: Plan) -> Json:
    """Write what from_segment reads; nothing that Segment's format can carry is lost, and the rest travels as x-tessera."""
    rules = []
    for event in [*plan.events, *([plan.common] if plan.common else [])]:
        rest = dict(event.notes().get("x-segment") or {})
        envelope = rest.pop("envelope", None)
        schema = _schema_out(event, envelope)
        head = {"type": event.type.upper(), "key": event.event or "", "version": event.version, "jsonSchema": schema}
        rules.append(head | rest)
    return _settings_out(plan) | {"rules": rules}


def _event(call: str, key: Any) -> Json:
    """Return the head of an event's mapping; a name belongs to track, page and screen calls."""
    event: Json = {"event": key} if key and call in ("track", "page", "screen") else {}
    return event | ({"type": call} if call != "track" else {})


def _schema(event: Json, call: str, schema: Json, rest: Json) -> None:
    """Put a rule's schema into an event: of a schema of the whole payload the part that describes the payload."""
    event |= schema.pop("x-tessera", {})
    inner = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    payload = PAYLOADS.get(call)
    if payload and {"context", payload} <= inner.keys() <= {*COMMON_PAYLOADS} and isinstance(inner.get(payload), dict):
        event["schema"] = inner[payload]
        inner[payload] = None
        rest["envelope"] = schema
    else:
        event["schema"] = schema


def _schema_out(event: Event, envelope: Json | None) -> Json:
    schema = deepcopy(event.schema_)
    if envelope:
        envelope = deepcopy(envelope)
        envelope["properties"][PAYLOADS[event.type]] = schema
        schema = envelope
    own = mapping(event)
    for key in ("event", "type", "version", "schema", "x-segment"):
        own.pop(key, None)
    if own.get("status") == "deprecated" and "deprecatedAt" in (event.notes().get("x-segment") or {}):
        del own["status"]
    return schema | ({"x-tessera": own} if own else {})


def _keep(found: Imported, event: Json, rest: Json) -> None:
    """File an event away with what is left of its rule."""
    if rest:
        event["x-segment"] = rest
    if event.get("type") == "common":
        found.common = event
    else:
        found.events.append(event)


def _named(plan: Json) -> Json:
    """Return plan.yml's part of an imported plan: its name and everything else it says of itself."""
    rest = {key: value for key, value in plan.items() if key != "rules"}
    if "x-tessera" in rest:
        return rest.pop("x-tessera") | ({"x-segment": rest} if rest else {})
    settings: Json = {"name": rest["name"]} if rest.get("name") and "display_name" not in rest else {}
    settings |= {"name": rest["display_name"]} if rest.get("display_name") else {}
    settings |= {"description": rest["description"]} if rest.get("description") else {}
    return settings | ({"x-segment": rest} if rest else {})


def _settings_out(plan: Plan) -> Json:
    own = plan.settings.model_dump(mode="json", exclude_defaults=True)
    kept = own.pop("x-segment", None)
    if kept is None:
        return {"name": plan.settings.name, "x-tessera": own}
    if set(own) <= {"name", "description"}:
        return dict(kept)
    return dict(kept) | {"x-tessera": own}


# ---------------------------------------------------------------- Segment, legacy Config API


def from_segment_legacy(plan: Json) -> Imported:
    """Read `{…, rules: {events: [{name, description, version, rules}], identify_traits, group_traits, global}}`."""
    found = Imported(settings=_named(plan))
    for rule in plan["rules"].get("events") or []:
        event, rest = _event("track", rule.get("name")), {k: v for k, v in rule.items() if k not in ("name", "version", "rules")}
        if rule.get("version", 1) != 1:
            event["version"] = rule["version"]
        _legacy_schema(event, deepcopy(rule.get("rules") or {}), rest)
        event.setdefault("description", rest.pop("description")) if rest.get("description") else None
        _keep(found, event, rest)
    kept = {key: value for key, value in plan["rules"].items() if key != "events"}
    found.settings.setdefault("x-segment", {})["rules"] = kept
    for key, call in {"identify_traits": "identify", "group_traits": "group"}.items():
        if kept.get(key):
            found.notes.append(f"the {call} rules are kept in plan.yml as delivered; plan {call} calls in a file of their own")
    if kept.get("global"):
        found.notes.append("the global rule is kept in plan.yml as delivered; write it into common.yml")
    return found


def _legacy_schema(event: Json, schema: Json, rest: Json) -> None:
    own = schema.pop("x-tessera", {})
    inner = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    if isinstance(inner.get("properties"), dict):
        event["schema"] = inner["properties"]
        inner["properties"] = None
    else:
        event["schema"] = {"type": "object"}
    rest["legacy"] = schema
    event |= own


def to_segment_legacy(plan: Plan) -> Json:
    """Write what from_segment_legacy reads."""
    settings = _settings_out(plan)
    others = settings.pop("rules", {})
    events = []
    for event in plan.events:
        if event.type != "track":
            continue
        rest = dict(event.notes().get("x-segment") or {})
        legacy = deepcopy(rest.pop("legacy", None)) or {
            "$schema": DRAFT,
            "type": "object",
            "properties": {"context": {}, "traits": {}, "properties": None},
        }
        inner = legacy.setdefault("properties", {})
        if "properties" in inner or event.schema_ != {"type": "object"}:
            inner["properties"] = deepcopy(event.schema_)
        own = {
            key: value
            for key, value in mapping(event).items()
            if key not in ("event", "version", "schema", "x-segment", "description")
        }
        rules = legacy | ({"x-tessera": own} if own else {})
        head: Json = {"name": event.event, "version": event.version, "rules": rules}
        events.append(({"description": event.description} if event.description is not None else {}) | head | rest)
    return settings | {"rules": {"events": events} | others}


# ---------------------------------------------------------------- Segment, CSV

COLUMNS = {
    "event": ("event name", "event", "name"),
    "description": ("event description", "description"),
    "version": ("event version", "version"),
    "labels": ("event labels", "labels"),
    "property": ("property name", "property", "property / trait name", "key"),
    "property_description": ("property description",),
    "type": ("property type", "data type", "property data type", "type"),
    "required": ("property required", "required", "property required?", "is required"),
    "permitted": ("permitted values", "property permitted values", "property values", "property example values", "regex"),
}


def from_csv(text: str) -> Imported:
    """Read one row a property; an empty event name continues the event above. `a.b` is nested, `a.$.b` lies in an array's items."""
    rows = list(csv.reader(io.StringIO(text)))
    heads = [cell.strip().lower() for cell in rows[0]] if rows else []
    at = {key: next((heads.index(name) for name in names if name in heads), None) for key, names in COLUMNS.items()}
    if at["event"] is None or at["property"] is None:
        raise UsageError(
            "This CSV is no tracking plan.",
            where="line 1",
            found=", ".join(heads)[:200],
            allowed="a column `Event Name` and a column `Property Name`",
            fix="give the columns these names",
        )
    found = Imported()
    events: dict[tuple[str, int], Json] = {}
    current: Json | None = None
    for number, row in enumerate(rows[1:], start=2):
        cell = {key: row[place].strip() if place is not None and place < len(row) else "" for key, place in at.items()}
        if cell["event"]:
            version = int(cell["version"]) if cell["version"].isdigit() else 1
            current = events.setdefault((cell["event"], version), {"event": cell["event"]})
            current |= {"version": version} if version != 1 else {}
            current |= {"description": cell["description"]} if cell["description"] else {}
            labels = dict(part.split(":", 1) for part in re.split(r"[,;]\s*", cell["labels"]) if ":" in part)
            current |= {"labels": {key.strip(): value.strip() for key, value in labels.items()}} if labels else {}
            current.setdefault("schema", {"type": "object", "properties": {}})
        if cell["property"] and current is None:
            found.notes.append(f"line {number}: a property without an event is left out")
        elif cell["property"]:
            _place(current["schema"], cell["property"].split("."), cell)
    found.events = list(events.values())
    return found


def _place(schema: Json, path: list[str], cell: dict[str, str]) -> None:
    """Put a CSV row's property where its path says."""
    for step, following in itertools.pairwise(path):
        if step == "$":
            continue
        schema = schema.setdefault("properties", {}).setdefault(step, {})
        if following == "$":
            schema["type"] = "array"
            schema = schema.setdefault("items", {"type": "object"})
        else:
            schema["type"] = "object"
    name, own = path[-1], _described(cell)
    if name == "$":
        schema.clear()
        schema |= own
        return
    properties = schema.setdefault("properties", {})
    properties[name] = own | properties.get(name, {})
    if cell["required"].lower() in ("true", "yes", "required", "1", "x"):
        schema.setdefault("required", []).append(name)


def _described(cell: dict[str, str]) -> Json:
    types = [part.strip().lower() for part in re.split(r"[|,/]", cell["type"]) if part.strip()]
    schema: Json = {"description": cell["property_description"]} if cell["property_description"] else {}
    if "date-time" in types:
        schema["format"] = "date-time"
    named = list(dict.fromkeys("string" if name == "date-time" else name for name in types if name != "any"))
    schema |= {"type": named[0] if len(named) == 1 else named} if named else {}
    if cell["permitted"]:
        schema["pattern"] = cell["permitted"]
    return schema


# ---------------------------------------------------------------- RudderStack

RUDDER_CONFIG = {"itemTypes": None, "item_types": None, "min_length": "minLength", "max_length": "maxLength", "min_items": "minItems",
                 "max_items": "maxItems", "exclusive_minimum": "exclusiveMinimum", "exclusive_maximum": "exclusiveMaximum",
                 "unique_items": "uniqueItems", "multiple_of": "multipleOf"}  # fmt: skip


class _Rudder:
    """The resources of a RudderStack project, by their references."""

    def __init__(self, documents: Sequence[Json]) -> None:
        self.items: dict[tuple[str, str], Json] = {}
        self.plans: list[Json] = []
        self.missing: list[str] = []
        kinds = {"events": "events", "properties": "properties", "custom-types": "types", "categories": "categories"}
        for document in documents:
            kind, spec = document.get("kind"), document.get("spec") or {}
            if kind in ("tp", "tracking-plan"):
                self.plans.append(spec)
            elif kind in kinds:
                for item in spec.get(kinds[kind]) or []:
                    self.items[kind, item["id"]] = item

    def find(self, reference: Any) -> tuple[str, Json | None]:
        """Return the id that a reference names, and the resource if it was given: `#/events/group/id` or `#event:id`."""
        text = str(reference)
        kind, _, name = (
            text.removeprefix("#/").rpartition("/") if text.startswith("#/") else text.removeprefix("#").partition(":")
        )
        kind = {"event": "events", "property": "properties", "custom-type": "custom-types"}.get(kind, kind.split("/")[0])
        item = self.items.get((kind, name))
        if item is None:
            self.missing.append(text)
        return name, item

    def schema(self, properties: Sequence[Json], additional: bool | None) -> Json:
        """Return the schema of an object that a rule or a custom type describes."""
        schema: Json = {"type": "object", "properties": {}}
        for rule in properties:
            name, item = self.find(rule.get("$ref") or rule.get("property"))
            item = item or {}
            child = self.property(item)
            if rule.get("properties"):
                child |= self.schema(rule["properties"], rule.get("additional_properties"))
            schema["properties"][item.get("name") or name] = child
            if rule.get("required"):
                schema.setdefault("required", []).append(item.get("name") or name)
        return schema | ({"additionalProperties": additional} if additional is not None else {})

    def property(self, item: Json) -> Json:
        """Return the schema of a property or of a custom type."""
        schema: Json = {"description": item["description"]} if item.get("description") else {}
        kind = str(item.get("type") or "")
        if kind.startswith("#"):
            schema = self.property(self.find(kind)[1] or {}) | schema
        elif kind:
            named = [name.strip() for name in kind.split(",")]
            schema["type"] = named[0] if len(named) == 1 else named
        settings = item.get("propConfig") or item.get("config") or {}
        items = settings.get("itemTypes") or settings.get("item_types") or []
        if items:
            references = [self.property(self.find(name)[1] or {}) for name in items if str(name).startswith("#")]
            plain = [name for name in items if not str(name).startswith("#")]
            schema["items"] = references[0] if references else {"type": plain[0] if len(plain) == 1 else plain}
        schema |= {
            RUDDER_CONFIG.get(key) or key: value for key, value in settings.items() if key not in ("itemTypes", "item_types")
        }
        if item.get("properties"):
            schema |= self.schema(item["properties"], None)
        if item.get("variants"):
            schema["x-rudder"] = {"variants": item["variants"]}
        return schema


def from_rudder(documents: Sequence[Any]) -> Imported:
    """Read the YAML of a RudderStack project: plans, and the events, properties and custom types they refer to."""
    project = _Rudder([document for document in documents if isinstance(document, dict)])
    if not project.plans:
        raise UsageError(
            "These YAML files hold no tracking plan.",
            allowed="a document with `kind: tp` or `kind: tracking-plan`",
            fix="name its file too",
        )
    found = Imported()
    for plan in project.plans:
        kept = {key: value for key, value in plan.items() if key not in ("rules", "display_name", "description")}
        found.settings |= {"name": plan.get("display_name") or plan.get("id"), "description": plan.get("description") or ""}
        found.settings["x-rudder"] = kept
        for rule in plan.get("rules") or []:
            reference = rule["event"].get("$ref") if isinstance(rule.get("event"), dict) else rule.get("event")
            name, item = project.find(reference)
            item = item or {}
            call = item.get("event_type") or "track"
            options = rule["event"] if isinstance(rule.get("event"), dict) else rule
            additional = options.get("allow_unplanned", rule.get("additional_properties"))
            event = _event(call, item.get("name") or (name if call == "track" else None))
            event |= {"description": item["description"]} if item.get("description") else {}
            if item.get("category"):
                event["labels"] = {"category": project.find(item["category"])[0]}
            event["schema"] = project.schema(rule.get("properties") or [], additional)
            event["x-rudder"] = {"rule": rule.get("id"), "event": reference} | (
                {"variants": rule["variants"]} if rule.get("variants") else {}
            )
            if rule.get("variants"):
                found.notes.append(f"{name}: variants are kept as x-rudder, and checked by nothing")
            found.events.append(event)
    found.notes += [f"{reference} is not in the files given" for reference in dict.fromkeys(project.missing)]
    return found


# ---------------------------------------------------------------- JSON Schema


def to_json_schema(plan: Plan) -> Json:
    """Return one draft-07 schema an event version, by its name: of properties, or of traits."""
    schemas = {}
    for event in plan.events:
        name = event.label + (f" (version {event.version})" if event.version != 1 else "")
        title: Json = {"$schema": DRAFT, "title": name} | ({"description": event.description} if event.description else {})
        schemas[name] = title | deepcopy(event.schema_)
    return schemas


EXPORTS: dict[str, Callable[[Plan], Json]] = {
    "segment": to_segment,
    "segment-legacy": to_segment_legacy,
    "jsonschema": to_json_schema,
}


def write(found: Imported, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write an imported plan's files and return them; raise UsageError where one exists, before anything is written."""
    taken: set[str] = set()
    files = {folder / "events" / file_name(event, taken): event for event in found.events}
    files |= {folder / "common.yml": found.common} if found.common else {}
    if found.settings and not (folder / "plan.yml").exists():
        files[folder / "plan.yml"] = found.settings
    if (existing := [file for file in files if file.exists()]) and not overwrite:
        raise UsageError(
            "The import would overwrite files.",
            where=", ".join(str(file) for file in existing[:5]),
            fix="choose an empty folder with --into, or say --overwrite",
        )
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(to_yaml(content), encoding="utf-8")
    return list(files)
