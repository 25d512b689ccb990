"""What a packet costs at each place, and where the choice flips.

The model (docs/buffers.md). A packet of B bytes is `ceil(B / line)` lines. Per packet in a ring:

dma      latency of the device's access to the place, once, and all lines at the bandwidth of the
         slowest stage from the wire to the memory (wire or PCI link, interconnect links, memory;
         not the memory where the cache holds the ring): posted writes pipeline, so only the first
         pays the latency.
read     the touched share of the lines, each at the larger of two times: the consumer's load
         latency to the place divided by the lines that a core keeps in flight (Little's law), and
         the line at the bandwidth between place and consumer. A ring in the cache is read at the
         memory's latency less what the node's own memory takes longer than its cache. A GPU fetches
         all of a packet that lies in host memory by DMA of its own (the bounce), and reads its own
         memory for nothing.
forward  the same as dma, where the bytes leave through the device again.

Descriptors: both sides touch each twice (fetched and written back), lines shared by descriptors
that follow one another: device 2 * bytes / line * (dma latency + line), consumer 2 * bytes / line *
load latency, one after the other as each names the next buffer.

Of a tx flow the consumer is the producer: it writes the touched share (a store fetches its line, so
it costs a read), dma is the device reading it out, and forward the way of the bytes from the device
to the node before. The sums are equal, so one formula serves both directions.

So a packet costs `fixed + touched * full_read`: a straight line over the touched fraction. The
lower envelope of the lines of all places is the best choice, and its corners are where the choice
flips. Times are whole picoseconds for each term of a packet; nothing else is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from skb.bandwidth import Bandwidths
from skb.costs import Costs, defaults, to_ps
from skb.machine import kind_of
from skb.questions.buffers_request import Flow
from skb.questions.buffers_rings import Place, Ring

PS_PER_S = 10**12
TERMS = ("dma", "read", "forward")
DESCRIPTORS = "descriptors"
_COARSE = frozenset({"machine", "package", "numa"})


@dataclass(frozen=True, slots=True)
class PacketCost:
    """One packet of a flow at one place, in picoseconds, as a line over the touched fraction."""

    dma_ps: int
    forward_ps: int
    full_read_ps: int

    @property
    def fixed_ps(self) -> int:
        return self.dma_ps + self.forward_ps

    def terms_ps(self, touched: Fraction) -> dict[str, int]:
        """Return dma, read and forward at a touched fraction."""
        read = _share(touched, self.full_read_ps)
        return {"dma": self.dma_ps, "read": read, "forward": self.forward_ps}

    def at(self, touched: Fraction) -> int:
        return self.dma_ps + self.forward_ps + _share(touched, self.full_read_ps)


def _share(touched: Fraction, whole_ps: int) -> int:
    if touched.denominator == 1:
        return touched.numerator * whole_ps
    return round(touched * whole_ps)


@dataclass(frozen=True, slots=True)
class Flip:
    """A corner of the lower envelope: from this touched fraction on another place is best."""

    touched: Fraction
    before: Place
    after: Place


class Prices:
    """Prices of rings at places; what was asked once is kept.

    `reads` are the costs and bandwidths of reads that only a crossover needs, so that their
    assumptions are told apart.
    """

    def __init__(self, costs: Costs, rates: Bandwidths, reads: tuple[Costs, Bandwidths]) -> None:
        self.costs, self.rates, self.reads = costs, rates, reads
        self.line = rates.line_bytes()
        self._dma: dict[tuple[str, Place], tuple[int, Fraction]] = {}
        self._loads: dict[tuple[int, Place, bool], tuple[Fraction, Fraction]] = {}
        self._known: dict[tuple[object, ...], PacketCost] = {}
        self._twins: dict[tuple[object, ...], int] = {}
        # where memory is stated from packages and nodes at most, PUs of one of both are alike
        self._coarse = all(
            kind_of(str(fact.args[0])) in _COARSE
            for name in ("memory_latency", "memory_bandwidth")
            for fact in costs.machine.facts_of(name)
        )

    def of(self, flow: Flow, ring: Ring, place: Place, pu: int | None) -> PacketCost:
        """Return what a packet of a flow costs at a place, where `pu` consumes."""
        if pu is not None and self._coarse:
            pu = self._twin(pu)
        way = (flow.device, flow.consumer.gpu, flow.forwarded, bool(flow.touched))
        key = (*way, ring.kind, ring.packet, bool(ring.touched), place, pu)
        if key not in self._known:
            self._known[key] = self._of(flow, ring, place, pu)
        return self._known[key]

    def _twin(self, pu: int) -> int:
        machine = self.costs.machine
        return self._twins.setdefault((machine.package_of.get(pu), machine.numa_of_pu[pu]), pu)

    def _of(self, flow: Flow, ring: Ring, place: Place, pu: int | None) -> PacketCost:
        if ring.kind == DESCRIPTORS:
            return self._descriptors(flow, ring, place, pu)
        lines = -(-ring.packet // self.line)
        gpu = flow.consumer.gpu
        if place.at == gpu:
            dma = self._peer_ps(flow.device, gpu, lines)
            return PacketCost(dma, dma if flow.forwarded else 0, 0)
        latency, line = self._transfer(flow.device, place)
        dma = latency + round(line * lines)
        forward = dma if flow.forwarded else 0
        if gpu:
            fetch, each = self._transfer(gpu, Place(place.at))
            back = fetch + round(each * lines)
            # of a packet that is forwarded only, nothing goes to the GPU
            whole = back if ring.touched or not flow.forwarded else 0
            return PacketCost(dma + whole, forward, 0)
        if pu is None:
            return PacketCost(dma, forward, 0)
        latency_ps, least = self._load(pu, place, bool(flow.touched))
        each = max(latency_ps / lines_in_flight(), least)
        return PacketCost(dma, forward, round(lines * each))

    def _descriptors(self, flow: Flow, ring: Ring, place: Place, pu: int | None) -> PacketCost:
        twice = Fraction(2 * ring.packet, self.line)
        latency, line = self._transfer(flow.device, place)
        read = 0
        if pu is not None:
            read = round(twice * self._load(pu, place, touched=True)[0])
        return PacketCost(round(twice * (latency + line)), 0, read)

    def _transfer(self, device: str, place: Place) -> tuple[int, Fraction]:
        """Return latency and time of a line between a device and a place in host memory."""
        key = (device, place)
        if key not in self._dma:
            node = int(str(place.node))
            rate = self.rates.device_mib_s(device)
            if not place.cached:
                rate = min(rate, self.rates.node_mib_s(node))
            links = self.rates.links_mib_s(device, place.at)
            rate = min(rate, links or float("inf"))
            self._dma[key] = (self.costs.dma_ps(device, node), line_ps(self.line, rate))
        return self._dma[key]

    def _peer_ps(self, device: str, gpu: str, lines: int) -> int:
        """Return the time of a packet from one device into the memory of another.

        The latency is stated between the two, else that of the device's access to its own node.
        """
        stated = self.costs.machine.number("latency", device, gpu)
        near = self.costs.machine.numa_of(device)
        if stated is not None:
            latency = to_ps(stated)
        else:
            latency = self.costs.dma_ps(device, near[0]) if near else 0
        rates = [self.rates.device_mib_s(device), self.rates.device_mib_s(gpu)]
        rates += [links for links in [self.rates.links_mib_s(device, gpu)] if links]
        return latency + round(line_ps(self.line, min(rates)) * lines)

    def _load(self, pu: int, place: Place, touched: bool) -> tuple[Fraction, Fraction]:
        """Return the load latency of a PU to a place, and the least time of a line."""
        key = (pu, place, touched)
        if key not in self._loads:
            costs, rates = (self.costs, self.rates) if touched else self.reads
            node = int(str(place.node))
            latency = costs.memory_ps(pu, node)
            rate = rates.memory_mib_s(pu, node)
            if place.cached:
                latency = cached_ps(costs, latency, node)
            self._loads[key] = (Fraction(latency), line_ps(self.line, rate))
        return self._loads[key]


def cached_ps(costs: Costs, latency: int, node: int) -> int:
    """Return what a load takes that the last-level cache of a node answers, in picoseconds.

    The way is that of a load from the node's memory; the memory is left out of it.
    """
    machine = costs.machine
    local = sorted(pu for pu in machine.pus_of(f"numa:{node}"))
    own = costs.memory_ps(local[0], node) if local else latency
    stated = machine.number("cache_latency", "l3")
    cache = to_ps(defaults()["latency_within_ns"]["l3"] if stated is None else stated)
    return max(min(cache, latency), latency - max(0, own - cache))


def lines_in_flight() -> int:
    """Return how many lines a core reads at a time."""
    return int(defaults()["memory"]["lines_in_flight"])


def line_ps(size: int, mib_s: float) -> Fraction:
    """Return the time of so many bytes at a bandwidth, in picoseconds."""
    return Fraction(size * PS_PER_S) / (Fraction(mib_s) * 2**20)


def per_second(flow: Flow, packet_ps: int) -> Fraction:
    """Return ns of latency per second of a cost per packet."""
    return Fraction(flow.packets_per_s * packet_ps) / 1000


def flips(costs: Mapping[Place, PacketCost]) -> tuple[Flip, ...]:
    """Return the corners of the lower envelope strictly between 0 and 1, in order.

    Each later line is flatter, so a corner is the earliest point where a flatter line meets the one
    that is best so far.
    """
    if not costs:
        return ()
    order = {place: rank for rank, place in enumerate(costs)}
    at = min(costs, key=lambda n: (costs[n].fixed_ps, costs[n].full_read_ps, order[n]))
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
        where, _, after = min(corners, key=lambda row: (row[0], row[1].full_read_ps, order[row[2]]))
        if where >= 1:
            return tuple(found)
        found.append(Flip(where, at, after))
        at = after
