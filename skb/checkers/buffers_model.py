"""The judge's own reading of a `buffers` request: rings, places, prices, loads and limits.

Latencies and bandwidths are looked up in `skb.costs` and `skb.bandwidth`; formulas and sums are its
own. The defaults of the request are restated here on purpose: the judge shares nothing with the
question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from skb.bandwidth import Bandwidths
from skb.checkers.ways import Walker
from skb.costs import Costs, defaults
from skb.machine import Machine

PACKET_BYTES, BLOCK_BYTES, QUEUE_DEPTH = 1500, 4096, 32
PACKETS_PER_S = 50_000
RING_BYTES = 262_144
HEADER_BYTES = 64
CACHE = "cache of "
Entry = Mapping[str, Any]
# dma, forward and the read of all that is in the ring, in picoseconds
Parts = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Buffer:
    """One ring: bytes in all and of a packet, and the touched share of the latter."""

    kind: str
    size: int
    packet: int
    touched: Fraction


@dataclass(frozen=True, slots=True)
class Stream:
    """A flow as the judge reads it; `pus` may consume, `chosen` says that it is ours to choose."""

    name: str
    device: str
    outgoing: bool
    pus: tuple[int, ...]
    chosen: bool
    task: str
    gpu: str
    touched: Fraction
    forwarded: bool
    split: bool
    rate: Fraction
    ring: int
    depth: int | None
    load: Fraction
    buffers: tuple[Buffer, ...]
    entry: Entry


class Model:
    """Streams, places, prices and limits of one request."""

    def __init__(self, machine: Machine, request: Mapping[str, Any]) -> None:
        self.machine = machine
        self.costs, self.rates = Costs(machine), Bandwidths(machine)
        self.walker = Walker(machine)
        self.line = self.rates.line_bytes()
        self.tasks = {str(task["name"]): task for task in request.get("task", [])}
        self.given = request.get("capacity", [])
        self.streams = [self._stream(entry) for entry in request["flow"]]
        self.limits = self._limits()
        self._ways: dict[tuple[str, str], tuple[int, Fraction]] = {}
        self._reads: dict[tuple[int, str], Fraction] = {}
        self._known: dict[tuple[object, ...], Parts] = {}

    # -------------------------------------------------------------- request
    def _stream(self, entry: Entry) -> Stream:
        device = self._device(str(entry["device"]))
        stored = entry.get("direction") in ("read", "write") or any(
            entry.get(key) for key in ("block_bytes", "queue_depth")
        )
        packet = entry.get("packet_bytes", PACKET_BYTES)
        if stored:
            packet = entry.get("block_bytes") or BLOCK_BYTES
        depth = (entry.get("queue_depth") or QUEUE_DEPTH) if stored else None
        ring = entry.get("ring_bytes", RING_BYTES)
        if depth and ring == RING_BYTES:
            ring = depth * packet
        pus, chosen, task, gpu = self._consumer(entry.get("consumer"))
        if entry.get("pu") is not None:
            pus = tuple(pu for pu in pus if str(pu) == str(entry["pu"]).removeprefix("pu:"))
        touched, forwarded = self._touched(entry, nobody=not pus and not gpu)
        load = entry.get("load")
        if load is None:
            load = int(chosen and not task)
        return Stream(
            name=str(entry["name"]),
            device=device,
            outgoing=entry.get("direction") in ("tx", "write"),
            pus=pus,
            chosen=chosen,
            task=task,
            gpu=gpu,
            touched=touched,
            forwarded=forwarded,
            split=bool(entry.get("header_split")),
            rate=Fraction(str(entry.get("packets_per_s", PACKETS_PER_S))),
            ring=ring,
            depth=depth,
            load=Fraction(str(load)) if pus else Fraction(0),
            buffers=tuple(self._buffers(entry, packet, ring, touched)),
            entry=entry,
        )

    def _device(self, name: str) -> str:
        return name if name.startswith(("device:", "pci:")) else f"device:{name}"

    def _touched(self, entry: Entry, *, nobody: bool) -> tuple[Fraction, bool]:
        packet = entry.get("packet_bytes", PACKET_BYTES)
        pattern = entry.get("pattern")
        if pattern is None and "touched" not in entry:
            pattern = "forward" if nobody else "consume"
        if entry.get("touched") is not None:
            touched = Fraction(str(entry["touched"]))
        elif pattern == "headers":
            touched = Fraction(min(packet, entry.get("header_bytes", HEADER_BYTES)), packet)
        else:
            touched = Fraction(int(pattern == "consume"))
        forwarded = entry.get("forward")
        if forwarded is None:
            forwarded = pattern in ("forward", "headers") or (pattern is None and nobody)
        return touched, bool(forwarded)

    def _buffers(self, entry: Entry, packet: int, ring: int, touched: Fraction) -> list[Buffer]:
        head = entry.get("header_bytes", HEADER_BYTES) if entry.get("header_split") else 0
        found = []
        of_heads = ceil(Fraction(ring * head, packet))
        read = touched * packet
        if head:
            rest = max(Fraction(0), read - head) / (packet - head)
            found.append(Buffer("payload", max(1, ring - of_heads), packet - head, rest))
            found.append(Buffer("headers", of_heads, head, min(Fraction(1), read / head)))
        else:
            found.append(Buffer("payload", ring, packet, touched))
        if size := entry.get("descriptor_bytes", 0):
            found.append(Buffer("descriptors", ceil(ring / packet) * size, size, Fraction(1)))
        return found

    def _consumer(self, given: Any) -> tuple[tuple[int, ...], bool, str, str]:
        if given is None or given == "none":
            return (), False, "", ""
        if isinstance(given, list):
            return self._pus(given), True, "", ""
        text = str(given)
        if text in self.tasks:
            return self._pus(self.tasks[text].get("at", "any")), True, text, ""
        if text.startswith(("device:", "pci:")):
            return (), False, "", text
        bare = text.replace("pu:", "")
        if bare.isdigit():
            return (int(bare),), False, "", ""
        return self._pus([text]), True, "", ""

    def _pus(self, given: Any) -> tuple[int, ...]:
        """Return the PUs of parts and numbers."""
        found: set[int] = set()
        for one in given if isinstance(given, list) else [given]:
            text = str(one).replace("pu:", "")
            if text == "any":
                found |= set(self.machine.usable_pus)
            elif text.isdigit():
                found.add(int(text))
            else:
                found |= self.machine.pus_of(str(one))
        return tuple(sorted(found))

    # -------------------------------------------------------------- limits
    def _limits(self) -> list[tuple[str, str, Fraction]]:
        """Return (what, resource, most) in bytes, bytes per second or PUs."""
        found: list[tuple[str, str, Fraction]] = []
        for entry in self.given:
            name = str(entry["object"])
            if entry.get("bytes") is not None:
                found.append((f"capacity of {name}", f"ring {name}", Fraction(entry["bytes"])))
            if entry.get("cache_bytes") is not None:
                most = Fraction(entry["cache_bytes"])
                found.append((f"cache of {name}", f"llc {name}", most))
            if entry.get("load") is not None:
                found.append((f"load of {name}", f"busy {name}", Fraction(str(entry["load"]))))
            if entry.get("mib_s") is not None:
                most = Fraction(str(entry["mib_s"])) * 2**20
                one = name.startswith("numa:")
                keys = [f"node {name}"] if one else [f"rx {name}", f"tx {name}"]
                found += [(f"bandwidth of {name}", key, most) for key in keys]
        for name, value in self._stated("memory_size"):
            found.append((f"memory of {name}", f"ring {name}", value))
        told = {key for _, key, _ in found}
        for node in self.machine.numa:
            if (rate := self.rates.stated_node_mib_s(node)) is not None:
                found.append((f"numa:{node}", f"node numa:{node}", Fraction(rate) * 2**20))
            if f"llc numa:{node}" not in told:
                share = Fraction(self.cache_share(node))
                found.append((f"cache of numa:{node}", f"llc numa:{node}", share))
        for name, value in self._stated("link_bandwidth"):
            found.append((f"link {name}", name, value * 2**20))
        for name, value in self._stated("pci_link_speed"):
            if value:
                most = value * 10**9
                found += [(f"PCI link of {name}", f"{way} {name}", most) for way in ("rx", "tx")]
        for pu in {pu for one in self.streams for pu in one.pus if one.chosen or one.load}:
            if f"busy pu:{pu}" not in told:
                found.append((f"load of pu:{pu}", f"busy pu:{pu}", Fraction(1)))
        return found

    def _stated(self, predicate: str) -> list[tuple[str, Fraction]]:
        """Return (part, or "part to part", value) of every fact of a predicate."""
        rows = (fact.args for fact in self.machine.facts_of(predicate))
        return [(" to ".join(map(str, args[:-1])), Fraction(str(args[-1]))) for args in rows]

    def cache_share(self, node: int) -> int:
        """Return the bytes of cache at a node that DMA fills: stated, of Intel two ways, else 0."""
        name = f"numa:{node}"
        for entry in self.given:
            if entry["object"] == name and entry.get("cache_bytes") is not None:
                return int(entry["cache_bytes"])
        if (stated := self.machine.value("dma_cache", name)) is not None:
            return int(str(stated))
        package = self.machine.package_around(name)
        if self.machine.value("info", package, "CPUVendor") != "GenuineIntel":
            return 0
        inside = [
            c for c in self.machine.of_kind("l3") if self.machine.package_around(c) == package
        ]
        size = self.machine.value("cache_size", inside[0]) if inside else None
        ways = int(str(self.machine.value("cache_ways", inside[0]) or 20)) if inside else 20
        return 0 if size is None else int(str(size)) * 2 // (ways if ways > 2 else 20)

    # -------------------------------------------------------------- places
    def places(self, flow: Stream, buffer: Buffer) -> list[str]:
        """Return the places that a ring may have by its own constraints, limits left aside."""
        return [name for name in self._all_places(flow, buffer) if self._may(flow, buffer, name)]

    def _all_places(self, flow: Stream, buffer: Buffer) -> list[str]:
        found = [f"numa:{node}" for node in self.machine.numa]
        if not flow.outgoing:
            near = self.machine.numa_of(flow.device)
            found += [f"{CACHE}numa:{node}" for node in near if self.cache_share(node)]
        if flow.gpu and buffer.kind == "payload" and self._peers(flow):
            found.append(flow.gpu)
        return found

    def _peers(self, flow: Stream) -> bool:
        if flow.entry.get("direct") is not None:
            return bool(flow.entry["direct"])
        told = [self.machine.value("info", end, "GPUDirectRDMA") for end in (flow.device, flow.gpu)]
        if "no" in told or "yes" in told:
            return "no" not in told
        around = self.machine.package_around
        return around(flow.device) == around(flow.gpu)

    def _may(self, flow: Stream, buffer: Buffer, place: str) -> bool:
        key = {"payload": "numa_node"}.get(buffer.kind, f"{buffer.kind}_numa_node")
        wanted, refused = flow.entry.get(key), flow.entry.get("not_numa_node")
        node = place.removeprefix(CACHE)
        if wanted is not None and node not in (f"numa:{wanted}", str(wanted)):
            return False
        never = {str(n) for n in (refused if isinstance(refused, list) else [refused])}
        if buffer.kind == "payload" and never & {node, node.removeprefix("numa:")}:
            return False
        if buffer.kind == "payload" and flow.depth:
            dma = self.parts(flow, buffer, place, self._any(flow))[0]
            if flow.rate * dma > flow.depth * 10**12:
                return False
        if not node.startswith("numa:"):
            return True
        kind = self.machine.value("memory_kind", node)
        empty = self.machine.value("memory_size", node) == 0 or kind in ("gpu", "special")
        return not empty and not self.machine.unusable(node)

    def _any(self, flow: Stream) -> int | None:
        return flow.pus[0] if flow.pus else None

    # -------------------------------------------------------------- prices
    def parts(self, flow: Stream, buffer: Buffer, place: str, pu: int | None) -> Parts:
        """Return dma, forward, and the read of all that is in a ring, in picoseconds."""
        way = (flow.device, flow.gpu, flow.forwarded, buffer.kind, buffer.packet)
        key = (*way, bool(buffer.touched), place, pu)
        if key not in self._known:
            self._known[key] = self._parts(flow, buffer, place, pu)
        return self._known[key]

    def _parts(self, flow: Stream, buffer: Buffer, place: str, pu: int | None) -> Parts:
        if buffer.kind == "descriptors":
            latency, line = self._dma(flow.device, place)
            accesses = Fraction(2 * buffer.packet, self.line)
            load = Fraction(0) if pu is None else accesses * self._latency(pu, place)
            return round(accesses * (latency + line)), 0, round(load)
        lines = ceil(buffer.packet / self.line)
        if place == flow.gpu:
            dma = self._peer(flow.device, flow.gpu, lines)
            return dma, dma * flow.forwarded, 0
        latency, line = self._dma(flow.device, place)
        dma = latency + round(lines * line)
        forward = dma * flow.forwarded
        if flow.gpu:
            if buffer.touched or not flow.forwarded:
                fetch, each = self._dma(flow.gpu, place.removeprefix(CACHE))
                dma += fetch + round(lines * each)
            return dma, forward, 0
        if pu is None:
            return dma, forward, 0
        return dma, forward, round(lines * self._line_read(pu, place))

    def _line_read(self, pu: int, place: str) -> Fraction:
        """Return what a line costs a core that reads many, in picoseconds."""
        if (pu, place) not in self._reads:
            inflight = int(defaults()["memory"]["lines_in_flight"])
            slow = self._time(self.rates.memory_mib_s(pu, int(place.rpartition(":")[2])))
            self._reads[pu, place] = max(self._latency(pu, place) / inflight, slow)
        return self._reads[pu, place]

    def _dma(self, device: str, place: str) -> tuple[int, Fraction]:
        if (device, place) not in self._ways:
            self._ways[device, place] = self._dma_way(device, place)
        return self._ways[device, place]

    def _dma_way(self, device: str, place: str) -> tuple[int, Fraction]:
        name = place.removeprefix(CACHE)
        node = int(name.partition(":")[2])
        stages = [self.rates.device_mib_s(device), self.rates.links_mib_s(device, name)]
        if name == place:
            stages.append(self.rates.node_mib_s(node))
        return self.costs.dma_ps(device, node), self._time(min(s for s in stages if s))

    def _peer(self, device: str, gpu: str, lines: int) -> int:
        rates = self.rates
        stages = [rates.device_mib_s(device), rates.device_mib_s(gpu)]
        stages.append(rates.links_mib_s(device, gpu) or stages[0])
        stated = self.machine.number("latency", device, gpu)
        near = self.machine.numa_of(device)
        latency = self.costs.dma_ps(device, near[0]) if near else 0
        if stated is not None:
            latency = round(stated * 1000)
        return latency + round(lines * self._time(min(stages)))

    def _latency(self, pu: int, place: str) -> Fraction:
        node = int(place.rpartition(":")[2])
        whole = self.costs.memory_ps(pu, node)
        if not place.startswith(CACHE):
            return Fraction(whole)
        stated = self.machine.number("cache_latency", "l3")
        hit = round(1000 * (defaults()["latency_within_ns"]["l3"] if stated is None else stated))
        own = sorted(self.machine.pus_of(f"numa:{node}"))
        local = self.costs.memory_ps(own[0], node) if own else whole
        saved = max(0, local - hit)
        return Fraction(max(whole - saved, min(hit, whole)))

    def _time(self, mib_s: float) -> Fraction:
        """Return the picoseconds of a line."""
        return Fraction(10**12 * self.line, 2**20) / Fraction(mib_s)

    def terms(
        self, flow: Stream, buffer: Buffer, place: str, pu: int | None
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Return dma, read and forward of a ring, in ns/s."""
        dma, forward, whole = self.parts(flow, buffer, place, pu)
        touched = buffer.touched
        read = whole * int(touched) if touched in (0, 1) else round(whole * touched)
        scale = flow.rate / 1000
        return dma * scale, read * scale, forward * scale

    def price(self, flow: Stream, buffer: Buffer, place: str, pu: int | None) -> Fraction:
        dma, forward, whole = self.parts(flow, buffer, place, pu)
        touched = buffer.touched
        read = whole * int(touched) if touched in (0, 1) else round(whole * touched)
        return (dma + forward + read) * flow.rate / 1000
