"""The steps and ways of a machine as levels of a bound: what is known of nearness in its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skb.engines.placement_bound import Partition
from skb.engines.placement_spectrum import Floats, Level, laplacian
from skb.engines.placement_ways import Way

# kinds of tasks by where they may be, above which the others may be anywhere; and parts up to which
# all ways to fill them are tried
MOST_KINDS, MOST_FILLED = 40, 16


class Nodes:
    """The tasks that talk, numbered anew, and after them an anchor for each part that is wished."""

    def __init__(
        self, tasks: int, traffic: Sequence[tuple[int, int, int]], partition: Partition
    ) -> None:
        talking = {task for a, b, _rate in traffic if a != b for task in (a, b)}
        talking |= {wish.task for wish in partition.wishes}
        self.partition = partition
        number = {task: index for index, task in enumerate(sorted(talking))}
        self.tasks = len(number)
        self.parts = sorted({wish.part for wish in partition.wishes})
        anchor = {part: self.tasks + index for index, part in enumerate(self.parts)}
        self.anchors = len(anchor)
        self.pairs = [(number[a], number[b], float(rate)) for a, b, rate in traffic if a != b]
        self.wishes = [(number[w.task], anchor[w.part], w) for w in partition.wishes]
        sizes = [partition.sizes[t] if partition.sizes else 1.0 for t in sorted(talking)]
        self.own_size = sum(sizes) / len(sizes) if sizes else 1.0
        self.weights = np.array([*sizes, *(0.0 for _ in self.parts)])
        self.sizes = np.array([*sizes, *(self.own_size for _ in self.parts)])
        self.amount = float(sum(sizes))
        allowed = dict(partition.allowed)
        everywhere = tuple(range(len(partition.rooms)))
        self.kinds: list[tuple[int, ...]] = [everywhere]
        self.kind_of: list[int] = []
        for places in [
            *(allowed.get(task, everywhere) for task in sorted(talking)),
            *((part,) for part in self.parts),
        ]:
            if places not in self.kinds and (len(self.kinds) < MOST_KINDS or len(places) == 1):
                self.kinds.append(places)
            self.kind_of.append(self.kinds.index(places) if places in self.kinds else 0)
        # what a part holds at most, with the anchor there
        rooms = np.array(partition.rooms, dtype=np.float64)
        self.rooms = np.minimum(rooms, self.amount)
        self.caps = self.rooms.copy()
        self.caps[self.parts] += self.own_size

    def graph(self, step: float, wish: Callable[[int], float]) -> Floats:
        """Return the Laplacian with `step` for each message, and for a wish what `wish` says of
        what is paid for it elsewhere.
        """
        pairs = [(a, b, rate * step) for a, b, rate in self.pairs]
        pairs += [(a, b, w.rate * wish(w.paid_ps)) for a, b, w in self.wishes]
        return laplacian(len(self.sizes), pairs)

    def table(self, of: Callable[[tuple[int, ...], tuple[int, ...]], float]) -> Floats:
        """Return a number for each pair of nodes from where both may be."""
        rows = [[of(p, q) for q in self.kinds] for p in self.kinds]
        found: Floats = np.array(rows)[np.ix_(self.kind_of, self.kind_of)]
        return found


def part_level(nodes: Nodes, step: float, taken: float) -> Level:
    """Return the level of a step: near is who shares a part; `taken` of it counts in the way."""
    threshold = nodes.partition.threshold_ps
    left, total = nodes.amount, 0.0
    for room in np.sort(nodes.rooms)[::-1]:
        total += min(float(room), left) ** 2
        left -= min(float(room), left)
    most = np.full(len(nodes.sizes), float(np.max(nodes.rooms)))
    most[nodes.tasks :] = nodes.rooms[nodes.parts]
    return Level(
        graph=nodes.graph(step - taken, lambda paid: threshold - paid - taken),
        own=1.0,
        caps=np.sort(nodes.caps)[::-1],
        sizes=nodes.sizes,
        weights=nodes.weights,
        most=most,
        total=total,
        low=nodes.table(lambda p, q: float(p == q and len(p) == 1)),
        high=nodes.table(lambda p, q: float(not set(p).isdisjoint(q))),
        pivots=tuple(range(nodes.tasks, len(nodes.sizes))),
    )


def way_level(nodes: Nodes, way: Way) -> Level:
    """Return the level of the way between outermost parts."""
    # in units of nearness to oneself, so that all levels have numbers of one size
    near = way.near / way.own
    root = np.sqrt(nodes.caps)
    caps = np.maximum(np.linalg.eigvalsh(near * np.outer(root, root))[::-1], 0.0)
    best = [_most(near[part], nodes.rooms, nodes.amount) for part in range(len(near))]
    most = np.full(len(nodes.sizes), max(best))
    most[nodes.tasks :] = [best[part] for part in nodes.parts]
    return Level(
        graph=nodes.graph(way.own, lambda _paid: way.own),
        own=1.0,
        caps=caps * (1 + 1e-9) + 1e-9 * float(caps[0]),
        sizes=nodes.sizes,
        weights=nodes.weights,
        most=most,
        total=_whole(near, nodes.rooms, nodes.amount, max(best)),
        low=nodes.table(lambda p, q: float(np.min(near[np.ix_(p, q)]))),
        high=nodes.table(lambda p, q: float(np.max(near[np.ix_(p, q)]))),
        pivots=tuple(range(nodes.tasks, len(nodes.sizes))),
        slack=way.slack / way.own,
    )


def _most(near: Floats, rooms: Floats, amount: float) -> float:
    """Return the most nearness that tasks of this amount have to one part."""
    found, left = 0.0, amount
    for part in np.argsort(-near, kind="stable"):
        put = min(float(rooms[part]), left)
        found += put * float(near[part])
        left -= put
    return found


def _whole(near: Floats, rooms: Floats, amount: float, most: float) -> float:
    """Return the most nearness of all tasks to each other, or more.

    It is convex in what the parts hold, so a vertex has the most: all parts full or empty but one.
    """
    count = len(rooms)
    if count > MOST_FILLED:
        return amount * most
    chosen = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    held = chosen * rooms
    left = amount - held.sum(axis=1)
    fits = (left >= -1e-9 * amount) & (left <= float(np.max(rooms)) * (1 + 1e-9))
    held, left, chosen = held[fits], left[fits], chosen[fits]
    pull = held @ near
    value = np.einsum("ij,ij->i", held, pull)
    more = value[:, None] + 2 * left[:, None] * pull + left[:, None] ** 2 * np.diag(near)
    open_ = (chosen == 0) & (left[:, None] <= rooms * (1 + 1e-9))
    full = np.abs(left) <= 1e-9 * amount
    found = max(
        float(np.max(more[open_], initial=-np.inf)), float(np.max(value[full], initial=-np.inf))
    )
    return min(amount * most, found + 1e-9 * abs(found)) if np.isfinite(found) else amount * most
