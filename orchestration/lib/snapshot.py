"""Reading the published snapshot: queries and one person's profile. Read-only, without access to files or the network."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from orchestration.lib import publish
from orchestration.lib.errors import TesseraError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

IDENTIFIER_TYPES = ("user_id", "email", "phone", "anonymous_id", "profile_id")


@dataclass(frozen=True)
class Result:
    """The rows of a query, in the order the query gave them."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def to_json(self) -> str:
        """Return a list of objects; decimals and times are text, so that nothing is rounded."""
        return json.dumps([dict(zip(self.columns, row, strict=True)) for row in self.rows], default=str)

    def to_csv(self) -> str:
        """Return CSV with a header; null is an empty cell."""
        output = io.StringIO()
        writer = csv.writer(output)
        writer.writerow(self.columns)
        writer.writerows([["" if value is None else value for value in row] for row in self.rows])
        return output.getvalue()

    def print_to(self, console: Console) -> None:
        """Print a table; where the terminal is too narrow for it, a line a value instead, so that nothing is cut off."""
        from rich.table import Table
        from rich.text import Text

        cells = [[Text("" if value is None else str(value), overflow="fold") for value in row] for row in self.rows]
        table = Table(*self.columns)
        for row in cells:
            table.add_row(*row)
        if console.measure(table, options=console.options.update(width=1 << 16)).maximum > console.width:
            table = Table("column", "value")
            for row in cells:
                for column, cell in zip(self.columns, row, strict=True):
                    table.add_row(column, cell)
                table.add_section()
        console.print(table)


def open_snapshot(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open the current snapshot read-only."""
    connection = duckdb.connect(str(publish.current(folder) / publish.DATABASE), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def query(folder: Path, sql: str) -> Result:
    """Run one statement on the current snapshot; raise UsageError when DuckDB refuses it."""
    with open_snapshot(folder) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise UsageError(
                    "A query is one statement.",
                    found=f"{len(statements)} statements",
                    fix='for example: tessera query "select * from profiles.profiles limit 5"',
                )
            cursor = connection.execute(statements[0])
            columns = [column[0] for column in cursor.description]
            return Result(columns, cursor.fetchall())
        except duckdb.Error as error:
            raise UsageError(
                "The query failed.",
                found=str(error).strip(),
                fix='`tessera query "show all tables"` lists the published tables and their columns',
            ) from None


def profile(folder: Path, identifier: str) -> dict[str, Any]:
    """Return one person by `type:value`: as_of, profile, fields, identifiers, traits, segment, predictions, audiences, consent.

    The fields are those of the golden record, with the source and time of each.
    The value is compared as it is stored (e-mail in lower case, phone as E.164). A profile id that was merged away is followed.
    """
    kind, _, value = identifier.partition(":")
    if not value.strip() or (kind not in IDENTIFIER_TYPES and kind not in _identifier_types(folder)):
        raise UsageError(
            "An identifier is TYPE:VALUE.",
            found=repr(identifier),
            allowed=f"{', '.join(IDENTIFIER_TYPES[:-1])} or {IDENTIFIER_TYPES[-1]}",
            fix="for example email:jane@example.com",
        )
    value = value.strip().lower() if kind == "email" else value.strip()
    with open_snapshot(folder) as connection:

        def rows(sql: str, *values: str) -> list[dict[str, Any]]:
            cursor = connection.execute(sql, list(values))
            return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]

        if kind == "profile_id":
            # A profile id is some identifier's id: it resolves to whoever holds that identifier now.
            found = rows("select profile_id from identity.profile_identifiers where identifier_id = ?", value)
        else:
            found = rows(
                "select profile_id from identity.profile_identifiers where identifier_type = ? and identifier_value = ?",
                kind,
                value,
            )
        if not found:
            raise TesseraError(
                "Nobody holds this identifier.",
                found=kind,
                fix="check its type and spelling; blocked values belong to nobody (config/identity.yml)",
            )
        profile_id = found[0]["profile_id"]
        if profile_id is None:
            raise TesseraError(
                "This identifier is shared and belongs to nobody.",
                found=kind,
                fix="`identity.identity_links` lists the refused evidence",
            )
        return {
            "as_of": publish.as_of(folder),
            "profile": rows("select * from profiles.profiles where profile_id = ?", profile_id)[0],
            "fields": rows(
                "select field, value, rule, source_id, occurred_at from profiles.profile_fields where profile_id = ? order by field",
                profile_id,
            ),
            "identifiers": rows(
                "select identifier_type, identifier_value, first_seen_at, last_seen_at, event_count"
                " from identity.profile_identifiers where profile_id = ? order by all",
                profile_id,
            ),
            "traits": {
                row["trait"]: row["value"]
                for row in rows("select trait, value from traits.profile_traits where profile_id = ? order by trait", profile_id)
            },
            "segment": rows("select * exclude (profile_id) from segments.rfm_segments where profile_id = ?", profile_id),
            "predictions": rows("select * exclude (profile_id) from predictions.propensities where profile_id = ?", profile_id),
            "audiences": rows(
                "select audience, entered_at, exited_at, arm from audiences.audience_members where profile_id = ? order by all",
                profile_id,
            ),
            "consent": {
                row["purpose"]: row["state"]
                for row in rows(
                    "select purpose, state from consent.consent_states where profile_id = ? order by purpose",
                    profile_id,
                )
            },
        }


def _identifier_types(folder: Path) -> list[str]:
    """Return the identifier types that occur; config/identity.yml may have added some."""
    return [row[0] for row in query(folder, "select distinct identifier_type from identity.profile_identifiers order by 1").rows]


def describe_profile(person: dict[str, Any]) -> str:
    """Return a profile as text, a section a paragraph."""
    sections = [f"as of {person['as_of']}", _section("profile", person["profile"])]
    if person["fields"]:
        given = {
            row["field"]: f"{row['value']}  ({row['rule']}: {row['source_id']}"
            + (f", {row['occurred_at']})" if row["occurred_at"] else ")")
            for row in person["fields"]
        }
        sections.append(_section("golden record", given))
    sections.append(
        "identifiers\n"
        + "\n".join(
            f"  {row['identifier_type']:<12}  {row['identifier_value']}  ({row['event_count']} events)"
            for row in person["identifiers"]
        )
    )
    sections.append(_section("traits", person["traits"]))
    sections += [_section("segment", row) for row in person["segment"]]
    sections += [_section("prediction", row) for row in person["predictions"]]
    if person["audiences"]:
        sections.append(
            "audiences\n"
            + "\n".join(
                f"  {row['audience']}  since {row['entered_at']}"
                + (f" until {row['exited_at']}" if row["exited_at"] else "")
                + f"  ({row['arm']})"
                for row in person["audiences"]
            )
        )
    sections.append(_section("consent", person["consent"]))
    return "\n\n".join(sections)


def _section(title: str, values: dict[str, Any]) -> str:
    return "\n".join([title, *(f"  {key:<22}  {value}" for key, value in values.items() if value is not None)])
