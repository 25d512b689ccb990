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
from skb.engines.route_better import every_better, shared_tree
from skb.engines.route_bounds import (
    NODES,
    Bounds,
    Fuse,
    Spent,
    by_quotas,
    for_sets,
    relaxed,
    solved_by_sets,
)
from skb.engines.route_classes import FORBIDDEN, barred, interchangeable, merged
from skb.engines.route_exact import Programme, work
from skb.engines.route_greedy import LOOK_AHEAD, TAIL_SHARES, Greedy, leaders
from skb.engines.route_report import near_reporters
from skb.engines.route_search import LARGEST_COST, SMALLEST
from skb.engines.route_small import LARGEST, best_of_all
from skb.engines.route_tree import Task, Tree, admissible, ordered, value
from skb.engines.route_walks import FIRST_MOVES, Walks, best_trees

EXACT_WORK = 160_000_000
"""Comparisons of the exact programme, about a second and a half: twelve unlike nodes."""
LIGHT_WORK = 8_000_000
"""Comparisons of the exact programme that are done sooner than a compiled kernel is loaded."""
GREEDY_STEPS = 2_000
GREEDY_LARGEST = 512
"""Above, greedy trees take too long beside those of nested levels (`route_nest`)."""
FEW = 15
"""Nodes up to which the programme of sets takes no longer than what may spare it work."""
STAGED_ROOTS = 2
WALK_SHARE = 0.4
"""Most of the time that the walks may take before proofs that are not likely to be whole."""
HUNT_SHARE = 0.7
"""Share of the time that is left for a look at every better tree of a small group."""
PROOF_SHARES = (0.7, 0.4)
"""Shares of the time that is left which the bounds may take before the search goes on: one phase,
and several, where a sum of bounds seldom proves the best tree."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best tree, its value, and a proven lower bound; `methods` says what proved it.

    `apart` bounds each phase by root, times its weight, the report with the first one: it holds
    where each phase has a tree of its own, too.
    """

    tree: Tree
    value: int
    bound: int
    methods: tuple[str, ...]
    by_root: tuple[int, ...] = ()
    apart: tuple[tuple[int, ...], ...] = ()

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
            tree, least, by_root = all_tried
            return Solution(tree, least, least, ("every tree",), by_root)
    bounds = Bounds.of(task)
    known = [value(task, tree) for tree in starts if admissible(task, tree)]
    if known and task.size > NODES:
        # the quickest bound of a large machine comes first, whatever time is left
        by_quotas(task, bounds, min(known), partitions, effort, spent)
    exact = _exact(task, bounds, LIGHT_WORK, spent)
    arm = PLAIN
    if (not exact or shared_tree(task)) and isinstance(spent, Fuse) and _in_words(task):
        arm = fastest(spent.deadline)
    if not exact and not (arm.compiled and for_sets(task, effort)):
        exact = _exact(task, bounds, int(EXACT_WORK * effort), spent)
    trees = [tree for tree in (*starts, *exact) if admissible(task, tree)]
    found = best_trees([(value(task, tree), tree) for tree in trees])
    if not found or (found[0][0] > bounds.total and task.size <= GREEDY_LARGEST):
        found = best_trees([*found, *_greedy(task, partitions, effort, spent)])
    if not found:
        return None
    if found[0][0] > bounds.total and not (task.size > GREEDY_LARGEST and spent()):
        found = _improved(task, bounds, found, arm, partitions, seed, effort, spent)
    best, tree = found[0]
    by_root = tuple(map(bounds.of_root, range(task.size)))
    return Solution(tree, best, bounds.total, tuple(bounds.methods), by_root, bounds.apart)


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
    walks = Walks(task, arm, seed, effort) if _in_words(task) else None
    alone = len(task.phases) == 1 and for_sets(task, effort)
    provable = arm.compiled and (alone or shared_tree(task))
    if walks is not None and arm.compiled and not provable and task.size <= NODES:
        part = spent.part(WALK_SHARE) if isinstance(spent, Fuse) else spent
        found = walks.improved(found, bounds.total, part)
    elif walks is not None:
        found = walks.improved(found, bounds.total, spent, FIRST_MOVES)
    if arm.compiled and found[0][0] > bounds.total:
        if task.size > FEW and for_sets(task, effort):
            # roots that cannot be the best one spare the programme of sets most of its work
            best = found[0][0]
            relaxed(task, bounds, best, partitions, arm, min(effort, 1.0), _part(task, spent))
        trees = solved_by_sets(task, bounds, found[0][0], arm, effort, _part(task, spent))
        found = best_trees([*found, *((value(task, t), t) for t in trees if admissible(task, t))])
    if found[0][0] > bounds.total and shared_tree(task) and _in_words(task):
        part = spent.part(HUNT_SHARE) if isinstance(spent, Fuse) else spent
        found = best_trees([every_better(task, bounds, found[0], arm, effort, part), *found])
    if found[0][0] > bounds.total:
        relaxed(task, bounds, found[0][0], partitions, arm, effort, _part(task, spent))
    if walks is not None and found[0][0] > bounds.total:
        found = walks.improved(found, bounds.total, spent)
    if task.report is not None and found[0][0] > bounds.total:
        found = best_trees([*found, *near_reporters(task, found, effort, spent)])
    return found


def _part(task: Task, spent: Spent) -> Spent:
    share = PROOF_SHARES[min(len(task.phases), 2) - 1]
    return spent.part(share) if isinstance(spent, Fuse) else spent


# ---------------------------------------------------------------- exact
def _exact(task: Task, bounds: Bounds, most: int, spent: Spent) -> list[Tree]:
    """Solve each phase exactly where its interchangeable classes are few; return the trees."""
    trees = []
    for at, (costs, _) in enumerate(task.phases):
        if task.size > GREEDY_LARGEST and spent():
            break
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
            if spent() and (found or task.size > GREEDY_LARGEST):
                return found
            rule = Greedy(task, costs, share, look)
            if spent():
                # late, but one tree is an answer
                grown = rule.grow(roots[0])
                return [] if grown is None else [(value(task, grown), grown)]
            trees = [rule.grow(root) for root in roots]
            if look == LOOK_AHEAD[0]:
                trees += [
                    rule.grow(root, leaders(root, stages))
                    for root in roots[:STAGED_ROOTS]
                    for stages in chains
                ]
            found += [(value(task, tree), tree) for tree in trees if tree is not None]
            if look == LOOK_AHEAD[-1]:
                found = best_trees(found)
                roots = list(dict.fromkeys(tree.root for _, tree in found))[:2] or roots[:2]
    return found
