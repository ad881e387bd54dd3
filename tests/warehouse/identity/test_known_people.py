"""Public record-linkage data whose truth is known: exact identifiers give the published precision and recall, no more and no less."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.lib import config, load
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.warehouse.bare import EVENTS, HISTORY, IDENTITY, STAGING, BareProject, raw_tables
from tests.warehouse.identity.accuracy import Score, score

SHIPPED = yaml.safe_load((ROOT / "dbt_project" / "config" / "identity.yml").read_text(encoding="utf-8"))


def resolve(file: Path, identifiers: list[Any]) -> dict[str, str | None]:
    """Load calls as `tessera load` does, build staging to identity; return record (its anonymousId) → profile."""
    settings = config.Identity.model_validate(SHIPPED | {"identifiers": identifiers}).compiled()
    with duckdb.connect() as connection:
        raw_tables(connection)
        load.load_files(Embedded(connection), [file], source="records", region="GB")
        BareProject(connection, settings).run((*STAGING, *IDENTITY, *HISTORY, *EVENTS))
        found = "select identifier_value, profile_id from identity.profile_identifiers where identifier_type = 'anonymous_id'"
        return dict(connection.execute(found).fetchall())


def compare(folder: Path, name: str, identifiers: list[Any], capsys: pytest.CaptureFixture[str]) -> Score:
    with next(folder.glob("*_truth.csv")).open(encoding="utf-8") as file:
        truth = {row["record_id"]: row["entity_id"] for row in csv.DictReader(file)}
    profiles = resolve(next(folder.glob("*.ndjson.gz")), identifiers)
    found = score({record: profiles.get(record) for record in truth}, truth)
    with capsys.disabled():
        print(f"\n{name}, pairs of {len(truth):,} records: {found}")
    return found


def test_febrl_by_national_id_has_precision_1_and_recall_9_tenths(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare(shared_data / "identity_febrl1", "febrl1 by national_id", ["national_id", "anonymous_id"], capsys)
    assert (found.precision, found.recall) == (1.0, 0.9)


def test_fake_1000_by_email_joins_hardly_any_strangers(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exact e-mail is the only strong key there, and most pairs spell it differently: recall is what the data allow."""
    found = compare(shared_data / "identity_fake1000", "fake_1000 by e-mail", ["email", "anonymous_id"], capsys)
    assert found.precision > 0.95
    assert found.recall > 0.3
