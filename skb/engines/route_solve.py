"""The way to a tree with a proof: first trees, local search, exact programmes, bounds.

Work is counted, not timed: the same task, seed and effort give the same answer. `spent` is the
fuse. The kernels of the search and of the heavy proofs run compiled where the fuse is a clock that
leaves the time to load them, else plainly, with far less work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from skb.engines.route_arms import PLAIN, RouteArm, fastest
from skb.engines.route_bounds import (
    Bounds,
    Fuse,
    Spent,
    for_sets,
    patient,
    relaxed,
    solved_by_sets,
)
from skb.engines.route_classes import FORBIDDEN, barred, interchangeable, merged
from skb.engines.route_exact import Programme, work
from skb.engines.route_greedy import LOOK_AHEAD, TAIL_SHARES, Greedy, leaders
from skb.engines.route_search import LARGEST_COST, SMALLEST, Ground, Search
from skb.engines.route_small import LARGEST, best_of_all
from skb.engines.route_tree import Task, Tree, admissible, ordered, value

EXACT_WORK = 160_000_000
"""Comparisons of the exact programme, about a second and a half: twelve unlike nodes."""
LIGHT_WORK = 8_000_000
"""Comparisons of the exact programme that are done sooner than a compiled kernel is loaded."""
SEARCH_MOVES = {"plain": 72_000, "compiled": 600_000}
GREEDY_STEPS = 2_000
HEATS = ((0.012, 0.004, 0.03, 0.012, 0.004, 0.06), (0.03, 0.1, 0.012, 0.06, 0.03, 0.1))
"""Temperatures of the walks at their starts, as a share of the value: one phase, several."""
SHARES = (1, 3, 3, 3, 3, 3)
"""What the walks have of all moves; the first ones come before the heavy proofs."""
FIRST_WALKS, WALKS = 1, len(SHARES)
FIRST_MOVES = 400_000
"""Most moves of the first walk: the proofs are quicker with a good tree, but not much."""
FEW = 15
"""Nodes up to which the programme of sets takes no longer than what may spare it work."""
STAGED_ROOTS = 2
PROOF_SHARES = (0.7, 0.4)
"""Shares of the time that is left which the bounds may take before the search goes on: one phase,
and several, where a sum of bounds seldom proves the best tree."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best tree, its value, and a proven lower bound; `methods` says what proved it."""

    tree: Tree
    value: int
    bound: int
    methods: tuple[str, ...]
    by_root: tuple[int, ...] = ()

    @property
    def proven(self) -> bool:
        return self.value == self.bound

    def least(self, root: int) -> int:
        """Return a lower bound of what every tree from a root takes."""
        return self.by_root[root] if self.by_root else self.bound


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
    exact = _exact(task, bounds, LIGHT_WORK, spent)
    arm = PLAIN
    if not exact and isinstance(spent, Fuse) and _in_words(task):
        arm = fastest(spent.deadline)
    if not exact and not (arm.compiled and for_sets(task, effort)):
        exact = _exact(task, bounds, int(EXACT_WORK * effort), spent)
    trees = [tree for tree in (*starts, *exact) if admissible(task, tree)]
    found = _best([(value(task, tree), tree) for tree in trees])
    if not found or found[0][0] > bounds.total:
        found = _best([*found, *_greedy(task, partitions, effort, spent)])
    if not found:
        return None
    if found[0][0] > bounds.total:
        found = _improved(task, bounds, found, arm, partitions, seed, effort, spent)
    best, tree = found[0]
    by_root = tuple(map(bounds.of_root, range(task.size)))
    return Solution(tree, best, bounds.total, tuple(bounds.methods), by_root)


def _in_words(task: Task) -> bool:
    return task.size >= SMALLEST and all(
        max(map(max, matrix)) < LARGEST_COST
        for costs, _ in task.phases
        for matrix in (costs.first, costs.further, costs.tail)
    )


def _improved(
    task: Task,
    bounds: Bounds,
    found: list[tuple[int, Tree]],
    arm: RouteArm,
    partitions: Sequence[Sequence[Sequence[int]]],
    seed: int,
    effort: float,
    spent: Spent,
) -> list[tuple[int, Tree]]:
    """Search a little, prove, and search on; return the best trees."""
    walks = _Walks(task, arm, seed, effort) if _in_words(task) else None
    if walks is not None:
        found = walks.improved(found, range(FIRST_WALKS), bounds.total, spent)
    if arm.compiled and found[0][0] > bounds.total:
        if task.size > FEW and for_sets(task, effort):
            # roots that cannot be the best one spare the programme of sets most of its work
            best = found[0][0]
            relaxed(task, bounds, best, partitions, arm, min(effort, 1.0), _part(task, spent))
        trees = solved_by_sets(task, bounds, found[0][0], arm, effort, _part(task, spent))
        found = _best([*found, *((value(task, t), t) for t in trees if admissible(task, t))])
    if found[0][0] > bounds.total:
        relaxed(task, bounds, found[0][0], partitions, arm, effort, _part(task, spent))
    if walks is not None and found[0][0] > bounds.total:
        found = walks.improved(found, range(FIRST_WALKS, WALKS), bounds.total, spent)
    if task.report is not None:
        worth, tree = found[0]
        found = _best([*found, _near_reporter(task, worth, tree, spent)])
    return found


def _part(task: Task, spent: Spent) -> Spent:
    share = PROOF_SHARES[min(len(task.phases), 2) - 1]
    return spent.part(share) if isinstance(spent, Fuse) else spent


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
def _exact(task: Task, bounds: Bounds, most: int, spent: Spent) -> list[Tree]:
    """Solve each phase exactly where its interchangeable classes are few; return the trees."""
    trees = []
    for at, (costs, _) in enumerate(task.phases):
        closed = barred(costs, task.allowed)
        classes = merged(closed, interchangeable(closed), True)
        if work(classes, task.fan_out) * len(task.phases) > most:
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


class _Walks:
    """The walks of one task, each from one of the best trees so far."""

    def __init__(self, task: Task, arm: RouteArm, seed: int, effort: float) -> None:
        self._task, self._seed = task, seed
        moves = SEARCH_MOVES[arm.name]
        self._moves = moves * patient(effort) * min(4.0, max(1.0, task.size / 32))
        if not arm.compiled:
            self._moves = moves * effort / (1 + task.size / 32) / len(task.phases)
        self._heats = HEATS[min(len(task.phases), 2) - 1]
        self._ground = Ground(task, arm)

    def improved(
        self, found: list[tuple[int, Tree]], turns: range, bound: int, spent: Spent
    ) -> list[tuple[int, Tree]]:
        """Return the best trees after some walks."""
        for turn in turns:
            if spent() or found[0][0] <= bound:
                break
            start = found[0 if turn % 2 == 0 else min(turn, len(found) - 1)][1]
            walk = Search(self._ground, start, self._seed * WALKS + turn)
            moves = int(self._moves * SHARES[turn] / sum(SHARES))
            moves = min(moves, FIRST_MOVES) if turn < FIRST_WALKS else moves
            walk.run(moves, self._heats[turn], bound, spent)
            found = _best([(walk.best_value, walk.best), *found])
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
