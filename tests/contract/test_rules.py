"""The tree keeps its rules, and each rule catches its breach."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.contract import rules
from tests.contract.rules import RULES, Project


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Callable[[Project], list[str]], manifest: dict[str, Any]) -> None:
    assert rule(Project(ROOT, manifest)) == []


@pytest.fixture
def project(tmp_path: Path, manifest: dict[str, Any]) -> Project:
    """A copy of the tree and the manifest, to break."""
    made = shutil.ignore_patterns(
        ".venv", ".tessera", ".git", "target", "dbt_packages", "__pycache__", "*.egg-info", ".hypothesis", "logs"
    )
    shutil.copytree(ROOT, tmp_path / "tree", ignore=made)
    return Project(tmp_path / "tree", copy.deepcopy(manifest))


def _model(project: Project, name: str) -> dict[str, Any]:
    return next(node for node in project.manifest["nodes"].values() if node["name"] == name)


def _edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _refer_backwards(project: Project) -> None:
    _model(project, "orders")["depends_on"]["nodes"].append("model.tessera.rfm_scores")


def _read_a_finding(project: Project) -> None:
    _model(project, "found_lost_lines")["depends_on"]["nodes"].append("model.tessera.found_unreconciled_spend")


def _drop_unit_tests(project: Project) -> None:
    tests = project.manifest["unit_tests"]
    for key in [key for key, test in tests.items() if test["model"] == "orders"]:
        del tests[key]


def _drop_key_test(project: Project) -> None:
    nodes = project.manifest["nodes"]
    for key in [key for key, node in nodes.items() if node.get("attached_node") == "model.tessera.orders"]:
        del nodes[key]


# What one engine reads and another does not, or reads otherwise.
DIALECT = [
    "select try_cast(1 as int) as one,",
    "select 1::bigint as one,",
    "select max_by(revenue, ordered_at) as last_revenue,",
    "select count_if(revenue > 0) as sales,",
    "select date_diff('day', ordered_at, as_of) as days,",
    "select ordered_at + interval 3 day as due_at,",
    "select ordered_at + interval '3 days' as due_at,",
    "select first_value(revenue ignore nulls) as revenue,",
    "select string_agg(order_id, ',') as order_ids,",
    "select [1, 2] as numbers,",
    "select array_agg(order_id) as order_ids,",
    "select percentile_cont(0.5) as middle,",
    "select revenue // 2 as half,",
    "select * exclude (revenue),",
    "select if(revenue > 0, 1, 0) as is_sale,",
    "qualify revenue > 0 select",
    "select 1 group by all union select",
    "asof join orders select",
]
UNPINNED = [
    "select row_number() over (partition by profile_id order by revenue desc) as place,",
    "select row_number() over (order by order_id) as place,",
    "select sum(revenue) over () as total,",
]
ORDERS = "dbt_project/models/profiles/orders.sql"

BREACHES: list[tuple[Callable[[Project], list[str]], Callable[[Project], object]]] = [
    (rules.references_go_forward, _refer_backwards),
    (rules.references_go_forward, _read_a_finding),
    (rules.one_word_a_stage, lambda project: _model(project, "orders")["config"].update(schema="marts")),
    (rules.one_word_a_stage, lambda project: (project.root / "dbt_project/models/marts").mkdir()),
    (rules.names_are_unique, lambda project: _model(project, "average_order_value").update(name="orders")),
    (
        rules.public_models_keep_a_contract,
        lambda project: _model(project, "orders")["config"]["contract"].update(enforced=False),
    ),
    (rules.public_models_keep_a_contract, lambda project: _model(project, "orders").update(description="Orders.")),
    (
        rules.public_models_keep_a_contract,
        lambda project: _model(project, "orders")["columns"]["revenue"].update(description=""),
    ),
    (rules.public_models_have_a_key_test, _drop_key_test),
    (rules.public_models_have_a_unit_test, _drop_unit_tests),
    (
        rules.personal_data_is_marked,
        lambda project: _model(project, "profiles")["columns"]["email"]["config"].update(meta={}),
    ),
    (
        rules.only_entrances_read_sources,
        lambda project: _model(project, "orders")["depends_on"]["nodes"].append("source.tessera.raw.events"),
    ),
    (
        rules.models_never_read_the_clock,
        lambda project: _edit(project, ORDERS, "select", "select current_timestamp as built_at,"),
    ),
    *(
        (rules.models_do_not_name_an_engine, lambda project, sql=sql: _edit(project, ORDERS, "select", sql))
        for sql in [*DIALECT, "select ntile(4) over (partition by currency order by revenue) as tile,"]
    ),
    *((rules.models_pin_the_order, lambda project, sql=sql: _edit(project, ORDERS, "select", sql)) for sql in UNPINNED),
    (
        rules.models_do_not_name_an_engine,
        lambda project: _edit(
            project,
            ORDERS,
            "with",
            "{% if target.type == 'duckdb' %} {% endif %} with",
        ),
    ),
    (
        rules.models_do_not_name_an_engine,
        lambda project: _edit(project, "dbt_project/models/identity/identity_links.sql", "union all", "union"),
    ),
    (
        rules.traits_are_listed,
        lambda project: (project.root / "sql_traits/profiles/new_trait.sql").write_text("select 1"),
    ),
    (rules.traits_are_listed, lambda project: (project.root / "sql_traits/profiles/average_order_value.sql").unlink()),
    (
        rules.vars_are_few_and_explained,
        lambda project: _edit(project, "dbt_project/dbt_project.yml", "vars:\n", "vars:\n    unexplained: 1\n"),
    ),
    (
        rules.folders_state_their_charter,
        lambda project: _edit(project, "dbt_project/models/profiles/_profiles__models.yml", "# May not", "#"),
    ),
    (rules.folders_state_their_charter, lambda project: (project.root / "sql_traits/README.md").unlink()),
    (
        rules.lib_is_plain_python,
        lambda project: _edit(project, "orchestration/lib/runs.py", "import re\n", "import re\nimport dagster\n"),
    ),
    (
        rules.lib_is_plain_python,
        lambda project: _edit(project, "orchestration/lib/runs.py", "import re\n", "import re\nimport os\nos.environ['X']\n"),
    ),
    (rules.nothing_of_a_machine_is_tracked, lambda project: (project.root / "uv.lock").write_text("")),
    (
        rules.nothing_of_a_machine_is_tracked,
        lambda project: (project.root / "README.md").write_text("see /ro" + "ot/notes.txt"),
    ),
    (
        rules.macros_are_used,
        lambda project: project.manifest["macros"].update({"macro.tessera.idle": {"name": "idle", "package_name": "tessera"}}),
    ),
]


@pytest.mark.parametrize(
    ("rule", "breach"), BREACHES, ids=[f"{rule.__name__}-{number}" for number, (rule, _) in enumerate(BREACHES)]
)
def test_the_rule_catches_its_breach(
    rule: Callable[[Project], list[str]], breach: Callable[[Project], object], project: Project
) -> None:
    breach(project)
    assert rule(project) != []


def test_every_rule_was_broken_once() -> None:
    assert {rule for rule, _ in BREACHES} == set(RULES)


def test_a_trait_that_refers_to_a_private_model_is_refused_when_dbt_reads_it(tmp_path: Path) -> None:
    from tests.conftest import tessera_in

    made = shutil.ignore_patterns(
        ".venv", ".tessera", ".git", "target", "dbt_packages", "__pycache__", "*.egg-info", ".hypothesis", "logs"
    )
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=made)
    (tree / "sql_traits/profiles/average_order_value.sql").write_text(
        'select profile_id, 1 as value from {{ ref("tessera", "int_buyers_measured") }}'
    )
    result = tessera_in(tree, tmp_path / "home", "dbt", "parse", check=False)
    assert result.returncode != 0
    assert "int_buyers_measured, which is not allowed" in result.stdout + result.stderr
