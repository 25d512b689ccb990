"""What a ring takes of memory, controllers, links and PUs at a place, and what these give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from skb.bandwidth import Bandwidths
from skb.decision import Reason
from skb.questions.buffers_price import DESCRIPTORS
from skb.questions.buffers_request import Capacity, Flow, whole
from skb.questions.buffers_rings import PciWay, Place, Ring, Sites

Amounts = dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a resource gives at most, in bytes, bytes per second or PUs, and who says so."""

    id: str
    resource: str
    limit: Fraction


class Ways:
    """Which resources a ring uses at a place, and how much; ways asked once are kept."""

    def __init__(self, rates: Bandwidths, limited: set[str]) -> None:
        self._rates = rates
        self._limited = limited
        self._chains: dict[str, list[str]] = {}
        self._routes: dict[tuple[str, str], list[str]] = {}
        self._known: dict[tuple[object, ...], dict[str, tuple[int, int]]] = {}
        self._packages: dict[int, str] = {}

    def uses(
        self, flow: Flow, ring: Ring, places: Sequence[Place], pu: int | None
    ) -> list[Amounts]:
        """Return the amounts of each resource that a ring takes at each of some places."""
        at = "" if pu is None else self._around(pu)
        way = (flow.device, flow.consumer.gpu, flow.forwarded, flow.outgoing)
        key = (*way, ring.kind, bool(ring.touched), at)
        moved = whole(flow.packets_per_s * ring.packet)
        read = whole(moved * ring.touched)
        size = whole(Fraction(ring.bytes))
        rows = []
        for place in places:
            known = self._known.get((key, place))
            if known is None:
                known = self._known[key, place] = self._of_a_byte(flow, ring, place, pu)
            found = {f"memory {place.at}": size}
            if place.cached:
                found[f"cache {place.at}"] = size
            for name, (always, touched) in known.items():
                if amount := always * moved + touched * read:
                    found[name] = amount
            rows.append(found)
        return rows

    def _around(self, pu: int) -> str:
        if pu not in self._packages:
            self._packages[pu] = self._rates.machine.package_around(f"pu:{pu}")
        return self._packages[pu]

    def _of_a_byte(
        self, flow: Flow, ring: Ring, place: Place, pu: int | None
    ) -> dict[str, tuple[int, int]]:
        """Return what a byte takes of each resource, and what it takes more where it is touched."""
        # a GPU fetches all or nothing, so only what it does counts
        least = ring.touched and Fraction(1) if flow.consumer.gpu else Fraction(0)
        none = self._of_a_packet(flow, replace(ring, packet=1, touched=least), place, pu)
        every = self._of_a_packet(flow, replace(ring, packet=1, touched=Fraction(1)), place, pu)
        if flow.consumer.gpu:
            every = none
        return {
            name: (int(none.get(name, 0)), int(every.get(name, 0) - none.get(name, 0)))
            for name in {**none, **every}
        }

    def _of_a_packet(self, flow: Flow, ring: Ring, place: Place, pu: int | None) -> Amounts:
        size = Fraction(ring.packet)
        load: Amounts = defaultdict(Fraction)
        if ring.kind == DESCRIPTORS:
            # each side fetches and writes back: the device both ways, the consumer the same
            into = out = size
            read, back = (2 * size, 0) if pu is not None else (0, 0)
            self._device(load, flow.device, place, into, out)
            if not place.cached:
                load[f"bandwidth {place.at}"] += into + out + read
            self._consumer(load, flow, place, pu, Fraction(read) / 2, Fraction(read) / 2 + back)
            return self._kept(load)
        again = size if flow.forwarded else Fraction(0)
        into, out = (again, size) if flow.outgoing else (size, again)
        gpu = flow.consumer.gpu
        if place.at == gpu:
            self._peers(load, flow.device, gpu, into, out)
            return self._kept(load)
        self._device(load, flow.device, place, into, out)
        if gpu:
            read = size if ring.touched or not flow.forwarded else Fraction(0)
            ways = (read, Fraction(0)) if flow.outgoing else (Fraction(0), read)
            self._device(load, gpu, place, *ways)
        else:
            read = size * ring.touched
            ways = (Fraction(0), read) if flow.outgoing else (read, Fraction(0))
            self._consumer(load, flow, place, pu, *ways)
        if not place.cached:
            load[f"bandwidth {place.at}"] += size + again + read
        return self._kept(load)

    def _kept(self, load: Amounts) -> Amounts:
        return {resource: whole(amount) for resource, amount in load.items() if amount}

    def _device(
        self, load: Amounts, device: str, place: Place, into: Fraction, out: Fraction
    ) -> None:
        """Add what DMA carries into memory and out of it."""
        for at in self._chain(device):
            load[f"in {at}"] += into
            load[f"out {at}"] += out
        self._links(load, device, place.at, into)
        self._links(load, place.at, device, out)

    def _consumer(
        self,
        load: Amounts,
        flow: Flow,
        place: Place,
        pu: int | None,
        to_pu: Fraction,
        from_pu: Fraction,
    ) -> None:
        if pu is not None:
            self._links(load, place.at, f"pu:{pu}", to_pu)
            self._links(load, f"pu:{pu}", place.at, from_pu)

    def _peers(self, load: Amounts, device: str, gpu: str, into: Fraction, out: Fraction) -> None:
        """Add what goes between two devices: no further up than to the bridge that joins them."""
        own, peer = PciWay(self._rates.machine, device, gpu).parts
        for at in self._shared(own):
            load[f"in {at}"] += into
            load[f"out {at}"] += out
        for at in self._shared(peer):
            load[f"out {at}"] += into
            load[f"in {at}"] += out
        self._links(load, device, gpu, into)
        self._links(load, gpu, device, out)

    def _chain(self, device: str) -> list[str]:
        if device not in self._chains:
            above = (device, *self._rates.machine.ancestors(device))
            self._chains[device] = self._shared(above)
        return self._chains[device]

    def _shared(self, parts: Iterable[str]) -> list[str]:
        """Return the PCI links that state a speed, and what the user limits."""
        machine = self._rates.machine
        return [at for at in parts if at in self._limited or machine.number("pci_link_speed", at)]

    def _links(self, load: Amounts, first: str, second: str, rate: Fraction) -> None:
        if not rate:
            return
        key = (first, second)
        if key not in self._routes:
            self._routes[key] = [f"link {a} {b}" for a, b in self._rates.route(first, second)]
        for resource in self._routes[key]:
            load[resource] += rate


def limits_of(
    rates: Bandwidths, capacities: Sequence[Capacity], sites: Sites, loads: Iterable[int]
) -> tuple[list[Limit], dict[str, Reason]]:
    """Return all limits, and each in words; `loads` are the PUs that we choose from."""
    machine = rates.machine
    limits: list[Limit] = []
    reasons: dict[str, Reason] = {}

    def add(name: str, text: str, items: tuple[str, ...], limit: Fraction, *resources: str) -> None:
        reasons[name] = Reason(name, text, items)
        limits.extend(Limit(name, resource, limit) for resource in resources)

    for number, one in enumerate(capacities):
        shared = [f"{way} {one.object}" for way in ("in", "out")]
        simple = one.of in ("memory", "cache", "load") or one.object.startswith("numa:")
        wanted = [f"{one.of} {one.object}"] if simple else shared
        add(f"capacity:{number}", one.text, (one.object,), one.limit, *wanted)
    for fact in machine.facts_of("memory_size"):
        name, size = str(fact.args[0]), Fraction(str(fact.args[1]))
        add(f"memory:{name}", f"{name} has {size} bytes", (name,), size, f"memory {name}")
    given = {one.object for one in capacities if one.of == "cache"}
    for node in machine.numa:
        name = f"numa:{node}"
        rate = rates.stated_node_mib_s(node)
        if rate is not None:
            text = f"the memory of {name} gives {rate:g} MiB/s"
            add(f"bandwidth:{name}", text, (name,), Fraction(rate) * 2**20, f"bandwidth {name}")
        if name not in given and (share := sites.shared.get(node)):
            text = f"DMA may fill {share} bytes of the caches at {name}"
            add(f"cache:{name}", text, (name,), Fraction(share), f"cache {name}")
    for fact in machine.facts_of("link_bandwidth"):
        a, b, most = str(fact.args[0]), str(fact.args[1]), Fraction(str(fact.args[2]))
        text = f"the link from {a} to {b} carries {float(most):g} MiB/s"
        add(f"link:{a}>{b}", text, (a, b), most * 2**20, f"link {a} {b}")
    for fact in machine.facts_of("pci_link_speed"):
        at, speed = str(fact.args[0]), Fraction(str(fact.args[1]))
        if speed:
            text = f"the PCI link of {at} carries {float(speed):g} GB/s in each direction"
            add(f"pci:{at}", text, (at,), speed * 10**9, f"in {at}", f"out {at}")
    told = {one.object for one in capacities if one.of == "load"}
    for pu in loads:
        if f"pu:{pu}" not in told:
            text = f"pu:{pu} carries a load of 1"
            add(f"load:pu:{pu}", text, (f"pu:{pu}",), Fraction(1), f"load pu:{pu}")
    return limits, reasons
