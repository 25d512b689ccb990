"""Decided trees against every tree in every order, and that oracle against a slower one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from math import comb

import pytest

from skb.decision import Limits
from tests.bench.route_oracle import OPERATIONS, Case, Everything, draw, judged, shapes

SMALL, LARGE = 60, 70


def one_by_one(case: Case) -> int | None:
    """Return the same by writing down one tree after the other; for up to five PUs."""
    often, gathered, told = OPERATIONS[case.operation]
    totals = []
    for root in range(case.size) if case.root is None else [case.root]:
        down, up, both = [], [], []
        for kids in _written(case, root):
            has = _walked(case, root, kids)
            leaves = sorted((-has[node], node) for node in has if not kids[node])
            last = leaves[0][1]
            way = often * max(has.values())
            if told and last != root:
                way += _one_way(case, last, root)
            back = gathered * _collected(case, root, kids)
            down.append(way)
            up.append(back)
            both.append(way + back)
        if both:
            totals.append(min(down) + min(up) if case.trees == "per-phase" else min(both))
    return min(totals, default=None)


def _one_way(case: Case, sender: int, receiver: int) -> int:
    tables = (case.send, case.propagation, case.receive)
    return sum(table[sender][receiver] for table in tables)


def _written(case: Case, root: int) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield every admissible tree from a root with its rows in every order."""
    others = [node for node in range(case.size) if node != root]
    for above in product(range(case.size), repeat=len(others)):
        parent = dict(zip(others, above, strict=True))
        if any(case.closed(u, v) or u == v for v, u in parent.items()):
            continue
        if any(parent.get(v) != u for u, v in case.require):
            continue
        rows = [[v for v in others if parent[v] == u] for u in range(case.size)]
        if case.max_fan_out is not None and max(map(len, rows)) > case.max_fan_out:
            continue
        reached = {root}
        for _ in others:
            reached |= {v for v in others if parent[v] in reached}
        if len(reached) == case.size:
            for chosen in product(*(list(permutations(row)) for row in rows)):
                yield dict(enumerate(chosen))


def _walked(case: Case, root: int, kids: Mapping[int, Sequence[int]]) -> dict[int, int]:
    has, waiting, further = {root: 0}, [root], case.further()
    while waiting:
        node = waiting.pop()
        clock = has[node]
        for place, child in enumerate(kids[node]):
            clock += (further if place else case.send)[node][child]
            has[child] = clock + case.propagation[node][child] + case.receive[node][child]
            waiting.append(child)
    return has


def _collected(case: Case, node: int, kids: Mapping[int, Sequence[int]]) -> int:
    mail = [
        (_collected(case, c, kids) + case.send[c][node] + case.propagation[c][node], c)
        for c in kids[node]
    ]
    free = 0
    for arrival, child in sorted(mail):
        free = max(free, arrival) + case.receive[child][node]
    return free


@pytest.mark.parametrize("size", range(1, 8))
def test_shapes_are_all_ordered_trees(size: int) -> None:
    """As many as Catalan counts, no two the same, parents before children."""
    rows = shapes(size)
    assert len(set(rows)) == len(rows) == comb(2 * size - 2, size - 1) // size
    assert all(parent < node for row in rows for node, parent in enumerate(row, 1))


@pytest.mark.parametrize("size", range(1, 6))
def test_oracle_agrees_with_one_tree_after_the_other(size: int) -> None:
    """Groups of up to five PUs, every operation, with and without side conditions."""
    for number in range(SMALL):
        case = draw(random.Random(1000 * size + number), size)
        assert Everything(case).optimum() == one_by_one(case), (number, case.request)


def test_decided_trees_are_as_good_as_the_best_of_all() -> None:
    """Groups of up to seven: the optimum, and never a proof of anything else.

    `python -m tests.bench.route_oracle --cases 2000` runs more of the same.
    """
    for number in range(LARGE):
        case = draw(random.Random(number))
        verdict = judged(case, case.decide(Limits(seconds=10)))
        assert verdict in ("proven", "found", "none"), (number, case.request, verdict)
