"""The walks through the trees of one task: how many, how long, how hot, and where each begins.

Where moves are many, the first half of the walks is so hot that where they began is forgotten: they
find good trees that differ. The others begin at the best four of all these, barely warm.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from skb.engines.route_arms import RouteArm
from skb.engines.route_bounds import Spent
from skb.engines.route_search import Ground, Search
from skb.engines.route_tree import Task, Tree

Ranked = list[tuple[int, Tree]]

MOVES = {"plain": 72_000, "compiled": 8_000_000}
"""Moves of all walks at the usual effort, compiled about a second and a half."""
FEWEST = 6
LENGTH = 500_000
"""Moves of one of the fewest walks where all are worth it; with more, number and length grow."""
FIRST_MOVES = 2_000_000
"""Most moves before a proof that is likely: it is quicker with a good tree, but not much."""
HOT, WARM = (0.01, 0.004, 0.02), 0.003
"""Temperatures of walks at their starts, as a share of the value."""
ELITE = 4
PLAIN_HEATS = ((0.012, 0.004, 0.03, 0.012, 0.004, 0.06), (0.03, 0.1, 0.012, 0.06, 0.03, 0.1))
"""The same where moves are few: one phase, several."""
PLAIN_FIRST = 16
"""Share, as one of so many, that the first of few walks has of the moves."""


def best_trees(rows: Sequence[tuple[int, Tree]], count: int = 8) -> Ranked:
    """Return the best trees, best first, of one value and root only the first."""
    kept: dict[tuple[int, int], Tree] = {}
    for worth, tree in rows:
        kept.setdefault((worth, tree.root), tree)
    keys = sorted(kept)[:count]
    return [(worth, kept[worth, root]) for worth, root in keys]


class Walks:
    """The walks of one task, in turn, each from one of the best trees so far."""

    def __init__(self, task: Task, arm: RouteArm, seed: int, effort: float) -> None:
        self._ground, self._seed = Ground(task, arm), seed
        moves = MOVES[arm.name] * effort
        if arm.compiled:
            moves *= min(4.0, max(1.0, task.size / 32))
            fewest = FEWEST * LENGTH
            self._count = max(FEWEST, FEWEST * isqrt(max(0, int(100 * moves / fewest))) // 10)
        else:
            moves /= (1 + task.size / 32) * len(task.phases)
            self._count = FEWEST
        self._moves, self._turn = int(moves), 0
        self._plain = None if arm.compiled else PLAIN_HEATS[min(len(task.phases), 2) - 1]

    def _plan(self, turn: int) -> tuple[int, float, int]:
        """Return a walk's moves, its heat, and which of the best trees it begins at."""
        if self._plain is not None:
            share = self._moves // PLAIN_FIRST
            moves = share if turn == 0 else (self._moves - share) // (FEWEST - 1)
            return moves, self._plain[turn], 0 if turn % 2 == 0 else turn
        heat = HOT[turn % len(HOT)]
        if turn >= self._count // 2:
            return self._moves // self._count, WARM, turn % ELITE
        return self._moves // self._count, heat, turn

    def improved(self, found: Ranked, bound: int, spent: Spent, most: int | None = None) -> Ranked:
        """Return the best trees after all walks that are left, or after one of so many moves."""
        while self._turn < self._count and not spent() and found[0][0] > bound:
            moves, heat, start = self._plan(self._turn)
            tree = found[min(start, len(found) - 1)][1]
            walk = Search(self._ground, tree, self._seed * 1000 + self._turn)
            walk.run(moves if most is None else min(most, moves), heat, bound, spent)
            found = best_trees([(walk.best_value, walk.best), *found])
            self._turn += 1
            if most is not None:
                break
        return found
