"""Closed forms: what an object costs the PUs of a domain, and what messages between domains cost.

docs/replicas.md derives them. Each price is a number of the domain alone, given the coordinator,
so a choice of domains costs the sum. Rates are per second, times in ns, prices in ns/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from skb.questions.replicas_instance import Topology
from skb.questions.replicas_request import Operation, StateObject

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOCK, COMBINING = "lock", "combining"
WAYS = (LOCK, COMBINING)
MESSAGES = {
    "single-phase-commit": (1, 1, 1),
    "raft": (1, 1, 1),
    "two-phase-commit": (2, 1, 0),
    "multi-paxos": (2, 1, 0),
}
"""Messages from the coordinator to each other domain, back from it, and replies to who asked."""
OWN = 1 << 62
"""What puts the coordinator before all other PUs of its domain."""
FINEST = 2.0**-40
"""Prices are whole multiples of this, or of more where they are larger, so that sums are exact."""
DIGITS = 2.0**51


@dataclass(frozen=True)
class Stream:
    """A class of updates: attempts per second by place, and how replicas agree on one."""

    operation: Operation
    protocol: str
    rate: NDArray[Any]

    @property
    def name(self) -> str:
        return self.operation.name

    @cached_property
    def total(self) -> float:
        return float(self.rate.sum())


@dataclass(frozen=True)
class Case:
    """One object on the parts of a machine; `reads` by place, per second."""

    asked: StateObject
    at: Topology
    reads: NDArray[Any]
    streams: tuple[Stream, ...]

    # ------------------------------------------------------------ sums by node
    def by_node(self, amounts: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of amounts by place over each node."""
        import numpy as np

        sums = np.concatenate([[0.0], np.cumsum(amounts)])
        found: NDArray[Any] = sums[list(self.at.end)] - sums[list(self.at.begin)]
        return found

    @cached_property
    def size(self) -> NDArray[Any]:
        import numpy as np

        found: NDArray[Any] = np.array(self.at.end) - np.array(self.at.begin)
        return found

    @cached_property
    def updates(self) -> NDArray[Any]:
        """Attempts per second by place, of all classes."""
        import numpy as np

        found: NDArray[Any] = np.sum([stream.rate for stream in self.streams], axis=0)
        return found

    @cached_property
    def _blocks(self) -> NDArray[Any]:
        """Lines and their squares between two PUs of each node, by who reads and updates how often.

        Rows: reads and reads, reads and updates, updates and updates, nobody (all alike).
        """
        import numpy as np

        users = np.array([self.reads, self.updates, np.ones(len(self.reads))])
        begin, size = np.array(self.at.begin), self.size
        found = np.empty((2, 4, len(size)))
        alone = size == 1
        own, at = self.at.line.diagonal()[begin[alone]], users[:, begin[alone]]
        once = np.array([at[0] ** 2, 2 * at[0] * at[1], at[1] ** 2, at[2]])
        found[:, :, alone] = own * once, own**2 * once
        for node in np.flatnonzero(~alone).tolist():
            a, b = self.at.begin[node], self.at.end[node]
            part, line = users[:, a:b], self.at.line[a:b, a:b]
            # einsum adds in one thread, always in the same order
            sums = np.einsum("ab,kb->ka", line, part), np.einsum("ab,ab,kb->ka", line, line, part)
            for power, row in enumerate(sums):
                both = np.einsum("ka,ja->kj", row, part)
                known = both[0, 0], both[0, 1] + both[1, 0], both[1, 1], both[2, 2]
                found[power, :, node] = known
        return found

    @cached_property
    def _least_read(self) -> NDArray[Any]:
        """The smallest rate of reads of a reader in each node, 0 where nobody reads."""
        import numpy as np

        some = np.where(self.reads > 0, self.reads, np.inf)
        spans = zip(self.at.begin, self.at.end, strict=True)
        least = np.array([some[a:b].min() for a, b in spans])
        return np.where(np.isfinite(least), least, 0.0)

    def lines(self, factor: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return for each node what it takes to fetch a line that some PU of it had last: the mean
        and the variance.
        """
        import numpy as np

        weight = self.by_node(self.reads) + factor * self.by_node(self.updates)
        known = weight > 0
        squared = np.where(known, weight, self.size) ** 2
        rr, ru, uu, alike = np.moveaxis(self._blocks, 1, 0)
        mean, square = np.where(known, rr + factor * ru + factor**2 * uu, alike) / squared
        return mean, np.maximum(square - mean**2, 0.0)

    def mean_line(self) -> NDArray[Any]:
        """Return the mean of `lines` at the stated rates."""
        return self.lines()[0]


@dataclass(frozen=True)
class Inside:
    """What each node costs as a domain, messages left out; a column is a node.

    `busy` is the share of time that updates keep the replica. `read_ns` and `update_ns` are
    expected latencies of the PU that waits longest; infinite where the replica is overloaded.
    """

    way: str
    service: NDArray[Any]
    busy: NDArray[Any]
    wait: NDArray[Any]
    reads: NDArray[Any]
    updates: NDArray[Any]
    read_ns: NDArray[Any]
    update_ns: NDArray[Any]

    @property
    def price(self) -> NDArray[Any]:
        found: NDArray[Any] = self.reads + self.updates
        return found


def services(case: Case, way: str, mean: NDArray[Any]) -> NDArray[Any]:
    """Return how long each class of updates keeps a replica, by class and node."""
    import numpy as np

    lines, own, size = case.asked.lines, case.at.own_ns, case.size
    if way == LOCK:
        shared = (1 + lines) * mean
    else:
        shared = 2 * mean + (lines + size) * own
    fetched = np.where(size == 1, lines * own, shared)
    return np.array([fetched + stream.operation.work_ns for stream in case.streams])


def inside(case: Case, way: str, factor: float = 1.0) -> Inside:
    """Return what each node costs as one domain with a lock or with flat combining.

    Every replica takes every update. The wait is that of a queue with one server, arrivals at
    random and a service that varies with the line (Pollaczek 1930, Khinchine 1932).
    """
    import numpy as np

    lines, own = case.asked.lines, case.at.own_ns
    mean, variance = case.lines(factor)
    service = services(case, way, mean)
    rates = np.array([stream.total for stream in case.streams]) * factor
    busy = rates @ service
    moved = np.where(case.size == 1, 0, 1 + lines if way == LOCK else 2)
    residual = rates @ (service**2 + moved**2 * variance) / 2
    total = float(rates.sum())
    missed = np.zeros(len(case.reads))
    np.divide(total * case.reads, total + case.reads, out=missed, where=case.reads > 0)
    read = case.by_node(case.reads)
    away = np.where(case.size == 1, 0.0, lines * (mean - own))
    pause = np.where(busy < 1e9, residual / np.maximum(1e9 - busy, 1.0), 0.0)
    reads = read * (lines * own + pause) + case.by_node(missed) * away
    reads = np.where(busy < 1e9, reads, np.inf)
    least = case._least_read
    share = np.where(least > 0, total / np.maximum(total + least, 1e-300), 0.0)
    wait = np.where(busy < 1e9, pause, np.inf)
    updates = busy + (total * wait if total > 0 else 0.0)
    read_ns = np.where(least > 0, lines * own + share * away + wait, 0.0)
    worst = service[rates > 0].max(axis=0) if total > 0 else np.zeros(len(mean))
    return Inside(way, service, busy / 1e9, wait, reads, updates, read_ns, worst + wait)


@dataclass(frozen=True)
class Between:
    """What messages cost: rows are nodes, columns the PUs that may be the coordinator.

    `leader` is the place of the PU that takes part for a node: the coordinator itself in its own,
    else who has the shortest way there and back, of equals the lowest PU. `load` is the share of
    its time that messages surely take a leader: in the tree too everybody else receives each update
    and answers, and the coordinator sends to and hears from one other at least. `messages` are
    those per second that a node receives and sends where it is not the coordinator's.
    """

    leader: NDArray[Any]
    price: NDArray[Any]
    load: NDArray[Any]
    messages: tuple[NDArray[Any], NDArray[Any]]


def between(case: Case, seats: Sequence[int]) -> Between:
    """Return what messages cost each node with a coordinator at each of some places."""
    import numpy as np

    at, tree, seat = case.at, case.at.tree, np.array(seats, dtype=np.int64)
    rank = np.argsort(np.argsort(np.array(at.pus)))
    size = len(at.pus)
    # tables are changed in place: what a new one takes is mostly its memory
    both = at.one_way[seat]
    both += at.one_way[:, seat].T
    both *= 1000
    key = np.rint(both, out=both).astype(np.int64)
    bits = size.bit_length()
    key <<= bits
    key += rank
    key[np.arange(len(seat)), seat] = rank[seat] - OWN
    by_rank = np.argsort(np.array(at.pus))
    leaves = [node for node in range(tree.size) if not tree.children[node]]
    ends = [at.begin[node] for node in leaves]
    nearest = np.empty((tree.size, len(seat)), dtype=np.int64)
    nearest[leaves] = key.T[ends]
    for low, high, parents, begins in tree.layers:
        nearest[parents] = np.minimum.reduceat(nearest[low:high], begins, axis=0)
    nearest &= (1 << bits) - 1
    leader = by_rank[nearest]
    down = sum(stream.total * MESSAGES[stream.protocol][0] for stream in case.streams)
    up = sum(stream.total * MESSAGES[stream.protocol][1] for stream in case.streams)
    replies = np.zeros(size)
    for stream in case.streams:
        replies = replies + stream.rate * MESSAGES[stream.protocol][2]
    asked = case.by_node(case.updates)
    down_by = (down + case.by_node(replies))[:, None]
    up_by = (up + asked)[:, None]
    mine, pair = leader == seat, np.add(leader, seat * size, out=nearest)
    price, load = at.busy.take(pair), at.receive.take(pair)
    price *= down_by
    load *= down_by
    np.multiply(leader, size, out=pair)
    pair += seat
    for table, costs in ((price, at.busy), (load, at.send)):
        back = costs.take(pair)
        back *= up_by
        table += back
    price[mine] = 0.0
    if size > 1:
        least = down * _least(at.send) + (up + asked[:1] - asked) * _least(at.receive)
        least[0] = 0.0  # who has it alone sends no messages
        np.copyto(load, least[:, None], where=mine)
    load /= 1e9
    return Between(leader, price, load, (down_by[:, 0], up_by[:, 0]))


def _least(costs: NDArray[Any]) -> float:
    """Return the least cost between two different PUs."""
    import numpy as np

    size = len(costs)
    # after the first element, each row of one more than the size ends with the diagonal
    apart = np.ascontiguousarray(costs).ravel()[1:].reshape(size - 1, size + 1)[:, :-1]
    return float(apart.min())


def quantum(*prices: float) -> float:
    """Return the step that prices are rounded to, such that sums of thousands are exact."""
    step = FINEST
    while sum(prices) * 4096 > DIGITS * step:
        step *= 2
    return step


def largest(prices: NDArray[Any]) -> float:
    """Return the largest price that is finite, 0 without any."""
    import numpy as np

    return float(np.where(np.isfinite(prices), prices, 0.0).max(initial=0.0))


def rounded(prices: NDArray[Any], step: float) -> NDArray[Any]:
    import numpy as np

    found: NDArray[Any] = np.rint(prices / step) * step
    return found
