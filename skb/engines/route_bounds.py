"""Lower bounds of an operation: by phase and root, from relaxations and from the programme of sets.

A bound of an operation is, for each root, the weighted sum of the bounds of its broadcasts and the
cheapest report; the operation's is that of the weakest root.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from skb.engines.route_arms import RouteArm
from skb.engines.route_classes import barred, coarser, interchangeable, merged
from skb.engines.route_exact import Programme, work
from skb.engines.route_nest import SMALLEST as NESTED
from skb.engines.route_nest import nested
from skb.engines.route_nodes import NodePrices, step_near, sweep_work
from skb.engines.route_prices import Prices, affordable, grouped
from skb.engines.route_quotas import least_time
from skb.engines.route_subsets import LARGEST, LATEST, Subsets, splits
from skb.engines.route_tree import Broadcast, Task, Tree, array_of, ordered

MERGED_WORK = 20_000_000
"""Comparisons of the programme over merged classes, about half a second."""
PRICE_WORK = 120_000_000
"""Table entries of the longest run of the prices of groups, about half a second."""
PRICE_ROUNDS, TRIAL_ROUNDS = 120, 6
SPLIT_WORK = 1_900_000_000
"""Splits of the programme of sets, about eight seconds."""
QUOTA_WORK = 2_000_000_000
"""Table entries of the quotas of nested groups, some four seconds at full effort."""
QUOTA_SHARE = 0.6
"""Share of the time that is left which the quotas may take before the search goes on."""
NODE_WORK = 1_500_000_000
"""Table entries of the prices of nodes, about a second."""
NODES = 64
"""Nodes up to which each may have a price of its own."""
COARSE, FINE = 1200, 5000
"""Steps of the grids of the prices of nodes."""
STAGES = ((60, 0.1, 0.02), (250, 0.05, 0.005), (400, 0.01, 0.001))
"""Rounds of the prices of nodes and how far they move: of each grouping, of the best, at last."""
STAGE_SHARES = (0.25, 0.3)

PLAIN_SHARE = 3.0
"""How much more the relaxations may work where no compiled search and no prices of nodes follow."""
PATIENCE = 1.5
"""Above the usual effort, compiled work grows with this power: a first answer is to be quick."""

QUOTAS = "quotas of nested groups"
Spent = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Fuse:
    """A fuse that burns until a monotonic time."""

    deadline: float

    def __call__(self) -> bool:
        return time.monotonic() >= self.deadline

    def part(self, share: float) -> Fuse:
        """Return a fuse for a share of the time that is left."""
        now = time.monotonic()
        return Fuse(now + share * max(0.0, self.deadline - now))


def patient(effort: float) -> float:
    """Return the effort of compiled work."""
    return effort * float(max(1.0, effort) ** (PATIENCE - 1.0))


@dataclass(slots=True)
class Bounds:
    """Lower bounds by phase and root, and the methods that raised them."""

    task: Task
    rows: list[list[int]]
    reports: Sequence[int]
    methods: list[str] = field(default_factory=list)
    whole: int = 0

    @classmethod
    def of(cls, task: Task) -> Bounds:
        return cls(task, [[0] * task.size for _ in task.phases], _least_reports(task))

    def raise_to(self, phase: int, found: Sequence[int], method: str) -> None:
        row = self.rows[phase]
        if any(new > old for new, old in zip(found, row, strict=True)):
            self.rows[phase] = [max(pair) for pair in zip(found, row, strict=True)]
            if method not in self.methods:
                self.methods.append(method)

    def settle(self, found: int, method: str) -> None:
        """Raise the bound of the operation as a whole, from any root."""
        if found > self.total:
            self.whole = found
            self.methods.append(method)

    @property
    def apart(self) -> tuple[tuple[int, ...], ...]:
        """The bounds of the phases by root, times their weights, the report with the first one."""
        weights = [weight for _, weight in self.task.phases]
        both = zip(weights, self.rows, strict=True)
        rows = [[weight * end for end in row] for weight, row in both]
        rows[0] = [end + told for end, told in zip(rows[0], self.reports, strict=True)]
        return tuple(map(tuple, rows))

    @property
    def total(self) -> int:
        return min(self.of_root(root) for root in self.task.roots)

    def of_root(self, root: int) -> int:
        weights = [weight for _, weight in self.task.phases]
        total = sum(weight * row[root] for weight, row in zip(weights, self.rows, strict=True))
        return max(total + self.reports[root], self.whole)


def _least_reports(task: Task) -> list[int]:
    """Return what the cheapest report to each root takes."""
    if task.report is None or task.size < 2:
        return [0] * task.size
    import numpy as np

    report = array_of(task.report).copy()
    np.fill_diagonal(report, np.iinfo(np.int64).max)
    return list(report.min(axis=0).tolist())


def for_sets(task: Task, effort: float) -> bool:
    """Whether the programme of sets, compiled, would prove each phase, and with this effort."""
    return (
        task.size <= LARGEST
        and task.fan_out >= task.size - 1
        and splits(task.size) * len(task.phases) <= SPLIT_WORK * effort
    )


def solved_by_sets(
    task: Task, bounds: Bounds, best: int, arm: RouteArm, effort: float, spent: Spent
) -> list[Tree]:
    """Solve each phase exactly up to what can still improve the best value; return better trees."""
    if task.size > LARGEST or splits(task.size) * len(task.phases) > SPLIT_WORK * effort:
        return []
    trees = []
    for at, (costs, weight) in enumerate(task.phases):
        rest = bounds.total - weight * min(bounds.rows[at][root] for root in task.roots)
        horizon = (best - 1 - max(0, rest)) // weight
        if spent() or not 0 < horizon <= LATEST:
            continue
        roots = [root for root in task.roots if bounds.of_root(root) < best]
        table = Subsets(barred(costs, task.allowed), roots, horizon, arm, spent)
        if not table.done:
            continue
        bounds.raise_to(at, table.times, "exact programme over sets")
        within = sorted((table.times[root], root) for root in roots)
        for end, root in within[:4]:
            if end <= horizon:
                trees.append(ordered(task.phases[0][0], root, table.tree(root)))
    return trees


def relaxed(
    task: Task,
    bounds: Bounds,
    best: int,
    partitions: Sequence[Sequence[Sequence[int]]],
    arm: RouteArm,
    effort: float,
    spent: Spent,
) -> None:
    """Raise the bounds by relaxations: merged classes, prices of groups, prices of nodes."""
    phases = [barred(costs, task.allowed) for costs, _ in task.phases]
    share = effort / len(phases)
    if not arm.compiled:
        share *= PLAIN_SHARE
    if arm.compiled:
        # callers give large groups less effort, which plain steps need; a relaxation has classes
        share *= min(8.0, max(1.0, task.size / 32))
    # each kind for all phases before the next: a bound needs them all, late or not
    for at, closed in enumerate(phases):
        _as_alike(task, bounds, at, closed)
    by_quotas(task, bounds, best, partitions, effort, spent)
    for at, closed in enumerate(phases):
        _by_classes(task, bounds, at, closed, partitions, share, spent)
    for at, closed in enumerate(phases):
        if bounds.total < best and not spent():
            horizon = best // task.phases[at][1]
            _by_prices(task, bounds, at, closed, horizon, partitions, share, spent)
    for at, closed in enumerate(phases):
        if arm.compiled and bounds.total < best and not spent():
            part = spent.part(1 / (len(phases) - at)) if isinstance(spent, Fuse) else spent
            _by_node_prices(task, bounds, at, closed, best, partitions, arm, share, part)


def by_quotas(
    task: Task,
    bounds: Bounds,
    best: int,
    partitions: Sequence[Sequence[Sequence[int]]],
    effort: float,
    spent: Spent,
) -> None:
    """Raise the bounds by the quotas of nested groups; a second time on a task does nothing."""
    if task.size < NESTED or QUOTAS in bounds.methods or bounds.total >= best:
        return
    nest = nested(task.size, partitions)
    budget = QUOTA_WORK * effort * max(1.0, task.size / 32) / len(task.phases)
    part = spent.part(QUOTA_SHARE) if isinstance(spent, Fuse) else spent
    free = all(row.count(False) == 1 for row in task.allowed)
    for at, (costs, weight) in enumerate(task.phases):
        # nodes that stand in no pair with themselves need no price for it
        closed = costs if free else barred(costs, task.allowed)
        found = least_time(nest, closed, best // weight, budget, part)
        bounds.raise_to(at, [found] * task.size, QUOTAS)


def _as_alike(task: Task, bounds: Bounds, phase: int, closed: Broadcast) -> None:
    """Bound a phase as if all nodes had the least costs: weak, and done in no time."""
    classes = merged(closed, [range(task.size)], False)
    programme = Programme(classes, task.size, lambda: False)
    bounds.raise_to(phase, [programme.times[0]] * task.size, "programme over merged classes")


def _by_classes(
    task: Task,
    bounds: Bounds,
    phase: int,
    closed: Broadcast,
    partitions: Sequence[Sequence[Sequence[int]]],
    effort: float,
    spent: Spent,
) -> None:
    """Merge classes, those that lose least first, until the exact programme is affordable."""
    groups: Sequence[Sequence[int]] = interchangeable(closed)
    if len(groups) > 48:
        whole: Sequence[Sequence[int]] = [range(task.size)]
        groups = max([whole, *(p for p in partitions if len(p) <= 48)], key=len)
    classes = merged(closed, groups, False)
    while work(classes, task.size) > MERGED_WORK * effort and not spent():
        classes = coarser(classes)
    if spent() or work(classes, task.size) > MERGED_WORK * max(effort, 1.0):
        return
    programme = Programme(classes, task.size, spent)
    if programme.done:
        home = {node: i for i, nodes in enumerate(classes.members) for node in nodes}
        found = [programme.times[home[v]] for v in range(task.size)]
        bounds.raise_to(phase, found, "programme over merged classes")


def _by_prices(
    task: Task,
    bounds: Bounds,
    phase: int,
    closed: Broadcast,
    horizon: int,
    partitions: Sequence[Sequence[Sequence[int]]],
    effort: float,
    spent: Spent,
) -> None:
    """Price every partition for a few rounds, then go on with the one that proved most."""
    budget = PRICE_WORK * effort
    trials: list[tuple[int, int, Prices]] = []
    for index, partition in enumerate(partitions):
        if spent():
            break
        if task.size > NODES and len(partition) > NODES:
            # no sweep over so many groups is affordable, and laying them out takes long
            continue
        groups = grouped(closed, partition)
        prices = affordable(groups, horizon, task.fan_out, budget / 2)
        if prices is not None:
            rounds = min(TRIAL_ROUNDS, prices.rounds_within(budget / 6) or 1)
            found = _priced(task, bounds, phase, prices, rounds, horizon, spent)
            trials.append((-found, index, prices))
    if trials and not spent() and bounds.total < horizon:
        _, _, prices = min(trials, key=lambda trial: trial[:2])
        rounds = min(PRICE_ROUNDS, prices.rounds_within(budget))
        _priced(task, bounds, phase, prices, rounds, horizon, spent)


def _priced(
    task: Task,
    bounds: Bounds,
    phase: int,
    prices: Prices,
    rounds: int,
    horizon: int,
    spent: Spent,
) -> int:
    """Raise the bounds by prices; return what they prove for the weakest root."""
    home = {node: i for i, nodes in enumerate(prices.groups.members) for node in nodes}
    roots = sorted({home[root] for root in task.roots})
    prices.run(rounds, roots, spent)
    times = prices.times(horizon)
    bounds.raise_to(phase, [times[home[v]] for v in range(task.size)], "prices of groups")
    return min(times[at] for at in roots)


def _by_node_prices(
    task: Task,
    bounds: Bounds,
    phase: int,
    closed: Broadcast,
    best: int,
    partitions: Sequence[Sequence[Sequence[int]]],
    arm: RouteArm,
    effort: float,
    spent: Spent,
) -> None:
    """Price the nodes in every grouping on a coarse grid, then the best one on finer grids."""
    if task.size > NODES:
        return
    horizon = best // task.phases[phase][1]
    left = NODE_WORK * patient(effort)

    def run(part: Sequence[Sequence[int]], step: int, stage: int, budget: float, price: Any) -> Any:
        """Return the work, what is proven for the weakest root, and the prices."""
        roots = [root for root in task.roots if bounds.of_root(root) < best]
        rounds, *rates = STAGES[stage]
        each = sweep_work(closed, part, horizon // step)
        rounds = min(rounds, int(budget / max(1, each)))
        if rounds < 8 or not roots or spent():
            return None
        prices = NodePrices(closed, part, horizon, step, arm)
        if not prices.usable:
            return None
        if price is not None:
            prices.price = price
        prices.run(rounds, roots, (rates[0], rates[1]), spent)
        times = prices.times()
        bounds.raise_to(phase, times, "prices of nodes")
        return rounds * each, min(times[root] for root in roots), prices.price

    coarse, fine = (step_near(closed, horizon, grid) for grid in (COARSE, FINE))
    trials = []
    for part in partitions:
        if len(part) > 1 and (found := run(part, coarse, 0, left * STAGE_SHARES[0], None)):
            trials.append((-found[1], len(part), part, found))
            left -= found[0]
    if not trials:
        return
    _, _, part, (_, _, price) = min(trials, key=lambda trial: trial[:2])
    if found := run(part, coarse, 1, left * STAGE_SHARES[1], price):
        left, price = left - found[0], found[2]
    run(part, fine, 2, left, price)
