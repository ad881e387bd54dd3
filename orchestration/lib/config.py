"""The YAML that people write in `dbt_project/config`, validated and compiled into macros before dbt starts.

Each file becomes one macro `config_<file>()` that returns its content, in a git-ignored folder. Errors name file, line, what was
found and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import duckdb
import phonenumbers
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestration.lib import sources
from orchestration.lib.errors import UsageError


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", value):
        raise ValueError("a name is a lower-case letter, then letters, digits or _")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if re.search(r"\(\?[=!<a-z]|\\[a-zA-Z]", value):
        raise ValueError("look-around, flags and \\d-like classes differ between engines; write classes such as [0-9]")
    if all(re.search(value, text) for text in ("jane", "7", "+")):
        raise ValueError("a pattern of some values; this one matches every value")
    return value


Name = Annotated[str, AfterValidator(_identifier)]
Pattern = Annotated[str, AfterValidator(_pattern)]


# Words that other engines than DuckDB reserve.
RESERVED_ELSEWHERE = {
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "exists",
    "grant", "localtime", "localtimestamp", "minus", "session_user", "system_user", "unknown", "user",
}  # fmt: skip


@cache
def _reserved() -> set[str]:
    """Return the words that no column can have as its name without quotes."""
    words = "select keyword_name from duckdb_keywords() where keyword_category in ('reserved', 'type_function')"
    with duckdb.connect() as connection:
        return RESERVED_ELSEWHERE | {word for (word,) in connection.execute(words).fetchall()}


TRAIT_KEYS = {"profile_id", "account_id", "holder_key"}  # columns beside the traits


def _column(value: str) -> str:
    if value in _reserved() or value in TRAIT_KEYS:
        raise ValueError("a trait is a column: its name is no word that SQL reserves, nor profile_id, account_id or holder_key")
    return _identifier(value)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Content = TypeVar("Content", bound=BaseModel)


class _FoundAtError(ValueError):
    """What is wrong lies deeper than the validator that finds it."""

    def __init__(self, message: str, *location: int | str) -> None:
        super().__init__(message)
        self.location = location


def _unique(content: Content, key: str) -> Content:
    names = [item.name for item in getattr(content, key)]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise _FoundAtError("each name occurs once", key, number, "name")
    return content


class Blocked(_Strict):
    values: list[str] = []
    patterns: list[Pattern] = []


# Where the identifiers that every source knows lie in a call, and how they are compared. The first place that has a value counts.
KNOWN_PLACES = {"user_id": ["userId"], "anonymous_id": ["anonymousId"], "group_id": ["groupId"]}
KNOWN_NORMALISATIONS = {"email": "lower", "phone": "phone"}
KNOWN_LIMITS = {"user_id": 1, "email": 5}
CALL_FIELDS = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id"}
PHONE_PLACES = {"traits.phone", "context.traits.phone"}
# A type is a column of staging and of identity: it must be none of theirs, nor a word of SQL.
TAKEN = {
    "event_id", "type", "event", "event_version", "previous_id", "source_id", "file_id", "name", "properties", "traits",
    "context", "line_number", "timestamp", "client_at", "original_at", "sent_at", "received_at", "claimed_at", "occurred_at",
    "has_unreadable_time", "combination", "event_count", "new_event_count", "run_number", "first_run_number", "first_event_id",
    "first_occurred_at", "last_occurred_at", "first_received_at",
}  # fmt: skip
PLACE = re.compile(
    r"(?P<field>userId|anonymousId|groupId)"
    r"|context\.externalIds\[(?P<external>[a-z][a-z0-9_.]*)\]"
    r"|(?P<column>traits|context|properties)\.(?P<path>[A-Za-z0-9_$ -]+(\.[A-Za-z0-9_$ -]+)*)(\?(?P<parameter>[A-Za-z_]\w*))?"
)


def _type_name(value: str) -> str:
    if value in _reserved() or value in TAKEN or value.endswith("_node"):
        raise ValueError("this name is taken, by SQL or by a column of every event; choose another, such as card_number")
    return value


TypeName = Annotated[Name, AfterValidator(_type_name)]


def _json_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


class Place(_Strict):
    """Where a call may name an identifier. `path` is written `traits.email`, `context.page.url?ajs_uid` (a parameter of an address) or
    `context.externalIds[crm_id]`; `when` maps paths to the text that must stand there, such as context.device.type: android."""

    path: str
    when: dict[str, Annotated[str, BeforeValidator(_json_text)]] = {}

    @field_validator("path")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if not PLACE.fullmatch(value):
            raise ValueError(
                "a place is userId, anonymousId, groupId, a key of traits, context or properties (traits.email), a parameter of an"
                " address (context.page.url?ajs_uid) or an external id (context.externalIds[crm_id]); keys are letters, digits, blanks,"
                " _, $ and -"
            )
        return value

    @field_validator("when")
    @classmethod
    def _are_keys(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value:
            found = PLACE.fullmatch(path)
            if not found or not found["path"] or found["parameter"]:
                raise ValueError("a condition is on a key of traits, context or properties, such as context.device.type: android")
        return value

    def compiled(self) -> dict[str, Any]:
        """Return the column that holds the place and the way within it."""
        found = PLACE.fullmatch(self.path)
        assert found
        return {
            "column": CALL_FIELDS.get(found["field"] or "", found["column"] or "context"),
            "path": found["path"].split(".") if found["path"] else [],
            "parameter": found["parameter"],
            "external": found["external"],
            "when": [
                {"column": path.split(".")[0], "path": path.split(".")[1:], "value": value} for path, value in self.when.items()
            ],
        }


def _place(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Identifier(_Strict):
    """One type of identifier. Of `found_in` the first place with a value counts; those of `also_in` are looked at as well."""

    type: TypeName
    found_in: list[Annotated[Place, BeforeValidator(_place)]] = Field(min_length=1)
    also_in: list[Annotated[Place, BeforeValidator(_place)]] = []
    normalise: Literal["trim", "lower", "phone"]
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _known_types_have_defaults(cls, value: Any) -> Any:
        value = {"type": value} if isinstance(value, str) else value
        if not isinstance(value, dict) or not isinstance(name := value.get("type"), str):
            return value
        defaults = {
            "found_in": KNOWN_PLACES.get(name, [f"traits.{name}", f"context.traits.{name}"]),
            "normalise": KNOWN_NORMALISATIONS.get(name, "trim"),
            "limit": KNOWN_LIMITS.get(name),
        }
        return defaults | value

    @model_validator(mode="after")
    def _places_fit(self) -> Identifier:
        fixed = KNOWN_PLACES.get(self.type)
        if fixed and [place.path for place in self.found_in] != fixed:
            raise ValueError(f"{self.type} is found in {fixed[0]}; write other places under also_in")
        if self.normalise == "phone" and not {place.path for place in (*self.found_in, *self.also_in)} <= PHONE_PLACES:
            raise ValueError(f"phones are read as numbers when they are loaded, from {' and '.join(sorted(PHONE_PLACES))} only")
        return self


def _region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("a country as ISO 3166 writes it, such as GB (not UK)")
    return value


Region = Annotated[str, AfterValidator(_region)]


class LoginWindow(_Strict):
    """How far from a login, in minutes, an event on an identifier that several people use may lie to belong to it; 0: never."""

    shared: int = Field(ge=0, le=5_256_000)  # ten years
    contested: int = Field(ge=0, le=5_256_000)


class Identity(_Strict):
    """`identity.yml`: identifier types (strongest first), the region of national phone numbers, the sharing limit, junk values."""

    identifiers: list[Identifier] = Field(min_length=2)
    default_region: Region
    sharing_limit: int = Field(ge=1)
    login_window_minutes: LoginWindow
    largest_profile: int = Field(default=500, ge=2)
    alias: Literal["user_id", "anonymous_id"] | None = None
    blocked: Blocked

    @field_validator("identifiers")
    @classmethod
    def _types_are_unique(cls, value: list[Identifier]) -> list[Identifier]:
        names = [identifier.type for identifier in value]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each type occurs once; more than once: {', '.join(repeated)}")
        columns = {f"{identifier.type}_{number}" for identifier in value for number, _ in enumerate(identifier.also_in, 2)}
        if taken := sorted(columns & set(names)):
            raise ValueError(f"also_in takes these names, choose others: {', '.join(taken)}")
        return value

    @field_validator("alias")
    @classmethod
    def _alias_joins_types(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not {"user_id", value} <= {identifier.type for identifier in info.data.get("identifiers", [])}:
            raise ValueError("alias joins previousId, read as the type it names, to userId: both types must be identifiers")
        return value

    def compiled(self) -> dict[str, Any]:
        """Return what the models read: beside the types, the `columns` that staging fills, one a type and one a place of `also_in`."""
        types = [
            {"type": identifier.type, "priority": priority, "limit": identifier.limit, "normalise": identifier.normalise}
            for priority, identifier in enumerate(self.identifiers, 1)
        ]
        columns = []
        for known, identifier in zip(types, self.identifiers, strict=True):
            found = [[place.compiled() for place in identifier.found_in]]
            found += [[place.compiled()] for place in identifier.also_in]
            for number, places in enumerate(found, 1):
                name = identifier.type if number == 1 else f"{identifier.type}_{number}"
                columns.append(known | {"name": name, "places": places})
        order = {identifier.type: 0 for identifier in self.identifiers} | {"previous_id": 1}
        if self.alias:
            known = next(known for known in types if known["type"] == self.alias)
            columns.append(known | {"name": "previous_id", "places": []})
        return {
            "identifiers": types,
            "columns": sorted(columns, key=lambda column: (column["priority"], order.get(column["name"], 2))),
            "default_region": self.default_region,
            "sharing_limit": self.sharing_limit,
            "login_window_minutes": self.login_window_minutes.model_dump(),
            "largest_profile": self.largest_profile,
            "alias": self.alias,
            "blocked": self.blocked.model_dump(mode="json"),
        }


class Audience(_Strict):
    name: Name
    description: str
    holdout_percent: int = Field(default=0, ge=0, le=50)


class Audiences(_Strict):
    """`audiences.yml`: the audiences, each with a model `audience_<name>`."""

    audiences: list[Audience] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Audiences:
        return _unique(self, "audiences")


class Sync(_Strict):
    name: Name
    audience: Name
    purpose: Name
    destination: Literal["files"]
    columns: list[Name] = Field(min_length=1)


class Syncs(_Strict):
    """`syncs.yml`: what leaves, for whom, on which consent."""

    syncs: list[Sync]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Syncs:
        return _unique(self, "syncs")


TileRange = Annotated[list[Annotated[int, Field(ge=1, le=10)]], Field(min_length=2, max_length=2)]


class Group(_Strict):
    """Ranges of tiles, [lowest, highest]; null holds every tile."""

    name: Name
    recency: TileRange | None = None
    frequency: TileRange | None = None
    monetary: TileRange | None = None

    @model_validator(mode="after")
    def _ranges_run_upwards(self) -> Group:
        for tiles in (self.recency, self.frequency, self.monetary):
            if tiles and tiles[0] > tiles[1]:
                raise ValueError("a range is [lowest tile, highest tile]")
        return self


class Grouping(_Strict):
    name: Name
    groups: list[Group] = Field(min_length=1)
    otherwise: Name

    @model_validator(mode="after")
    def _names_are_unique(self) -> Grouping:
        return _unique(self, "groups")


class Rfm(_Strict):
    """`rfm.yml`: other names for the tiles, beside the eight cohorts, and how many clusters are sought."""

    clusters: Annotated[int, Field(ge=2, le=12)] | None = None
    groupings: list[Grouping] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Rfm:
        return _unique(self, "groupings")


class GoldenField(_Strict):
    name: Name
    keys: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_$ -]+(\.[A-Za-z0-9_$ -]+)*$")]] = Field(min_length=1)
    event: Annotated[str, Field(min_length=1)] | None = None
    rule: Literal["latest", "first", "most_frequent", "maximum", "source_priority"]
    sources: list[str] = []

    @model_validator(mode="after")
    def _sources_have_an_order(self) -> GoldenField:
        if (self.rule == "source_priority") != bool(self.sources):
            raise ValueError("source_priority needs `sources`, and no other rule has them")
        return self


class Profiles(_Strict):
    """`profiles.yml`: the golden record, each field with its rule of survivorship."""

    fields: list[GoldenField] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Profiles:
        return _unique(self, "fields")


OPERATORS = Literal[
    "equals", "not_equals", "less_than", "less_or_equal", "greater_than", "greater_or_equal", "contains", "not_contains",
    "starts_with", "ends_with", "exists", "not_exists", "before_date", "after_date", "equals_one_of", "contains_one_of",
]  # fmt: skip
COLUMNS = {
    "events": (),
    "orders": ("net_revenue", "revenue", "refunded", "currency"),
    "sessions": ("channel", "source", "medium", "campaign", "event_count", "page_view_count", "has_conversion"),
}


def _property(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_$ -]+(\.[A-Za-z0-9_$ -]+)*", value):
        raise ValueError("a property is a key, or keys joined by dots, of letters, digits, blanks, _, $ and -")
    if value.startswith("at.") and value not in ("at.hour", "at.weekday"):
        raise ValueError("of its time, at.hour and at.weekday can be had")
    return value


Property = Annotated[str, AfterValidator(_property)]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_item(value: Any) -> bool:
    return _is_text(value) or _is_number(value)


def _is_date(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _is_list_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and bool(value) and all(map(fits, value))


class Condition(_Strict):
    property: Property
    operator: OPERATORS
    value: Any = None

    @field_validator("value")
    @classmethod
    def _a_truth_value_is_its_text(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [str(item).lower() if isinstance(item, bool) else item for item in value]
        return str(value).lower() if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _the_operator_has_its_value(self) -> Condition:
        wanted: dict[str, tuple[str, Callable[[Any], bool]]] = {
            **dict.fromkeys(("exists", "not_exists"), ("no value", lambda value: value is None)),
            **dict.fromkeys(("equals", "not_equals"), ("a text, a number, true or false", _is_item)),
            **dict.fromkeys(("less_than", "less_or_equal", "greater_than", "greater_or_equal"), ("a number without quotes", _is_number)),
            **dict.fromkeys(("contains", "not_contains", "starts_with", "ends_with"), ("a text (a number in quotes)", _is_text)),
            **dict.fromkeys(("before_date", "after_date"), ("a date without quotes or time, such as 2026-01-31", _is_date)),
            "equals_one_of": ("a list of texts and numbers", lambda value: _is_list_of(value, _is_item)),
            "contains_one_of": ("a list of texts", lambda value: _is_list_of(value, _is_text)),
        }  # fmt: skip
        kind, fits = wanted[self.operator]
        if not fits(self.value):
            raise ValueError(f"{self.operator} takes {kind}")
        return self


class Trait(_Strict):
    name: Annotated[str, AfterValidator(_column)]
    description: str = Field(min_length=1)
    level: Literal["profile", "account"] = "profile"
    source: Literal["events", "orders", "sessions"]
    event: Annotated[str, Field(min_length=1)] | None = None
    kind: Literal[
        "count", "sum", "average", "minimum", "maximum", "most_frequent", "first", "last", "unique_list", "unique_count"
    ]
    property: Property | None = None
    where: list[Condition] = []
    within_days: int | None = Field(default=None, ge=1, le=36_500)
    minimum_count: int = Field(default=2, ge=1)
    winner_count: int = Field(default=1, ge=1)
    when_none: int | None = None

    @model_validator(mode="after")
    def _its_parts_fit(self) -> Trait:
        if (self.source == "events") != (self.event is not None):
            raise ValueError("the source events needs `event`, and no other source has one")
        if self.level == "account" and self.source == "sessions":
            raise ValueError("an account has events and orders, no sessions")
        if (self.kind == "count") != (self.property is None):
            raise ValueError("count has no property, and every other kind needs one")
        for name in (self.property, *(condition.property for condition in self.where)):
            columns = COLUMNS[self.source]
            if name and columns and name not in columns and not name.startswith("at."):
                raise ValueError(f"{name} is no column of {self.source}; there are {', '.join(columns)}, at.hour, at.weekday")
        if self.kind != "most_frequent" and self.model_fields_set & {"minimum_count", "winner_count"}:
            raise ValueError("minimum_count and winner_count belong to most_frequent")
        if self.when_none is not None and self.kind not in ("sum", "average", "minimum", "maximum"):
            raise ValueError("when_none belongs to sum, average, minimum and maximum")
        return self


class Traits(_Strict):
    """`traits.yml`: the computed traits, and the traits of any kind whose history is not kept."""

    traits: list[Trait] = Field(min_length=1)
    no_history: list[Name] = []

    @model_validator(mode="after")
    def _both_levels_have_traits(self) -> Traits:
        if {trait.level for trait in self.traits} != {"profile", "account"}:
            raise ValueError("there must be one trait at least of each level, profile and account")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Traits:
        return _unique(self, "traits")


def _schema(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value):
        raise ValueError("the name of a schema or a database is a letter or _, then letters, digits or _")
    return value


Schema = Annotated[str, AfterValidator(_schema)]


class SegmentTables(_Strict):
    schema_: Schema = Field(alias="schema")
    database: Schema | None = None
    source: Annotated[str, Field(pattern=f"^{sources.NAME.pattern}$")] | None = None


class Inputs(_Strict):
    """`inputs.yml`: schemas in which Segment or RudderStack land their tables."""

    segment_tables: list[SegmentTables] = []

    @model_validator(mode="after")
    def _schemas_are_unique(self) -> Inputs:
        names = [(item.database, item.schema_.lower()) for item in self.segment_tables]
        if len(set(names)) < len(names):
            raise ValueError("each schema occurs once")
        return self


FILES: dict[str, tuple[type[BaseModel], str | None]] = {
    "identity": (Identity, None),
    "profiles": (Profiles, None),
    "rfm": (Rfm, None),
    "traits": (Traits, None),
    "inputs": (Inputs, None),
    "audiences": (Audiences, "audiences"),
    "syncs": (Syncs, "syncs"),
}


PLAIN = {  # pydantic's words for what an analyst may write, in the analyst's
    "extra_forbidden": "there is no such key here",
    "missing": "the key is missing and must be given",
    "list_type": "a list, [in, brackets] or an item a line",
    "string_type": "a text (in quotes if it looks like a number or a date)",
    "model_type": "keys with values",
}


def read(file: Path, kind: str | None = None) -> BaseModel:
    """Return a config file's content, validated; raise UsageError with file and line where it is wrong.

    `kind` is one of FILES; default: the file's name.
    """
    return read_as(file, FILES[kind or file.stem][0])


def read_as(file: Path, model: type[Content], loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Content:
    """Return a YAML file's content as a model; raise UsageError with file and line where it is wrong."""
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=loader)
        _refuse_repeated_keys(file, node)
        return model.model_validate(yaml.load(text, Loader=loader) or {})  # noqa: S506 (a kind of SafeLoader)
    except FileNotFoundError:
        raise UsageError("A configuration file is missing.", where=str(file), fix="restore it from git") from None
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(
            "A configuration file is not text in UTF-8.", where=f"{file}:{line}", fix="save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(
            "A configuration file is not YAML.",
            where=f"{file}:{mark.line + 1 if mark else 1}",
            found=str(getattr(error, "problem", error)),
            fix="correct the line; check indentation and quotes",
        ) from None
    except ValidationError as error:
        # A misspelt key is an unknown key and a missing one: name the one that is written in the file.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        deeper = getattr(first.get("ctx", {}).get("error"), "location", ())
        location, found = (*first["loc"], *deeper), first["input"]
        for part in deeper:
            found = found[part]
        raise UsageError(
            "A configuration file is not valid.",
            where=f"{file}:{line_of(node, location)} ({'.'.join(str(part) for part in location) or 'the file'})",
            found=repr(found)[:120],
            allowed=PLAIN.get(first["type"], first["msg"].removeprefix("Value error, ")),
            fix="correct the value; comments in the file explain each key",
        ) from None


def _refuse_repeated_keys(file: Path, node: yaml.Node | None) -> None:
    """YAML takes the last of two equal keys: the first, a whole list of traits maybe, would be lost without a word."""
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if str(key.value) in lines:
                raise UsageError(
                    "A configuration file has a key twice.",
                    where=f"{file}:{line}",
                    found=f"{key.value}, which line {lines[str(key.value)]} has as well",
                    allowed="each key once",
                    fix="put both under one key, or remove one",
                )
            lines[str(key.value)] = line
            children.append(value)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        _refuse_repeated_keys(file, child)


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the line (from 1) of the deepest node that exists on the way to a location."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def read_all(folder: Path, models: Path, identity: Path | None = None) -> dict[str, Any]:
    """Return every config file's content by name, checked against each other and against the audience models.

    `identity` names another file than `identity.yml` in the folder.
    """
    content = {name: read(folder / f"{name}.yml") for name in FILES if name != "identity"}
    content["identity"] = read(identity or folder / "identity.yml", "identity")
    audiences = {audience.name for audience in content["audiences"].audiences}  # type: ignore[attr-defined]
    files = {file.stem.removeprefix("audience_") for file in (models / "audiences").glob("audience_*.sql")}
    files -= {"changes", "members"}
    if audiences != files:
        missing, unlisted = sorted(audiences - files), sorted(files - audiences)
        raise UsageError(
            "Audiences and their models differ.",
            where=str(folder / "audiences.yml"),
            found=f"listed without a model: {missing}; models not listed: {unlisted}",
            allowed="one line for each models/audiences/audience_<name>.sql",
            fix="add or remove the line or the file",
        )
    for sync in content["syncs"].syncs:  # type: ignore[attr-defined]
        if sync.audience not in audiences:
            raise UsageError(
                "A sync names an audience that does not exist.",
                where=f"{folder / 'syncs.yml'} ({sync.name})",
                found=sync.audience,
                allowed=", ".join(sorted(audiences)),
                fix="correct `audience`, or add the audience",
            )
    return content


def compile_macros(folder: Path, models: Path, output: Path, identity: Path | None = None) -> None:
    """Write one macro a config file. A file that would not change keeps its time, so that dbt need not parse anew."""
    content = read_all(folder, models, identity)
    output.mkdir(parents=True, exist_ok=True)
    for name, (_, key) in FILES.items():
        value = content[name].compiled() if name == "identity" else content[name].model_dump(mode="json", by_alias=True)
        text = (
            f"{{# Compiled from config/{name}.yml; edits here are lost. #}}\n"
            f"{{% macro config_{name}() %}}{{{{ return({jinja_literal(value[key] if key else value)}) }}}}{{% endmacro %}}\n"
        )
        file = output / f"config_{name}.sql"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def jinja_literal(value: Any) -> str:
    """Return a Jinja literal. Text is data, never template: braces are written as escapes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{jinja_literal(key)}: {jinja_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(jinja_literal(item) for item in value) + "]"
    if value is None:
        return "none"
    if isinstance(value, str):
        return repr(value).replace("{", "\\x7b").replace("}", "\\x7d")
    return repr(value)
