"""Lower bound by prices: a Lagrangian relaxation of 'each node is informed once'.

Nodes stand in groups (those of a package, say), groups in classes with the same costs. Each class
has a price for a member that is informed. A scalar programme finds the tree that gathers most in a
time, where a group may be entered again and again, but whoever is entered is answerable for at most
the rest of its own group: V_A(j, t), the most that a free node gathers in t on condition that j of
its own group are informed below it, is the best of sending inside (a share w of j - 1 goes along)
and sending to another group (E_B(t) = max over w of (1 + w) price_B + V_B(w, t)). If even the best
root gathers less than the prices of all nodes, t is too short for every tree. The condition on j is
what keeps cheap links inside a group from being used without end; prices alone do not (they prove
58 % of the optimum on two packages of ten cores, with the condition 90 and more).

The prices that prove most are sought by multiplicative weights: what is informed too often gets
cheaper (Freund and Schapire, 1999). Durations are rounded down to the grid, so the bound stays a
bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skb.engines.route_classes import FORBIDDEN, interchangeable, merged
from skb.engines.route_tree import Broadcast, Matrix

RATES = (0.5, 0.15, 0.015)
"""How far a price follows what was informed too often: at first, in a second run, at last."""
CALL_WORK = 1500
"""What the overhead of one array operation amounts to, in table entries."""
GRIDS = (1200, 300)
LARGEST_CAP = 4
"""A larger fan-out limit is left out of the programme (which keeps the bound a bound)."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Classes of groups: nodes of each, size of a group, least costs inside and between groups."""

    members: tuple[tuple[int, ...], ...]
    group_size: tuple[int, ...]
    inner: tuple[tuple[int, int, int], ...]
    outer: Broadcast


def grouped(costs: Broadcast, partition: Sequence[Sequence[int]]) -> Groups:
    """Return the groups of a partition, those with the same costs and size in one class."""
    fine = merged(costs, partition, False).costs
    size = range(len(partition))

    def marked(matrix: Matrix) -> Matrix:
        # what a group is inside stands on the diagonal, which an exchange compares with nothing
        return tuple(tuple(0 if g == h else matrix[g][h] for h in size) for g in size)

    first = marked(fine.first)
    further = marked(fine.further) if fine.bursts else first
    between = Broadcast(first, further, marked(fine.tail))
    inside = [(fine.first[g][g], fine.further[g][g], fine.tail[g][g]) for g in size]
    kinds: dict[tuple[object, ...], list[int]] = {}
    for at, same in enumerate(interchangeable(between)):
        for g in same:
            kinds.setdefault((at, len(partition[g]), inside[g]), []).append(g)
    rows = list(kinds.values())
    return Groups(
        members=tuple(tuple(u for g in row for u in partition[g]) for row in rows),
        group_size=tuple(len(partition[row[0]]) for row in rows),
        inner=tuple(inside[row[0]] for row in rows),
        outer=merged(
            Broadcast(
                _closed(first), _closed(further) if fine.bursts else _closed(first), between.tail
            ),
            rows,
            False,
        ).costs,
    )


def _closed(matrix: Matrix) -> Matrix:
    return tuple(
        tuple(FORBIDDEN if g == h else cost for h, cost in enumerate(row))
        for g, row in enumerate(matrix)
    )


class Prices:
    """The programme of one broadcast on a grid of at most so many steps up to `horizon` (ps).

    `usable` is False where a duration is shorter than a step: then a node could send without end in
    no time, and nothing is proven. `best` holds the proven time of each class as the root, in
    steps. `fan_out` is a limit of the children of a node, taken into account where it is small.
    """

    def __init__(self, groups: Groups, horizon: int, grid: int, fan_out: int) -> None:
        import numpy as np

        self._np = np
        self.groups = groups
        self.sizes = np.array([len(nodes) for nodes in groups.members], dtype=np.float64)
        self.count = len(groups.members)
        self.most = max(groups.group_size)
        self.group_size = groups.group_size
        outer, inner = groups.outer, np.array(groups.inner, dtype=np.int64)
        between = [np.array(m, dtype=np.int64) for m in (outer.first, outer.further, outer.tail)]
        bursts = outer.bursts or any(first != more for first, more, _ in groups.inner)
        roles = [0, 1] if bursts else [0]
        # with a fan-out limit, a node that has sent k messages differs from one that has sent k + 1
        self.capped = fan_out <= LARGEST_CAP
        if self.capped:
            roles = [0, *[1] * fan_out]
        pairs = [(between[role], between[2]) for role in roles]
        inside = [(inner[:, role], inner[:, 2]) for role in roles]
        self.step = self._best_step([*pairs, *inside], horizon, grid)
        self.steps = horizon // self.step
        self.busy, self.arrive = self._on_grid(pairs)
        self.busy_in, self.arrive_in = self._on_grid(inside)
        self.block = int(min(part.min() for part in (*self.busy, *self.busy_in)))
        self.usable = self.block >= 1
        self.best = [0] * self.count
        self.price = np.ones(self.count)
        self._runs = 0

    @property
    def work(self) -> int:
        """Return about how many table entries one sweep touches, overhead included."""
        sending = len(self.busy) - self.capped
        calls = 10 + 3 * self.most
        entries = self.count * self.most * (2 * self.count + self.most) * self.steps
        return int(sending * (entries + calls * CALL_WORK * self.steps // max(1, self.block)))

    def rounds_within(self, budget: float) -> int:
        """Return how many sweeps a budget of work allows; one says all where there is one price."""
        rounds = int(budget / self.work)
        return min(rounds, 1) if self.count == 1 else rounds

    def _on_grid(self, pairs: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
        np, beyond = self._np, self.steps + 1
        busy, arrive = [], []
        for send, tail in pairs:
            usable = send < FORBIDDEN
            busy.append(np.where(usable, np.minimum(send // self.step, beyond), beyond))
            both = np.where(usable, send + tail, 0) // self.step
            arrive.append(np.where(usable, np.minimum(both, beyond), beyond))
        return busy, arrive

    def _best_step(self, pairs: list[tuple[Any, Any]], horizon: int, grid: int) -> int:
        """Choose the step near horizon / grid that cuts least off the durations."""
        np = self._np
        parts = [part[send < FORBIDDEN] for send, tail in pairs for part in (send, send + tail)]
        durations, often = np.unique(np.concatenate(parts), return_counts=True)
        least = max(1, -(-horizon // grid))
        shortest = int(durations.min()) if len(durations) else least
        if shortest < least:
            least = max(1, shortest, horizon // (grid * 4))
        trial = np.unique(
            np.linspace(least, min(least * 3 // 2, max(shortest, least)), 64).astype(np.int64)
        )
        if len(durations) * len(trial) > 1_000_000:
            return int(least)
        lost = ((durations[None, :] % trial[:, None]) / np.maximum(durations, 1) * often).sum(
            axis=1
        )
        return int(trial[int(lost.argmin())])

    def sweep(self, price: Any) -> tuple[Any, Any]:
        """Return what a node gathers by role, class, j and time, and what entering brings."""
        np, count, most, steps = self._np, self.count, self.most, self.steps
        pad, roles = steps + 2, len(self.busy)
        width = pad + steps + 1
        table = np.full((roles, count, most, width), -np.inf)
        table[:, :, 0, pad] = 0.0
        if self.capped:
            table[-1, :, 0, pad:] = 0.0
        entry = np.full((count, width), -np.inf)
        value = price[:, None] * np.arange(1, most + 1)[None, :]
        value[np.arange(most)[None, :] >= np.array(self.group_size)[:, None]] = -np.inf
        entry[:, pad] = value[:, 0]
        flat, entries = table.reshape(-1), entry.reshape(-1)
        rows = np.arange(count)
        shares = np.arange(most)
        next_role = [min(role + 1, roles - 1) * count for role in range(roles)]
        places = [((at + rows)[:, None] * most + shares[None, :]) * width + pad for at in next_role]
        fresh = (rows[:, None] * most + np.arange(most)[None, :]) * width + pad
        into = [((rows * width + pad)[None, :] - arrive)[:, :, None] for arrive in self.arrive]
        after = [
            (at[:, :, None] - busy[:, None, :])[:, :, :, None]
            for at, busy in zip(places, self.busy, strict=True)
        ]
        go_in = [(fresh - arrive[:, None])[:, :, None] for arrive in self.arrive_in]
        go_on = [
            (at - busy[:, None])[:, :, None] for at, busy in zip(places, self.busy_in, strict=True)
        ]
        for start in range(1, steps + 1, self.block):
            stop = min(start + self.block, steps + 1)
            times = np.arange(start, stop)
            here = slice(pad + start, pad + stop)
            for role in range(roles - self.capped):
                gain = entries[into[role] + times]
                found = (gain[:, None] + flat[after[role] + times]).max(axis=2)
                if most > 1:
                    below, above = flat[go_in[role] + times], flat[go_on[role] + times]
                    for share in range(most - 1):
                        rest = below[:, share, None] + above[:, : most - 1 - share]
                        np.maximum(found[:, share + 1 :], rest, out=found[:, share + 1 :])
                np.maximum(found, table[role, :, :, pad + start - 1][:, :, None], out=found)
                np.maximum.accumulate(found, axis=2, out=found)
                table[role, :, :, here] = found
            entry[:, here] = (table[0, :, :, here] + value[:, :, None]).max(axis=1)
        return table[..., pad:], entry[:, pad:]

    def too_short(self, price: Any, entry: Any) -> Any:
        """Return for each class as the root the least time that the prices do not rule out."""
        enough = float(self.sizes @ price) * (1 - 1e-9)
        reached = entry >= enough
        times = self._np.where(reached.any(axis=1), reached.argmax(axis=1), self.steps + 1)
        for at, time in enumerate(times.tolist()):
            self.best[at] = max(self.best[at], time)
        return times

    def informed(self, price: Any, table: Any, entry: Any, root: int, time: int) -> Any:
        """Return how many nodes of each class are informed in a tree that gathers most."""
        np = self._np
        counts = np.zeros(self.count)
        stack: list[tuple[int, int, int, int]] = []

        def enter(group: int, left: int) -> None:
            shares = np.arange(self.group_size[group])
            worth = table[0, group, shares, left] + price[group] * (1 + shares)
            share = int(worth.argmax())
            counts[group] += 1 + share
            stack.append((0, group, share, left))

        enter(root, time)
        while stack:
            role, group, owed, left = stack.pop()
            after = min(role + 1, len(self.busy) - 1)
            row = table[role, group, owed]
            if row[left] <= 0.0 and not owed:
                continue
            left = int(row.searchsorted(row[left]))
            busy, arrive = self.busy[role][group], self.arrive[role][group]
            fits = (arrive <= left).nonzero()[0]
            best = -np.inf
            if len(fits):
                worth = (
                    entry[fits, left - arrive[fits]] + table[after, group, owed, left - busy[fits]]
                )
                best = float(worth.max())
            inside = left - int(self.arrive_in[role][group])
            if owed and inside >= 0:
                on = left - int(self.busy_in[role][group])
                shares = np.arange(owed)
                within = (
                    table[0, group, shares, inside] + table[after, group, owed - 1 - shares, on]
                )
                if float(within.max()) >= best:
                    share = int(within.argmax())
                    stack.append((0, group, share, inside))
                    stack.append((after, group, owed - 1 - share, on))
                    continue
            chosen = int(fits[int(worth.argmax())])
            enter(chosen, left - int(arrive[chosen]))
            stack.append((after, group, owed, left - int(busy[chosen])))
        return counts

    def run(self, rounds: int, roots: Sequence[int], spent: Callable[[], bool]) -> None:
        """Raise `best` by so many sweeps, each with better prices for the weakest root."""
        np, sizes = self._np, self.sizes
        start = RATES[min(self._runs, 1)]
        self._runs += 1
        for turn in range(rounds):
            if spent():
                break
            table, entry = self.sweep(self.price)
            times = self.too_short(self.price, entry)
            root = min(roots, key=lambda at: int(times[at]))
            time = min(int(times[root]), self.steps)
            counts = self.informed(self.price, table, entry, root, time)
            rate = start * (RATES[2] / start) ** (turn / max(1, rounds - 1))
            price = self.price * np.exp(-rate * (counts / sizes - 1.0).clip(-1.0, 3.0))
            self.price = price * (sizes.sum() / float(sizes @ price))

    def times(self, horizon: int) -> tuple[int, ...]:
        """Return the proven bound of each class as the root, in picoseconds."""
        return tuple(min(time * self.step, horizon) for time in self.best)


def affordable(groups: Groups, horizon: int, fan_out: int, budget: float) -> Prices | None:
    """Return the programme on the finest grid of which a sweep fits into a budget of work."""
    for grid in GRIDS:
        prices = Prices(groups, horizon, grid, fan_out)
        if prices.usable and prices.work <= budget:
            return prices
    return None
