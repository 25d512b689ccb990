"""Networks and forwarding tables: nodes 0 … n-1, directed links, and what a table puts on them.

A table has one tree for each destination: `ahead[d][s]` is the node to which s forwards what goes
to d (-1 at d itself), and `channel[d]` the virtual channel that all messages to d use. Loads are
whole numbers: traffic weights are scaled before, and a slow link counts its load `slow` times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Arc = tuple[int, int]
Weights = tuple[tuple[int, ...], ...]
UNREACHED = -1


@dataclass(frozen=True, slots=True)
class Table:
    """Next hops by destination and node, and the virtual channel of each destination."""

    ahead: tuple[tuple[int, ...], ...]
    channel: tuple[int, ...]

    @property
    def channels(self) -> int:
        return max(self.channel, default=0) + 1


@dataclass(frozen=True, slots=True)
class Net:
    """A network and what is asked of it.

    `slow[a]` is what one unit of load counts on arc a, `weight[s][d]` the traffic from s to d.
    With `minimal` messages take shortest paths only; `forced` are entries (s, d, n) that are given:
    s forwards to n what goes to d. The rest is derived on construction: `number` of an arc by its
    ends, hop distances (-1 where no path leads), neighbours, and `steps[d][s]`, the nodes to which
    s may forward what goes to d.
    """

    size: int
    arcs: tuple[Arc, ...]
    slow: tuple[int, ...]
    weight: Weights
    minimal: bool
    forced: tuple[tuple[int, int, int], ...] = ()
    number: dict[Arc, int] = field(init=False, repr=False, compare=False)
    after: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    before: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    distance: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    steps: tuple[tuple[tuple[int, ...], ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        after: list[list[int]] = [[] for _ in range(self.size)]
        before: list[list[int]] = [[] for _ in range(self.size)]
        for a, b in self.arcs:
            after[a].append(b)
            before[b].append(a)
        ways = {"after": after, "before": before}
        for name, rows in ways.items():
            object.__setattr__(self, name, tuple(tuple(sorted(row)) for row in rows))
        object.__setattr__(self, "number", {arc: at for at, arc in enumerate(self.arcs)})
        to = [_distances(self.before, d) for d in range(self.size)]
        distance = tuple(zip(*to, strict=True))
        object.__setattr__(self, "distance", distance)
        object.__setattr__(self, "steps", tuple(self._steps(row, d) for d, row in enumerate(to)))

    def _steps(self, to: Sequence[int], d: int) -> tuple[tuple[int, ...], ...]:
        """Return where each node may forward what goes to d; `to` are the distances to it."""

        if self.minimal:
            rows = [
                tuple([n for n in near if to[n] == hops - 1]) if hops > 0 else ()
                for near, hops in zip(self.after, to, strict=True)
            ]
        else:
            rows = [tuple([n for n in near if to[n] >= 0]) for near in self.after]
            rows[d] = ()
        for s, goal, next_hop in self.forced:
            if goal == d:
                rows[s] = tuple(n for n in rows[s] if n == next_hop)
        return tuple(rows)

    def admits(self, table: Table) -> bool:
        """Tell whether a table forwards only as the steps allow."""
        return all(
            s == d or n in self.steps[d][s]
            for d, ahead in enumerate(table.ahead)
            for s, n in enumerate(ahead)
        )

    @property
    def connected(self) -> bool:
        return all(at >= 0 for row in self.distance for at in row)


def _distances(before: Sequence[Sequence[int]], end: int) -> list[int]:
    """Return the hops from every node to `end`."""
    found = [UNREACHED] * len(before)
    found[end] = 0
    todo = deque([end])
    while todo:
        at = todo.popleft()
        for other in before[at]:
            if found[other] < 0:
                found[other] = found[at] + 1
                todo.append(other)
    return found


def outwards(ahead: Sequence[int], d: int) -> list[int]:
    """Return the nodes of a destination's tree, every node behind the one that it forwards to."""
    below: list[list[int]] = [[] for _ in ahead]
    for s, n in enumerate(ahead):
        if s != d:
            below[n].append(s)
    order = [d]
    for at in order:
        order += below[at]
    return order


def loads(net: Net, table: Table, weight: Weights | None = None) -> list[int]:
    """Return the load of every arc: the traffic that its messages weigh, or other weights."""
    found = [0] * len(net.arcs)
    columns = zip(*(net.weight if weight is None else weight), strict=True)
    for d, (ahead, column) in enumerate(zip(table.ahead, columns, strict=True)):
        through = list(column)
        for s in reversed(outwards(ahead, d)[1:]):
            n = ahead[s]
            found[net.number[s, n]] += through[s]
            through[n] += through[s]
    return found


def carried(net: Net, ahead: Sequence[int], d: int) -> Iterator[tuple[int, int]]:
    """Yield every arc of a destination's tree with the traffic over it, the farthest first."""
    through = [net.weight[s][d] for s in range(net.size)]
    for s in reversed(outwards(ahead, d)[1:]):
        yield net.number[s, ahead[s]], through[s]
        through[ahead[s]] += through[s]


def lay(net: Net, load: list[int], ahead: Sequence[int], d: int) -> None:
    """Add what a destination's tree carries to the slowed loads."""
    for arc, amount in carried(net, ahead, d):
        load[arc] += amount * net.slow[arc]


def price(net: Net, table: Table) -> tuple[int, int]:
    """Return the largest slowed load, and the sum of all: what is minimised, in this order."""
    slowed = [load * slow for load, slow in zip(loads(net, table), net.slow, strict=True)]
    return max(slowed, default=0), sum(slowed)


@dataclass(frozen=True, slots=True)
class Ring:
    """A cycle of links that wait for each other whatever the table: no choice avoids it.

    `arcs[i]` waits for `arcs[i + 1]`, the last for the first, for messages to `to[i]`.
    """

    arcs: tuple[Arc, ...]
    to: tuple[int, ...]


def forced_ring(net: Net) -> Ring | None:
    """Return the shortest cycle of dependencies that every table has, or None."""
    waits: dict[Arc, dict[Arc, int]] = {}
    for d in range(net.size):
        for s in range(net.size):
            if len(net.steps[d][s]) != 1:
                continue
            n = net.steps[d][s][0]
            if n != d and len(net.steps[d][n]) == 1:
                waits.setdefault((s, n), {}).setdefault((n, net.steps[d][n][0]), d)
    return shortest_cycle(waits)


def shortest_cycle(waits: dict[Arc, dict[Arc, int]]) -> Ring | None:
    """Return the shortest cycle of dependencies (arc, next arc: a destination of both), or None."""
    best: list[Arc] | None = None
    for start in sorted(waits):
        best = cycle_through(waits, start, len(best) if best else None) or best
    if best is None:
        return None
    ends = [*best[1:], best[0]]
    return Ring(tuple(best), tuple(waits[a][b] for a, b in zip(best, ends, strict=True)))


def cycle_through(
    waits: Mapping[Arc, Iterable[Arc]], start: Arc, below: int | None = None
) -> list[Arc] | None:
    """Return the shortest cycle through an arc, of fewer than so many arcs where that is given."""
    came: dict[Arc, Arc] = {}
    rim = [start]
    for _length in range(1, len(waits) + 1 if below is None else below):
        fresh = []
        for at in rim:
            for other in waits.get(at, ()):
                if other == start:
                    way = [at]
                    while way[-1] != start:
                        way.append(came[way[-1]])
                    return way[::-1]
                if other not in came:
                    came[other] = at
                    fresh.append(other)
        rim = fresh
    return None
