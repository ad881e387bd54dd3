"""The rules about the repository itself. Each takes the tree and dbt's manifest and returns what breaks it, a sentence a breach.

Belongs: rules about the repository. May not: values of data.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PACKAGES = ("tessera", "sql_traits", "tessera_seeds")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """A checkout and the manifest that dbt read from it."""

    root: Path
    manifest: Manifest

    def nodes(self, *types: str) -> list[dict[str, Any]]:
        """Return the manifest's nodes of some resource types, of our packages."""
        return [
            node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] in types and node["package_name"] in PACKAGES
        ]

    def models(self) -> list[dict[str, Any]]:
        """Return the product's models."""
        return [node for node in self.nodes("model") if node["package_name"] == "tessera"]

    def public_models(self) -> list[dict[str, Any]]:
        """Return the public tables."""
        return [node for node in self.models() if node["access"] == "public"]

    def settings(self) -> dict[str, Any]:
        """Return dbt_project.yml."""
        return yaml.safe_load((self.root / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))

    def stages(self) -> list[str]:
        """Return the stages in the order of dbt_project.yml, which is the pipeline."""
        return [key for key in self.settings()["models"]["tessera"] if not key.startswith("+")]

    def files(self, *patterns: str) -> Iterator[Path]:
        """Yield the tree's own files that match, without what tools made."""
        made = {".venv", ".tessera", "target", "dbt_packages", "compiled", ".git", "__pycache__", "logs"}
        for pattern in patterns:
            for file in sorted(self.root.glob(pattern)):
                if file.is_file() and not made & set(file.relative_to(self.root).parts):
                    yield file


def references_go_forward(project: Project) -> list[str]:
    """A model refers to its own stage or an earlier one; governance is read by nothing. SQL traits sit between profiles and traits."""
    order = {stage: number for number, stage in enumerate(project.stages())}
    traits_at = order["profiles"] + 0.5

    def place(node: dict[str, Any]) -> float:
        if node["package_name"] == "tessera_seeds":
            return -1
        return traits_at if node["package_name"] == "sql_traits" else order[node["fqn"][1]]

    models = {node["unique_id"]: node for node in project.nodes("model", "seed")}
    broken = []
    for node in models.values():
        for parent in (models[key] for key in node["depends_on"].get("nodes", []) if key in models):
            if place(parent) > place(node):
                broken.append(
                    f"{node['name']} ({node['fqn'][1]}) refers to {parent['name']} of the later stage {parent['fqn'][1]}"
                )
            if parent["fqn"][1] == "governance":
                broken.append(f"{node['name']} reads the finding {parent['name']}; governance is read by nothing")
    return broken


def one_word_a_stage(project: Project) -> list[str]:
    """The stage's word is the folder and the warehouse schema; every folder is a stage."""
    broken = [
        f"{node['name']} lies in {node['fqn'][1]}, but its schema is {node['config']['schema']}"
        for node in project.models()
        if node["config"]["schema"] != node["fqn"][1]
    ]
    folders = {folder.name for folder in (project.root / "dbt_project" / "models").iterdir() if folder.is_dir()}
    return broken + [f"{name} is a folder or a stage, but not both" for name in sorted(folders ^ set(project.stages()))]


def names_are_unique(project: Project) -> list[str]:
    """One name, one relation, over all three packages: dbt would take the wrong one in silence."""
    owners: dict[str, list[str]] = {}
    for node in project.nodes("model", "seed"):
        owners.setdefault(node["name"], []).append(node["unique_id"])
    return [f"{name} is the name of {', '.join(ids)}" for name, ids in owners.items() if len(ids) > 1]


def public_models_keep_a_contract(project: Project) -> list[str]:
    """A public table has an enforced contract and a description that states its grain; every column says what it is."""
    broken = []
    for node in project.public_models():
        if not node["config"]["contract"]["enforced"]:
            broken.append(f"{node['name']} is public but its contract is not enforced")
        if not node["description"].startswith("One row per"):
            broken.append(f"{node['name']}'s description does not begin with its grain (`One row per …`)")
        broken += [
            f"{node['name']}.{name} has no description" for name, column in node["columns"].items() if not column["description"]
        ]
    return broken


def public_models_have_a_key_test(project: Project) -> list[str]:
    """A public table's key is tested: unique and not null in its first column, or one_row_per; a finding is tested to be empty."""
    tests: dict[str, set[tuple[str, str | None]]] = {}
    for test in project.nodes("test"):
        tests.setdefault(test.get("attached_node") or "", set()).add(
            ((test.get("test_metadata") or {}).get("name", ""), test.get("column_name"))
        )
    broken = []
    for node in project.public_models():
        found = tests.get(node["unique_id"], set())
        key = next(iter(node["columns"]), None)
        if not ({("unique", key), ("not_null", key)} <= found or {"one_row_per", "is_empty"} & {name for name, _ in found}):
            broken.append(f"{node['name']} is public but no test holds its key")
    return broken


def public_models_have_a_unit_test(project: Project) -> list[str]:
    """A public table has a unit test."""
    tested = {test["model"] for test in project.manifest["unit_tests"].values()}
    return [f"{node['name']} is public but has no unit test" for node in project.public_models() if node["name"] not in tested]


def personal_data_is_marked(project: Project) -> list[str]:
    """A column that holds personal data says so in meta.pii."""
    marked = re.compile(
        r"^(user_id|anonymous_id|email|phone|first_name|last_name|identifier_value.*|properties|traits|context|payload|.*_url)$"
    )
    return [
        f"{node['name']}.{name} holds personal data, but meta.pii does not say so"
        for node in project.public_models()
        for name, column in node["columns"].items()
        if marked.match(name) and not column["config"]["meta"].get("pii")
    ]


def only_entrances_read_sources(project: Project) -> list[str]:
    """Raw lines enter in staging. Governance counts them, identity reads the look-ups that load keeps for it, and two stages read
    what Python wrote for them."""
    allowed = {
        "staging": {"raw"},
        "governance": {"raw"},
        "predictions": {"predictions"},
        "activation": {"ledger"},
    }
    look_ups = {"phone_numbers", "workspace"}
    broken = []
    for node in project.models():
        stage = node["fqn"][1]
        for key in node["depends_on"]["nodes"]:
            if key.startswith("source."):
                _, _, source, table = key.split(".")
                if source not in allowed.get(stage, set()) and not (stage == "identity" and table in look_ups):
                    broken.append(f"{node['name']} ({stage}) reads the source {source}.{table}")
    return broken


def models_never_read_the_clock(project: Project) -> list[str]:
    """Everything is as of one timestamp: no clock, no chance in SQL."""
    clock = re.compile(
        r"\b(current_timestamp|current_date|current_time|localtimestamp|now|getdate|sysdate|today|random|rand|uuid|gen_random_uuid)\b\s*(\(|\b)",
        re.IGNORECASE,
    )
    broken = []
    for file in project.files("dbt_project/models/**/*.sql", "dbt_project/macros/**/*.sql", "sql_traits/**/*.sql"):
        code = re.sub(r"{#.*?#}|--[^\n]*|'[^']*'", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        broken += [
            f"{file.relative_to(project.root)} reads the clock or chance: {match.group(1)}" for match in clock.finditer(code)
        ]
    return broken


def models_do_not_name_an_engine(project: Project) -> list[str]:
    """Dialect differences live in macros/engine only: no word that an engine lacks, or reads in its own way."""
    dialect = re.compile(
        r"target\.type|target\.name|->>?|::|\b(json_extract\w*|get_json_object|jsonb?_\w+|regexp_\w+|rlike|ilike|similar\s+to|arg_min|arg_max|"
        r"min_by|max_by|epoch\w*|strftime|to_char|date_format|date_?diff|date_?add|date_?sub|interval\s+['0-9]|to_seconds|to_timestamp|"
        r"timezone|at\s+time\s+zone|try_\w+|safe_\w+|quantile_\w+|percentile_\w+|median|ntile|count_?if|sum_if|iff|nvl|ifnull|string_agg|"
        r"listagg|group_concat|array_\w+|list_\w+|collect_\w+|(named_)?struct|unnest|explode|lateral|pivot|unpivot|sha256|sha2|qualify|"
        r"exclude|asof|(group|order)\s+by\s+all|(ignore|respect)\s+nulls)\b|"
        # Not on every warehouse: type_decimal(), type_double() and dbt.type_string() have the names of the types.
        r"\bas (decimal|numeric|double|float|real|varchar|text)\b|\bfilter \(|\bunion\s+(?!all\b)",
        re.IGNORECASE,
    )
    # Where Jinja is cut out: lists and remainders are its own there.
    literals = re.compile(r"\[|//|==|\bif\s*\(", re.IGNORECASE)
    own = {macro["name"] for macro in project.manifest["macros"].values() if macro["package_name"] == "tessera"}
    return [
        f"{file.relative_to(project.root)} writes an engine's SQL: {match.group(0)}"
        for file, code, sql in _models(project)
        for match in [*dialect.finditer(code), *literals.finditer(sql)]
        if match.group(0) not in own
    ]


def models_pin_the_order(project: Project) -> list[str]:
    """Engines put nulls at either end, so a descending order says where; a window over all rows would be computed in one place."""
    unpinned = re.compile(r"\bdesc\b(?!\s+nulls\s+(first|last)\b)", re.IGNORECASE)
    whole = re.compile(r"\bover\b(?!\s*\(\s*partition\b)", re.IGNORECASE)
    broken = []
    for file, _, sql in _models(project):
        name = file.relative_to(project.root)
        broken += [f"{name} orders `desc` without `nulls first` or `nulls last`" for _ in unpinned.finditer(sql)]
        broken += [f"{name} has a window over all rows: `over` without `partition by`" for _ in whole.finditer(sql)]
    return broken


def _models(project: Project) -> Iterator[tuple[Path, str, str]]:
    """Yield the files that hold engine-free SQL: the path, the text without comments, and that without Jinja and literals."""
    for file in project.files("dbt_project/models/**/*.sql", "dbt_project/macros/product/**/*.sql", "sql_traits/**/*.sql"):
        code = re.sub(r"{#.*?#}|--[^\n]*", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        yield file, code, re.sub(r"{{.*?}}|{%.*?%}|'[^']*'", "", code, flags=re.DOTALL)


def macros_are_used(project: Project) -> list[str]:
    """A macro of ours is called somewhere: in the tree, or in the SQL that the tracking plan becomes."""
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for file in project.files(
            "dbt_project/*.yml",
            "dbt_project/m*/**/*.sql",
            "dbt_project/m*/**/*.yml",
            "sql_traits/**/*",
            "seeds/**/*.yml",
            "orchestration/lib/plan/*.py",
        )
    )
    own = [macro for macro in project.manifest["macros"].values() if macro["package_name"] == "tessera"]
    names = {
        macro["name"]
        for macro in own
        if not re.match(r"([a-z]+__|test_|materialization_|config_|plan_|generate_)", macro["name"])
    }
    return [f"the macro {name} is never called" for name in sorted(names) if len(re.findall(rf"\b{name}\b", text)) < 2]


def traits_are_listed(project: Project) -> list[str]:
    """Every SQL trait is a pair of files, a line of its level's var, and two columns: the level's key and value."""
    broken = []
    for level, var in (("profile", "sql_traits"), ("account", "sql_account_traits")):
        folder = project.root / "sql_traits" / f"{level}s"
        sql, yml = ({file.stem for file in folder.glob(f"*.{suffix}")} for suffix in ("sql", "yml"))
        listed = set(project.settings()["vars"][var])
        broken += [f"{folder.name}/{name} lacks its .sql or its .yml" for name in sorted(sql ^ yml)]
        broken += [
            f"{name} is not listed: add `        {name}: <type>` to vars: {var} in dbt_project.yml"
            for name in sorted(sql - listed)
        ]
        broken += [
            f"{name} is listed in dbt_project.yml, but sql_traits/{level}s/{name}.sql does not exist"
            for name in sorted(listed - sql)
        ]
        broken += [
            f"the trait {node['name']} documents {list(node['columns'])}, not {level}_id and value"
            for node in project.nodes("model")
            if node["package_name"] == "sql_traits"
            and node["original_file_path"].startswith(f"{level}s/")
            and list(node["columns"]) != [f"{level}_id", "value"]
        ]
    return broken


def vars_are_few_and_explained(project: Project) -> list[str]:
    """Under 15 vars, each below a comment that is a sentence."""
    text = (project.root / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8")
    names = list(project.settings()["vars"])
    broken = [f"there are {len(names)} vars, and under 15 are allowed"] if len(names) >= 15 else []
    return broken + [
        f"the var {name} has no comment above it" for name in names if not re.search(rf"#[^\n]+[.]\n    {name}:", text)
    ]


def folders_state_their_charter(project: Project) -> list[str]:
    """Every folder opens with what belongs in it and what may not."""
    broken = []
    for stage in project.stages():
        file = project.root / "dbt_project" / "models" / stage / f"_{stage}__models.yml"
        head = file.read_text(encoding="utf-8").split("models:")[0] if file.exists() else ""
        if not head.startswith(f"# {stage}: ") or "May not:" not in head:
            broken.append(f"{file.relative_to(project.root)} does not open with the charter of its stage")
    for folder in ("orchestration", "orchestration/lib", "orchestration/defs"):
        text = ast.get_docstring(ast.parse((project.root / folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        if "Belongs:" not in text or "May not:" not in text:
            broken.append(f"{folder}/__init__.py does not open with the folder's charter")
    for folder in (
        "dbt_project/config",
        "dbt_project/tracking_plan",
        "sql_traits",
        "seeds",
        "tests",
        "dbt_project/macros",
    ):
        file = project.root / folder / "README.md"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if "Belongs:" not in text or "May not:" not in text:
            broken.append(f"{folder}/README.md does not state what belongs in the folder and what may not")
    return broken


def lib_is_plain_python(project: Project) -> list[str]:
    """lib imports neither Dagster nor dbt and reads no environment."""
    broken = []
    for file in project.files("orchestration/lib/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            broken += [
                f"{file.relative_to(project.root)}:{node.lineno} imports {name}"
                for name in names
                if re.match(r"(dagster|dbt|orchestration\.(paths|defs|project|cli))\b", name)
            ]
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                broken.append(f"{file.relative_to(project.root)}:{node.lineno} reads the environment")
    return broken


def nothing_of_a_machine_is_tracked(project: Project) -> list[str]:
    """No registry's host, no path of one machine, no lock file that records hosts."""
    hosts = re.compile(
        r"pypi\.[o]rg|pythonhosted\.[o]rg|registry\.npm" + "js|deb\\.debian|(?<![\\w.])/(work|root|home)/[A-Za-z0-9_.-]+"
    )
    listed = subprocess.run(["git", "ls-files"], cwd=project.root, capture_output=True, text=True, check=False).stdout.split()
    names = listed or [str(file.relative_to(project.root)) for file in project.files("*", "*/**/*")]
    broken = [f"{name} may record hosts" for name in names if Path(name).name in ("uv.lock", "package-lock.json")]
    for name in names:
        file = project.root / name
        if file.suffix in (".gz", ".png") or not file.exists():
            continue
        broken += [
            f"{name} names {match.group(0)}" for match in hosts.finditer(file.read_text(encoding="utf-8", errors="ignore"))
        ]
    return broken


RULES: list[Callable[[Project], list[str]]] = [
    references_go_forward,
    one_word_a_stage,
    names_are_unique,
    public_models_keep_a_contract,
    public_models_have_a_key_test,
    public_models_have_a_unit_test,
    personal_data_is_marked,
    only_entrances_read_sources,
    models_never_read_the_clock,
    models_do_not_name_an_engine,
    models_pin_the_order,
    macros_are_used,
    traits_are_listed,
    vars_are_few_and_explained,
    folders_state_their_charter,
    lib_is_plain_python,
    nothing_of_a_machine_is_tracked,
]
