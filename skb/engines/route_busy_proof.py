"""The least occupancy: a tree, and the proof that no tree keeps its busiest node less busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from skb.decision import Limits
from skb.engines.asp import INTEGER_MAX, Atom, Model, Program
from skb.engines.route_busy import Busy, Walk, least_load, within
from skb.engines.route_busy_exact import programme
from skb.engines.route_tree import Task, Tree, admissible

FILES = ("route/busy.lp",)
MOVES = 12_000
STAGES = 10
CHAINS, CHAIN_WORK = 32, 300_000
LARGEST_RULES = 40
"""Members up to which the rules are asked: they grow with the square, the question much faster."""
CONFLICTS_SHARE = 4
"""Each question to the rules may take one part in so many of the limit's conflicts."""


@dataclass(frozen=True, slots=True)
class Least:
    """A tree of little load, the load, its completion, and what no tree's load can be below."""

    tree: Tree
    load: int
    worth: int
    bound: int
    methods: tuple[str, ...]


def least_busy(
    task: Task,
    busy: Busy,
    starts: Sequence[Tree],
    limits: Limits,
    effort: float,
    spent: Callable[[], bool],
) -> Least:
    """Return the least occupancy found and its bound; of equal trees one that ends early."""
    bound = least_load(task, busy)
    methods = ["one edge in, one edge out, and the sum of all"]
    moves = int(MOVES * effort)
    count = max(1, min(CHAINS, CHAIN_WORK // task.size**2))
    grown = [_chain(task, busy, root) for root in task.roots[:count] if not spent()]
    chains = [tree for tree in grown if admissible(task, tree)]
    load, best = min(
        (
            _walked(task, busy, bound, trees, moves, limits.seed, spent)
            for trees in (starts, chains)
            if trees
        ),
        key=lambda row: row[0],
    )
    if load > bound and not spent() and (found_by := programme(task, busy)):
        kept, raised = found_by.least(bound, load, spent)
        if raised > bound:
            bound, methods = raised, ["programme over classes"]
        tree = found_by.tree(kept, spent) if kept < load else None
        if tree is not None and admissible(task, tree):
            # good between merged classes, and maybe soon good between nodes
            other = _walked(task, busy, bound, [tree], moves, limits.seed, spent)
            load, best = min((load, best), other, key=lambda row: row[0])
    if load > bound and task.size <= LARGEST_RULES and not spent():
        load, best, raised = _by_rules(task, busy, bound, load, best, limits, spent)
        if raised > bound:
            bound, methods = raised, ["the rules of route/busy.lp"]
    # of all trees that keep to this load, one that ends early
    _, worth, tree = Walk(task, busy, load, best).run(moves, limits.seed + 1, spent)
    return Least(tree, busy.load(tree), worth, bound, tuple(methods))


def _chain(task: Task, busy: Busy, root: int) -> Tree:
    """Return a chain from a root, each node sending to the one left that keeps both least busy."""
    kids: list[tuple[int, ...]] = [()] * task.size
    left, node = set(range(task.size)) - {root}, root
    while left:
        pays, takes, may = busy.first[node], busy.child[node], task.allowed[node]
        following = min(left, key=lambda v: (not may[v], pays[v] + takes[v], v))
        kids[node] = (following,)
        left.discard(following)
        node = following
    return Tree(root, tuple(kids))


def _walked(
    task: Task,
    busy: Busy,
    bound: int,
    starts: Sequence[Tree],
    moves: int,
    seed: int,
    spent: Callable[[], bool],
) -> tuple[int, Tree]:
    """Halve the span between bound and load by walks that seek a tree below the middle."""
    trees: list[Tree] = []
    for tree in starts:
        if not trees or not spent():
            trees.append(within(task, busy, tree.root, tree.kids, bound)[1])
    load, at = min((busy.load(tree), at) for at, tree in enumerate(trees))
    best, low = trees[at], bound
    for stage in range(STAGES):
        if low >= load or spent():
            break
        middle = (low + load) // 2
        walk = Walk(task, busy, middle, best)
        excess, _, tree = walk.run(moves // STAGES, seed + stage, spent, fits=True)
        if busy.load(tree) < load:
            load, best = busy.load(tree), tree
        if excess:
            low = middle + 1
    return load, best


def _by_rules(
    task: Task,
    busy: Busy,
    low: int,
    high: int,
    best: Tree,
    limits: Limits,
    spent: Callable[[], bool],
) -> tuple[int, Tree, int]:
    """Halve the span between bound and load until it is closed or a question is too hard."""
    facts = _facts(task, busy)
    if facts is None:
        return high, best, low
    share = max(1, limits.conflicts // CONFLICTS_SHARE)
    begun = time.monotonic()
    while low < high and not spent():
        asked = (low + high) // 2 if high - low > 1 else low
        left = limits.seconds - (time.monotonic() - begun)
        model = Model(Program(FILES, (*facts, ("limit", (asked,)))), seed=limits.seed)
        found = model.solve((), replace(limits, conflicts=share, seconds=max(0.01, left)), models=1)
        if found.satisfiable is None:
            break
        if found.satisfiable:
            best = _tree(task, busy, asked, found.atoms)
            high = min(asked, busy.load(best))
        else:
            low = asked + 1
    return high, best, low


def _facts(task: Task, busy: Busy) -> tuple[Atom, ...] | None:
    """Return the instance, or None where a sum may not fit clingo's integers."""
    nodes = range(task.size)
    edges = [(u, v) for u in nodes for v in nodes if u != v and task.allowed[u][v]]
    largest = max(
        (max(busy.first[u][v], busy.further[u][v]) + busy.child[u][v] for u, v in edges), default=0
    )
    if (largest + max(busy.top)) * task.size > INTEGER_MAX:
        return None
    atoms: list[Atom] = [("member", (u,)) for u in nodes]
    atoms += [("may_root", (root,)) for root in task.roots]
    atoms += [("rest", (root, busy.top[root])) for root in task.roots if busy.top[root]]
    for u, v in edges:
        atoms += [("edge", (u, v)), ("pays", (u, v, busy.further[u][v]))]
        atoms.append(("takes", (u, v, busy.child[u][v])))
        if busy.bursts:
            atoms.append(("opens", (u, v, busy.first[u][v] - busy.further[u][v])))
    if task.fan_out < task.size - 1:
        atoms.append(("max_fan_out", (task.fan_out,)))
    return tuple(atoms)


def _tree(task: Task, busy: Busy, limit: int, atoms: Sequence[Atom]) -> Tree:
    kids: list[list[int]] = [[] for _ in range(task.size)]
    top = 0
    for name, args in atoms:
        numbers = [arg for arg in args if isinstance(arg, int)]
        if name == "sends":
            kids[numbers[0]].append(numbers[1])
        elif name == "top":
            top = numbers[0]
    return within(task, busy, top, kids, limit)[1]
