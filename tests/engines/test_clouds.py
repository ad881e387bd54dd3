"""The whole project, compiled offline for Snowflake, BigQuery and Databricks and linted in their dialects. Nothing runs there.

`make test-clouds` installs the adapters (they do not fit into one environment with requirements.lock) and runs this.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.lib import config
from orchestration.lib.plan import compile as plan_compile
from orchestration.lib.plan import model as plan_model
from tests.conftest import ROOT
from tests.engines.clouds import breaches

CREDENTIALS = {
    "snowflake": ["ACCOUNT", "USER", "PASSWORD", "WAREHOUSE"],
    "bigquery": ["PROJECT", "TOKEN"],
    "databricks": ["HOST", "HTTP_PATH", "TOKEN"],
}
WAREHOUSES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not importlib.util.find_spec(f"dbt.adapters.{name}"),
            reason=f"no adapter for {name}: `make test-clouds` installs it in an environment of its own",
        ),
    )
    for name in CREDENTIALS
]
# The models with a loop, by their loop, and what its counts find, so that every branch is taken. Of components: a first round, a step of
# pointers that moves and one that does not, nothing left; those that unite take a part of the evidence, then the best of each.
COMPONENTS = [1, 1, 0, 0]
LOOPS = {
    "connected_components": ("identity/int_identifiers_grouped", COMPONENTS),
    "merge_replay": ("identity/int_profiles_merged", [1, 1, *COMPONENTS]),
    "ranked_union": ("identity/int_identifiers_united", [2, 1, *COMPONENTS, 1, 1, 0]),
    "succession": ("identity/int_identifiers_passed", [1, 1, 0]),
}
# What stands in for the warehouse while the copy of the project compiles. Whether a log is there already is a variable. A loop's
# statements are noted instead of run (of the last one, which makes the model's table, the query: the rest is the adapter's).
STUBS = (
    """
{% macro is_incremental() -%}
    {{ return(env_var("TESSERA_COMPILE_INCREMENTAL") == "true" and model.config.materialized == "incremental") }}
{%- endmacro %}

{% macro run_query(sql) -%} {% do graph.setdefault(model.name, []).append(sql) %} {%- endmacro %}

{% macro scalar(sql) -%}
    {%- do run_query(sql) -%}
    {{ return(graph.setdefault(model.name ~ " counts", COUNTS[model.config.materialized]).pop(0)) }}
{%- endmacro %}

{% macro replace_table(sql) -%} {% do run_query("create table " ~ this ~ " as " ~ sql) %} {%- endmacro %}
"""
).replace("COUNTS", str({loop: counts for loop, (_, counts) in LOOPS.items()}))
# The types of every contract, as dbt has the warehouse read them.
CONTRACTS = """
{% if execute %}{% for node in graph.nodes.values() if (node.config.contract or {}).enforced %}{{ get_empty_schema_sql(node.columns) }};
{% endfor %}{% endif %}
"""


@pytest.fixture(scope="session")
def offline_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that compiles without a warehouse; its models with a loop compile to the statements of the loop."""
    tree = tmp_path_factory.mktemp("clouds")
    made = shutil.ignore_patterns("target", "dbt_packages", "logs")
    for name in ("dbt_project", "sql_traits", "seeds"):
        shutil.copytree(ROOT / name, tree / name, ignore=made)
    shutil.copy(ROOT / "profiles.yml", tree)
    project = tree / "dbt_project"
    (project / "config" / "inputs.yml").write_text("segment_tables: [{schema: web_prod, source: web}]")
    config.compile_macros(project / "config", project / "models", tree / "macros")
    plan_compile.write(plan_model.read(project / "tracking_plan"), tree / "macros" / "tracking_plan.sql")
    (project / "macros" / "stubs.sql").write_text(STUBS)
    (project / "analyses").mkdir()
    (project / "analyses" / "contracts.sql").write_text(CONTRACTS)
    for name in ("scalar", "replace_table"):
        (project / "macros" / "engine" / f"{name}.sql").unlink()
    for loop, (model, _) in LOOPS.items():
        macro = project / "macros" / "engine" / f"{loop}.sql"
        text = macro.read_text(encoding="utf-8")
        opening = f"{{% materialization {loop}, default %}}"
        assert opening in text
        text = text.replace(opening, f"{{% macro {loop}_statements(sql) %}}").replace(
            "{% endmaterialization %}", "{% endmacro %}"
        )
        macro.write_text(text, encoding="utf-8")
        file = project / "models" / f"{model}.sql"
        query = file.read_text(encoding="utf-8").replace("meta={", 'meta={"patience": 0, ')
        file.write_text(
            f"{{% set sql %}}{query}{{% endset %}}"
            f'{{% if execute %}}{{% do {loop}_statements(sql) %}}{{{{ graph[model.name] | join(";\n") }}}}{{% endif %}}',
            encoding="utf-8",
        )
    _dbt(tree, "duckdb", "deps")
    return tree


def _dbt(tree: Path, target: str, *arguments: str, **variables: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TESSERA_", "DBT_"))} | {
        "DBT_PROJECT_DIR": str(tree / "dbt_project"),
        "DBT_PROFILES_DIR": str(tree),
        "DBT_TARGET_PATH": str(tree / "target" / target),
        "DBT_LOG_PATH": str(tree / "logs"),
        "DO_NOT_TRACK": "1",
        "TESSERA_AS_OF": "2026-11-01T00:00:00",
        "TESSERA_MACROS": str(tree / "macros"),
        "TESSERA_TARGET": target,
        "TESSERA_WAREHOUSE": str(tree / "none.duckdb"),
        "TESSERA_BIGQUERY_METHOD": "oauth-secrets",
    }
    dbt = Path(sys.executable).parent / "dbt"
    result = subprocess.run(
        [str(dbt), *arguments, "--quiet"], env=environment | variables, cwd=tree, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _compile(tree: Path, warehouse: str, *arguments: str, incremental: bool = False) -> dict[str, str]:
    """Compile without a connection; return the compiled SQL of every model and test by name."""
    credentials = {f"TESSERA_{warehouse.upper()}_{name}": "dummy" for name in CREDENTIALS[warehouse]}
    mode = {"TESSERA_COMPILE_INCREMENTAL": str(incremental).lower()}
    _dbt(tree, warehouse, "compile", "--no-introspect", "--no-populate-cache", *arguments, **credentials, **mode)
    files = sorted((tree / "target" / warehouse / "compiled").rglob("*.sql"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


@pytest.mark.clouds
@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_project_compiles_for_the_warehouse_and_its_dialect_knows_every_function(
    warehouse: str, mode: str, offline_tree: Path
) -> None:
    compiled = _compile(offline_tree, warehouse, incremental=mode == "incremental")
    models = {file.stem for folder in ("dbt_project/models", "sql_traits") for file in (ROOT / folder).rglob("*.sql")}
    assert models <= set(compiled)
    assert ("limit 0" in compiled["audience_changes"]) == (mode == "full")
    assert compiled["contracts"].count(";") > 20
    for model, _ in LOOPS.values():
        assert compiled[Path(model).name].count(";") > 5
    assert [f"{name}: {breach}" for name, sql in compiled.items() for breach in breaches(sql, warehouse)] == []


@pytest.mark.clouds
@pytest.mark.parametrize("warehouse", WAREHOUSES[1:2])
def test_a_model_that_does_not_port_fails_the_lint(warehouse: str, offline_tree: Path) -> None:
    model = offline_tree / "dbt_project" / "models" / "events" / "event_violations.sql"
    text = model.read_text(encoding="utf-8")
    assert "union all" in text
    try:
        model.write_text(text.replace("union all", "union"), encoding="utf-8")
        sql = _compile(offline_tree, warehouse, "--select", model.stem)[model.stem]
    finally:
        model.write_text(text, encoding="utf-8")
    assert "DISTINCT" in str(list(breaches(sql, warehouse)))


@pytest.mark.parametrize(
    ("warehouse", "sql"),
    [
        ("bigquery", "select a from t union select b from u"),
        ("bigquery", "select json_extract_string(a, '$.b') from t"),
        ("bigquery", "select a % 100 from t"),
        ("bigquery", "select cast(a as decimal(18, 4)) from t"),
        ("bigquery", "select cast(a as double) from t"),
        ("bigquery", "select 1 as a where 1 = 0"),
        ("bigquery", "select count(*) filter (where a > 0) from t"),
        ("bigquery", "select groups.a from t as groups"),
        ("bigquery", "select unnest(split(a, ',')) as b from t"),
        ("snowflake", "select unnest(split(a, ',')) as b from t"),
        ("snowflake", "select count(*) filter (where a > 0) from t"),
        ("snowflake", "select arg_max(a, b) from t"),
        ("snowflake", "select string_agg(a, ',') from t"),
        ("snowflake", "select epoch_us(a) from t"),
        ("databricks", "select arg_max(a, b) from t"),
        ("databricks", "select string_agg(a, ',') from t"),
        ("databricks", "select regexp_matches(a, 'b') from t"),
        ("databricks", "select a from t where"),
    ],
)
def test_the_lint_finds_sql_that_the_warehouse_would_refuse(warehouse: str, sql: str) -> None:
    assert list(breaches(sql, warehouse))
