"""The bound from eigenvalues: never above the optimum, and not idle."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from math import inf
from random import Random

import numpy as np
import pytest

from skb.engines.placement_bound import Bounding, Partition
from skb.engines.placement_spectrum import Kernel, bounds, laplacian
from skb.engines.placement_ways import way_kernel

Traffic = tuple[tuple[int, int, int], ...]


def traffic(tasks: int, chance: Random) -> Traffic:
    """Return random pairs, some both ways and some from a task to itself."""
    pairs = [(chance.randrange(tasks), chance.randrange(tasks)) for _ in range(2 * tasks)]
    return tuple((a, b, chance.randint(1, 20)) for a, b in pairs)


def cheapest(tasks: int, rates: Traffic, rooms: list[int], cost: list[list[int]]) -> int | None:
    """Return the least price of all ways to put the tasks into parts that hold only so many."""
    found = None
    for parts in product(range(len(rooms)), repeat=tasks):
        if all(parts.count(part) <= room for part, room in enumerate(rooms)):
            price = sum(rate * cost[parts[a]][parts[b]] for a, b, rate in rates if a != b)
            found = price if found is None else min(found, price)
    return found


def cut(parts: int) -> list[list[int]]:
    return [[int(p != q) for q in range(parts)] for p in range(parts)]


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_bound_of_a_cut_is_never_above_the_optimum(start: int) -> None:
    """Random graphs into parts of unequal size, against an enumeration."""
    tight = 0
    for seed in range(start, start + 50):
        chance = Random(seed)
        tasks, count = chance.randint(2, 6), chance.randint(2, 3)
        rooms = [chance.randint(1, 4) for _ in range(count)]
        rates = traffic(tasks, chance)
        best = cheapest(tasks, rates, rooms, cut(count))
        if best is None:
            continue
        kernel = Kernel(tuple(map(float, sorted(rooms, reverse=True))))
        bound = bounds(laplacian(tasks, rates), [kernel], inf)[0]
        assert bound <= best, seed
        tight += 0 < best <= 2 * bound
    assert tight > 5


def test_bound_of_the_way_is_never_above_the_optimum() -> None:
    """Any symmetric latencies, of negative type or not, beside the step that they may use."""
    useful = 0
    for seed in range(150):
        chance = Random(seed)
        tasks, count = chance.randint(3, 6), 3 if seed % 2 else 4
        rooms = [chance.randint(1, 3) for _ in range(count)]
        rates, step = traffic(tasks, chance), chance.randint(1, 30)
        way = np.zeros((count, count), dtype=int)
        for p, q in combinations(range(count), 2):
            way[p, q] = way[q, p] = chance.choice([0, 5, 10, 40])
        made = way_kernel(way.tolist(), rooms, step) if way.any() else None
        cost = way + step * (1 - np.eye(count, dtype=int))
        best = cheapest(tasks, rates, rooms, cost.tolist())
        if made is None or best is None:
            continue
        taken, kernel = made
        assert 0 <= taken <= step
        level = Kernel(tuple(map(float, sorted(rooms, reverse=True))))
        left, right = bounds(laplacian(tasks, rates), [level, kernel], inf)
        assert (step - taken) * left + right <= best * (1 + 1e-12), seed
        useful += right > taken * left > 0
    assert useful > 5


def test_bound_of_full_parts_is_what_must_be_cut() -> None:
    """Four pairs of talkers for four parts of two: nothing is cut; a clique of eight is."""
    parts = Partition(10, (2, 2, 2, 2), tuple((part,) for part in range(4)))
    far = tuple(tuple(10 * int(p != q) for q in range(4)) for p in range(4))
    pairs = tuple((2 * pair, 2 * pair + 1, 5) for pair in range(4))
    work = Bounding(8, pairs, 0, (parts,), far, inf)
    assert work.run() == 0
    clique = replace(work, traffic=tuple((a, b, 5) for a, b in combinations(range(8), 2)))
    # all but four of the 28 pairs are cut, whatever the placement: 24 x 5 x 10
    assert 1199 <= clique.run() <= 1200
    assert replace(work, traffic=((0, 0, 9),)).run() == 0
    assert replace(work, partitions=()).run() == 0
