"""The largest saving: which parts can go while what is needed stays, best first, with a bound.

A part is a number; a set of parts that go is a mask of bits. Whoever asks says whether what is left
is enough (`fits`), and whether it could be with more parts off (`could`): a branch ends where not.
What is needed of a resource bounds the saving: so much of it, at the least weight per unit, stays.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count


@dataclass(frozen=True, slots=True)
class Resource:
    """So much of it has each part, so much is outside all of them, and so much is needed."""

    amounts: tuple[int, ...]
    outside: int
    needed: int


@dataclass(frozen=True, slots=True)
class Problem:
    """`weights` is what each part saves, `takes` the mask that goes with it, its own bit with it.

    Parts of one of `alike` can be exchanged. Each of `views` is a set of resources of which one
    has to be enough; `target` is the saving above which more is worth nothing, `start` a set that
    may do, to begin with.
    """

    weights: tuple[int, ...]
    takes: tuple[int, ...]
    alike: tuple[int, ...]
    views: tuple[tuple[Resource, ...], ...]
    fits: Callable[[int], bool]
    could: Callable[[int], bool]
    target: int | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class Saving:
    """The parts that go, as a mask; what that saves, and what no choice saves more than."""

    off: int
    saved: int
    bound: int
    nodes: int

    @property
    def proven(self) -> bool:
        """Whether no choice saves more."""
        return self.saved >= self.bound


class Search:
    """Best first over the parts in their order, one branch off and one on.

    `complete` is false where the limit came before anything was found.
    """

    def __init__(self, problem: Problem, deadline: float = math.inf) -> None:
        self.problem = problem
        self.known: dict[int, bool] = {}
        self.could: dict[int, bool] = {}
        self.complete = True
        size = len(problem.weights)
        self.free = [True] * size
        for part in range(size):
            if time.monotonic() < deadline and not self._may_go(part):
                self.free[part] = False
        self.order = sorted(
            range(size), key=lambda part: (not self.free[part], problem.alike[part], part)
        )

    def _may_go(self, part: int) -> bool:
        """Tell whether a part can go alone; where it can with others nothing is asked."""
        start = self.problem.start
        if start >> part & 1 and self._fits(start):
            return True
        return self._could(self.problem.takes[part])

    def _fits(self, off: int) -> bool:
        found = self.known.get(off)
        if found is None:
            found = self.known[off] = self.problem.fits(off)
        return found

    def _could(self, off: int) -> bool:
        found = self.could.get(off)
        if found is None:
            found = self.could[off] = self._fits(off) or self.problem.could(off)
        return found

    def weight(self, off: int) -> int:
        """Return what a set of parts saves."""
        weights = self.problem.weights
        return sum(weights[part] for part in range(len(weights)) if off >> part & 1)

    def _worth(self, saved: int) -> int:
        target = self.problem.target
        return saved if target is None else min(saved, target)

    def best(self, nodes: int, deadline: float) -> Saving | None:
        """Return the best set; None where nothing that is left is enough."""
        problem = self.problem
        if not self._could(0):
            return None
        best, value, spent, ticket = 0, 0 if self._fits(0) else -1, 0, count()
        if problem.start and self._fits(problem.start):
            best, value = problem.start, self._worth(self.weight(problem.start))
        heap: list[tuple[int, int, int, int, int, int]] = []
        for view in range(len(problem.views)):
            bound = self._bound(view, 0, 0)
            if bound is not None:
                heappush(heap, (-bound, 0, next(ticket), view, 0, 0))
        while heap and -heap[0][0] > value:
            if spent >= nodes or time.monotonic() >= deadline:
                self.complete = value >= 0
                return Saving(best, value, -heap[0][0], spent) if value >= 0 else None
            _bound, _deep, _at, view, depth, off = heappop(heap)
            spent += 1
            for child in self._children(depth, off):
                bound = self._bound(view, depth + 1, child)
                if bound is None or bound <= value:
                    continue
                if self._fits(child) and (saved := self._worth(self.weight(child))) > value:
                    best, value = child, saved
                if bound > value and depth + 1 < len(self.order) and self._could(child):
                    heappush(heap, (-bound, -depth - 1, next(ticket), view, depth + 1, child))
        return Saving(best, value, value, spent) if value >= 0 else None

    def _children(self, depth: int, off: int) -> list[int]:
        """Return the sets that go with a part off and on; of equal parts the first ones go."""
        problem, part = self.problem, self.order[depth]
        if off >> part & 1:
            return [off]
        if not self.free[part]:
            return [off]
        before = self.order[depth - 1] if depth else -1
        same = before >= 0 and problem.alike[before] == problem.alike[part]
        if same and not off >> before & 1:
            return [off]
        return [off | problem.takes[part], off]

    def _bound(self, view: int, depth: int, off: int) -> int | None:
        """Return what at most is saved behind a node; None where too little would be left."""
        problem = self.problem
        left = [part for part in self.order[depth:] if not off >> part & 1]
        loose = sum(problem.weights[part] for part in left if self.free[part])
        must = 0
        for resource in problem.views[view]:
            have = resource.outside
            for part in range(len(problem.weights)):
                if not off >> part & 1:
                    have += resource.amounts[part]
            lacking = resource.needed - have
            if lacking > 0:
                return None
            stays = self._stays(resource, have, left)
            must = max(must, stays)
        return self._worth(self.weight(off) + loose - must)

    def _stays(self, resource: Resource, have: int, left: Sequence[int]) -> int:
        """Return the least weight of the undecided parts that has to stay for a resource."""
        loose = [part for part in left if self.free[part] and resource.amounts[part]]
        needed = resource.needed - (have - sum(resource.amounts[part] for part in loose))
        weights, amounts = self.problem.weights, resource.amounts
        kept = 0
        for part in sorted(loose, key=lambda part: weights[part] / amounts[part]):
            if needed <= 0:
                break
            if amounts[part] > needed:
                return kept - (-weights[part] * needed // amounts[part])
            kept += weights[part]
            needed -= amounts[part]
        return kept


def lightest(items: Sequence[tuple[int, int]], needed: int) -> tuple[int, tuple[int, ...]] | None:
    """Return the least weight of items (amount, weight) that hold what is needed, and which.

    Exact: where all amounts or all weights are equal the first in order, else by dynamic
    programming over the amount.
    """
    if sum(amount for amount, _weight in items) < needed:
        return None
    alike = len({amount for amount, _w in items}) == 1 or len({w for _a, w in items}) == 1
    if alike:
        chosen: list[int] = []
        for at in sorted(range(len(items)), key=lambda at: (items[at][1], -items[at][0], at)):
            if needed <= 0:
                break
            chosen.append(at)
            needed -= items[at][0]
        return sum(items[at][1] for at in chosen), tuple(sorted(chosen))
    least: list[tuple[int, int] | None] = [None] * (needed + 1)
    least[0] = (0, -1)
    steps: list[list[int]] = []
    for at, (amount, weight) in enumerate(items):
        came = [-1] * (needed + 1)
        for have in range(needed - 1, -1, -1):
            found = least[have]
            if found is None:
                continue
            to = min(needed, have + amount)
            known = least[to]
            if to != have and (known is None or found[0] + weight < known[0]):
                least[to] = (found[0] + weight, at)
                came[to] = have
        steps.append(came)
    last = least[needed]
    if last is None:
        return None
    chosen, at_amount = [], needed
    for at in range(len(items) - 1, -1, -1):
        if at_amount and steps[at][at_amount] >= 0:
            chosen.append(at)
            at_amount = steps[at][at_amount]
    return last[0], tuple(sorted(chosen))
