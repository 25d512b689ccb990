"""Lower bound by a price for each node: the relaxation of `route_prices` without classes.

For nodes that are all unlike, such as those of measured machines, classes with least costs lose too
much. Durations are rounded down to the grid, prices are whole numbers: the bound is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skb.engines.route_arms import RouteArm
from skb.engines.route_classes import FORBIDDEN
from skb.engines.route_sweep import Nodes
from skb.engines.route_tree import Broadcast

UNIT = 1_000_000
"""Whole-number price of a node that costs as much as the mean."""
STACK = 4096
FINER = 6
"""How many times finer a grid may be that cuts nothing off."""
AHEAD = 0.2
"""The prices are judged at a time so far between what they prove and the horizon."""


def step_near(costs: Broadcast, horizon: int, grid: int) -> int:
    """Return a step for about so many steps up to a horizon which cuts little off the durations."""
    import numpy as np

    sends = {costs.first, costs.further}
    tail = np.array(costs.tail, dtype=np.int64)
    parts = []
    for matrix in sends:
        send = np.array(matrix, dtype=np.int64)
        usable = send < FORBIDDEN
        parts += [send[usable], (send + tail)[usable]]
    durations = np.concatenate(parts)
    common = int(np.gcd.reduce(durations)) if len(durations) else 0
    least = max(1, horizon // grid)
    if common and least <= FINER * common:
        # on a grid of what all durations are made of nothing is cut off
        return common
    trial = np.arange(least, least * 5 // 4 + 1, max(1, least // 256))
    cut = (durations[None, :] % trial[:, None] / np.maximum(durations, 1)).sum(axis=1)
    return int(trial[int(cut.argmin())])


def sweep_work(costs: Broadcast, partition: Sequence[Sequence[int]], steps: int) -> int:
    """Return how many table entries a sweep over a grid of so many steps touches."""
    most, roles = max(map(len, partition)), 2 if costs.bursts else 1
    return roles * costs.size * steps * (most * costs.size + most * most * most // 2)


class NodePrices:
    """The programme of one broadcast on a grid of `step` picoseconds up to a horizon.

    `usable` is False where a duration is shorter than a step. `best` holds the proven time of each
    node as the root, in steps.
    """

    def __init__(
        self,
        costs: Broadcast,
        partition: Sequence[Sequence[int]],
        horizon: int,
        step: int,
        arm: RouteArm,
    ) -> None:
        import numpy as np

        self.step, self.steps, self.size = step, horizon // step, costs.size
        self._np, self._arm, self._horizon = np, arm, horizon
        self.most = max(map(len, partition))
        tail = np.array(costs.tail, dtype=np.int64)
        roles = [np.array(costs.first, dtype=np.int64)]
        if costs.bursts:
            roles.append(np.array(costs.further, dtype=np.int64))
        self.roles = len(roles)
        beyond = self.steps + 1
        busy = [np.where(r < FORBIDDEN, np.minimum(r // step, beyond), beyond) for r in roles]
        arrive = [
            np.where(r < FORBIDDEN, np.minimum((r + tail) // step, beyond), beyond) for r in roles
        ]
        self.block = int(min(part.min() for part in busy))
        self.usable = self.block >= 1 and self.steps >= 1
        self.price = np.ones(self.size)
        self.best = [0] * self.size
        self._nodes = self._laid_out(busy, arrive, partition) if self.usable else None

    def _laid_out(
        self, busy: list[Any], arrive: list[Any], partition: Sequence[Sequence[int]]
    ) -> Nodes:
        words, reals = self._arm.words, self._arm.reals
        group, rest = [0] * self.size, [0] * self.size
        for at, members in enumerate(partition):
            for node in members:
                group[node], rest[node] = at, len(members)
        flat = [[int(v) for part in parts for v in part.ravel()] for parts in (busy, arrive)]
        width = self.steps + 1
        return Nodes(
            busy=words(flat[0]),
            arrive=words(flat[1]),
            group=words(group),
            shape=words([self.most, self.steps, self.block, self.roles, *rest]),
            price=reals([0.0] * self.size),
            table=reals([0.0] * (self.roles * self.size * self.most * width)),
            entry=reals([0.0] * (self.size * width)),
            counts=words([0] * self.size),
            stack=words([0] * STACK),
        )

    def run(
        self,
        rounds: int,
        roots: Sequence[int],
        rates: tuple[float, float],
        spent: Callable[[], bool],
    ) -> None:
        """Raise `best` by so many sweeps, each with better prices for the weakest root.

        Multiplicative weights: what is informed too often gets cheaper, at a falling rate.
        """
        np, nodes = self._np, self._nodes
        if nodes is None:
            return
        proven, kept = -1, self.price
        width = self.steps + 1
        for turn in range(rounds):
            if spent():
                break
            whole = np.rint(self.price * UNIT)
            nodes.price[:] = whole if self._arm.compiled else whole.tolist()
            self._arm.sweep(nodes)
            entry = np.asarray(nodes.entry).reshape(self.size, width)[list(roots)]
            reached = entry >= float(whole.sum())
            times = np.where(reached.any(axis=1), reached.argmax(axis=1), width)
            for root, time in zip(roots, times.tolist(), strict=True):
                self.best[root] = max(self.best[root], time)
            least = int(times.min())
            if least >= proven:
                proven, kept = least, self.price
            if least > self.steps:
                break
            time = least + int((self.steps - least) * AHEAD)
            self._arm.count(nodes, roots[int(entry[:, time].argmax())], time)
            rate = rates[0] * (rates[1] / rates[0]) ** (turn / max(1, rounds - 1))
            often = np.asarray(nodes.counts) - 1.0
            price = self.price * np.exp(-rate * often.clip(-1.0, 3.0))
            self.price = price * (self.size / price.sum())
        self.price = kept

    def times(self) -> tuple[int, ...]:
        """Return the proven bound of each node as the root, in picoseconds."""
        return tuple(min(time * self.step, self._horizon) for time in self.best)
