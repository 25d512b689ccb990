"""Lower bound by quotas: how many nodes can have the message after a time, on nested levels.

A tree falls into pieces in the groups of a level: what hangs together by sends inside a group. A
piece holds no more nodes than its group has. V(q, t) is the most that a free node gathers in t when
at most q_m nodes of its own group of level m are informed below it, by sends inside the group: the
best over the level k of its next send and the share w of its quotas of level k and above that goes
along, of 1 + V(fresh below k, w; t - send - tail) + V'(q - 1 - w; t - send), where V' has LogP's
gap for the send. A time in which the best root gathers fewer than all nodes is too short. That one
group has several pieces, each with a full quota of its own, is what is relaxed, as is that a level
without a quota is as cheap as the next one with one. Durations are rounded down to the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from skb.engines.route_classes import FORBIDDEN
from skb.engines.route_nest import Nest
from skb.engines.route_tree import Broadcast

GRID = 600
FINEST = 4
"""Steps up to the horizon, and how many times more there may be where a send is short."""
NOTHING = -1e15
CHEAP = 40_000_000
"""Table entries that are read in a tenth of a second: so much is always done."""
SMALL = 16
"""Quotas up to which all are looked at from the start."""
MOST_SPLITS = 3_000_000
"""Splits of quotas at a send, about 200 MB: no limit of time lets more of them be laid out."""
FULL_SHARE = 0.4
"""Share of the steps that need about all quotas: the number of nodes grows without a break."""


@dataclass(frozen=True, slots=True)
class Splits:
    """What a send does to quotas: those before, those that go along, and those that are left.

    Rows stand by the quotas before; `starts` is where each of `states` begins.
    """

    along: Any
    left: Any
    states: Any
    starts: Any


def splits(sizes: Sequence[int], level: int) -> Splits:
    """Return all splits at a send inside the groups of a level and not of the one below.

    Quotas count below a group's size and in mixed radix; those of an inner level are never above
    those of an outer one, which holds the same nodes.
    """
    import numpy as np

    rows = np.zeros((1, 0, 3), dtype=np.int64)
    for at, size in enumerate(sizes):
        have, share = _pairs(size, size)
        fits = share < have if at >= level else share == 0
        have, share = have[fits], share[fits]
        rest = have - 1 - share if at >= level else have
        column = np.stack([have, share, rest], axis=1)
        one, two = _pairs(len(rows), len(column))
        if at:
            kept = rows[one, -1, 0] <= column[two, 0]
            if at > level:
                kept &= rows[one, -1, 1] <= column[two, 1]
            one, two = one[kept], two[kept]
        rows = np.concatenate([rows[one], column[two][:, None, :]], axis=1)
    before, along, left = rows[:, :, 0], rows[:, :, 1], rows[:, :, 2]
    for at in range(len(sizes) - 2, -1, -1):
        left[:, at] = np.minimum(left[:, at], left[:, at + 1])
        if at < level:
            along[:, at] = np.minimum(sizes[at] - 1, along[:, at + 1])
    radix = np.cumprod([1, *sizes[:-1]])
    order = (before @ radix).argsort(kind="stable")
    states, starts = np.unique((before @ radix)[order], return_index=True)
    return Splits((along @ radix)[order], (left @ radix)[order], states, starts)


def _pairs(one: int, two: int) -> tuple[Any, Any]:
    """Return all pairs of numbers below two limits, the second number running faster."""
    import numpy as np

    return np.repeat(np.arange(one), two), np.tile(np.arange(two), one)


def counts(sizes: Sequence[int]) -> list[float]:
    """Return about how many splits of some quotas there are, by the level of the send."""
    import numpy as np

    each = np.array(sizes, dtype=np.float64)
    return [float(each[:at].prod() * (each[at:] ** 2 / 2).prod()) for at in range(len(each))]


def work(sizes: Sequence[int], steps: int) -> int:
    """Return about how many table entries the programme reads for some quotas."""
    return int(2 * steps * (FULL_SHARE * (1.0 + sum(counts(sizes))) + 400))


class Quotas:
    """The programme with quotas for some levels; `least` is the proven time in picoseconds.

    `least` is 0 where the grid is too coarse for the shortest send, or the time was up.
    """

    def __init__(
        self,
        nest: Nest,
        costs: Any,
        levels: Sequence[int],
        horizon: int,
        spent: Callable[[], bool],
    ) -> None:
        self._sizes = [nest.largest(level) for level in levels]
        self._goal = nest.home.shape[1]
        self.step, self.least = _step(costs, horizon), 0
        self._steps = horizon // self.step
        self._sends = self._durations(costs, levels)
        if min(int(send.busy.min()) for send in self._sends) >= 1:
            self.least = self.step * self._filled(spent)

    def _durations(self, costs: Any, levels: Sequence[int]) -> list[_Send]:
        """Return the kinds of sends; those of levels between two quotas are as cheap as any."""
        import numpy as np

        found = []
        bounds = [-1, *levels, costs.shape[1] - 1]
        for at in range(len(bounds) - 1):
            own = costs[:, bounds[at] + 1 : bounds[at + 1] + 1]
            if own.shape[1]:
                busy = np.minimum(own[:2].min(axis=1), FORBIDDEN)
                arrive = np.minimum(busy + own[2].min(), FORBIDDEN)
                found.append(_Send(at, busy // self.step, arrive // self.step))
        return found

    def _filled(self, spent: Callable[[], bool]) -> int:
        """Return the first step by which as many nodes as there are may have the message.

        While few can have it, quotas above their number never bind: small tables do, which are
        laid out anew when the number reaches their largest quota.
        """
        import numpy as np

        cap, largest = SMALL, max(self._sizes, default=1)
        sizes = [min(size, cap) for size in self._sizes]
        table = _Table(sizes, self._sends)
        value = np.full((self._steps + 1, 2, int(np.prod(sizes))), NOTHING, dtype=np.float32)
        value[0][:, _nested(sizes)] = 0.0
        now = 1
        while now <= self._steps:
            if now % 16 == 0 and spent():
                return now
            table.fill(value, now)
            if float(value[now, :, -1].max()) >= cap - 1 and cap < largest:
                wider = [min(size, 2 * cap) for size in self._sizes]
                value = value[:, :, _narrowed(wider, sizes)]
                sizes, cap = wider, 2 * cap
                table = _Table(sizes, self._sends)
                continue
            if 1.0 + float(value[now, 0, -1]) >= self._goal:
                return now
            now += 1
        return self._steps + 1


@dataclass(frozen=True, slots=True)
class _Send:
    """A kind of send: how many quotas are below it, and its steps by role."""

    below: int
    busy: Any
    arrive: Any


class _Table:
    """The programme's step over quotas below some sizes."""

    def __init__(self, sizes: Sequence[int], sends: Sequence[_Send]) -> None:
        import numpy as np

        self._rows = []
        for send in sends:
            found = splits(sizes, send.below) if send.below < len(sizes) else None
            length = 0 if found is None else len(found.along)
            spare = np.empty(length, dtype=np.float32), np.empty(length, dtype=np.float32)
            self._rows.append((send, found, spare))

    def fill(self, value: Any, now: int) -> None:
        """Find what can be gathered by a step from what can be by earlier ones."""
        import numpy as np

        for role in range(2):
            best = value[now - 1, role].copy()
            for send, found, (one, two) in self._rows:
                if send.arrive[role] > now:
                    continue
                below = value[now - send.arrive[role], 0]
                after = value[now - send.busy[role], 1]
                if found is None:
                    np.maximum(best, 1.0 + below[-1] + after, out=best)
                    continue
                np.take(below, found.along, out=one, mode="clip")
                np.take(after, found.left, out=two, mode="clip")
                np.add(one, two, out=one)
                most = 1.0 + np.maximum.reduceat(one, found.starts)
                best[found.states] = np.maximum(best[found.states], most)
            value[now, role] = best


def _narrowed(wide: Sequence[int], sizes: Sequence[int]) -> Any:
    """Return for all quotas below wide sizes those below other sizes that they come down to."""
    import numpy as np

    found = np.zeros(1, dtype=np.int64)
    step = 1
    for size, small in zip(wide, sizes, strict=True):
        own = np.minimum(np.arange(size), small - 1) * step
        found = (own[:, None] + found[None, :]).ravel()
        step *= small
    return found


def _nested(sizes: Sequence[int]) -> Any:
    """Return the quotas in mixed radix that do not fall from an inner level to an outer one."""
    import numpy as np

    states = np.zeros((1, 0), dtype=np.int64)
    for size in sizes:
        one, two = _pairs(len(states), size)
        if states.shape[1]:
            kept = states[one, -1] <= two
            one, two = one[kept], two[kept]
        states = np.concatenate([states[one], two[:, None]], axis=1)
    return states @ np.cumprod([1, *sizes[:-1]])[: len(sizes)]


def _step(costs: Any, horizon: int) -> int:
    """Choose the step of about `GRID` up to the horizon that cuts least off the durations."""
    import numpy as np

    durations = np.unique(np.concatenate([costs[0], costs[1], costs[0] + costs[2]]))
    durations = durations[durations < FORBIDDEN]
    common = int(np.gcd.reduce(durations)) if len(durations) else 0
    coarse = max(1, horizon // GRID)
    if common > coarse // 2:
        # on a grid of what all durations are made of nothing is cut off
        return common
    shortest = int(durations.min(initial=coarse))
    if shortest < coarse:
        return max(1, shortest, horizon // (GRID * FINEST))
    trial = np.arange(
        coarse, max(coarse + 1, min(coarse * 3 // 2, shortest) + 1), max(1, coarse // 99)
    )
    cut = (durations[None, :] % trial[:, None] / np.maximum(durations, 1)).sum(axis=1)
    return int(trial[int(cut.argmin())])


def least_time(
    nest: Nest, broadcast: Broadcast, horizon: int, budget: float, spent: Callable[[], bool]
) -> int:
    """Return the largest proven time of all choices of levels within a budget of work."""
    import numpy as np

    costs = nest.costs(broadcast, np.min)
    found: dict[tuple[int, ...], int] = {}
    for cost, levels in _choices(nest, horizon // _step(costs, horizon)):
        best = max(found.values(), default=0)
        if cost > budget or best > horizon or (cost > CHEAP and spent()):
            break
        less = (found.get(kept, 0) for kept in combinations(levels, max(0, len(levels) - 1)))
        if cost > CHEAP and max(less) < best:
            # a level more seldom makes the best of what is not the best
            continue
        budget -= cost
        fuse = spent if cost > CHEAP else _never
        found[levels] = Quotas(nest, costs, levels, horizon, fuse).least
    return max(found.values(), default=0)


def _never() -> bool:
    return False


def _choices(nest: Nest, steps: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return the choices of levels that fit the memory by what they cost."""
    inner = range(nest.depth - 1)
    chosen = [kept for count in range(nest.depth) for kept in combinations(inner, count)]
    sizes = {kept: [nest.largest(at) for at in kept] for kept in chosen}
    fit = [kept for kept in chosen if max(counts(sizes[kept]), default=0.0) <= MOST_SPLITS]
    return sorted((work(sizes[kept], steps), kept) for kept in fit)
