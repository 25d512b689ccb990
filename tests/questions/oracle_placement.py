"""A second opinion on small placements: every alternative, by python-constraint.

Slow and plain on purpose: it shares nothing with the rules, and what is admissible and what it
costs come in as functions. Meant for a handful of tasks and PUs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

import constraint

Choice = TypeVar("Choice")


def placements(
    domains: Mapping[str, Sequence[Choice]],
    fit: Callable[[str, Choice, str, Choice], bool],
) -> Iterator[dict[str, Choice]]:
    """Yield every combination of choices of which all pairs fit."""
    problem: Any = constraint.Problem()
    for name, choices in domains.items():
        if not choices:
            return
        problem.addVariable(name, list(range(len(choices))))
    for first, second in combinations(domains, 2):

        def both(i: int, j: int, first: str = first, second: str = second) -> bool:
            return fit(first, domains[first][i], second, domains[second][j])

        problem.addConstraint(both, (first, second))
    for solution in problem.getSolutionIter():
        yield {name: domains[name][index] for name, index in solution.items()}


def cheapest(
    domains: Mapping[str, Sequence[Choice]],
    fit: Callable[[str, Choice, str, Choice], bool],
    admissible: Callable[[dict[str, Choice]], bool],
    price: Callable[[dict[str, Choice]], float],
) -> tuple[float, dict[str, Choice]] | None:
    """Return the least price and a placement that has it, None where nothing is admissible."""
    best: tuple[float, dict[str, Choice]] | None = None
    for found in placements(domains, fit):
        if not admissible(found):
            continue
        value = price(found)
        if best is None or value < best[0]:
            best = (value, found)
    return best
