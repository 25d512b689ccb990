"""Tables built tree by tree: each destination's tree joins the first virtual channel that it fits.

A tree grows from its destination outwards, and takes no link that would close a cycle of channel
dependencies. In the manner of LASH (Lysne et al., 2006) and DFSSSP (Domke, Hoefler, Nagel, 2011),
but it looks for cycles before it decides, not after. Each channel keeps its links in an order that
all its dependencies follow (Pearce, Kelly, 2006); that begins as up*/down* from a node.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from skb.engines.links_net import Net, Table, lay

FEW = 64  # nodes up to which a tree is tried again where it does not fit
MANY = 128  # nodes above which only some of the channels, the last opened, are tried at first
RECENT = 6


class _Channel:
    """The dependencies of one virtual channel, and an order of the arcs that they all follow."""

    def __init__(self, net: Net, root: int) -> None:
        rank = [(net.distance[root][node], node) for node in range(net.size)]

        def place(arc: int) -> tuple[int, int, int]:
            tail, head = net.arcs[arc]
            up = rank[head] < rank[tail]
            return (0, -rank[tail][0], -tail) if up else (1, rank[tail][0], tail)

        self.order = [0] * len(net.arcs)
        for at, arc in enumerate(sorted(range(len(net.arcs)), key=place)):
            self.order[arc] = at
        self.after: list[set[int]] = [set() for _ in net.arcs]
        self.before: list[set[int]] = [set() for _ in net.arcs]

    def follows(self, arc: int, then: int) -> int:
        """Rank a dependency: 0 where it is known, 1 where the order has it, 2 otherwise."""
        if then in self.after[arc]:
            return 0
        return 1 if self.order[arc] < self.order[then] else 2

    def add(self, arc: int, then: int) -> bool | None:
        """Add a dependency; tell whether it is new, None where it would close a cycle."""
        if then in self.after[arc]:
            return False
        if self.order[arc] >= self.order[then] and not self._reorder(arc, then):
            return None
        self.after[arc].add(then)
        self.before[then].add(arc)
        return True

    def remove(self, added: Sequence[tuple[int, int]]) -> None:
        for arc, then in added:
            self.after[arc].discard(then)
            self.before[then].discard(arc)

    def _reorder(self, arc: int, then: int) -> bool:
        """Move what waits for `arc` before what `then` waits for; false where that is one."""
        if arc == then:
            return False
        order = self.order
        low, high = order[then], order[arc]
        ahead, todo = {then}, [then]
        while todo:
            for other in self.after[todo.pop()]:
                if other == arc:
                    return False
                if order[other] < high and other not in ahead:
                    ahead.add(other)
                    todo.append(other)
        behind, todo = {arc}, [arc]
        while todo:
            for other in self.before[todo.pop()]:
                if order[other] > low and other not in behind:
                    behind.add(other)
                    todo.append(other)
        moved = sorted(behind, key=order.__getitem__) + sorted(ahead, key=order.__getitem__)
        for at, place in zip(moved, sorted(order[at] for at in moved), strict=True):
            order[at] = place
        return True


def layered(
    net: Net, channels: int, seed: int, tries: int, spent: Callable[[], bool]
) -> Table | None:
    """Return a table that needs at most so many virtual channels; None where no try found one.

    Every other try looks at loads before it looks at what fits.
    """
    draw = random.Random(seed)
    for attempt in range(tries):
        if attempt and spent():
            return None
        sure = not attempt and net.size <= FEW
        order = list(range(net.size))
        if attempt > 1:
            draw.shuffle(order)
        over = _never if sure else spent
        found = _attempt(net, channels, order, attempt % 2 == 0, draw, over)
        if found is not None:
            return found
    return None


def grown(
    net: Net, seed: int, even: bool, spent: Callable[[], bool], whole: bool = False
) -> Table | None:
    """Return a table on as many channels as it takes, with loads kept even or with few channels;
    `whole` tries all channels that are open, of a large network too. When the time is over, each
    destination that is left gets a channel of its own. None where entries that are given allow no
    such trees.
    """
    over = _never if net.size <= FEW else spent
    return _attempt(net, net.size, range(net.size), even, random.Random(seed), over, whole)


def _never() -> bool:
    return False


def _attempt(
    net: Net,
    channels: int,
    order: Sequence[int],
    even: bool,
    draw: random.Random,
    spent: Callable[[], bool],
    whole: bool = False,
) -> Table | None:
    roots = sorted(range(net.size), key=lambda node: (max(net.distance[node]), node))
    opened: list[_Channel] = []
    load = [0] * len(net.arcs)
    ahead: list[tuple[int, ...]] = [()] * net.size
    channel = [0] * net.size
    for at, d in enumerate(order):
        if spent():
            return _rest(net, order[at:], load, ahead, channel) if channels == net.size else None
        first = 0 if whole or net.size <= MANY else max(0, len(opened) - RECENT)
        for which in range(first, channels):
            if which == len(opened):
                root = roots[0] if not which else draw.randrange(net.size)
                opened.append(_Channel(net, root))
            tree = None
            for _again in range(3 if net.size <= FEW else 1):
                tree = _tree(net, opened[which], d, load, even, draw)
                if tree is not None:
                    break
            if tree is not None:
                ahead[d], channel[d] = tuple(tree), which
                lay(net, load, tree, d)
                break
        if not ahead[d]:
            return None
    return Table(tuple(ahead), tuple(channel))


def _rest(
    net: Net,
    goals: Sequence[int],
    load: list[int],
    ahead: list[tuple[int, ...]],
    channel: list[int],
) -> Table | None:
    """Give each destination that is left the links that carry least, on a channel of its own."""
    opened = max((which for which, tree in zip(channel, ahead, strict=True) if tree), default=-1)
    for which, d in enumerate(goals, opened + 1):
        tree = [-1] * net.size
        for s in range(net.size):
            near = [n for n in net.steps[d][s] if net.distance[n][d] < net.distance[s][d]]
            if s == d:
                continue
            if not near:
                return None
            tree[s] = min((load[net.number[s, n]], n) for n in near)[1]
        ahead[d], channel[d] = tuple(tree), which
        lay(net, load, tree, d)
    return Table(tuple(ahead), tuple(channel))


def _tree(
    net: Net, held: _Channel, d: int, load: Sequence[int], even: bool, draw: random.Random
) -> list[int] | None:
    """Grow the tree of d over shortest paths; None, and nothing added, where a node has no link
    left.
    """
    ahead = [-1] * net.size
    way = [0.0] * net.size
    added: list[tuple[int, int]] = []
    nodes = sorted(
        (s for s in range(net.size) if s != d), key=lambda s: (net.distance[s][d], draw.random())
    )
    for s in nodes:
        hops = net.distance[s][d]
        ranked = []
        for n in net.steps[d][s]:
            if net.distance[n][d] == hops - 1:
                arc = net.number[s, n]
                fit = 0 if even or n == d else held.follows(arc, net.number[n, ahead[n]])
                ranked.append((fit, max(way[n], load[arc] + draw.random()), n))
        for _fit, cost, n in sorted(ranked):
            arc = net.number[s, n]
            new = False if n == d else held.add(arc, net.number[n, ahead[n]])
            if new is not None:
                ahead[s], way[s] = n, cost
                if new:
                    added.append((arc, net.number[n, ahead[n]]))
                break
        else:
            held.remove(added)
            return None
    return ahead
