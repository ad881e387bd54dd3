"""Tables that Segment lands in the warehouse, named in config/inputs.yml, become a profile, an order and an account by `tessera run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ask, tessera_in
from tests.orchestration.conftest import copy_tree
from tests.warehouse.staging.test_segment_tables import CALLS, land


@dataclass
class Shop:
    """A checkout whose inputs.yml names the schema web_prod of its warehouse."""

    tree: Path
    home: Path

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
            connection.execute(sql)

    def run(self, as_of: str) -> None:
        tessera_in(self.tree, self.home, "run", as_of=as_of)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("landed")
    shop = Shop(copy_tree(folder / "tree"), folder / "home")
    shop.home.mkdir()
    tessera_in(shop.tree, shop.home, "dbt", "parse", "--quiet")  # as it was before the schema was named
    inputs = shop.tree / "dbt_project" / "config" / "inputs.yml"
    inputs.write_text("segment_tables: [{schema: web_prod, source: shop_web}]", encoding="utf-8")
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        land(connection, "web_prod")
    shop.run("2026-02-01")
    return shop


def test_landed_tables_become_events_a_profile_an_order_and_an_account(shop: Shop) -> None:
    events = ask(shop.home, "select event_id, source_id from events.events order by event_id")
    assert events == [{"event_id": call["messageId"], "source_id": "shop_web"} for call in CALLS]
    [ada] = ask(shop.home, "select profile_id, email, phone from profiles.profiles where is_known")
    assert (ada["email"], ada["phone"]) == ("ada@example.com", "+447911123456")
    held = ask(shop.home, f"select identifier_value from identity.profile_identifiers where profile_id = '{ada['profile_id']}'")
    assert {"u-1", "a-1", "ada@example.com"} <= {row["identifier_value"] for row in held}
    orders = ask(shop.home, "select order_id, profile_id, revenue from profiles.orders")
    assert [(order["order_id"], order["profile_id"], float(order["revenue"])) for order in orders] == [
        ("o-1", ada["profile_id"], 12.5)
    ]
    assert ask(shop.home, "select account_id from profiles.account_members") != []


@pytest.mark.slow
def test_rows_that_are_added_or_changed_in_landed_tables_are_followed_by_the_next_run(shop: Shop) -> None:
    shop.execute(
        "insert into web_prod.signed_up by name select * replace ('m-8' as id, 'u-2' as user_id) from web_prod.signed_up"
    )
    shop.execute("update web_prod.order_completed set revenue = 20")
    shop.run("2026-02-02")
    assert len(ask(shop.home, "select event_id from events.events")) == len(CALLS) + 1
    known = ask(
        shop.home, "select identifier_value from identity.profile_identifiers where identifier_type = 'user_id' order by 1"
    )
    assert [row["identifier_value"] for row in known] == ["u-1", "u-2"]
    [order] = ask(shop.home, "select revenue from profiles.orders")
    assert float(order["revenue"]) == 20
