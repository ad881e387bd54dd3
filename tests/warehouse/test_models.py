"""The unit tests that lie beside the models, as dbt runs them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import tessera


def test_every_unit_test_beside_the_models_passes_in_a_home_that_nothing_was_built_in(tmp_path: Path) -> None:
    result = tessera(tmp_path / "home", "dbt", "build", as_of="2026-11-01")
    assert "ERROR=0" in result.stdout
    assert "START unit_test" in result.stdout
