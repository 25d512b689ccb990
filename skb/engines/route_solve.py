"""The way to a tree with a proof: first trees, local search, exact programme, bounds.

Work is counted, not timed: the same task, seed and effort give the same answer. `spent` is the
fuse. A bound of an operation is, for each root, the weighted sum of the bounds of its broadcasts
and the cheapest report; the operation's is that of the weakest root.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

from skb.engines.route_classes import FORBIDDEN, barred, coarser, interchangeable, merged
from skb.engines.route_exact import Programme, work
from skb.engines.route_greedy import LOOK_AHEAD, TAIL_SHARES, Greedy, leaders
from skb.engines.route_prices import Prices, affordable, grouped
from skb.engines.route_search import Search
from skb.engines.route_small import LARGEST, best_of_all
from skb.engines.route_tree import Broadcast, Task, Tree, admissible, ordered, value

EXACT_WORK = 160_000_000
"""Comparisons of the exact programme, about a second and a half: twelve unlike nodes."""
MERGED_WORK = 20_000_000
"""Comparisons of the programme over merged classes, about half a second."""
PRICE_WORK = 120_000_000
"""Table entries of the longest run of the prices, about half a second."""
PRICE_ROUNDS, TRIAL_ROUNDS = 120, 6
SEARCH_MOVES = 72_000
GREEDY_STEPS = 2_000
WALKS = 4
STAGED_ROOTS = 2

Spent = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Solution:
    """The best tree, its value, and a proven lower bound; `methods` says what proved it."""

    tree: Tree
    value: int
    bound: int
    methods: tuple[str, ...]

    @property
    def proven(self) -> bool:
        return self.value == self.bound


@dataclass(slots=True)
class Bounds:
    """Lower bounds by phase and root, and the methods that raised them."""

    task: Task
    rows: list[list[int]]
    methods: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task) -> Bounds:
        return cls(task, [[0] * task.size for _ in task.phases])

    def raise_to(self, phase: int, found: Sequence[int], method: str) -> None:
        row = self.rows[phase]
        if any(new > old for new, old in zip(found, row, strict=True)):
            self.rows[phase] = [max(pair) for pair in zip(found, row, strict=True)]
            if method not in self.methods:
                self.methods.append(method)

    @property
    def total(self) -> int:
        return min(self.of_root(root) for root in self.task.roots)

    def of_root(self, root: int) -> int:
        weights = [weight for _, weight in self.task.phases]
        total = sum(weight * row[root] for weight, row in zip(weights, self.rows, strict=True))
        report = self.task.report
        if report is not None:
            total += min((report[v][root] for v in range(self.task.size) if v != root), default=0)
        return total


def solve(
    task: Task,
    starts: Sequence[Tree],
    partitions: Sequence[Sequence[Sequence[int]]],
    *,
    seed: int,
    effort: float,
    spent: Spent,
) -> Solution | None:
    """Return the best tree found and its bound, or None where no admissible tree was found.

    `starts` are trees to start from (inadmissible ones are left out); `partitions` are groupings of
    the nodes, such as by package and by NUMA node, in which the bounds look for structure.
    """
    if (len(task.phases) > 1 or task.report is not None) and task.size <= LARGEST:
        all_tried = best_of_all(task, spent)
        if all_tried is not None:
            return _of_all(task, starts, all_tried, spent)
    bounds = Bounds.of(task)
    exact = _exact(task, bounds, effort, spent)
    trees = [tree for tree in (*starts, *exact) if admissible(task, tree)]
    found = _best([(value(task, tree), tree) for tree in trees])
    if not found or found[0][0] > bounds.total:
        found = _best([*found, *_greedy(task, partitions, effort, spent)])
        if found:
            found = _search(task, found, bounds.total, seed, effort, spent)
    if not found:
        return None
    best, tree = found[0]
    if best > bounds.total:
        _relax(task, bounds, best, partitions, effort, spent)
    return Solution(tree, best, bounds.total, tuple(bounds.methods))


def _of_all(
    task: Task, starts: Sequence[Tree], tried: tuple[Tree, int, int], spent: Spent
) -> Solution:
    """Return the best of all trees; where the order decides who reports, other orders may win."""
    tree, worth, bound = tried
    found = [(worth, tree)]
    if task.report is not None and worth > bound:
        found += [(value(task, start), start) for start in starts if admissible(task, start)]
        found.append(_near_reporter(task, *min(found, key=lambda row: row[0]), spent))
    worth, tree = min(found, key=lambda row: row[0])
    return Solution(tree, worth, bound, ("every tree",))


def _best(rows: Sequence[tuple[int, Tree]], count: int = 8) -> list[tuple[int, Tree]]:
    """Return the best trees, best first, of one value and root only the first."""
    kept: dict[tuple[int, int], Tree] = {}
    for worth, tree in rows:
        kept.setdefault((worth, tree.root), tree)
    keys = sorted(kept)[:count]
    return [(worth, kept[worth, root]) for worth, root in keys]


# ---------------------------------------------------------------- exact
def _exact(task: Task, bounds: Bounds, effort: float, spent: Spent) -> list[Tree]:
    """Solve each phase exactly where its interchangeable classes are few; return the trees."""
    trees = []
    for at, (costs, _) in enumerate(task.phases):
        closed = barred(costs, task.allowed)
        classes = merged(closed, interchangeable(closed), True)
        if work(classes, task.fan_out) * len(task.phases) > EXACT_WORK * effort:
            continue
        programme = Programme(classes, task.fan_out, spent)
        if not programme.done:
            continue
        home = {node: i for i, nodes in enumerate(classes.members) for node in nodes}
        bounds.raise_to(
            at, [programme.times[home[v]] for v in range(task.size)], "exact programme over classes"
        )
        for root in sorted(task.roots, key=lambda v: (programme.times[home[v]], v))[:4]:
            if programme.times[home[root]] < FORBIDDEN:
                trees.append(ordered(task.phases[0][0], root, programme.tree(root)))
    return trees


# ---------------------------------------------------------------- trees
def _spread(roots: Sequence[int], count: int) -> list[int]:
    """Return at most so many roots, evenly spread."""
    if len(roots) <= count:
        return list(roots)
    return [roots[i * len(roots) // count] for i in range(count)]


def _greedy(
    task: Task, partitions: Sequence[Sequence[Sequence[int]]], effort: float, spent: Spent
) -> list[tuple[int, Tree]]:
    """Grow a tree by the first rule from many roots, by all rules from the best of these.

    Then grow in stages: first one node of each package, say, then one of each core, then the rest.
    """
    found: list[tuple[int, Tree]] = []
    chain = sorted((p for p in partitions if 1 < len(p) < task.size), key=len)
    chains = [chain, *([level] for level in chain)] if chain else []
    for costs in dict.fromkeys(costs for costs, _ in task.phases):
        roots = _spread(task.roots, max(3, int(GREEDY_STEPS * effort) // task.size))
        for share, look in product(TAIL_SHARES, LOOK_AHEAD):
            if spent():
                return found
            rule = Greedy(task, costs, share, look)
            trees = [rule.grow(root) for root in roots]
            if look == LOOK_AHEAD[0]:
                trees += [
                    rule.grow(root, leaders(root, stages))
                    for root in roots[:STAGED_ROOTS]
                    for stages in chains
                ]
            found += [(value(task, tree), tree) for tree in trees if tree is not None]
            if look == LOOK_AHEAD[-1]:
                found = _best(found)
                roots = list(dict.fromkeys(tree.root for _, tree in found))[:2] or roots[:2]
    return found


def _search(
    task: Task,
    found: list[tuple[int, Tree]],
    bound: int,
    seed: int,
    effort: float,
    spent: Spent,
) -> list[tuple[int, Tree]]:
    """Walk from the best trees, the longest walk last and from the best of all."""
    moves = int(SEARCH_MOVES * effort / (1 + task.size / 32) / len(task.phases))
    for turn in range(WALKS):
        if spent() or found[0][0] <= bound:
            break
        last = turn == WALKS - 1
        start = found[0 if last else min(turn, len(found) - 1)][1]
        walk = Search(task, start, seed * WALKS + turn)
        walk.run(moves // 2 if last else moves // (2 * WALKS - 2), spent)
        found = _best([(walk.best_value, walk.best), *found])
    if task.report is not None:
        worth, tree = found[0]
        found = _best([*found, _near_reporter(task, worth, tree, spent)])
    return found


def _near_reporter(task: Task, worth: int, tree: Tree, spent: Spent) -> tuple[int, Tree]:
    """Let a leaf near the root be informed last where that saves more on the report than it costs.

    Each leaf is tried at the end of its parent's row and of the root's.
    """
    best = worth, tree
    for node, row in enumerate(tree.kids):
        for leaf in row:
            if tree.kids[leaf] or spent():
                continue
            for parent in {node, tree.root}:
                if parent != node and not (
                    task.allowed[parent][leaf] and len(tree.kids[parent]) < task.fan_out
                ):
                    continue
                kids = [[child for child in other if child != leaf] for other in tree.kids]
                kids[parent].append(leaf)
                trial = Tree(tree.root, tuple(tuple(other) for other in kids))
                if (found := value(task, trial)) < best[0]:
                    best = found, trial
    return best


# ---------------------------------------------------------------- bounds
def _relax(
    task: Task,
    bounds: Bounds,
    best: int,
    partitions: Sequence[Sequence[Sequence[int]]],
    effort: float,
    spent: Spent,
) -> None:
    for at, (costs, weight) in enumerate(task.phases):
        closed = barred(costs, task.allowed)
        share = effort / len(task.phases)
        _by_classes(task, bounds, at, closed, partitions, share, spent)
        if bounds.total < best and not spent():
            _by_prices(task, bounds, at, closed, best // weight, partitions, share, spent)


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
