"""The SQL that schemas become, judged by jsonschema-rs and by the JSON Schema test suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib.plan import compile as compiled
from orchestration.lib.plan.schema import portable_pattern, problems
from tests.plan.rendering import Renderer
from tests.plan.suite import GROUPS, SOURCE

jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="the oracle (pip install jsonschema-rs) is not here")

UUID = jsonschema_rs.Draft201909Validator({"format": "uuid"}, validate_formats=True)  # draft-07 does not know this format
INSTANCES_A_SCHEMA = 20
Verdicts = Callable[[Any, list[Any]], list[bool]]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Verdicts]:
    """Say which instances are valid, by the compiled SQL, all in one DuckDB process."""
    renderer = Renderer()
    with duckdb.connect() as connection:
        connection.execute(
            "create table cases (event_id bigint, event varchar, event_version varchar, source_id varchar, value varchar)"
        )

        def judge(schema: Any, instances: list[Any]) -> list[bool]:
            selects = list(compiled.selects(SOURCE, schema, "properties", reports_unplanned=False))
            connection.execute("delete from cases")
            connection.execute(
                "insert into cases select unnest(?::bigint[]), null, null, null, unnest(?::varchar[])",
                [list(range(len(instances))), [json.dumps(instance) for instance in instances]],
            )
            sql = renderer.render("\nunion all\n".join(selects) or "select event_id, '' as broken from cases")
            broken = {row[0] for row in connection.execute(f"select event_id from ({sql}) where broken <> ''").fetchall()}
            return [number not in broken for number in range(len(instances))]

        yield judge


@pytest.mark.parametrize("group", [group for _, group in GROUPS], ids=[name for name, _ in GROUPS])
def test_the_verdicts_are_those_of_the_json_schema_suite(group: dict[str, Any], verdicts: Verdicts) -> None:
    found = verdicts(group["schema"], [test["data"] for test in group["tests"]])
    assert [test["description"] for test, valid in zip(group["tests"], found, strict=True) if valid != test["valid"]] == []


NAMES = st.sampled_from(
    ["order_id", "total", "Total", "a/b", "a~b", 'quo"te', "it's", "with blank", "ünï", "$", "0", "{{ x }}", "drop table"]
)
INTEGERS = st.integers(-(2**53), 2**53) | st.integers(-3, 12)
NUMBERS = INTEGERS | st.sampled_from([3.0, -0.0, 0.1, 1.5, 2.5, 1e3, -2.75, 1e21]) | st.floats(-1e15, 1e15).map(float)
TEXTS = st.sampled_from([
    "", "EUR", "eur", "a", "äöü", "🦆🦆", "12", "2026-03-01", "2026-03-01T10:00:00Z", "2026-02-29T10:00:00+02:00", "2024-02-29t23:59:60z",
    "2026-03-01T10:00:00", "2026-03-01 10:00:00Z", "infinity", "1998-12-31T15:59:60.5-08:00", "1998-12-31T16:59:60-08:00",
    "jane@example.com", "jane@", "a b@example.com", '"a b"@example.com', "jane@[127.0.0.1]", "j..e@example.com", "jane@example", "@",
    "https://example.com/a?b=c#d", "mailto:jane@example.com", "//example.com", "/a", "http://[::1]:80/", "http:// x", "urn:x:y", "a%2x:",
    "123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000", "x\ny", "EUR\n", "it's", "{{ x }}", "tab\there", "a\u00a0b",
]) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)  # fmt: skip
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
PATTERNS = st.sampled_from([
    r"^[A-Z]{3}$", r"^\d+$", r"\w", r"^\S*$", r"^.$", r"a|b", r"^(?:https?)://", r"\.", r"[^a-z]", r"^\w+@\w+\.\w+$", r"[\d.-]", "^$",
    r"\u00e4",     r"^(?:a|EU?R?)*$", r"[\]\\^]", r"\s", r"e{2,}", "^x.y$", "'", "[$]$", r"\$|'",
])  # fmt: skip


def _with(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def _leaves() -> st.SearchStrategy[Any]:
    bounds = st.integers(0, 5)
    kinds = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])
    return st.one_of(
        st.booleans(),
        _with(type=kinds | st.lists(kinds, min_size=1, max_size=3, unique=True)),
        _with(type=st.just("string"), minLength=bounds, maxLength=bounds, pattern=PATTERNS),
        _with(type=st.just("string"), format=st.sampled_from(["date-time", "date", "email", "uri", "uuid"])),
        _with(type=st.sampled_from(["number", "integer"]), minimum=NUMBERS, exclusiveMinimum=NUMBERS),
        _with(maximum=NUMBERS, exclusiveMaximum=NUMBERS),
        _with(enum=st.lists(SCALARS, min_size=1, max_size=4)),
        _with(const=SCALARS),
    )


def _schemas() -> st.SearchStrategy[Any]:
    return st.recursive(_leaves(), lambda inner: st.one_of(_objects(inner), _arrays(inner)), max_leaves=6)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return _with(
        type=st.just("object"),
        properties=st.dictionaries(NAMES, inner, max_size=4),
        required=st.lists(NAMES, max_size=3, unique=True),
        additionalProperties=st.booleans(),
        minProperties=st.integers(0, 2),
        maxProperties=st.integers(0, 4),
    )


def _arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return _with(type=st.just("array"), items=inner, minItems=st.integers(0, 3), maxItems=st.integers(0, 3))


JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8)


@st.composite
def _instances(draw: st.DrawFn, schema: Any) -> Any:
    """Something like what the schema asks for, at most places."""
    if not isinstance(schema, dict) or draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if "const" in schema and draw(st.booleans()):
        return schema["const"]
    if "enum" in schema and draw(st.booleans()):
        return draw(st.sampled_from(schema["enum"]))
    if {"properties", "required", "additionalProperties"} & schema.keys():
        names = draw(st.lists(st.sampled_from([*schema.get("properties", {}), *schema.get("required", []), "more"]), max_size=5))
        names = [*names, *schema.get("required", [])] if draw(st.integers(0, 3)) else names
        return {name: draw(_instances(schema.get("properties", {}).get(name, True))) for name in dict.fromkeys(names)}
    if "items" in schema or "minItems" in schema:
        return draw(st.lists(_instances(schema.get("items", True)), max_size=3))
    kinds = schema.get("type", "object")
    kind = draw(st.sampled_from(kinds)) if isinstance(kinds, list) else kinds
    by_kind = {"string": TEXTS, "number": NUMBERS, "integer": INTEGERS, "boolean": st.booleans(), "null": st.none()}
    edges = [schema[keyword] for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if keyword in schema]
    if edges and draw(st.booleans()):
        return draw(st.sampled_from(edges))
    return draw(by_kind.get(kind, JSON))


@st.composite
def _cases(draw: st.DrawFn, schemas: st.SearchStrategy[Any]) -> tuple[Any, list[Any]]:
    schema = draw(schemas)
    return schema, [draw(_instances(schema)) for _ in range(INSTANCES_A_SCHEMA)]


def _judge(case: tuple[Any, list[Any]], verdicts: Verdicts) -> None:
    schema, instances = case
    assert list(problems(schema)) == []
    oracle = jsonschema_rs.Draft7Validator(schema, validate_formats=True, formats={"uuid": UUID.is_valid})
    expected = [oracle.is_valid(instance) for instance in instances]
    found = verdicts(schema, instances)
    assert [
        (instance, f"valid: {valid}") for instance, valid, says in zip(instances, expected, found, strict=True) if valid != says
    ] == []


@settings(max_examples=160, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(case=_cases(_schemas()))
def test_the_verdicts_on_nested_schemas_are_those_of_jsonschema_rs(case: tuple[Any, list[Any]], verdicts: Verdicts) -> None:
    """160 schemas of 20 instances each are 3,200 cases.

    Whole numbers stay within 2^53, up to which a double is exact: SQL compares numbers as doubles.
    """
    _judge(case, verdicts)


@settings(max_examples=160, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(case=_cases(_leaves()))
def test_the_verdicts_on_single_values_are_those_of_jsonschema_rs(case: tuple[Any, list[Any]], verdicts: Verdicts) -> None:
    """160 schemas of 20 instances each are 3,200 cases."""
    _judge(case, verdicts)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?=a)",
        r"(?!a)",
        r"(a)\1",
        r"\bword",
        r"\p{L}",
        "(?<name>a)",
        "a{1,300}",
        "[",
        "a{b",
        "*a",
        "[]",
        "a++",
        "a{2}+",
        "(?:*a)",
        "a|+",
        "a+??",
    ],
)
def test_a_pattern_that_engines_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        portable_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["^(?:https?)://", r"^\(?[0-9]+\)?$", r"^\++[*+?]+$", "[(]?a+?", r"\|?a{2}?", "^(?:a|EU?R?)*$"]
)
def test_a_pattern_that_all_engines_read_alike_is_taken(pattern: str) -> None:
    """A group, an escaped sign and one within a class are no quantifiers; a lazy one is."""
    assert portable_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"anyOf": [{"type": "string"}]}, "anyOf"),
        ({"properties": {"a": {"oneOf": []}}}, "oneOf"),
        ({"items": [{"type": "string"}]}, "items"),
        ({"additionalProperties": {"type": "string"}}, "additionalProperties"),
        ({"$ref": "#/definitions/a"}, "$ref"),
        ({"minimun": 1}, "minimun"),
        ({"format": "ipv4"}, "format"),
        ({"enum": [{"a": 1}]}, "enum"),
        ({"multipleOf": 2}, "multipleOf"),
        ({"uniqueItems": True}, "uniqueItems"),
    ],
)
def test_a_keyword_that_cannot_be_compiled_is_refused_never_ignored(schema: dict[str, Any], keyword: str) -> None:
    [(at, text)] = problems(schema)
    assert at[-1] == keyword
    assert keyword in text
