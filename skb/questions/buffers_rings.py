"""The rings of a flow, and the places where each may lie.

A flow has a payload ring; with a header split also a ring of headers; with descriptors also a ring
of descriptors. A place is the memory of a NUMA node, the same with the ring held in the share of
the last-level cache that DMA may fill, or the memory of the GPU that consumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from skb.costs import defaults
from skb.decision import Assumption
from skb.machine import Machine
from skb.questions.buffers_request import Capacity, Flow

NO_BUFFERS = ("gpu", "special")
# Intel's Data Direct I/O fills two ways of the last-level cache where nobody changed it
_DMA_WAYS, _WAYS = 2, 20
_INTEL = "GenuineIntel"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ring lies: an object, and whether the cache holds it."""

    at: str
    cached: bool = False

    @property
    def node(self) -> int | None:
        """The NUMA node; None in a GPU."""
        kind, _, number = self.at.partition(":")
        return int(number) if kind == "numa" else None

    @property
    def name(self) -> str:
        return f"cache of {self.at}" if self.cached else self.at


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring: its bytes, its bytes of a packet, and the share of those that are touched."""

    kind: str
    bytes: int
    packet: int
    touched: Fraction


def rings_of(flow: Flow) -> tuple[Ring, ...]:
    """Return the rings of a flow; headers are touched before payload."""
    found = []
    if flow.split_bytes:
        head, size = flow.split_bytes, flow.packet_bytes
        heads = -(-flow.ring_bytes * head // size)
        wanted = flow.touched * size
        first = min(Fraction(1), wanted / head)
        rest = max(Fraction(0), (wanted - head) / (size - head))
        found = [
            Ring("payload", max(1, flow.ring_bytes - heads), size - head, rest),
            Ring("headers", heads, head, first),
        ]
    else:
        found = [Ring("payload", flow.ring_bytes, flow.packet_bytes, flow.touched)]
    if flow.descriptor_bytes:
        entries = -(-flow.ring_bytes // flow.packet_bytes)
        size = flow.descriptor_bytes
        found.append(Ring("descriptors", entries * size, size, Fraction(1)))
    return tuple(found)


def unavailable(machine: Machine, node: int) -> str:
    """Return why a node holds no buffers, or an empty string."""
    name = f"numa:{node}"
    if reason := machine.unusable(name):
        return reason
    if machine.value("memory_size", name) == 0:
        return f"{name} has no memory"
    kind = machine.value("memory_kind", name)
    return f"{name} is {kind} memory" if kind in NO_BUFFERS else ""


class Sites:
    """The places of a machine: nodes, their shares of cache, and GPUs that devices reach."""

    def __init__(self, machine: Machine, capacities: Sequence[Capacity]) -> None:
        self.machine = machine
        self._assumed: dict[str, str] = {}
        self._given = {one.object: one.limit for one in capacities if one.of == "cache"}
        self._shares: dict[int, int] = {}

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        return tuple(Assumption(fact, why) for fact, why in sorted(self._assumed.items()))

    @property
    def shared(self) -> Mapping[int, int]:
        """The shares of cache that were asked for, by node."""
        return self._shares

    def places(self, flow: Flow, ring: Ring) -> list[Place]:
        """Return the places of a ring, without regard to what the user forbids."""
        machine = self.machine
        found = [Place(f"numa:{node}") for node in machine.numa]
        if not flow.outgoing:
            near = machine.numa_of(flow.device)
            found += [Place(f"numa:{node}", cached=True) for node in near if self.share(node)]
        if ring.kind == "payload" and flow.consumer.gpu and self.direct(flow):
            found.append(Place(flow.consumer.gpu))
        return found

    def share(self, node: int) -> int:
        """Return how many bytes of the last-level cache at a node DMA may fill: stated by the user
        or a fact, else of Intel's packages two ways, else none.
        """
        if node not in self._shares:
            self._shares[node] = self._share(node)
            if self._shares[node] and self.machine.number("cache_latency", "l3") is None:
                hit = defaults()["latency_within_ns"]["l3"]
                self._assumed[f"cache_latency(l3) = {hit:g} ns"] = (
                    f"nobody stated it; {defaults()['source']}"
                )
        return self._shares[node]

    def _share(self, node: int) -> int:
        name, machine = f"numa:{node}", self.machine
        if name in self._given:
            return int(self._given[name])
        stated = machine.value("dma_cache", name)
        if stated is not None:
            return int(str(stated))
        package = machine.package_around(name)
        vendor = machine.value("info", package, "CPUVendor")
        last = [one for one in machine.of_kind("l3") if machine.package_around(one) == package]
        size = machine.value("cache_size", last[0]) if last else None
        if vendor != _INTEL or size is None:
            self._assumed.setdefault(
                "no DMA into caches", "nobody stated a share (dma_cache, or cache_bytes)"
            )
            return 0
        ways = int(str(machine.value("cache_ways", last[0]) or 0))
        share = int(str(size)) * _DMA_WAYS // (ways if ways > _DMA_WAYS else _WAYS)
        self._assumed.setdefault(
            f"dma_cache({name}) = {share} bytes",
            f"nobody stated it; Data Direct I/O fills {_DMA_WAYS} ways of the last-level cache",
        )
        return share

    def direct(self, flow: Flow) -> bool:
        """Return whether the device may write the GPU's memory: as asked, as told of either, else
        where one package's root complex joins both.
        """
        gpu, machine = flow.consumer.gpu, self.machine
        if flow.direct is not None:
            return flow.direct
        told = {machine.value("info", end, "GPUDirectRDMA") for end in (flow.device, gpu)}
        if "no" in told:
            return False
        if "yes" in told:
            return True
        joined = machine.package_around(flow.device) == machine.package_around(gpu)
        self._assumed.setdefault(
            f"direct({flow.device}, {gpu}) = {'yes' if joined else 'no'}",
            "nobody stated whether the device reaches the GPU's memory; of one package it does",
        )
        return joined


@dataclass(frozen=True)
class PciWay:
    """The PCI parts above two devices, up to the bridge that joins them."""

    machine: Machine
    first: str
    second: str

    @cached_property
    def parts(self) -> tuple[list[str], list[str]]:
        one = [self.first, *self.machine.ancestors(self.first)]
        two = [self.second, *self.machine.ancestors(self.second)]
        joint = set(one) & set(two)
        return ([at for at in one if at not in joint], [at for at in two if at not in joint])
