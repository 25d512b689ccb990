"""The search for the largest saving, against all sets; and the lightest items that hold enough."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import combinations

import pytest

from skb.engines.asp import Atom, Model, Program
from skb.engines.power_save import Problem, Resource, Search, lightest


def specified(
    weights: Sequence[int],
    takes: Sequence[int],
    resource: tuple[Sequence[int], int, int],
    pairs: Sequence[tuple[int, int]],
) -> int:
    """Return the largest saving by the specification, `rules/power/save.lp`."""
    amounts, outside, needed = resource
    atoms: list[Atom] = [("outside", ("pu", outside)), ("needed", ("pu", needed))]
    for part, weight in enumerate(weights):
        atoms += [("part", (part,)), ("weight", (part, weight))]
        atoms.append(("holds", (part, "pu", amounts[part])))
        others = (other for other in range(len(weights)) if takes[part] >> other & 1)
        atoms += [("takes", (part, other)) for other in others if other != part]
    atoms += [("needs_one", pair) for pair in pairs]
    found = Model(Program(("power/save.lp",), tuple(atoms))).solve()
    assert found.proven
    return sum(weights[int(str(args[0]))] for name, args in found.atoms if name == "off")


@pytest.mark.parametrize("seed", range(60))
def test_power_search_finds_the_largest_set(seed: int) -> None:
    """Some resources are needed, some pairs must not both go, parts take others: all sets agree."""
    rng = random.Random(seed)
    size = rng.randint(1, 8)
    weights = tuple(rng.randint(1, 5) for _ in range(size))
    takes = [1 << part for part in range(size)]
    for part in range(1, size):
        if rng.random() < 0.2:
            takes[part - 1] |= takes[part]
    for part in range(size - 2, -1, -1):
        takes[part] |= takes[part + 1] if takes[part] >> (part + 1) & 1 else 0
    amounts = tuple(rng.randint(0, 4) for _ in range(size))
    outside = rng.randint(0, 2)
    needed = rng.randint(0, sum(amounts) + outside)
    pairs = [pair for pair in combinations(range(size), 2) if rng.random() < 0.15]

    def fits(off: int) -> bool:
        have = outside + sum(amounts[p] for p in range(size) if not off >> p & 1)
        return have >= needed and not any(off >> a & 1 and off >> b & 1 for a, b in pairs)

    closed = [
        off
        for off in range(1 << size)
        if all(takes[p] & ~off == 0 for p in range(size) if off >> p & 1)
    ]
    best = max(sum(weights[p] for p in range(size) if off >> p & 1) for off in closed if fits(off))
    assert specified(weights, takes, (amounts, outside, needed), pairs) == best
    resource = Resource(amounts, outside, needed)
    alike = tuple(range(size))
    problem = Problem(weights, tuple(takes), alike, ((resource,),), fits, fits)
    found = Search(problem).best(10_000, math.inf)
    assert found is not None and found.proven
    assert found.saved == best
    assert fits(found.off)
    cut = Search(problem).best(1, math.inf)
    assert cut is not None and cut.saved <= best <= cut.bound


def test_power_search_without_enough_finds_nothing() -> None:
    """Where not even all parts together are enough there is no set."""

    def never(off: int) -> bool:
        return False

    problem = Problem((1,), (1,), (0,), ((Resource((1,), 0, 2),),), never, never)
    assert Search(problem).best(10, math.inf) is None


def test_power_search_finds_what_only_fits_with_more_off() -> None:
    """A load that runs only without the first part, as where another piece counts then."""
    problem = Problem((3, 2), (1, 2), (0, 1), ((),), lambda off: off == 1, lambda off: True)
    found = Search(problem).best(10, math.inf)
    assert found is not None and found.proven
    assert (found.off, found.saved) == (1, 3)


@pytest.mark.parametrize("seed", range(80))
def test_power_lightest_items_are_those_of_all_choices(seed: int) -> None:
    """The least weight that holds enough, with equal and with different items."""
    rng = random.Random(seed)
    same = rng.random() < 0.4
    items = [
        (2 if same else rng.randint(1, 4), rng.randint(0, 6)) for _ in range(rng.randint(0, 7))
    ]
    needed = rng.randint(1, 12)
    sets = [
        chosen
        for size in range(len(items) + 1)
        for chosen in combinations(range(len(items)), size)
        if sum(items[at][0] for at in chosen) >= needed
    ]
    found = lightest(items, needed)
    if not sets:
        assert found is None
        return
    assert found is not None
    assert found[0] == min(sum(items[at][1] for at in chosen) for chosen in sets)
    assert found[0] == sum(items[at][1] for at in found[1])
    assert sum(items[at][0] for at in found[1]) >= needed
