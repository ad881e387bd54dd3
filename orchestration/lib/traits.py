"""A new SQL trait: the pair of files and the line that lists it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from orchestration.lib import config
from orchestration.lib.errors import UsageError

TYPES = ("string", "bigint", "decimal", "double", "boolean", "date", "timestamp")


def create(name: str, value_type: str, package: Path, project: Path, seeds: Path) -> list[Path]:
    """Write `profiles/<name>.sql` and `.yml` and add the trait to the var `sql_traits`; return the files written."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise UsageError(
            "This is not a name for a trait.",
            found=repr(name),
            allowed="a lower-case letter, then letters, digits or _",
            fix="for example orders_last_year",
        )
    if value_type not in TYPES:
        raise UsageError(
            "A trait has no such type.", found=repr(value_type), allowed=", ".join(TYPES), fix="choose one with --type"
        )
    computed: Any = config.read(project / "config" / "traits.yml")
    taken = {file.stem for root in (project / "models", package) for file in root.rglob("*.sql")}
    taken |= {file.stem for file in seeds.rglob("*.csv")} | {trait.name for trait in computed.traits}
    if name in taken:
        raise UsageError(
            "A trait, model or seed of this name exists.",
            found=name,
            fix="choose another; names are unique over traits, models and seeds",
        )
    listing = project / "dbt_project.yml"
    text = listing.read_text(encoding="utf-8")
    lines = re.search(r"^    sql_traits:\n((?:        \w+: \w+\n)*)", text, re.MULTILINE)
    if not lines:
        raise UsageError(
            "The list of traits was not found.",
            where=str(listing),
            allowed="vars: sql_traits: one indented line a trait",
            fix="restore the block from git",
        )
    listed = sorted([*lines.group(1).splitlines(), f"        {name}: {value_type}"])
    sql, yml = package / "profiles" / f"{name}.sql", package / "profiles" / f"{name}.yml"
    sql.write_text(
        "-- One row a profile: profile_id and value. A profile without a row has no such trait.\n"
        "select profile_id, count(*) as value\n"
        'from {{ ref("tessera", "orders") }}\n'
        "where profile_id is not null\n"
        "group by profile_id\n",
        encoding="utf-8",
    )
    yml.write_text(
        f"models:\n  - name: {name}\n    description: >\n      What it says, in which unit. One row per profile with …\n    columns:\n"
        "      - name: profile_id\n        description: The profile.\n"
        "      - name: value\n        description: The value and its unit.\n",
        encoding="utf-8",
    )
    listing.write_text(text[: lines.start(1)] + "\n".join(listed) + "\n" + text[lines.end(1) :], encoding="utf-8")
    return [sql, yml, listing]
