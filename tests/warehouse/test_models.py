"""The unit tests that lie beside the models, as dbt runs them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import tessera


def test_every_unit_test_beside_the_models_passes(demo_home: Path) -> None:
    result = tessera(demo_home, "dbt", "test", "--select", "test_type:unit", as_of="2026-11-01")
    assert "ERROR=0" in result.stdout
    assert "PASS=0" not in result.stdout
