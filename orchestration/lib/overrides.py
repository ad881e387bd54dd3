"""The reviewed lines that overrule identity (`seeds/reference/identity_overrides.csv`), checked before dbt starts.

INCLUDE says that two identifiers are one person's; EXCLUDE that they never are, or, without a second identifier, that the first
is nobody's (blocked). Models read the file as a seed.
"""

from __future__ import annotations

import csv
import io
import re
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
        if row["entity"] != "profile":
            raise _error(file, line, f"entity {row['entity']!r}", "profile", "write profile: the overrides are about people")
        first = _key(file, line, row, "id1", kinds)
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
            for column, key in (("id1", first), ("id2", second)):
                if _is_blocked(key, identity):
                    found = f"INCLUDE of {column}, which is junk to config/identity.yml (`blocked`, or an e-mail without @)"
                    raise _error(file, line, found, "an identifier", f"correct {column}, or unblock it")
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


def _is_blocked(key: Key, identity: Any) -> bool:
    """Whether a value joins nobody, as the macro is_blocked_identifier says it in SQL."""
    kind, value = key
    junk = value.lower() in {each.lower() for each in identity.blocked.values}
    junk |= any(re.search(pattern, value) for pattern in identity.blocked.patterns)
    return junk or (kind == "email" and not re.fullmatch(r"[^@ ]+@[^@ ]+[.][^@ ]+", value))


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Return (line, row) of the file; every row has the seven columns."""
    try:
        # Excel begins such files with a mark, which dbt skips too.
        reader = csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
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
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(
            "The identity overrides are not text in UTF-8.", where=f"{file}:{line}", fix="save the file as UTF-8"
        ) from None
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
