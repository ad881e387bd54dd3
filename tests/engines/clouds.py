"""The lint of SQL for warehouses that no test can reach: does it parse in the dialect, and does the dialect know what it uses?

sqlglot is lenient: it reads what other dialects write. So a function must be known to it under the name written, and what it would
let pass although the warehouse refuses it is listed here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

# Functions that the warehouse documents and sqlglot does not know.
DOCUMENTED = {
    "snowflake": {"AS_ARRAY", "AS_OBJECT", "HASH", "OBJECT_PICK", "TRY_TO_TIMESTAMP_TZ"},
    "bigquery": {"PARSE_JSON"},  # it does not know it as safe.parse_json
    "databricks": {
        "CONV",
        "GET",
        "JSON_ARRAY_LENGTH",
        "MAP_CONCAT",
        "MAP_FILTER",
        "SCHEMA_OF_VARIANT",
        "TRY_PARSE_JSON",
        "VARIANT_GET",
        "WEEKDAY",
        "XXHASH64",
    },
}
# Documented names that sqlglot would write in another way.
SYNONYMS = {
    "snowflake": {"ARRAY_CONSTRUCT", "MOD", "POSITION", "SUBSTR", "TIMESTAMPADD", "TIMESTAMPDIFF"},
    "bigquery": {"ELSE", "MOD", "STRPOS"},
    # Cast and parse_json: of a variant to a map it makes from_json. Group: percentile_disc … within group (…).
    "databricks": {
        "CAST",
        "GROUP",
        "MOD",
        "NAMED_STRUCT",
        "PARSE_JSON",
        "PERCENTILE_DISC",
        "POSITION",
        "SHA1",
        "SUBSTR",
        "TIMESTAMPADD",
    },
}
# What sqlglot reads as a type or an operator and BigQuery has not. It casts to types without parameters only.
BIGQUERY_LACKS = re.compile(
    r"%|\bas\s+(?:double|float|real|text|varchar|hugeint)\b|\bas\s+(?:decimal|numeric|string)\s*\(", re.IGNORECASE
)
BIGQUERY_RESERVES = sqlglot.Dialect.get_or_raise("bigquery").generator_class.RESERVED_KEYWORDS


def breaches(sql: str, dialect: str) -> Iterator[str]:
    """Yield what is wrong with a text of one or several statements in a dialect, a sentence each."""
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=dialect, error_level=ErrorLevel.RAISE) if tree]
        written_back = ";\n".join(tree.sql(dialect, unsupported_level=ErrorLevel.RAISE) for tree in statements)
    except SqlglotError as error:
        yield f"it is no {dialect} SQL: {error}"
        return
    nodes = [node for tree in statements for node in tree.walk()]
    if any(isinstance(node, exp.Command) for node in nodes):
        yield "a statement was not understood"
    unknown = {node.name.upper() for node in nodes if isinstance(node, exp.Anonymous)} - DOCUMENTED[dialect]
    renamed = _called(sql, dialect) - _called(written_back, dialect) - unknown - DOCUMENTED[dialect] - SYNONYMS[dialect]
    yield from (f"{dialect} has no function {name} (known to sqlglot)" for name in sorted(unknown))
    yield from (f"{dialect} has another name for {name}" for name in sorted(renamed))
    if dialect != "databricks" and any(isinstance(node, exp.Filter) for node in nodes):
        yield f"{dialect} has no filter (where …) behind an aggregate"
    columns = [column.unalias() for node in nodes if isinstance(node, exp.Select) for column in node.expressions]
    if dialect != "databricks" and any(isinstance(column, (exp.Explode, exp.Unnest)) for column in columns):
        yield f"{dialect} makes no rows in a select list"
    if dialect == "bigquery":
        if any(isinstance(node, exp.Select) and node.args.get("where") and not node.args.get("from_") for node in nodes):
            yield "bigquery has no where without from"
        names = {node.name.lower() for node in nodes if isinstance(node, exp.Identifier) and not node.quoted}
        yield from (f"bigquery reserves the name {name}" for name in sorted(names & BIGQUERY_RESERVES))
        code = " ".join(token.text if token.token_type != sqlglot.TokenType.STRING else "''" for token in _tokens(sql, dialect))
        yield from (f"bigquery has no `{found.group(0)}`" for found in BIGQUERY_LACKS.finditer(code))


def _tokens(sql: str, dialect: str) -> list[sqlglot.tokens.Token]:
    return sqlglot.tokenize(sql, dialect=dialect)


def _called(sql: str, dialect: str) -> set[str]:
    """Return the names that stand before a parenthesis, in upper case (keywords among them)."""
    tokens = _tokens(sql, dialect)
    return {
        token.text.upper()
        for token, following in itertools.pairwise(tokens)
        if following.token_type == sqlglot.TokenType.L_PAREN and re.fullmatch(r"\w+", token.text)
    }
