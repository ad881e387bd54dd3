"""The tracking plan's SQL gives the same verdicts on PostgreSQL as the JSON Schema test suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.lib.plan import compile as compiled
from orchestration.lib.plan import model
from tests.plan.rendering import Renderer
from tests.plan.suite import GROUPS, SOURCE

NUL = "\\u0000"


@pytest.fixture(scope="module")
def cursor(postgres_server: dict[str, str]) -> Iterator[Any]:
    import psycopg2

    server = postgres_server
    connection = psycopg2.connect(
        host=server["TESSERA_POSTGRES_HOST"],
        port=server["TESSERA_POSTGRES_PORT"],
        user=server["TESSERA_POSTGRES_USER"],
        dbname="postgres",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("create temp table cases (event_id bigint, event text, event_version text, source_id text, value text)")
        yield cursor
    connection.close()


def test_the_verdicts_are_those_of_the_json_schema_suite(cursor: Any) -> None:
    """A text with NUL is left out: PostgreSQL has none."""
    renderer, wrong, count = Renderer("postgres"), [], 0
    for name, group in GROUPS:
        if NUL in json.dumps(group["schema"]):
            continue
        tests = [test for test in group["tests"] if NUL not in json.dumps(test["data"])]
        sql = renderer.render(
            "\nunion all\n".join(compiled.selects(SOURCE, group["schema"], "properties", reports_unplanned=False))
        )
        cursor.execute("delete from cases")
        for number, test in enumerate(tests):
            cursor.execute("insert into cases values (%s, null, null, null, %s)", [number, json.dumps(test["data"])])
        if sql:
            cursor.execute(f"select event_id from ({sql}) as checked where broken <> ''".replace("%", "%%"), [])
        broken = {row[0] for row in cursor.fetchall()} if sql else set()
        wrong += [f"{name}: {test['description']}" for n, test in enumerate(tests) if (n not in broken) != test["valid"]]
        count += len(tests)
    assert wrong == []
    assert count > 400


def test_a_consolidation_gives_the_same_objects(cursor: Any) -> None:
    event = {"event": "Golden", "schema": {}, "consolidate": [
        {"from": "old", "rename": {"amount": "total", 'quo"te': "it's"}, "set": {"channel": "web"}, "map": {"currency": {"eur": "EUR"}}}
    ]}  # fmt: skip
    name, changed = compiled.consolidated(model.Plan(events=[model.Event.model_validate(event)]))
    sql = Renderer("postgres").render(f"select {name}, {changed} from calls")
    cursor.execute("create temp table calls (type text, event text, source_id text, properties text, occurred_at timestamp)")
    given = {"amount": 1.5, "currency": "eur", 'quo"te': None, "z": [1]}
    cursor.execute("insert into calls values ('track', 'old', 'web', %s, null)", [json.dumps(given)])
    cursor.execute(sql.replace("%", "%%"), [])
    [(found, properties)] = cursor.fetchall()
    assert found == "Golden"
    assert json.loads(properties) == {"total": 1.5, "currency": "EUR", "it's": None, "z": [1], "channel": "web"}
