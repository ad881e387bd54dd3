"""SQL traits: a new one (the pair of files and the line that lists it), and whether files and lists agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from orchestration.lib import config
from orchestration.lib.errors import UsageError

TYPES = ("string", "bigint", "decimal", "double", "boolean", "date", "timestamp")
LEVELS = {
    "profile": "sql_traits",
    "account": "sql_account_traits",
}  # and the var of dbt_project.yml that lists the level's traits


def check(package: Path, listing: Path) -> None:
    """Raise UsageError where the files of the SQL traits and their lists in dbt_project.yml differ: dbt would show such a trait nowhere."""
    variables = yaml.safe_load(listing.read_text(encoding="utf-8")).get("vars") or {}
    for level, variable in LEVELS.items():
        folder, listed = package / f"{level}s", set(variables.get(variable) or {})
        sql, yml = ({file.stem for file in folder.glob(f"*.{suffix}")} for suffix in ("sql", "yml"))
        wrong = {
            "listed without a .sql": listed - sql,
            "a .sql that is not listed": sql - listed,
            "a .sql without its .yml": sql - yml,
            "a .yml without its .sql": yml - sql - listed,
        }
        if any(wrong.values()):
            raise UsageError(
                "SQL traits and their list differ.",
                where=f"{folder} and vars: {variable} in {listing}",
                found="; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in wrong.items() if names),
                allowed=f"for each trait {folder.name}/<trait>.sql, {folder.name}/<trait>.yml and a line `<trait>: <type>` of the list",
                fix="add or remove the file or the line; `tessera trait new` writes all three",
            )


def create(name: str, value_type: str, package: Path, project: Path, seeds: Path, level: str = "profile") -> list[Path]:
    """Write `<name>.sql` and `.yml` into the level's folder and add the trait to the level's var; return the files written."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise UsageError(
            "This is not a name for a trait.",
            found=repr(name),
            allowed="a lower-case letter, then letters, digits or _, 61 at most",
            fix="for example orders_last_year",
        )
    if value_type not in TYPES:
        raise UsageError(
            "A trait has no such type.", found=repr(value_type), allowed=", ".join(TYPES), fix="choose one with --type"
        )
    if level not in LEVELS:
        raise UsageError(
            "There are no traits of this level.", found=repr(level), allowed=", ".join(LEVELS), fix="choose one with --level"
        )
    variable, key, folder = LEVELS[level], f"{level}_id", package / f"{level}s"
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
    lines = re.search(rf"^    {variable}:\n((?:        \w+: \w+\n)*)", text, re.MULTILINE)
    if not lines:
        raise UsageError(
            "The list of traits was not found.",
            where=str(listing),
            allowed=f"vars: {variable}: one indented line a trait",
            fix="restore the block from git",
        )
    listed = sorted([*lines.group(1).splitlines(), f"        {name}: {value_type}"])
    sql, yml = folder / f"{name}.sql", folder / f"{name}.yml"
    sql.write_text(
        f"-- One row a{'n' if level == 'account' else ''} {level}: {key} and value. Who has no row has no such trait.\n"
        "-- Of the last year only: and ordered_at >= {{ add_seconds(as_of(), -365 * 86400) }}\n"
        f"select {key}, count(*) as value\n"
        'from {{ ref("tessera", "orders") }}\n'
        f"where {key} is not null\n"
        f"group by {key}\n",
        encoding="utf-8",
    )
    yml.write_text(
        f"models:\n  - name: {name}\n    description: >\n      What it says, in which unit. One row per {level} with …\n    columns:\n"
        f"      - name: {key}\n        description: The {level}.\n"
        "      - name: value\n        description: The value and its unit.\n",
        encoding="utf-8",
    )
    listing.write_text(text[: lines.start(1)] + "\n".join(listed) + "\n" + text[lines.end(1) :], encoding="utf-8")
    return [sql, yml, listing]
