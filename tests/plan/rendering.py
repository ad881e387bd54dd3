"""Compiled SQL rendered without dbt: the project's macros in a Jinja of their own, so that one process tries thousands."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import jinja2
import jinja2.ext

from tests.conftest import ROOT

MACROS = [
    *(f"engine/{name}" for name in ("text_literal", "text_array", "json_kinds", "json_texts", "json_keys_of", "json_item_rows")),
    *(f"engine/{name}" for name in ("json_number", "json_changed", "text_rows", "pattern_literal", "matches")),
    "product/is_date_time",
]


def _split_part(text: str, separator: str, number: int) -> str:
    return f"split_part({text}, {separator}, {number})"


def _position(part: str, text: str) -> str:
    return f"position({part} in {text})"


class Renderer:
    """Jinja with the macros that compiled plans call."""

    def __init__(self, engine: str = "duckdb") -> None:
        self.engine = engine
        self.environment = jinja2.Environment(extensions=[jinja2.ext.do])  # noqa: S701 (SQL, not HTML)
        self.environment.globals.update(
            adapter=SimpleNamespace(dispatch=self._dispatch),
            modules=SimpleNamespace(re=re),
            tojson=json.dumps,
            **{"return": lambda value: value},
            dbt=SimpleNamespace(split_part=_split_part, position=_position),
        )
        for name in MACROS:
            text = (ROOT / "dbt_project" / "macros" / f"{name}.sql").read_text(encoding="utf-8")
            module = self.environment.from_string(text).make_module()
            self.environment.globals.update({key: value for key, value in vars(module).items() if not key.startswith("_")})

    def _dispatch(self, name: str, _: str) -> Any:
        found = self.environment.globals
        return found.get(f"{self.engine}__{name}") or found[f"default__{name}"]

    def render(self, text: str, **values: Any) -> str:
        return self.environment.from_string(text).render(**values)
