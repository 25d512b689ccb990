"""What a route is decided for: completion over one tree or more, occupancy, or the frontier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from skb.decision import Limits
from skb.engines.route_busy import Busy, Walk
from skb.engines.route_busy_proof import least_busy
from skb.engines.route_frontier import Point, every_point, most_children, walked
from skb.engines.route_rules import Verdict
from skb.engines.route_solve import Solution
from skb.engines.route_tree import Matrix, Task, Tree, admissible, array_of, value
from skb.questions.route_phases import per_phase
from skb.questions.route_price import PHASES, Pairs, occupancy
from skb.questions.route_request import RouteRequest, Wanted

WALKS = 2
LINK_MOVES = 5000

Seek = Callable[[Task, Sequence[Tree]], Solution | None]
Spent = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """The tree to decide on, the tree of its reduction where that differs, and the proven bound.

    `points` is the frontier where that was asked, and `whole` whether nothing can be missing in it.
    """

    tree: Tree
    back: Tree | None
    bound: int
    methods: tuple[str, ...]
    points: tuple[Point, ...] = ()
    whole: bool = False
    load_bound: int = 0


def busy_of(pairs: Pairs, task: Task, operation: str) -> Busy:
    """Return what an operation keeps the two ends of each edge busy, a report only at the root."""
    often = dict(PHASES[operation])
    down, up = often.get("broadcast", 0), often.get("reduction", 0)
    size = range(task.size)
    first, further, receive = pairs.down.first, pairs.down.further, pairs.receive

    def both(down_by: Matrix, up_by: Matrix) -> Matrix:
        if (down, up) == (1, 0):
            return down_by
        found = down * array_of(down_by) + up * array_of(up_by).T
        return tuple(map(tuple, found.tolist()))

    child, head = both(receive, first), both(first, receive)
    top = [0] * task.size
    if "report" in often:
        top = [min((receive[v][u] for v in size if v != u), default=0) for u in size]
    # a node's own gap with itself does not occur, and one matrix says that bursts cost nothing
    other = head if further is first or not down else both(further, receive)
    return Busy(head, other, child, tuple(top))


def found_for(
    request: RouteRequest,
    pairs: Pairs,
    task: Task,
    first: Solution,
    starts: Sequence[Tree],
    seek: Seek,
    limits: Limits,
    effort: float,
    spent: Spent,
) -> Found:
    """Return what is decided, starting from the tree of least completion that was found."""
    if request.objective == "completion":
        if request.trees == "per-phase" and len(task.phases) > 1:
            phased = per_phase(task, first, seek, spent)
            return Found(phased.down, phased.up, phased.bound, phased.methods)
        return Found(first.tree, None, first.bound, first.methods)
    busy = busy_of(pairs, task, request.operation)
    usable = [first.tree, *(tree for tree in starts if admissible(task, tree))]
    whole = every_point(task, busy, spent) if request.objective == "frontier" else None
    if whole:
        early = whole[0]
        return Found(
            early.tree, None, first.bound, first.methods, tuple(whole), True, whole[-1].load
        )
    least = least_busy(task, busy, usable, limits, effort, spent)
    if request.objective == "occupancy":
        best = least.tree
        if task.report is not None:
            # who reports was left out, and may be the busiest
            best = min((best, *usable), key=lambda tree: occupancy(pairs, request.operation, tree))
        return Found(best, None, least.bound, least.methods)
    trees = (first.tree, least.tree)
    points = walked(
        task,
        busy,
        trees,
        lambda tree: occupancy(pairs, request.operation, tree),
        limits.seed,
        effort,
        spent,
    )
    known: dict[int, int] = {}
    for at, point in enumerate(points):
        bound = _bound_within(task, busy, point, first, seek, known, spent)
        points[at] = replace(point, bound=bound)
    return Found(
        points[0].tree, None, first.bound, first.methods, tuple(points), False, least.bound
    )


def within_links(
    wanted: Wanted,
    task: Task,
    first: Solution,
    starts: Sequence[Tree],
    seek_by_rules: Callable[[], tuple[Tree | None, Verdict]],
    limits: Limits,
    effort: float,
    spent: Spent,
) -> tuple[Found | None, Verdict]:
    """Return the best tree found that loads no link with more messages than allowed.

    Where a walk finds none the rules look for one, or say what clashes. The bound is that of all
    trees, whatever they load.
    """
    most = wanted.request.max_link_load
    if most is None or not wanted.ways.excess(first.tree, most):
        return Found(first.tree, None, first.bound, first.methods), Verdict(None)
    nothing = tuple((0,) * task.size for _ in range(task.size))
    free = Busy(nothing, nothing, nothing, (0,) * task.size)

    def extra(tree: Tree) -> int:
        return wanted.ways.excess(tree, most)

    moves = int(LINK_MOVES * effort)
    usable = [first.tree, *(tree for tree in starts if admissible(task, tree))]
    ranked = sorted((extra(tree), value(task, tree), at) for at, tree in enumerate(usable))
    chosen = [usable[row[-1]] for row in ranked[:WALKS]]
    judged = Verdict(None)
    for turn in range(2):
        rows = [
            Walk(task, free, 0, tree, extra).run(moves, limits.seed + turn, spent)
            for tree in chosen
        ]
        excess, _, tree = min(rows, key=lambda row: row[:2])
        if not excess:
            return Found(tree, None, first.bound, first.methods), judged
        given, judged = seek_by_rules()
        if given is None:
            break
        chosen = [given]
    return None, judged


def _bound_within(
    task: Task,
    busy: Busy,
    point: Point,
    first: Solution,
    seek: Seek,
    known: dict[int, int],
    spent: Spent,
) -> int:
    """Return what no tree of a point's load ends before: a load limits the children of a node."""
    fan_out = most_children(task, busy, point.load)
    if fan_out >= min(task.fan_out, task.size - 1) or spent():
        return first.bound
    if fan_out not in known:
        narrow = seek(replace(task, fan_out=fan_out), [point.tree])
        known[fan_out] = first.bound if narrow is None else max(first.bound, narrow.bound)
    return known[fan_out]
