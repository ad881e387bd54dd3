"""The models' SQL in one bare DuckDB process, without dbt: for tests that resolve thousands of histories, and for benchmarks.

It renders the very files of the project: macros, materializations and models. What dbt would add (contracts, tests, logs) is left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import yaml

from orchestration.lib import config
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT

PROJECT, SQL_TRAITS = ROOT / "dbt_project", ROOT / "sql_traits"
CONFIGS = ("profiles", "rfm", "traits")  # beside identity.yml
STAGING = (  # over loaded lines, without a tracking plan
    "stg_segment__events",
    "int_events_validated",
    "event_violations",
    "int_events_trimmed",
    "int_events_accepted",
    "events",
)
IDENTITY = (  # the models that make profile_identifiers and identity_links, in order
    "int_overrides_read",
    "int_files_counted",
    "int_identifiers_collected",
    "int_identifiers_observed",
    "int_identifiers_linked",
    "int_identifiers_shared",
    "int_overrides_applied",
    "int_identifiers_included",
    "int_identifiers_touched",
    "int_identifiers_grouped",
    "int_rules_broken",
    "int_identifiers_united",
    "int_identifiers_resolved",
    "int_identifiers_held",
    "profile_identifiers",
    "identity_links",
)
HISTORY = (
    "int_identifiers_ranked",
    "int_evidence_ordered",
    "int_profiles_merged",
    "int_profiles_ended",
    "profile_merges",
    "int_identifiers_passed",
    "identifier_history",
)
EVENTS = ("int_events_resolved",)
AS_OF = "2026-11-01T00:00:00"


class _ReturnError(Exception):
    """What `return()` in a macro raises, as in dbt."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Relation(str):
    """A relation's name; its parts are attributes."""

    schema: str
    identifier: str

    def __new__(cls, schema: str, identifier: str) -> _Relation:
        relation = super().__new__(cls, f"{schema}.{identifier}")
        relation.schema, relation.identifier = schema, identifier
        return relation

    def incorporate(self, path: dict[str, str] | None = None, type: str = "table") -> _Relation:
        path = path or {}
        return _Relation(path.get("schema", self.schema), path.get("identifier", self.identifier))


class BareProject:
    """The project's models over one DuckDB connection. `settings` is what identity.yml compiles to."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: dict[str, Any] | None = None) -> None:
        self.connection = connection
        self.statements = 0
        self.meta: dict[str, Any] = {}  # added to the meta of every model
        self.inputs: dict[str, Any] = {"segment_tables": []}
        self.settings_of = {
            name: config.read(PROJECT / "config" / f"{name}.yml").model_dump(mode="json") for name in CONFIGS
        }  # what the other files of config compile to
        self.full_refresh = False
        self.as_of = AS_OF
        self._references: set[str] = set()
        self.settings = settings or config.read(PROJECT / "config" / "identity.yml").compiled()  # type: ignore[attr-defined]
        self._vars = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
        self._files = {path.stem: path for folder in (PROJECT / "models", SQL_TRAITS) for path in folder.rglob("*.sql")}
        self._templates: dict[str, jinja2.Template] = {}
        self._model: dict[str, Any] = {}
        self._macros: dict[str, Callable[..., Any]] = {}
        self._environment = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=False)  # noqa: S701
        self._environment.globals |= self._names()
        texts = [
            re.sub(
                r"{% materialization (\w+), default %}", r"{% macro materialization_\1() %}", file.read_text(encoding="utf-8")
            ).replace("{% endmaterialization %}", "{% endmacro %}")
            for folder in ("engine", "product")
            for file in sorted((PROJECT / "macros" / folder).glob("*.sql"))
        ]
        names = {name for text in texts for name in re.findall(r"{%-? macro (\w+)\(", text)} | {
            "config_identity",
            "config_inputs",
            "plan_event",
            "plan_properties",
            *(f"config_{name}" for name in CONFIGS),
            "plan_breaches",
        }
        self._environment.globals |= {name: self._caller(name) for name in names}
        for text in texts:  # one at a time: a macro that another of its file calls returns its value as any other
            for macro in re.findall(r"{%-? macro .*?endmacro -?%}", text, re.DOTALL):
                self._read_macros(macro)
        self._macros |= {"replace_table": self._replace_table, "config_identity": lambda: self.settings}
        self._macros |= {"config_inputs": lambda: self.inputs, "landed_tables": lambda place: self.inputs["tables"]}
        self._macros |= {f"config_{name}": lambda name=name: self.settings_of[name] for name in CONFIGS}
        self.nodes = {node["unique_id"]: node for node in map(self._node, self._files)}
        self._environment.globals["graph"]["nodes"] = self.nodes
        self._macros |= {"plan_event": lambda: "event", "plan_properties": lambda: "properties", "plan_breaches": lambda _: ""}

    def run(self, models: Iterable[str]) -> None:
        """Build the models in the order given."""
        for name in models:
            self.build(name)

    def build(self, name: str) -> None:
        """Build one model."""
        sql = self.compile(name)
        kind = self._model["materialized"]
        this = self._model["this"]
        if kind in ("table", "view"):
            self.execute(f"create or replace {kind} {this} as {sql}")
        elif kind == "incremental":  # by appending
            self.execute(f"insert into {this} {sql}" if self._is_incremental() else f"create table {this} as {sql}")
            self.render(self._model.get("post_hook", ""))
        else:
            self._model["sql"] = sql
            self._macros[f"materialization_{kind}"]()

    def materialize(self, name: str, kind: str, sql: str, meta: dict[str, Any] | None = None) -> None:
        """Build a table of the identity schema that is no model, by one of the project's materializations."""
        self._model = {"materialized": kind, "meta": meta or {}, "this": _Relation("identity", name), "sql": sql}
        self._macros[f"materialization_{kind}"]()

    def render(self, text: str) -> str:
        """Return a text with the project's macros filled in."""
        return self._environment.from_string(text).render()

    def compile(self, name: str) -> str:
        """Return a model's SQL."""
        self._model = {"materialized": "table", "meta": {}, "this": self.relation(name)}
        if name not in self._templates:
            self._templates[name] = self._environment.from_string(self._files[name].read_text(encoding="utf-8"))
        return self._templates[name].render()

    def references(self, name: str, *, full_refresh: bool) -> set[str]:
        """Return what a model's SQL refers to."""
        former, self.full_refresh = self.full_refresh, full_refresh
        self._references.clear()
        self.compile(name)
        self.full_refresh = former
        return set(self._references)

    def change_file(self, name: str, old: str, new: str) -> None:
        """Change a model's text, as an editor would."""
        node = next(node for node in self.nodes.values() if node["name"] == name)
        assert old in node["raw_code"]
        node["raw_code"] = node["raw_code"].replace(old, new)
        self._templates[name] = self._environment.from_string(node["raw_code"])

    def relation(self, name: str) -> _Relation:
        """Return the relation of a model (its folder is the schema) or of a seed."""
        file = self._files.get(name)
        return _Relation("reference" if file is None else "sql_traits" if SQL_TRAITS in file.parents else file.parent.name, name)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement."""
        self.statements += 1
        return self.connection.execute(sql).fetchall()

    def _node(self, name: str) -> dict[str, Any]:
        """Return what macros ask dbt's graph of a model: where it belongs, its file, and how a SQL trait is built."""
        file = self._files[name]
        text, is_trait = file.read_text(encoding="utf-8"), SQL_TRAITS in file.parents
        fqn = ["sql_traits", name] if is_trait else ["tessera", file.parent.name, name]
        unique_id = f"model.{fqn[0]}.{name}"
        self._model = {}
        if is_trait and text.startswith("{{ config("):
            self.render(text.splitlines()[0])
        return {
            "resource_type": "model",
            "name": name,
            "alias": name,
            "schema": self.relation(name).schema,
            "fqn": fqn,
            "raw_code": text,
            "config": self._model,
            "unique_id": unique_id,
        }

    def _is_incremental(self) -> bool:
        return self._model["materialized"] == "incremental" and bool(self._columns(self._model["this"]))

    def _names(self) -> dict[str, Any]:
        return {
            "ref": lambda *names: self._references.add(names[-1]) or self.relation(names[-1]),
            "source": lambda source, table: f"{source}.{table}",
            "config": _Config(self),
            "adapter": SimpleNamespace(dispatch=self._dispatch, commit=lambda: "", get_columns_in_relation=self._columns),
            "execute": True,
            "flags": SimpleNamespace(WHICH="build"),
            "graph": {},
            "model": _CurrentNode(self),
            "run_hooks": lambda _: "",
            "pre_hooks": [],
            "post_hooks": [],
            "load_cached_relation": lambda relation: relation if self._columns(relation) else None,
            "should_full_refresh": lambda: self.full_refresh,
            "is_incremental": self._is_incremental,
            "statement": lambda _, caller: self.execute(caller()) and "",
            "local_md5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            "run_query": self._run_query,
            "return": _return,
            "var": lambda name: self._vars[name],
            "tojson": json.dumps,
            "modules": SimpleNamespace(re=re),
            "env_var": lambda name, default="": {"TESSERA_AS_OF": self.as_of}.get(name, default),
            "dbt": SimpleNamespace(type_string=lambda: "varchar", type_timestamp=lambda: "timestamp"),
            "exceptions": SimpleNamespace(raise_compiler_error=_raise),
            "this": _Current(self, "this"),
            "sql": _Current(self, "sql"),
        }

    def _caller(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._macros[name](*arguments, **options)

    def _read_macros(self, text: str) -> None:
        module = self._environment.from_string(text).module
        for name in dir(module):
            macro = getattr(module, name)
            if isinstance(macro, jinja2.runtime.Macro):
                self._macros[name] = _returning(macro)

    def _dispatch(self, name: str, _: str = "") -> Callable[..., Any]:
        return self._macros.get(f"duckdb__{name}") or self._macros[f"default__{name}"]

    def _run_query(self, sql: str) -> Any:
        rows = self.execute(sql)
        columns = list(zip(*rows, strict=True))
        return SimpleNamespace(columns=[SimpleNamespace(values=lambda column=column: column) for column in columns])

    def _columns(self, relation: Any) -> list[SimpleNamespace]:
        try:
            return [SimpleNamespace(name=name) for name in self.connection.table(str(relation)).columns]
        except (duckdb.CatalogException, duckdb.ParserException):  # no such table, or no name of one
            return []

    def _replace_table(self, sql: str) -> None:
        self.execute(f"create or replace table {self._model['this']} as {sql}")


class _Config:
    """dbt's `config`: called in a model, asked in a materialization."""

    def __init__(self, project: BareProject) -> None:
        self._project = project

    def __call__(self, **options: Any) -> str:
        self._project._model |= options
        return ""

    def get(self, name: str, default: Any = None) -> Any:
        value = self._project._model.get(name, default)
        return value | self._project.meta if name == "meta" else value


class _Current:
    """What belongs to the model that is built now; macros keep the object, not the model."""

    def __init__(self, project: BareProject, key: str) -> None:
        self._project, self._key = project, key

    def __str__(self) -> str:
        return str(self._project._model[self._key])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._project._model[self._key], name)


class _CurrentNode:
    """dbt's `model`: the model that is built now; macros keep the object, not the model."""

    def __init__(self, project: BareProject) -> None:
        self._project = project

    def __getattr__(self, name: str) -> Any:
        identifier = self._project._model["this"].identifier
        found = [node for node in self._project.nodes.values() if node["name"] == identifier]
        return (found or [{"resource_type": "model", "name": identifier, "raw_code": ""}])[0].get(name)


def _return(value: Any) -> None:
    raise _ReturnError(value)


def _raise(message: str) -> None:
    raise AssertionError(message)


def _returning(macro: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return macro(*arguments, **options)
        except _ReturnError as returned:
            return returned.value

    return call


def raw_tables(connection: duckdb.DuckDBPyConnection, salt: str = "tessera") -> None:
    """Create the schemas of the stages, the raw tables and the empty overrides, for calls that `load_files` then loads."""
    Embedded(connection).ensure_tables(salt)
    for schema in ("reference", "staging", "events", "identity", "unify"):
        connection.execute(f"create schema if not exists {schema}")
    columns = "event_id, violation_type, field, detail, property, outcome".replace(",", " varchar,")
    connection.execute(f"create or replace table events.int_events_planned ({columns} varchar)")
    connection.execute(
        "create or replace table reference.identity_overrides (entity varchar, id1 varchar, id1_type varchar, action varchar,"
        " id2 varchar, id2_type varchar, reason varchar)"
    )


def prepare(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    """Create the empty tables that the identity models read: accepted events with the given identifier columns."""
    raw_tables(connection)
    identifiers = ", ".join(f"{column} varchar" for column in columns)
    connection.execute(
        f"create or replace table events.int_events_accepted"
        f" (event_id varchar, {identifiers}, occurred_at timestamp, received_at timestamp, file_id varchar)"
    )
    connection.execute("create or replace table raw.phone_numbers (phone varchar, region varchar, phone_e164 varchar)")
