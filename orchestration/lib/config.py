"""The YAML that people write in `dbt_project/config`, validated and compiled into macros before dbt starts.

Each file becomes one macro `config_<file>()` that returns its content, in a git-ignored folder. Errors name file, line, what was
found and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    if re.search(r"\(\?[=!<]|\\[a-zA-Z]", value):
        raise ValueError("look-around and \\d-like classes differ between engines; write classes such as [0-9]")
    return value


Name = Annotated[str, AfterValidator(_identifier)]
Pattern = Annotated[str, AfterValidator(_pattern)]
IdentifierType = Literal["user_id", "email", "phone", "anonymous_id"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Content = TypeVar("Content", bound=BaseModel)


def _unique(content: Content, named: Sequence[Any]) -> Content:
    names = [item.name for item in named]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"each name occurs once; more than once: {', '.join(repeated)}")
    return content


class Blocked(_Strict):
    values: list[str] = []
    patterns: list[Pattern] = []


class Identity(_Strict):
    """`identity.yml`: identifier types (strongest first), the region of national phone numbers, the sharing limit, junk values."""

    identifiers: list[IdentifierType] = Field(min_length=2)
    default_region: str = Field(pattern="^[A-Z]{2}$")
    sharing_limit: int = Field(ge=1)
    blocked: Blocked


class Audience(_Strict):
    name: Name
    description: str
    holdout_percent: int = Field(default=0, ge=0, le=50)


class Audiences(_Strict):
    """`audiences.yml`: the audiences, each with a model `audience_<name>`."""

    audiences: list[Audience] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Audiences:
        return _unique(self, self.audiences)


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
        return _unique(self, self.syncs)


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
        return _unique(self, self.groups)


class Rfm(_Strict):
    """`rfm.yml`: other names for the tiles, beside the eight cohorts."""

    groupings: list[Grouping] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Rfm:
        return _unique(self, self.groupings)


FILES: dict[str, tuple[type[BaseModel], str | None]] = {
    "identity": (Identity, None),
    "rfm": (Rfm, None),
    "audiences": (Audiences, "audiences"),
    "syncs": (Syncs, "syncs"),
}


def read(file: Path) -> BaseModel:
    """Return a config file's content, validated; raise UsageError with file and line where it is wrong."""
    model, _ = FILES[file.stem]
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return model.model_validate(yaml.safe_load(text) or {})
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
        raise UsageError(
            "A configuration file is not valid.",
            where=f"{file}:{_line(node, first['loc'])} ({'.'.join(str(part) for part in first['loc']) or 'the file'})",
            found=repr(first["input"])[:120],
            allowed=first["msg"],
            fix="correct the value; comments in the file explain each key",
        ) from None


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
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


def read_all(folder: Path, models: Path) -> dict[str, Any]:
    """Return every config file's content by name, checked against each other and against the audience models."""
    content = {name: read(folder / f"{name}.yml") for name in FILES}
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


def compile_macros(folder: Path, models: Path, output: Path) -> None:
    """Write one macro a config file. A file that would not change keeps its time, so that dbt need not parse anew."""
    content = read_all(folder, models)
    output.mkdir(parents=True, exist_ok=True)
    for name, (_, key) in FILES.items():
        value = content[name].model_dump(mode="json")
        text = (
            f"{{# Compiled from config/{name}.yml; edits here are lost. #}}\n"
            f"{{% macro config_{name}() %}}{{{{ return({_literal(value[key] if key else value)}) }}}}{{% endmacro %}}\n"
        )
        file = output / f"config_{name}.sql"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _literal(value: Any) -> str:
    """Return a Jinja literal. Text is data, never template: braces are written as escapes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, str):
        return repr(value).replace("{", "\\x7b").replace("}", "\\x7d")
    return repr(value)
