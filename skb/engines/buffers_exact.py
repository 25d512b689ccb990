"""The proof of `buffers`: what reduced costs leave open is decided group by group.

At multipliers m a whole answer costs exactly the relaxed bound, plus the slack of each choice (its
reduced cost above the cheapest one), plus m times what is left of each limit. So a choice whose
slack alone reaches the price of a known answer is out (reduced-cost fixing), and what is open is
gone through group by group over *states*: how much of each limit that can still bind is taken.
Of equal states the cheapest goes on, and none whose bound reaches the known answer (Lawler and
Bell's labels with Lagrangian completion). Whole prices and amounts; floats only discard, with room
for what they lose.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from skb.engines.buffers_choice import Choice, Relaxed
from skb.engines.buffers_narrow import Narrow, branches, narrowed

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats, Ints

# states that are kept side by side, and combinations of one group, before this gives up
STATES = 8000
# the same where limits that follow bound them: branching pays sooner
FEWER = 1500
COMBINATIONS = 20_000
# entries of all uses by resource, before this gives up
_ENTRIES = 4_000_000
# choices that are split in branches before this gives up
BRANCHES, FEW = 100, 8


@dataclass(frozen=True, slots=True)
class Proof:
    """The options of the best answer below the known price, or None, and their price; `done` if
    that is proven.
    """

    picked: list[int] | None
    done: bool
    value: int = 0


@dataclass(frozen=True, slots=True)
class _Stage:
    """The open choices of one group: slack, price and uses of each, and the options behind."""

    slack: Floats
    price: Ints
    uses: Ints
    options: list[tuple[int, ...]]


def improve(narrow: Narrow, below: int, deadline: float, splits: int = BRANCHES) -> Proof:
    """Return the best answer of what is left of a choice, or prove that there is none.

    Where the states are too many, the most demanding piece is branched on. Gives up at so many
    branches or at the deadline.
    """
    open_, left = [narrow], splits
    best: Proof = Proof(None, True)
    value = below
    while open_:
        now = open_.pop()
        # what has no room is done with; its limits may no longer tell what was wrong
        if now.room < 0:
            continue
        if now.below > value:
            now = narrowed(now.problem, now.multipliers, value, now.options)
        found = _gone_through(now, deadline)
        if found.picked is not None:
            # what limits leave unused is counted from below, so a dearer answer may come through
            if found.value < value:
                best, value = found, found.value
        elif not found.done:
            left -= 1
            if left < 0 or time.monotonic() > deadline:
                return Proof(best.picked, False, best.value)
            open_ += reversed(branches(now, value))
    return best


def _gone_through(narrow: Narrow, deadline: float) -> Proof:
    if narrow.room < 0:
        return Proof(None, True)
    stages = _stages(narrow.problem, narrow.relaxed, narrow.room)
    if stages is None:
        return Proof(None, False)
    if any(len(stage.options) == 0 for stage in stages):
        return Proof(None, True)
    search = _Search(narrow.problem, narrow.multipliers, stages, narrow.room)
    found = search.run(deadline)
    if found.picked is None:
        return found
    return replace(found, picked=[int(narrow.options[option]) for option in found.picked])


def _stages(problem: Choice, relaxed: Relaxed, room: float) -> list[_Stage] | None:
    """Return what stays open of each group; None where the combinations are too many."""
    import numpy as np

    piece_of, block_of = problem.piece_of.tolist(), problem.block_of.tolist()
    option_of = problem.option_of.tolist()
    found = []
    entries = 0
    for group in range(problem.groups):
        slack: list[float] = []
        rows: list[tuple[int, ...]] = []
        for block in range(block_of[group], block_of[group + 1]):
            extra = float(relaxed.block[block] - relaxed.group[group])
            if extra > room:
                continue
            open_: list[list[tuple[float, int]]] = []
            count = 1
            for piece in range(piece_of[block], piece_of[block + 1]):
                a, b = option_of[piece], option_of[piece + 1]
                own = relaxed.option[a:b] - relaxed.piece[piece]
                kept = np.flatnonzero(own <= room - extra)
                open_.append([(float(own[i]), a + int(i)) for i in kept])
                count *= len(kept)
                if count > COMBINATIONS:
                    return None
            for parts in product(*open_):
                whole = extra + sum(part[0] for part in parts)
                if whole <= room:
                    slack.append(whole)
                    rows.append(tuple(part[1] for part in parts))
        entries += len(rows) * (len(problem.limit) + 1)
        if entries > _ENTRIES:
            return None
        found.append(_stage(problem, slack, rows))
    return found


def _stage(problem: Choice, slack: list[float], rows: list[tuple[int, ...]]) -> _Stage:
    import numpy as np

    uses = np.zeros((len(rows), len(problem.limit) + 1), dtype=np.int64)
    price = np.zeros(len(rows), dtype=np.int64)
    for at, options in enumerate(rows):
        for option in options:
            run = slice(int(problem.use_of[option]), int(problem.use_of[option + 1]))
            np.add.at(uses[at], problem.resource[run], problem.amount[run])
            price[at] += problem.price[option]
    return _Stage(np.array(slack), price, uses[:, :-1], rows)


def _second(stage: _Stage) -> float:
    """Return the slack of the second choice; one without comes first."""
    import numpy as np

    return float(np.partition(stage.slack, 1)[1]) if len(stage.slack) > 1 else float("inf")


class _Search:
    def __init__(
        self, problem: Choice, multipliers: Floats, stages: list[_Stage], room: float
    ) -> None:
        import numpy as np

        self.room = room
        self.states = STATES if problem.own is None else FEWER
        # where much is lost by the second choice first: fewest states are carried on
        self.order = sorted(range(len(stages)), key=lambda i: (-_second(stages[i]), i))
        self.stages = [stages[i] for i in self.order]
        count = len(problem.limit)
        most = np.zeros((len(stages) + 1, count), dtype=np.int64)
        for at in range(len(stages) - 1, -1, -1):
            most[at] = most[at + 1] + self.stages[at].uses.max(axis=0)
        least = sum((stage.uses.min(axis=0) for stage in self.stages), np.zeros(count, np.int64))
        self.binds = most[0] > problem.limit
        self.own = int(self.binds[: problem.real].sum())
        self.fails = bool((least > problem.limit).any())
        # what later groups take at most, of the limits that can bind
        self.later = most[:, self.binds]
        self.limit = problem.limit[self.binds]
        # of a limit that cannot bind all that stays unused counts at its end
        worth = multipliers / np.maximum(problem.limit, 1)
        self.worth = worth[self.binds]
        idle = (problem.limit - most[0])[~self.binds]
        self.room -= float(np.maximum(idle, 0) @ worth[~self.binds]) * (1 - 1e-9)

    def run(self, deadline: float) -> Proof:
        import numpy as np

        if self.fails or self.room < 0:
            return Proof(None, True)
        used = np.zeros((1, len(self.limit)), dtype=np.int64)
        price, slack = np.zeros(1, dtype=np.int64), np.zeros(1)
        trail: list[tuple[Ints, Ints]] = []
        for at, stage in enumerate(self.stages):
            if len(used) * len(stage.options) > self.states * 8 or time.monotonic() > deadline:
                return Proof(None, False)
            used, price, slack, back = self._step(at, stage, used, price, slack)
            trail.append(back)
            if not len(used):
                return Proof(None, True)
            if len(used) > self.states:
                return Proof(None, False)
        at = int(price.argmin())
        return Proof(self._back(trail, at), True, int(price[at]))

    def _step(
        self, at: int, stage: _Stage, used: Ints, price: Ints, slack: Floats
    ) -> tuple[Ints, Ints, Floats, tuple[Ints, Ints]]:
        """Put each open choice of a group to each state; keep the cheapest of equal states."""
        import numpy as np

        taken = stage.uses[:, self.binds]
        whole = used[:, None, :] + taken[None, :, :]
        value = slack[:, None] + stage.slack[None, :]
        left = self.limit - whole
        wasted = np.maximum(left - self.later[at + 1], 0) @ self.worth
        good = (left >= 0).all(axis=2) & (value + wasted <= self.room)
        before, choice = np.nonzero(good)
        whole, value = whole[before, choice], value[before, choice]
        cost = price[before] + stage.price[choice]
        # a limit that can no longer bind tells no states apart but by what stays unused of it
        closed = self.limit - whole >= self.later[at + 1]
        done = ~self.later[at + 1].astype(bool)
        # nor do limits that follow from the others
        key = np.where(closed & done, 0, whole)[:, : self.own]
        order = np.lexsort((value, cost, *key.T)) if key.shape[1] else np.lexsort((value, cost))
        sorted_ = key[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (sorted_[1:] != sorted_[:-1]).any(axis=1)
        kept = order[first]
        return whole[kept], cost[kept], value[kept], (before[kept], choice[kept])

    def _back(self, trail: list[tuple[Ints, Ints]], state: int) -> list[int]:
        """Return the options of a last state, in the order of the groups."""
        rows: dict[int, tuple[int, ...]] = {}
        for at in range(len(trail) - 1, -1, -1):
            before, choice = trail[at]
            rows[self.order[at]] = self.stages[at].options[int(choice[state])]
            state = int(before[state])
        return [option for group in sorted(rows) for option in rows[group]]
