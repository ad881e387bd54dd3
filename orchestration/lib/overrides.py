"""The reviewed lines that overrule identity (`seeds/reference/identity_overrides.csv`), checked before dbt starts.

INCLUDE says that two identifiers are one person's; EXCLUDE that they never are, or, without a second identifier, that the first
is nobody's (blocked). Models read the file as a seed.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from orchestration.lib.errors import UsageError

COLUMNS = ("entity", "id1", "id1_type", "action", "id2", "id2_type", "reason")
Key = tuple[str, str]


def check(file: Path, identity: Any) -> None:
    """Raise UsageError, with file and line, where a line cannot be read, or asks for what another line forbids.

    `identity` is the content of identity.yml. Values are compared as the models compare them (trimmed, e-mails in lower case).
    """
    kinds = {identifier.type: identifier.normalise for identifier in identity.identifiers}
    people: dict[Key, Key] = {}

    def find(key: Key) -> Key:
        while people.setdefault(key, key) != key:
            key = people[key]
        return key

    apart: list[tuple[int, Key, Key]] = []
    blocked: dict[Key, int] = {}
    joined: dict[Key, int] = {}
    for line, row in _rows(file):
        first = _key(file, line, row, "id1", kinds)
        if row["entity"] != "profile":
            raise _error(file, line, f"entity {row['entity']!r}", "profile", "write profile: the overrides are about people")
        if not row["reason"].strip():
            raise _error(file, line, "no reason", "a text", "say why, for those who review the line")
        if row["action"] not in ("INCLUDE", "EXCLUDE"):
            raise _error(
                file, line, f"action {row['action']!r}", "INCLUDE or EXCLUDE", "INCLUDE joins two, EXCLUDE keeps them apart"
            )
        if not (row["id2"].strip() or row["id2_type"].strip()):
            if row["action"] == "INCLUDE":
                raise _error(file, line, "INCLUDE with one identifier", "two identifiers", "fill in id2 and id2_type")
            blocked[first] = line
            continue
        second = _key(file, line, row, "id2", kinds)
        if first == second:
            raise _error(file, line, "the same identifier twice", "two identifiers", "correct id1 or id2")
        if row["action"] == "INCLUDE":
            people[find(first)] = find(second)
            joined |= {first: line, second: line}
        else:
            apart.append((line, first, second))
    for line, first, second in apart:
        if find(first) == find(second):
            raise _error(
                file, line, "EXCLUDE of two identifiers that INCLUDE lines join", "one or the other", "remove one of the lines"
            )
    for key, line in blocked.items():
        if key in joined:
            found = f"EXCLUDE of an identifier that line {joined[key]} includes"
            raise _error(file, line, found, "one or the other", "remove one of the lines")


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Return (line, row) of the file; every row has the seven columns."""
    try:
        with file.open(encoding="utf-8", newline="") as source:
            reader = csv.reader(source, strict=True)
            header = tuple(next(reader, ()))
            if header != COLUMNS:
                raise _error(file, 1, f"the header {','.join(header)}", ",".join(COLUMNS), "restore the header")
            rows = []
            for values in reader:
                if values and len(values) != len(COLUMNS):
                    found = f"{len(values)} columns"
                    raise _error(file, reader.line_num, found, f"{len(COLUMNS)}", "quote values that hold a comma")
                if values:
                    rows.append((reader.line_num, dict(zip(COLUMNS, values, strict=True))))
            return rows
    except FileNotFoundError:
        raise UsageError("The identity overrides are missing.", where=str(file), fix="restore the file from git") from None
    except UnicodeDecodeError:
        raise UsageError("The identity overrides are not text in UTF-8.", where=str(file), fix="save the file as UTF-8") from None
    except csv.Error as error:
        raise _error(file, reader.line_num, str(error), "CSV", "correct the quotes") from None


def _key(file: Path, line: int, row: dict[str, str], column: str, kinds: dict[str, str]) -> Key:
    kind, value = row[f"{column}_type"].strip(), row[column].strip()
    if kind not in kinds:
        raise _error(file, line, f"{column}_type {kind!r}", ", ".join(kinds), "use a type of config/identity.yml")
    if not value:
        raise _error(file, line, f"{column} is empty", "a value", f"fill in {column}")
    if kinds[kind] == "phone" and not (value.startswith("+") and value[1:].isdecimal()):
        raise _error(
            file, line, f"{column} is a phone in another form", "E.164, such as +442079460000", "write + and digits only"
        )
    return kind, value.lower() if kinds[kind] == "lower" else value


def _error(file: Path, line: int, found: str, allowed: str, fix: str) -> UsageError:
    return UsageError("An identity override is not valid.", where=f"{file}:{line}", found=found, allowed=allowed, fix=fix)
