"""What a packet costs at each node, and where the choice flips.

The model (docs/design.md). A packet of B bytes is `ceil(B / line)` lines. Per packet at node n:

dma      latency of the device's access to n, once, and all lines at the bandwidth of the slowest
         stage from the wire to the memory (wire or PCI link, interconnect links, memory): posted
         writes pipeline, so only the first pays the latency.
read     the touched share of the lines, each at the larger of two times: the consumer's load
         latency to n divided by the lines that a core keeps in flight (Little's law), and the line
         at the bandwidth between n and the consumer.
forward  the same as dma, where the bytes leave through the device again.

Of a tx flow the consumer is the producer: it writes the touched share (a store fetches its line, so
it costs a read), dma is the device reading it out, and forward the way of the bytes from the device
to n before. The sums are equal, so one formula serves both directions.

So a packet at n costs `fixed(n) + touched * full_read(n)`: a straight line over the touched
fraction. The lower envelope of the lines of all nodes is the best choice, and its corners are where
the choice flips. Times are whole picoseconds for each term of a packet; nothing else is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from skb.bandwidth import Bandwidths
from skb.costs import Costs, defaults
from skb.questions.buffers_request import Flow

PS_PER_S = 10**12
TERMS = ("dma", "read", "forward")


@dataclass(frozen=True, slots=True)
class PacketCost:
    """One packet of a flow at one node, in picoseconds, as a line over the touched fraction."""

    dma_ps: int
    forward_ps: int
    full_read_ps: int

    @property
    def fixed_ps(self) -> int:
        return self.dma_ps + self.forward_ps

    def terms_ps(self, touched: Fraction) -> dict[str, int]:
        """Return dma, read and forward at a touched fraction."""
        read = round(touched * self.full_read_ps)
        return {"dma": self.dma_ps, "read": read, "forward": self.forward_ps}

    def at(self, touched: Fraction) -> int:
        return sum(self.terms_ps(touched).values())


@dataclass(frozen=True, slots=True)
class Flip:
    """A corner of the lower envelope: from this touched fraction on another node is best."""

    touched: Fraction
    before: int
    after: int


def packet_costs(
    flow: Flow, costs: Costs, rates: Bandwidths, read_costs: Costs, read_rates: Bandwidths
) -> dict[int, PacketCost]:
    """Return what a packet of the flow costs at every NUMA node; reads by the latter two."""
    size = rates.line_bytes()
    lines = -(-flow.packet_bytes // size)
    found = {}
    for node in costs.machine.numa:
        transfer = _line_ps(size, rates.dma_mib_s(flow.device, node)) * lines
        dma = costs.dma_ps(flow.device, node) + round(transfer)
        line = Fraction(0)
        if flow.consumer is not None:
            latency = Fraction(read_costs.memory_ps(flow.consumer, node), lines_in_flight())
            line = max(latency, _line_ps(size, read_rates.memory_mib_s(flow.consumer, node)))
        found[node] = PacketCost(dma, dma if flow.forwarded else 0, round(lines * line))
    return found


def lines_in_flight() -> int:
    """Return how many lines a core reads at a time."""
    return int(defaults()["memory"]["lines_in_flight"])


def _line_ps(size: int, mib_s: float) -> Fraction:
    return Fraction(size * PS_PER_S) / (Fraction(mib_s) * 2**20)


def per_second(flow: Flow, packet_ps: int) -> Fraction:
    """Return ns of latency per second of a cost per packet."""
    return flow.packets_per_s * packet_ps / 1000


def flips(costs: Mapping[int, PacketCost]) -> tuple[Flip, ...]:
    """Return the corners of the lower envelope strictly between 0 and 1, in order.

    Each later line is flatter, so a corner is the earliest point where a flatter line meets the one
    that is best so far.
    """
    if not costs:
        return ()
    at = min(costs, key=lambda n: (costs[n].fixed_ps, costs[n].full_read_ps, n))
    found: list[Flip] = []
    while True:
        best = costs[at]
        corners = [
            (Fraction(c.fixed_ps - best.fixed_ps, best.full_read_ps - c.full_read_ps), c, n)
            for n, c in costs.items()
            if c.full_read_ps < best.full_read_ps
        ]
        if not corners:
            return tuple(found)
        where, _, after = min(corners, key=lambda row: (row[0], row[1].full_read_ps, row[2]))
        if where >= 1:
            return tuple(found)
        found.append(Flip(where, at, after))
        at = after
