"""The classic broadcast trees, which a decision is compared with and never worse than.

Shapes as in S. Kaestle et al., "Machine-aware atomic broadcast trees for multicores" (Smelt), OSDI
2016, table 1 and section 4, with any member as the root: the order of the PUs is turned until the
root stands first. ECEF is that of P. Bhat, C. Raghavendra and V. Prasanna, "Efficient collective
communication in distributed heterogeneous systems", JPDC 2003: of all sends the one that completes
earliest comes next, in the variant with look-ahead with the shortest send of the receiver on top;
the better of both, its rows in the best order. Nodes are numbered 0 … n-1 in the order of the PUs;
`domains` are the nodes of each NUMA node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush

from skb.engines.route_greedy import Greedy
from skb.engines.route_tree import Broadcast, Task, Tree, array_of, arrivals, heights_of, value

Domains = Sequence[Sequence[int]]
Rows = dict[int, list[int]]


def _built(name: str, costs: Broadcast, root: int, domains: Domains) -> Tree:
    rows = _BUILDERS[name](costs, root, domains)
    return Tree(root, tuple(tuple(rows.get(node, ())) for node in range(costs.size)))


class Classics:
    """The classic trees of a group by name, from one root after the other."""

    def __init__(self, costs: Broadcast, domains: Domains) -> None:
        self._costs, self._domains = costs, domains
        nodes = range(costs.size)
        row = (True,) * costs.size
        everybody = tuple((*row[:at], False, *row[at + 1 :]) for at in nodes)
        self._task = Task(((costs, 1),), everybody, tuple(nodes), costs.size)

    @cached_property
    def _ecef(self) -> list[Greedy]:
        return [Greedy(self._task, self._costs, 1.0, look) for look in (0.0, 1.0)]

    def quick(self, root: int, spent: Callable[[], bool] | None = None) -> dict[str, Tree]:
        """Return from a root one tree, and until `spent` the others that take no search."""
        found: dict[str, Tree] = {}
        for name in _BUILDERS:
            if found and spent is not None and spent():
                break
            if name != "adaptive":
                found[name] = _built(name, self._costs, root, self._domains)
        return found

    def slow(self, root: int) -> dict[str, Tree]:
        """Return the others from a root."""
        found = {"adaptive": _built("adaptive", self._costs, root, self._domains)}
        grown = [tree for rule in self._ecef if (tree := rule.grow(root)) is not None]
        if grown:
            found["ecef"] = min(grown, key=lambda tree: value(self._task, tree))
        return found


def _turned(size: int, root: int) -> list[int]:
    return [*range(root, size), *range(root)]


def _heap(order: Sequence[int]) -> Rows:
    return {node: list(order[2 * at + 1 : 2 * at + 3]) for at, node in enumerate(order)}


def _sequential(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """The root sends to everybody."""
    return {root: _turned(costs.size, root)[1:]}


def _binary(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """A heap: place i sends to places 2i + 1 and 2i + 2."""
    return _heap(_turned(costs.size, root))


def _fibonacci(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """The smallest Fibonacci tree that is large enough, filled level by level."""
    order, here, smaller = 1, 1, 0
    while here < costs.size:
        order, here, smaller = order + 1, here + smaller + 1, here
    waiting = deque(_turned(costs.size, root)[1:])
    rows: Rows = {}
    places = deque([(root, order)])
    while places:
        node, order = places.popleft()
        for below in (order - 1, order - 2):
            if below >= 1 and waiting:
                child = waiting.popleft()
                rows.setdefault(node, []).append(child)
                places.append((child, below))
    return rows


def _spanning(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """Prim's minimum spanning tree on the one-way time, at most two children for each node."""
    import numpy as np

    rows: Rows = {}
    nearest: dict[int, Iterator[tuple[int, int]]] = {}
    edges: list[tuple[int, int, int]] = []

    def offer(parent: int) -> None:
        for time, node in nearest[parent]:
            if node not in rows:
                heappush(edges, (time, parent, node))
                break

    def reach(node: int) -> None:
        rows[node] = []
        times = array_of(costs.first)[node] + array_of(costs.tail)[node]
        order = np.argsort(times, kind="stable")
        nearest[node] = iter(list(zip(times[order].tolist(), order.tolist(), strict=True)))
        offer(node)

    reach(root)
    while len(rows) < costs.size:
        _, parent, child = heappop(edges)
        if child not in rows:
            rows[parent].append(child)
            reach(child)
        if len(rows[parent]) < 2:
            offer(parent)
    return rows


def _groups(root: int, domains: Domains) -> list[list[int]]:
    """Return the members of each NUMA node, turned until the root's node stands first."""
    groups = sorted(sorted(nodes) for nodes in domains if nodes)
    at = next(i for i, group in enumerate(groups) if root in group)
    return [*groups[at:], *groups[:at]]


def _cluster(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """A heap over one leader for each NUMA node, each of which then sends to its own node."""
    groups = _groups(root, domains)
    leaders = [root, *(group[0] for group in groups[1:])]
    rows = _heap(leaders)
    for leader, group in zip(leaders, groups, strict=True):
        rows[leader].extend(node for node in group if node != leader)
    return rows


def _numa_aware(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """The root sends to one leader for each remote node, farthest first, then to its own node.

    The multicast of A. Baumann et al., "The Multikernel", SOSP 2009, section 5.1. The leader is the
    one through which its node is complete earliest.
    """
    own, *remote = _groups(root, domains)
    rows: Rows = {}
    behind: dict[int, int] = {}
    for group in remote:
        ends = {node: _star_end(costs, root, node, group) for node in group}
        leader = min(group, key=lambda node: ends[node] + costs.first[root][node])
        rows[leader] = _star(costs, leader, group)
        behind[leader] = ends[leader]
    leaders = sorted(behind, key=lambda node: (-behind[node], node))
    rows[root] = [*leaders, *_star(costs, root, own)]
    return rows


def _star(costs: Broadcast, centre: int, group: Iterable[int]) -> list[int]:
    others = (node for node in group if node != centre)
    return sorted(others, key=lambda node: (-costs.tail[centre][node], node))


def _star_end(costs: Broadcast, root: int, leader: int, group: Iterable[int]) -> int:
    """Return the time from the end of the root's send until the leader's node is complete."""
    sent = last = 0
    for node in _star(costs, leader, group):
        sent += costs.first[leader][node]
        last = max(last, sent + costs.tail[leader][node])
    return costs.tail[root][leader] + last


def _adaptive(costs: Broadcast, root: int, domains: Domains) -> Rows:
    """Who falls idle sends to the dearest node of its own domain or of a fresh one.

    In a domain not reached, the node that is sent to fastest is taken. Then the last node is moved
    to whoever could reach it earliest and rows are sorted by the height below, while this helps.
    """
    home = {node: at for at, group in enumerate(domains) for node in group}
    left = [set(group) - {root} for group in domains]
    reached = {home[root]}
    rows: Rows = {root: []}
    idle = [(0, root)]
    while idle:
        now, node = heappop(idle)
        first, tail = costs.first[node], costs.tail[node]
        near = [v for at, group in enumerate(left) if _open(at, home[node], reached) for v in group]
        if not near:
            continue
        child = max(near, key=lambda v: (first[v] + tail[v], -v))
        if home[child] != home[node]:
            child = min(left[home[child]], key=lambda v: (first[v], v))
        reached.add(home[child])
        left[home[child]].discard(child)
        sent = now + (costs.further[node][child] if rows[node] else first[child])
        rows[node].append(child)
        rows[child] = []
        heappush(idle, (sent, node))
        heappush(idle, (sent + tail[child], child))
    return _shuffled(costs, root, rows)


def _open(domain: int, own: int, reached: set[int]) -> bool:
    return domain == own or domain not in reached


def _shuffled(costs: Broadcast, root: int, rows: Rows) -> Rows:
    """Move the last node and sort, as long as the end comes earlier."""
    kids = [rows[node] for node in range(costs.size)]
    times = arrivals(costs, root, kids)
    while True:
        last = max(range(costs.size), key=lambda node: (times[node], -node))
        trials = []
        if last != root and not kids[last]:
            trials.append(_moved(costs, kids, times, last))
        trials.append(_by_height(costs, root, trials[0] if trials else kids))
        ends = [(max(arrivals(costs, root, trial)), at) for at, trial in enumerate(trials)]
        end, at = min(ends)
        if end >= max(times):
            return dict(enumerate(kids))
        kids, times = trials[at], arrivals(costs, root, trials[at])


def _moved(
    costs: Broadcast, kids: list[list[int]], times: Sequence[int], last: int
) -> list[list[int]]:
    """Hang the last node where it is reached earliest behind all sends of its new parent."""
    found = [[child for child in row if child != last] for row in kids]
    ends = {}
    for node, row in enumerate(found):
        if node != last:
            sent = sum(costs.further[node][child] for child in row[1:])
            opening = costs.first[node][row[0]] + costs.further[node][last] if row else 0
            sent += opening or costs.first[node][last]
            ends[node] = times[node] + sent + costs.tail[node][last]
    found[min(ends, key=lambda node: (ends[node], node))].append(last)
    return found


def _by_height(costs: Broadcast, root: int, kids: list[list[int]]) -> list[list[int]]:
    heights = heights_of(costs, root, kids)
    return [sorted(row, key=lambda node: -heights[node]) for row in kids]


_BUILDERS: Mapping[str, Callable[[Broadcast, int, Domains], Rows]] = {
    "sequential": _sequential,
    "binary": _binary,
    "fibonacci": _fibonacci,
    "mst": _spanning,
    "cluster": _cluster,
    "numa-aware": _numa_aware,
    "adaptive": _adaptive,
}
