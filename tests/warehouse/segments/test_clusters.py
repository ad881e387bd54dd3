"""The k-means clusters, in the bare project: the order of rows changes nothing, and what is plainly apart is found apart."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from tests.warehouse.bare import BareProject
from tests.warehouse.helpers import dice

Buyer = tuple[str, int, int, Decimal]
CENTRES = ((300, 1, 15), (200, 3, 90), (20, 2, 60), (10, 12, 900))  # recency in days, orders, money


def buyers(seed: int) -> dict[int, list[Buyer]]:
    """Return the buyers around each centre."""
    draws = dice(seed)

    def near(centre: int) -> int:
        return max(1, round(centre * draws.uniform(0.8, 1.2)))

    return {
        n: [(f"p{n}-{i}", near(r), near(f), Decimal(near(100 * m)) / 100) for i in range(draws.randint(100, 150))]
        for n, (r, f, m) in enumerate(CENTRES, 1)
    }


def clusters(rows: list[Buyer], count: int | None) -> dict[str, int]:
    with duckdb.connect() as connection:
        project = BareProject(connection)
        project._macros["config_rfm"] = lambda: {"clusters": count, "groupings": []}
        connection.execute("create schema segments")
        connection.execute(
            """create table segments.int_buyers_measured (level varchar, moment bigint, buyer_id varchar, recency_days bigint,
            frequency bigint, monetary decimal(18, 4))"""
        )
        if rows:
            connection.executemany("insert into segments.int_buyers_measured values ('profile', 0, ?, ?, ?, ?)", rows)
        project.build("rfm_clusters")
        return dict(connection.execute("select profile_id, cluster from segments.rfm_clusters").fetchall())


@pytest.mark.parametrize("seed", range(3))
def test_groups_that_lie_apart_are_found_in_any_order_of_rows(seed: int) -> None:
    groups = buyers(seed)
    rows = [row for own in groups.values() for row in own]
    found = clusters(rows, len(CENTRES))
    values = {n: sum(row[3] for row in own) / len(own) for n, own in groups.items()}
    ranks = {n: rank for rank, n in enumerate(sorted(values, key=lambda n: values[n]), 1)}
    assert found == {row[0]: ranks[n] for n, own in groups.items() for row in own}
    assert clusters(dice(seed).sample(rows, len(rows)), len(CENTRES)) == found


def test_buyers_who_are_all_alike_are_one_cluster_and_nobody_is_none() -> None:
    alike: list[Buyer] = [(f"p{n}", 9, 1, Decimal(10)) for n in range(20)]
    assert set(clusters(alike, 3).values()) == {1}
    assert clusters(alike, None) == {}
    assert clusters([], 3) == {}
