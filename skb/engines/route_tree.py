"""Broadcast trees over PUs numbered 0 … n-1: what one costs, and the best order to send in.

Message model of docs/message-model.md in integer picoseconds. A sender's first send takes `first`,
each further one `further` (LogP's gap; the same as `first` in the postal model); a message is taken
in `tail` (propagation + receive) after its send. A reduction is a broadcast with time reversed, so
every operation is a weighted sum of broadcasts over one tree, plus the report of the last leaf
where it has one.

Best order for a fixed tree. Postal: all sends are jobs on one machine with a tail (`tail` + height
of the subtree) behind each, and the longest tail first minimises the end (Jackson's rule for
1|q_j|Cmax). With gaps, the job that comes first has its own length; once it is chosen, Jackson's
rule holds for the rest, so trying each child as the first one is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import add
from typing import Any

Matrix = tuple[tuple[int, ...], ...]
Kids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Costs of one broadcast, rows are senders: first and further send, and what follows a send."""

    first: Matrix
    further: Matrix
    tail: Matrix

    @property
    def size(self) -> int:
        return len(self.first)

    @property
    def bursts(self) -> bool:
        """Whether a further send costs something else than a first one."""
        return self.first != self.further


@dataclass(frozen=True, slots=True)
class Task:
    """What a tree is wanted for.

    `phases` are broadcasts with their weights, the first of them that of the messages down the
    tree; `report[v][root]` is what the last leaf v adds at the end (None: nothing); `allowed[u][v]`
    says whether u may send to v; `fan_out` limits the children of a node; `roots` may be the root.
    `in_order` says that the children's order is that of the first phase's sends (not so in a
    reduction).
    """

    phases: tuple[tuple[Broadcast, int], ...]
    allowed: tuple[tuple[bool, ...], ...]
    roots: tuple[int, ...]
    fan_out: int
    report: Matrix | None = None
    in_order: bool = True

    @property
    def size(self) -> int:
        return len(self.allowed)


@dataclass(frozen=True, slots=True)
class Tree:
    """A root and, for each node, its children in the order of sending."""

    root: int
    kids: tuple[tuple[int, ...], ...]


def height(costs: Broadcast, heights: Sequence[int], node: int, kids: Sequence[int]) -> int:
    """Return the time from informing a node to the end of its subtree, in the best order."""
    if not kids:
        return 0
    tail, first = costs.tail[node], costs.first[node]
    if len(kids) == 1:
        child = kids[0]
        return first[child] + tail[child] + heights[child]
    further = costs.further[node]
    rows = sorted([(tail[c] + heights[c], c) for c in kids], reverse=True)
    if further is first:
        sent = last = 0
        for behind, child in rows:
            sent += first[child]
            if sent + behind > last:
                last = sent + behind
        return last
    return _height_with_gaps(first, further, rows)[0]


def _height_with_gaps(
    first: Sequence[int], further: Sequence[int], rows: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Return the least end and the index of the child that goes first; rows by falling tail.

    A child taken to the front shifts those before it by nothing but the new first send, and spares
    those behind it its own gap: prefix and suffix maxima price every choice in one pass.
    """
    ends, sent = [], 0
    for behind, child in rows:
        sent += further[child]
        ends.append(sent + behind)
    after = [0] * (len(rows) + 1)
    for index in range(len(rows) - 1, -1, -1):
        after[index] = max(after[index + 1], ends[index])
    best, chosen, before = -1, 0, 0
    for index, (behind, child) in enumerate(rows):
        end = first[child] + max(behind, before, after[index + 1] - further[child])
        if best < 0 or end < best:
            best, chosen = end, index
        before = max(before, ends[index])
    return best, chosen


def order(
    costs: Broadcast, heights: Sequence[int], node: int, kids: Sequence[int]
) -> tuple[int, ...]:
    """Return the children in the best order of sending."""
    tail = costs.tail[node]
    rows = sorted([(tail[c] + heights[c], c) for c in kids], reverse=True)
    if rows and costs.bursts:
        _, chosen = _height_with_gaps(costs.first[node], costs.further[node], rows)
        rows = [rows[chosen], *rows[:chosen], *rows[chosen + 1 :]]
    return tuple(child for _, child in rows)


def top_down(root: int, kids: Kids) -> list[int]:
    """Return the nodes so that each stands behind its parent."""
    nodes = [root]
    for node in nodes:
        nodes.extend(kids[node])
    return nodes


def heights_of(costs: Broadcast, root: int, kids: Kids) -> list[int]:
    """Return the height of every node's subtree in the best order."""
    found = [0] * costs.size
    for node in reversed(top_down(root, kids)):
        found[node] = height(costs, found, node, kids[node])
    return found


def ordered(costs: Broadcast, root: int, kids: Kids) -> Tree:
    """Return the tree with its children in the best order for a broadcast."""
    heights = heights_of(costs, root, kids)
    rows = tuple(order(costs, heights, node, row) for node, row in enumerate(kids))
    return Tree(root, rows)


def arrivals(costs: Broadcast, root: int, kids: Kids) -> list[int]:
    """Return when each node has received, its children being sent to in the given order."""
    found = [0] * costs.size
    for node in top_down(root, kids):
        sent, row = found[node], costs.first[node]
        for child in kids[node]:
            sent += row[child]
            found[child] = sent + costs.tail[node][child]
            row = costs.further[node]
    return found


def last_leaf(times: Sequence[int], kids: Kids) -> int:
    """Return the leaf that is informed last, of equals the one with the smallest number."""
    leaves = (node for node, row in enumerate(kids) if not row)
    return min(leaves, key=lambda node: (-times[node], node))


def value(task: Task, tree: Tree) -> int:
    """Return what the operation takes over this tree, the order of its first phase as given."""
    costs, weight = task.phases[0]
    times: Sequence[int] = ()
    if task.in_order or task.report is not None:
        as_given = tree if task.in_order else ordered(costs, tree.root, tree.kids)
        times = arrivals(costs, tree.root, as_given.kids)
        total = weight * max(times)
    else:
        total = weight * heights_of(costs, tree.root, tree.kids)[tree.root]
    for other, times_over in task.phases[1:]:
        total += times_over * heights_of(other, tree.root, tree.kids)[tree.root]
    if task.report is not None:
        total += task.report[last_leaf(times, tree.kids)][tree.root]
    return total


def admissible(task: Task, tree: Tree) -> bool:
    """Whether the tree keeps to the allowed pairs, the fan-out and the roots."""
    return tree.root in task.roots and all(
        len(row) <= task.fan_out and all(task.allowed[node][child] for child in row)
        for node, row in enumerate(tree.kids)
    )


def reversed_in_time(first: Matrix, propagation: Matrix, receive: Matrix) -> Broadcast:
    """Return the broadcast whose height is the reduction's end (docs/message-model.md).

    Nobody sends in bursts in a reduction, and who waits is the receiver: a parent takes its
    children's messages one after the other, each for `receive`.
    """
    busy = tuple(zip(*receive, strict=True))
    sent, flown = zip(*first, strict=True), zip(*propagation, strict=True)
    if any(map(any, propagation)):
        tail = tuple(tuple(map(add, *columns)) for columns in zip(sent, flown, strict=True))
    else:
        tail = tuple(sent)
    return Broadcast(busy, busy, tail)


class Same:
    """Something large as a key: equal to itself alone, which takes no time to see."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.it is self.it


@lru_cache(maxsize=24)
def _array(key: Same) -> Any:
    import numpy as np

    array = np.array(key.it, dtype=np.int64)
    array.flags.writeable = False
    return array


def array_of(matrix: Matrix) -> Any:
    """Return a matrix as a read-only array of whole numbers, made once while it is in use."""
    return _array(Same(matrix))
