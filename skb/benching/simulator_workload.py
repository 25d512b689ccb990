"""One workload for every event engine: operations that go down a two-level tree and are answered.

Nodes stand in groups; the groups are the corners of a hypercube. The root, the first node of the
first group, sends to the first node of every other group and to its own group; each of those sends
to its group; leaves answer, inner nodes answer once all below have. A node is busy for each send
and each receive, a link for each message that crosses it, and then the message flies for a while.
Operations begin at random times (exponential gaps). Times are whole picoseconds, so that every
engine must find the same latencies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from simulator.draws import draw

SEND_PS, RECEIVE_PS = 60_000, 80_000
OCCUPANCY_PS = 25_000
REMOTE_PS, LOCAL_PS = 60_000, 40_000
_FINE = 1 << 53


@dataclass(frozen=True)
class Workload:
    """A tree, the links between its nodes, and when operations begin.

    Links below `remote` join groups, the others stand for the inside of one group each.
    """

    dimension: int
    cores: int
    arrivals: tuple[int, ...]

    @property
    def groups(self) -> int:
        """How many groups of nodes there are."""
        return 1 << self.dimension

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return self.groups * self.cores

    @property
    def remote(self) -> int:
        """How many links join groups."""
        return self.groups * self.dimension

    @property
    def links(self) -> int:
        """How many links there are."""
        return self.remote + self.groups

    def latency_ps(self, link: int) -> int:
        """Return how long a message flies over a link once it has begun to cross it."""
        return REMOTE_PS if link < self.remote else LOCAL_PS

    @cached_property
    def children(self) -> Sequence[tuple[int, ...]]:
        """The children of each node, in the order in which it sends to them; far groups first."""
        rows: list[tuple[int, ...]] = [()] * self.count
        far = sorted(range(1, self.groups), key=lambda group: (-group.bit_count(), group))
        for group in range(self.groups):
            first = group * self.cores
            rows[first] = tuple(range(first + 1, first + self.cores))
        rows[0] = (*(group * self.cores for group in far), *rows[0])
        return rows

    @cached_property
    def parent(self) -> Sequence[int]:
        """The parent of each node, -1 at the root."""
        parent = [-1] * self.count
        for node, children in enumerate(self.children):
            for child in children:
                parent[child] = node
        return parent

    @cached_property
    def routes(self) -> Mapping[tuple[int, int], tuple[int, ...]]:
        """The links that a message goes over, for each pair of nodes that ever speaks."""
        edges = [(parent, node) for node, parent in enumerate(self.parent) if parent >= 0]
        pairs = edges + [(node, parent) for parent, node in edges]
        return {pair: self._route(*pair) for pair in pairs}

    def _route(self, source: int, target: int) -> tuple[int, ...]:
        """Return a shortest way, over the lowest dimension first."""
        here, there = source // self.cores, target // self.cores
        if here == there:
            return (self.remote + here,)
        way: list[int] = []
        for bit in range(self.dimension):
            if (here ^ there) >> bit & 1:
                way.append(here * self.dimension + bit)
                here ^= 1 << bit
        return tuple(way)

    @property
    def events_per_operation(self) -> int:
        """One start, and for each message one event per link and one at its receiver."""
        hops = sum(map(len, self.routes.values()))
        return 1 + hops + len(self.routes)


def workload(dimension: int, cores: int, operations: int, per_us: float, seed: int = 1) -> Workload:
    """Return a workload with so many operations per microsecond."""
    now, arrivals = 0.0, []
    for number in range(operations):
        share = (draw(seed, number, _FINE) + 1) / _FINE
        now += -math.log(share) * 1e6 / per_us
        arrivals.append(int(now))
    return Workload(dimension, cores, tuple(arrivals))
