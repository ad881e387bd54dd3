"""The two loops of the identity stage on graphs that identifiers cannot easily be made to form, against plain references.

Identifiers get their node numbers from hashes, so a chain whose numbers run in order, or zigzag, is given to the materialization
itself: in a scratch dbt project that has nothing but the engine's macros and three models.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from orchestration.project import DBT
from tests.conftest import ROOT
from tests.warehouse.helpers import dice

PROJECT = """
name: tessera
version: "1.0.0"
config-version: 2
profile: scratch
"""
PROFILE = """
scratch:
  target: duckdb
  outputs:
    duckdb: {type: duckdb, path: scratch.duckdb, schema: main, threads: 1}
"""
MODELS = {
    "components": ("connected_components", "select node_a, node_b from read_parquet('edges.parquet')"),
    "components_of_nothing": ("connected_components", "select node_a, node_b from read_parquet('edges.parquet') where false"),
    "ends": ("merge_replay", "select component, a, b, evidence_number from read_parquet('evidence.parquet')"),
}


def chain(labels: np.ndarray) -> np.ndarray:
    return np.column_stack((labels[:-1], labels[1:]))


def graphs(nodes: int, draws: np.random.Generator) -> dict[str, np.ndarray]:
    """Return graphs by name, each with nodes from 0 to `nodes`, as (edges, 2)."""
    in_order = np.arange(nodes)
    scrambled = draws.permutation(nodes)
    zigzag = np.empty(nodes, np.int64)
    zigzag[0::2], zigzag[1::2] = in_order[: (nodes + 1) // 2], in_order[::-1][: nodes // 2]
    leaves = in_order[1:]
    side = int(nodes**0.5)
    grid = draws.permutation(side * side).reshape(side, side)
    return {
        "chain in order": chain(in_order),
        "chain in order, other way round": chain(in_order)[:, ::-1],
        "chain scrambled": chain(scrambled),
        "chain zigzag": chain(zigzag),
        "star, centre first": np.column_stack((np.zeros(nodes - 1, np.int64), leaves)),
        "star, centre last": np.column_stack((np.full(nodes - 1, nodes), leaves)),
        "binary tree": np.column_stack((leaves, (leaves - 1) // 2)),
        "one blob": draws.integers(0, nodes // 10, (nodes, 2)),
        "many components": draws.integers(0, nodes, (nodes // 2, 2)),
        "grid": np.concatenate((chain(grid).reshape(-1, 2), np.column_stack((grid[:-1].ravel(), grid[1:].ravel())))),
        "loops and repetitions": np.concatenate(
            (chain(scrambled[:500]), chain(scrambled[:500]), np.repeat(in_order[-200:, None], 2, axis=1))
        ),
    }


Evidence = list[tuple[int, int]]


def histories(size: int, draws: random.Random) -> Iterator[Evidence]:
    """Yield components as evidence in the order received: pairs of members by seniority (1 is the oldest), each connected."""
    members = range(1, size + 1)
    for _ in range(60):
        count = draws.randint(2, 40)
        tree = [(n, draws.randint(1, n - 1)) for n in range(2, count + 1)]
        names = draws.sample(range(1, count + 1), count)
        extra = [(draws.randint(1, count), draws.randint(1, count)) for _ in range(draws.randint(0, count))]
        pairs = list(dict.fromkeys((names[x - 1], names[y - 1]) for x, y in tree + extra if x != y))
        yield draws.sample(pairs, len(pairs))
    yield [(n, n + 1) for n in members[:-1]]
    names = draws.sample(members, size)
    pairs = list(pairwise(names))
    yield draws.sample(pairs, len(pairs))
    yield [(n, 1) for n in draws.sample(members[1:], size - 1)]
    yield [(n, size) for n in draws.sample(members[:-1], size - 1)]
    yield [(n, n - 1) for n in range(60, 1, -1)]  # each leader meets a younger one first: the loop's worst case
    yield [(60 - n // 2 if n % 2 else 1 + n // 2, 60 - (n + 1) // 2 if not n % 2 else 1 + (n + 1) // 2) for n in range(59)]


def replay(evidence: Evidence) -> set[tuple[int, int]]:
    """Return (seniority, number of the evidence that ended its lead), evidence taken one after the other."""
    leader: dict[int, int] = {}

    def find(member: int) -> int:
        while leader.get(member, member) != member:
            leader[member] = leader.get(leader[member], leader[member])
            member = leader[member]
        return member

    ends = set()
    for number, pair in enumerate(evidence, start=1):
        older, younger = sorted(map(find, pair))
        if older != younger:
            leader[younger] = older
            ends.add((younger, number))
    return ends


class Scratch(NamedTuple):
    """What was run. The n-th graph's nodes have `n * step` added."""

    folder: Path
    step: int
    graphs: dict[str, np.ndarray]
    histories: list[Evidence]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A dbt project that has run the loops once over all graphs and histories."""
    nodes = 100_000
    folder = tmp_path_factory.mktemp("scratch")
    shutil.copytree(ROOT / "dbt_project" / "macros" / "engine", folder / "macros")
    (folder / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (folder / "profiles.yml").write_text(PROFILE, encoding="utf-8")
    (folder / "models").mkdir()
    for name, (materialization, sql) in MODELS.items():
        text = f"{{{{ config(materialized='{materialization}') }}}}\n{sql}\n"
        (folder / "models" / f"{name}.sql").write_text(text, encoding="utf-8")

    made = graphs(nodes, np.random.default_rng(7))
    step = 10 * nodes
    edges = np.concatenate([graph + n * step for n, graph in enumerate(made.values())])
    edges = np.random.default_rng(8).permutation(edges)
    pa.parquet.write_table(pa.table({"node_a": edges[:, 0], "node_b": edges[:, 1]}), folder / "edges.parquet")

    told = list(histories(nodes // 5, dice(9)))
    rows = [(n, *pair, number) for n, evidence in enumerate(told) for number, pair in enumerate(evidence, start=1)]
    dice(10).shuffle(rows)
    columns = dict(zip(("component", "a", "b", "evidence_number"), zip(*rows, strict=True), strict=True))
    pa.parquet.write_table(pa.table(columns), folder / "evidence.parquet")

    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DBT_", "TESSERA_"))}
    result = subprocess.run(
        [str(DBT), "run", "--quiet", "--profiles-dir", str(folder)],
        cwd=folder, env=environment | {"DO_NOT_TRACK": "1"}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return Scratch(folder, step, made, told)


def _built(scratch: Scratch, sql: str) -> dict[str, np.ndarray]:
    with duckdb.connect(str(scratch.folder / "scratch.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchnumpy()


def test_every_node_is_named_after_the_smallest_node_of_its_component(scratch: Scratch) -> None:
    found = _built(scratch, "select node, component from components order by node")
    assert len(found["node"]) == len(np.unique(found["node"]))
    step = scratch.step
    for n, (name, graph) in enumerate(scratch.graphs.items()):
        inside = (found["node"] >= n * step) & (found["node"] < (n + 1) * step)
        nodes, component = found["node"][inside] - n * step, found["component"][inside] - n * step
        size = int(graph.max()) + 1
        matrix = coo_array((np.ones(len(graph)), (graph[:, 0], graph[:, 1])), shape=(size, size))
        _, labels = connected_components(matrix, directed=False)
        smallest = np.full(labels.max() + 1, size)
        np.minimum.at(smallest, labels, np.arange(size))
        present = np.unique(graph)
        assert np.array_equal(nodes, present), name
        assert np.array_equal(component, smallest[labels[present]]), name


def test_a_graph_without_edges_has_no_components(scratch: Scratch) -> None:
    assert len(_built(scratch, "select node from components_of_nothing")["node"]) == 0


def test_every_leader_ends_with_the_evidence_that_a_replay_one_by_one_finds(scratch: Scratch) -> None:
    rows = _built(scratch, "select component, seniority, evidence_number from ends")
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for component, seniority, number in zip(*(rows[column].tolist() for column in rows), strict=True):
        found[component].append((seniority, number))
    for component, evidence in enumerate(scratch.histories):
        wanted = replay(evidence)
        assert len(wanted) == max(max(pair) for pair in evidence) - 1
        assert sorted(found[component]) == sorted(wanted), f"component {component}: {evidence[:60]}"
