"""The YAML that people write: what is refused, where the message points, and that its text stays data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.lib import config
from orchestration.lib.errors import UsageError
from tests.conftest import ROOT

SHIPPED = ROOT / "dbt_project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the shipped config and the shipped audience models, to change."""
    shutil.copytree(SHIPPED / "config", tmp_path / "config")
    shutil.copytree(SHIPPED / "models" / "audiences", tmp_path / "models" / "audiences")
    return tmp_path


def _edit(project: Path, name: str, old: str, new: str) -> Path:
    file = project / "config" / f"{name}.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


def _line_of(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if text in line)


def _compile(project: Path) -> dict[str, Any]:
    """Compile, then render each macro as dbt does, and return what it returns."""
    config.compile_macros(project / "config", project / "models", project / "compiled")
    returned = {}
    for name in config.FILES:

        def keep(value: Any, name: str = name) -> str:
            returned[name] = value
            return ""

        template = (project / "compiled" / f"config_{name}.sql").read_text(encoding="utf-8")
        environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701
        environment.from_string(template + f"{{{{ config_{name}() }}}}").render({"return": keep})
    return returned


def test_the_shipped_files_are_valid_and_compile_to_what_they_say(project: Path) -> None:
    written = {name: yaml.safe_load((project / "config" / f"{name}.yml").read_text(encoding="utf-8")) for name in config.FILES}
    compiled = _compile(project)
    assert compiled["identity"] == config.read(project / "config" / "identity.yml").compiled()  # type: ignore[attr-defined]
    assert [kind["type"] for kind in compiled["identity"]["identifiers"]] == ["user_id", "email", "phone", "anonymous_id"]
    assert compiled["identity"]["blocked"] == written["identity"]["blocked"]
    assert compiled["audiences"] == written["audiences"]["audiences"]
    assert compiled["syncs"] == written["syncs"]["syncs"]
    assert [trait["name"] for trait in compiled["traits"]["traits"]] == [trait["name"] for trait in written["traits"]["traits"]]
    assert [field["name"] for field in compiled["profiles"]["fields"]] == [
        field["name"] for field in written["profiles"]["fields"]
    ]
    assert [group["name"] for group in compiled["rfm"]["groupings"]] == [group["name"] for group in written["rfm"]["groupings"]]


@pytest.mark.parametrize(
    ("name", "old", "new", "marker"),
    [
        ("identity", "sharing_limit: 10", "sharing_limit: none at all", "sharing_limit:"),
        ("identity", "sharing_limit: 10", "sharing_limit: 0", "sharing_limit:"),
        ("identity", "default_region: GB", "default_region: Britain", "default_region:"),
        ("identity", "default_region: GB", "default_region: UK", "default_region:"),
        ("identity", "- type: email", "- type: E-Mail", "E-Mail"),
        ("identity", "- type: email", "- type: order", "- type: order"),
        ("identity", "- type: email", "- type: event_id", "- type: event_id"),
        ("identity", "- type: email", "- type: user_id_2", "identifiers:"),
        ("identity", "contested: 43200", "contested: 99999999", "login_window_minutes:"),
        ("identity", "- type: phone", "- type: email", "identifiers:"),
        ("identity", "found_in: [traits.email, context.traits.email]", "found_in: [trait.email]", "trait.email"),
        ("identity", "found_in: [traits.email, context.traits.email]", "found_in: []", "found_in: []"),
        ("identity", "found_in: [traits.phone, context.traits.phone]", "found_in: [properties.phone]", "- type: phone"),
        ("identity", "found_in: [userId]", "found_in: [traits.id]", "- type: user_id"),
        ("identity", "limit: 5", "limit: 0", "limit: 0"),
        ("identity", "normalise: lower", "normalise: upper", "normalise: upper"),
        ("identity", "alias: null", "alias: email", "alias: email"),
        ("identity", '- "guest"', "- 17", "- 17"),
        ("identity", '- "^[0-]*$"', '- "^[0-"', '- "^[0-"'),
        ("identity", '- "^[0-]*$"', '- "(?=x)"', '- "(?=x)"'),
        ("identity", '- "^[0-]*$"', "- '^\\d+$'", "- '^\\d+$'"),
        ("identity", '- "^[0-]*$"', '- "^test|"', '- "^test|"'),
        ("identity", "sharing_limit: 10", "sharing_limit: 10\nsharing_limits: 11", "sharing_limits:"),
        ("audiences", "holdout_percent: 10", "holdout_percent: 51", "holdout_percent: 51"),
        ("audiences", "- name: lapsing_customers", "- name: Lapsing customers", "Lapsing customers"),
        ("audiences", "- name: lapsing_customers", "- name: '{{ 1 }}'", "{{ 1 }}"),
        ("syncs", "destination: files", "destination: pigeons", "pigeons"),
        ("syncs", "columns: [email, phone, country]", "columns: []", "columns: []"),
        ("syncs", "columns: [email, phone, country]", "columns: [email, 'a\" b']", 'a" b'),
        ("rfm", "recency: [4, 5], frequency: [4, 5], monetary: [4, 5]", "recency: [5, 4]", "recency: [5, 4]"),
        ("rfm", "recency: [4, 5]", "recency: [0, 5]", "recency: [0, 5]"),
        ("rfm", "recency: [4, 5]", "recency: [4]", "recency: [4]"),
        ("rfm", "clusters: null", "clusters: 1", "clusters: 1"),
        ("rfm", "name: loyal,", "name: champions,", "recency: [3, 5], frequency: [3, 5]"),
        ("profiles", "rule: first", "rule: newest", "rule: newest"),
        ("profiles", "rule: first", "rule: source_priority", "rule: source_priority"),
        ("profiles", "keys: [country]", "keys: []", "keys: []"),
        ("profiles", "keys: [country]", 'keys: ["it\'s"]', "it's"),
        ("traits", "kind: average", "kind: median", "kind: median"),
        ("traits", "operator: greater_than, value: 0", "operator: larger, value: 0", "larger"),
        ("traits", "within_days: 30", "within_days: 0", "within_days: 0"),
        ("traits", "property: brand", 'property: "bra\'nd"', "bra'nd"),
        ("traits", "level: account", "level: company", "level: company"),
        ("traits", "property: at.hour", "property: at.minute", "at.minute"),
        ("traits", "name: last_search", "name: select", "name: select"),
        ("traits", "name: last_search", "name: show", "name: show"),
        ("traits", "name: last_search", "name: user", "name: user"),
        ("traits", "name: last_search", "name: holder_key", "name: holder_key"),
    ],
)
def test_a_wrong_value_is_refused_at_its_line(project: Path, name: str, old: str, new: str, marker: str) -> None:
    file = _edit(project, name, old, new)
    with pytest.raises(UsageError) as caught:
        config.read(file)
    assert caught.value.exit_code == 2
    assert caught.value.where.startswith(f"{file}:{_line_of(file, marker)} ")
    assert caught.value.allowed
    assert caught.value.fix


@pytest.mark.parametrize(
    ("old", "new", "trait", "allowed"),
    [
        ("operator: greater_than, value: 0", "operator: greater_than, value: much", "order_count", "takes a number"),
        ("operator: greater_than, value: 0", "operator: exists, value: 0", "order_count", "takes no value"),
        ("operator: greater_than, value: 0", "operator: before_date, value: yesterday", "order_count", "takes a date"),
        ("operator: greater_than, value: 0", "operator: greater_than, value: .inf", "order_count", "takes a number"),
        (
            "operator: greater_than, value: 0",
            "operator: equals, value: 2026-01-05",
            "order_count",
            "a text, a number, true or false",
        ),
        ("operator: greater_than, value: 0", "operator: equals_one_of, value: 0", "order_count", "takes a list"),
        (
            "operator: greater_than, value: 0",
            "operator: equals_one_of, value: ['']",
            "order_count",
            "takes a list of texts and numbers",
        ),
        ("operator: greater_than, value: 0", "operator: contains_one_of, value: [1]", "order_count", "a list of texts"),
        (
            "property: net_revenue\n      when_none",
            "property: profit\n      when_none",
            "lifetime_revenue",
            "no column of orders",
        ),
        ("      event: Page Scrolled\n", "", "scroll_depth", "needs `event`"),
        ("kind: average\n", "kind: count\n", "scroll_depth", "count has no property"),
        ("kind: unique_list\n", "kind: unique_list\n      minimum_count: 3\n", "viewed_categories", "belong to most_frequent"),
        ("kind: unique_list\n", "kind: unique_list\n      when_none: 3\n", "viewed_categories", "belongs to sum"),
    ],
)
def test_parts_of_a_trait_that_do_not_fit_are_refused_with_what_would(
    project: Path, old: str, new: str, trait: str, allowed: str
) -> None:
    file = _edit(project, "traits", old, new)
    with pytest.raises(UsageError) as caught:
        config.read(file)
    assert allowed in caught.value.allowed
    line = int(caught.value.where.rpartition(" (")[0].rpartition(":")[2])
    first = _line_of(file, f"name: {trait}")
    assert first <= line <= first + 8


def test_a_key_that_occurs_twice_is_refused_before_its_first_list_is_lost(project: Path) -> None:
    """Whoever adds a trait below a second `traits:` would have that one alone."""
    file = project / "config" / "traits.yml"
    file.write_text(file.read_text(encoding="utf-8") + "\ntraits:  # mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match="key twice") as caught:
        config.read(file)
    assert caught.value.where == f"{file}:{_line_of(file, '# mine')}"
    first = file.read_text(encoding="utf-8").splitlines().index("traits:") + 1
    assert f"line {first}" in caught.value.found


def test_true_and_false_are_compared_as_their_texts() -> None:
    conditions = [{"operator": "equals", "value": True}, {"operator": "equals_one_of", "value": [False, 0.5]}]
    read = [config.Condition.model_validate({"property": "has_conversion", **condition}).value for condition in conditions]
    assert read == ["true", ["false", 0.5]]


def test_a_missing_key_is_refused_at_the_item_that_lacks_it(project: Path) -> None:
    file = _edit(project, "syncs", "      purpose: advertising\n", "")
    with pytest.raises(UsageError) as caught:
        config.read(file)
    assert caught.value.where == f"{file}:{_line_of(file, 'name: winback_ads')} (syncs.1.purpose)"


def test_a_misspelt_key_is_named_rather_than_the_key_it_leaves_missing(project: Path) -> None:
    file = _edit(project, "syncs", "purpose: advertising", "purpse: advertising")
    with pytest.raises(UsageError) as caught:
        config.read(file)
    assert caught.value.where == f"{file}:{_line_of(file, 'purpse:')} (syncs.1.purpse)"


@pytest.mark.parametrize(
    "broken", ["syncs: [", "syncs:\n  - name: a\n   bad: indent", "syncs:\n\t- name: x", 'a: "open', "syncs: []\nsyncs: []"]
)
def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "syncs.yml"
    file.write_text("# a comment\n" + broken, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        config.read(file)
    path, _, line = caught.value.where.rpartition(":")
    assert path == str(file)
    assert 2 <= int(line) <= 4


@pytest.mark.parametrize("content", ["", "# only a comment\n", "- a\n- list\n", "just text\n", "7\n"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "identity.yml").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        config.read(tmp_path / "identity.yml")
    assert f"{tmp_path / 'identity.yml'}:1" in caught.value.where


def test_a_missing_file_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing") as caught:
        config.read(tmp_path / "syncs.yml")
    assert caught.value.where == str(tmp_path / "syncs.yml")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "identity.yml").write_bytes("identifiers: [user_id] # für\n".encode("latin-1"))
    with pytest.raises(UsageError):
        config.read(tmp_path / "identity.yml")


def test_two_syncs_of_one_name_are_refused(project: Path) -> None:
    file = _edit(project, "syncs", "name: winback_ads", "name: newsletter_vip")
    with pytest.raises(UsageError, match="each name occurs once"):
        config.read(file)


def test_two_audiences_of_one_name_are_refused(project: Path) -> None:
    file = project / "config" / "audiences.yml"
    file.write_text(
        file.read_text(encoding="utf-8") + "\n    - name: lapsing_customers\n      description: Once more.\n", encoding="utf-8"
    )
    with pytest.raises(UsageError):
        config.read_all(project / "config", project / "models")


def test_an_audience_without_its_model_and_a_model_without_its_line_are_named(project: Path) -> None:
    (project / "models/audiences/audience_lapsing_customers.sql").rename(project / "models/audiences/audience_quiet_people.sql")
    with pytest.raises(UsageError) as caught:
        config.read_all(project / "config", project / "models")
    assert "listed without a model: ['lapsing_customers']" in caught.value.found
    assert "models not listed: ['quiet_people']" in caught.value.found
    assert "audiences.yml" in caught.value.where


def test_a_sync_of_an_unknown_audience_is_refused_with_the_known_ones(project: Path) -> None:
    _edit(project, "syncs", "audience: lapsing_customers", "audience: nobody")
    with pytest.raises(UsageError) as caught:
        config.read_all(project / "config", project / "models")
    assert caught.value.found == "nobody"
    assert "lapsing_customers" in caught.value.allowed
    assert "winback_ads" in caught.value.where


@pytest.mark.parametrize("pattern", ["(?i)^test", "^(?!staff)", "[0-9", "\\\\d+"])
def test_a_pattern_that_engines_read_differently_is_refused_with_its_line(project: Path, pattern: str) -> None:
    _edit(project, "identity", '"^[0-]*$"', f'"{pattern}"')
    with pytest.raises(UsageError, match=r"identity\.yml:[0-9]+ .*patterns"):
        config.read_all(project / "config", project / "models")


HOSTILE = [
    "{{ 1 / 0 }}",
    "{% raw %}",
    "{% endmacro %}",
    "{# comment #}",
    "}}{{",
    "it's",
    'say "hi"',
    "both ' and \"",
    "back\\slash",
    "\\x7b\\x7b",
    "ends with \\",
    "new\nline\tand tab",
    "größe 🙂",
    "\u2028",
    "None",
    "true",
    "",
]


def test_text_is_data_and_never_template(project: Path) -> None:
    file = project / "config" / "identity.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["blocked"]["values"] = HOSTILE
    content["blocked"]["patterns"] = ["^[{][{].*[}][}]$", "a{2,3}", "\\.", 'it\'s|"that"']
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert _compile(project)["identity"]["blocked"] == content["blocked"]


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_any_text_survives_being_compiled(text: str) -> None:
    template = f"{{{{ keep({config.jinja_literal([{'value': text}])}) }}}}"
    kept: list[Any] = []
    jinja2.Environment(autoescape=False).from_string(template).render(keep=lambda value: kept.append(value) or "")  # noqa: S701
    assert kept == [[{"value": text}]]


def test_compiling_again_leaves_unchanged_files_untouched_and_renews_changed_ones(project: Path) -> None:
    _compile(project)
    before = {file.name: file.stat().st_mtime_ns for file in (project / "compiled").iterdir()}
    _compile(project)
    assert {file.name: file.stat().st_mtime_ns for file in (project / "compiled").iterdir()} == before
    _edit(project, "identity", "sharing_limit: 10", "sharing_limit: 11")
    assert _compile(project)["identity"]["sharing_limit"] == 11


def test_a_wrong_file_compiles_nothing(project: Path) -> None:
    _edit(project, "syncs", "destination: files", "destination: pigeons")
    with pytest.raises(UsageError):
        config.compile_macros(project / "config", project / "models", project / "compiled")
    assert not (project / "compiled").exists()


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("segment_tables: [{schema: 'web; drop table x'}]", "the name of a schema or a database"),
        ("segment_tables: [{schema: web, source: a b}]", "pattern"),
        ("segment_tables: [{schema: web}, {schema: WEB}]", "each schema occurs once"),
        ("segment_tables: [{source: web}]", "the key is missing"),
    ],
)
def test_the_schema_of_landed_tables_must_be_a_plain_name(tmp_path: Path, text: str, allowed: str) -> None:
    file = tmp_path / "inputs.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not valid") as error:
        config.read(file)
    assert allowed in error.value.allowed
    assert f"{file}:1" in error.value.where
