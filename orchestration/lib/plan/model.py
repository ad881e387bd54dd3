"""The plan's files as people write them, read and checked: `events/*.yml`, `common.yml`, `plan.yml`.

Every problem has a file, a line and a sentence. Errors keep the plan from being compiled; warnings are the lint's advice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.lib import config
from orchestration.lib.errors import UsageError
from orchestration.lib.plan import schema as schemas

Outcome = Literal["allow", "omit", "quarantine"]
Call = Literal["track", "identify", "page", "screen", "group", "common"]
PAYLOADS = {"track": "properties", "page": "properties", "screen": "properties", "identify": "traits", "group": "traits"}
COMMON_PAYLOADS = ("properties", "traits", "context")


class Loader(yaml.SafeLoader):
    """YAML as JSON knows it: only true and false are booleans (not yes, no, on, off), a date is a text, a key occurs once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} occurs twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("null", "merge")]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
    list("-0123456789"),
)


def _float(loader: Loader, node: Any) -> float:
    return float(loader.construct_scalar(node))


Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _visible(value: str) -> str:
    if not value or re.search(r"[\x00-\x1f]", value):
        raise ValueError("a name is a text without control characters")
    return value


Text = Annotated[str, AfterValidator(_visible)]


class _Written(BaseModel):
    """Keys that begin with x- are notes, kept verbatim; any other unknown key is a mistake."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _extras_are_notes(self) -> _Written:
        known = [field.alias or name for name, field in type(self).model_fields.items()]
        for key in self.model_extra or {}:
            if not key.startswith("x-"):
                raise ValueError(f"`{key}` is no key here; allowed: {', '.join(known)}, and notes that begin with x-")
        return self

    def notes(self) -> dict[str, Any]:
        """Return the keys that begin with x-."""
        return dict(self.model_extra or {})


class Enforce(_Written):
    """What happens to a message that breaks the plan. Null: as the plan says for its source."""

    unplanned_event: Literal["allow", "quarantine"] | None = None
    unplanned_property: Outcome | None = None
    invalid: Outcome | None = None


class Consolidation(_Written):
    """Names that become this event at staging. `rename`: old → new property; `set`: a property's value; `map`: property → old → new."""

    from_: list[Text] = Field(alias="from", min_length=1)
    sources: list[Text] = []
    until: date | None = None
    rename: dict[Text, Text] = {}
    set: dict[Text, str | bool | int | float | None] = {}
    map: dict[Text, dict[str, str]] = {}

    @field_validator("from_", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Event(_Written):
    """One version of one planned call. Without `event` it is every identify or group call, or every page or screen not named."""

    event: Text | None = None
    type: Call = "track"
    version: int = Field(default=1, ge=1)
    status: Literal["draft", "live", "deprecated"] = "live"
    sunset: date | None = None
    owner: str | None = None
    description: str | None = None
    labels: dict[str, str] = {}
    schema_: dict[str, Any] = Field(alias="schema")
    consolidate: list[Consolidation] = []
    enforce: Enforce = Enforce()

    @model_validator(mode="after")
    def _type_and_name_agree(self) -> Event:
        if self.type == "track" and self.event is None:
            raise ValueError("a track call needs `event`, its exact name")
        if self.type in ("identify", "group", "common") and self.event is not None:
            raise ValueError(f"a rule for {self.type} calls has no `event`")
        if self.type != "track" and self.consolidate:
            raise ValueError("only track calls are consolidated")
        return self

    @property
    def is_compiled(self) -> bool:
        return self.status != "draft"

    @property
    def label(self) -> str:
        """The event as people say it."""
        return self.event or f"every {self.type} call"

    @property
    def meaning(self) -> str:
        """The description, here or in the schema."""
        return self.description or str(self.schema_.get("description") or "")


class Policy(_Written):
    unplanned_event: Literal["allow", "quarantine"] = "allow"
    unplanned_property: Outcome = "allow"
    invalid: Outcome = "allow"


class Naming(_Written):
    """Regular expressions that names should match, and names that are excused."""

    event: config.Pattern | None = None
    property: config.Pattern | None = None
    excused: list[str] = []


class Settings(_Written):
    """`plan.yml`: the defaults, the sources that differ from them, naming, golden funnels."""

    name: str = "Tracking plan"
    description: str = ""
    default: Policy = Policy()
    sources: dict[Text, Policy] = {}
    naming: Naming = Naming()
    funnels: dict[Literal["acquisition", "activation", "retention", "revenue", "referral"], list[Text]] = {}


@dataclass(frozen=True)
class Problem:
    """A sentence about a line of a file; a warning does not keep the plan from being compiled."""

    file: Path
    line: int
    text: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'' if self.is_error else 'warning: '}{self.text}"


@dataclass(frozen=True)
class Plan:
    """A whole plan. `files` says where each event is written."""

    settings: Settings = field(default_factory=Settings)
    events: Sequence[Event] = ()
    common: Event | None = None
    files: Sequence[Path] = field(default=(), compare=False)

    def live(self) -> list[Event]:
        """Return the events that are compiled: all but drafts."""
        return [event for event in self.events if event.is_compiled]

    def names(self) -> list[str]:
        """Return the names of the track calls that are planned (not drafts), once each."""
        return sorted({event.event for event in self.live() if event.type == "track" and event.event})


def read(folder: Path) -> Plan:
    """Return the plan in a folder; raise UsageError with file and line of its first error."""
    plan, problems = lint(folder)
    if first := next((problem for problem in problems if problem.is_error), None):
        raise UsageError(
            "The tracking plan is not valid.",
            where=f"{first.file}:{first.line}",
            found=first.text,
            fix="correct the line; `tessera plan lint` lists everything",
        )
    return plan


def lint(folder: Path) -> tuple[Plan, list[Problem]]:
    """Return the plan as far as it can be read, and everything that is wrong or could be better, in order of file and line."""
    problems: list[Problem] = []
    settings, common = Settings(), None
    events: list[Event] = []
    files: list[Path] = []
    if (folder / "plan.yml").exists():
        settings = _parse(folder / "plan.yml", Settings, problems) or settings
    if (folder / "common.yml").exists():
        common = _parse(folder / "common.yml", Event, problems)
        if common:
            problems += _check_common(folder / "common.yml", common)
    for file in sorted((folder / "events").glob("*.y*ml")):
        if event := _parse(file, Event, problems):
            events.append(event)
            files.append(file)
            problems += _check_event(file, event, settings.naming)
    plan = Plan(settings, events, common, files)
    problems += _check_together(folder, plan)
    return plan, sorted(problems, key=lambda problem: (str(problem.file), problem.line, problem.text))


def _parse(file: Path, model: type[Any], problems: list[Problem]) -> Any:
    try:
        return config.read_as(file, model, Loader)
    except UsageError as error:
        line = re.match(rf"{re.escape(str(file))}:(\d+)(?: \((.*)\))?", error.where)
        place = f"{line[2]}: " if line and line[2] and line[2] != "the file" else ""
        text = place + " · ".join(part for part in (error.allowed or error.what, error.found and f"found {error.found}") if part)
        problems.append(Problem(file, int(line[1]) if line else 1, text))
        return None


class _Lines:
    """Where things are written in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.node = yaml.compose(file.read_text(encoding="utf-8"), Loader=Loader)

    def problem(self, at: tuple[int | str, ...], text: str, *, is_error: bool = True) -> Problem:
        return Problem(self.file, config.line_of(self.node, at), text, is_error)


def _check_event(file: Path, event: Event, naming: Naming) -> Iterator[Problem]:
    lines = _Lines(file)
    if event.type == "common":
        yield lines.problem(("type",), "the common rule is written in common.yml")
        return
    draft = event.status == "draft"
    for at, text in schemas.problems(event.schema_):
        yield lines.problem(("schema", *at), text, is_error=not draft)
    kinds = event.schema_.get("type", "object")
    if "object" not in (kinds if isinstance(kinds, list) else [kinds]):
        yield lines.problem(("schema", "type"), f"a call's {PAYLOADS[event.type]} are an object")
    if not event.owner:
        yield lines.problem(("owner",), "no owner: say who answers for the event", is_error=False)
    if not event.meaning:
        yield lines.problem(("description",), "no description: say when the event is sent", is_error=False)
    if event.event and naming.event and event.event not in naming.excused and not re.search(naming.event, event.event):
        yield lines.problem(("event",), f"the name breaks the convention {naming.event}", is_error=False)
    for name in event.schema_.get("properties") or {}:
        if naming.property and name not in naming.excused and not re.search(naming.property, str(name)):
            yield lines.problem(
                ("schema", "properties", name), f"the property {name} breaks the convention {naming.property}", is_error=False
            )
    required, declared = event.schema_.get("required"), event.schema_.get("properties")
    for name in required if isinstance(required, list) else []:
        if name not in (declared or {}):
            yield lines.problem(("schema", "required"), f"{name} is required, but not described in properties", is_error=False)


def _check_common(file: Path, common: Event) -> Iterator[Problem]:
    lines = _Lines(file)
    if common.type != "common":
        yield lines.problem(("type",), "common.yml holds the rule for all calls: type: common")
    for at, text in schemas.problems(common.schema_):
        yield lines.problem(("schema", *at), text)
    declared = common.schema_.get("properties")
    for name in declared if isinstance(declared, dict) else []:
        if name not in COMMON_PAYLOADS:
            yield lines.problem(("schema", "properties", name), f"the common rule describes {', '.join(COMMON_PAYLOADS)}")
    for keyword in common.schema_:
        if keyword in schemas.ASSERTIONS - {"type", "properties"}:
            yield lines.problem(("schema", keyword), f"write {keyword} within {', '.join(COMMON_PAYLOADS)}")


def _check_together(folder: Path, plan: Plan) -> Iterator[Problem]:
    """Check the files against each other."""
    first: dict[tuple[str, str | None, int], Path] = {}
    written: defaultdict[str, list[tuple[Path, int]]] = defaultdict(list)
    names = set(plan.names())
    for file, event in zip(plan.files, plan.events, strict=True):
        key = (event.type, event.event, event.version)
        if key in first:
            yield _Lines(file).problem(
                ("event",), f"version {event.version} of {event.label} is planned in {first[key].name} already; raise `version`"
            )
        first.setdefault(key, file)
        for number, rule in enumerate(event.consolidate):
            lines = _Lines(file)
            for name in rule.from_:
                if name in names:
                    yield lines.problem(
                        ("consolidate", number, "from"), f"{name} is planned itself; remove its file or this consolidation"
                    )
                written[name].append((file, number))
    for name, places in written.items():
        rules = [(plan.events[plan.files.index(file)].consolidate[number], file, number) for file, number in places]
        for at, (rule, file, number) in enumerate(rules):
            if any(
                not earlier.sources or not rule.sources or set(earlier.sources) & set(rule.sources)
                for earlier, _, _ in rules[:at]
            ):
                yield _Lines(file).problem(("consolidate", number, "from"), f"{name} is consolidated twice for one source")
    settings = folder / "plan.yml"
    for funnel, steps in plan.settings.funnels.items():
        for number, step in enumerate(steps):
            if step not in names | {"Page Viewed", "Screen Viewed"}:
                yield _Lines(settings).problem(("funnels", funnel, number), f"{step} is a step, but no planned event")
