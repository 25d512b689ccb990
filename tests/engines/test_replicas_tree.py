"""The dynamic programme over trees against its specification in clingo, and against all choices."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from skb.benching.decisions_replicas import by_programme, differs, random_choice, random_tree
from skb.engines.replicas_asp import Choice, optimum
from skb.engines.replicas_tree import INFINITE, Counted, Tree, cheapest, chosen

SAMPLE = 40


def every_choice(tree: Tree, node: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield every choice of parts below a node that covers each leaf once."""
    yield (node,)
    if tree.children[node]:
        for parts in product(*(list(every_choice(tree, child)) for child in tree.children[node])):
            yield tuple(sorted(part for some in parts for part in some))


@pytest.mark.parametrize("seed", range(SAMPLE))
def test_tree_programme_equals_the_specification(seed: int) -> None:
    """On a random tree, with limits on numbers or without, the sum is the optimum that clingo
    proves, and the parts cost it.
    """
    choice = random_choice(seed, 30)
    assert differs(choice) == ""
    value, nodes = by_programme(choice)
    assert set(choice.must) <= set(nodes) or value == INFINITE
    held = [sum(cap in (n, *choice.tree.above(n)) for n in nodes) for cap in choice.caps]
    assert all(many <= most for many, most in zip(held, choice.caps.values(), strict=True))


def test_tree_specification_finds_a_wrong_price() -> None:
    """The comparison tells when the programme is given another price than the specification."""
    tree = Tree((-1, 0, 0))
    assert optimum(Choice(tree, [9, 2, 3])) == (5, (1, 2))
    assert optimum(Choice(tree, [9, 2, 3], most=1)) == (9, (0,))
    assert optimum(Choice(tree, [None, 2, 3], most=1)) == (None, ())


@pytest.mark.parametrize("seed", range(10))
def test_tree_counted_is_the_least_of_all_choices(seed: int) -> None:
    """For each number of parts the least sum is that of the cheapest of all choices."""
    draw = random.Random(seed)
    tree = random_tree(draw, 12)
    prices = np.array(
        [float(draw.randint(1, 50) * (1 + len(tree.below(n)))) for n in range(tree.size)]
    )
    found: dict[int, float] = {}
    for nodes in every_choice(tree):
        total = float(prices[list(nodes)].sum())
        found[len(nodes)] = min(total, found.get(len(nodes), INFINITE))
    table = Counted(tree, prices, tree.size)
    for count, value in enumerate(table.values):
        assert value == found.get(count, INFINITE)
    assert cheapest(tree, prices)[0] == min(found.values())


def test_tree_of_equals_the_outer_part() -> None:
    """Where sharing more costs the same, the coarser choice is taken."""
    tree = Tree((-1, 0, 0))
    prices = np.array([4.0, 2.0, 2.0])
    assert chosen(tree, prices, cheapest(tree, prices)) == (0,)


def test_tree_columns_are_cases_of_their_own() -> None:
    """Prices with a column for each case give the sums of each."""
    draw = random.Random(5)
    tree = random_tree(draw, 60)
    cases = np.array([[draw.random() for _ in range(tree.size)] for _ in range(6)]).T
    together = cheapest(tree, cases)
    for column in range(cases.shape[1]):
        assert (together[:, column] == cheapest(tree, cases[:, column])).all()
