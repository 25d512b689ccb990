"""Where vectors may go and how far that is: admissible PUs, and the latency from device to PU.

A PU in the device's locality is reached in the latency of a DMA access to the nearest memory there;
another one further by the least latency from the locality to the PU's outermost cache, or in what
`dma_latency` states for the memory of the PU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from skb.costs import Costs, to_ps
from skb.decision import Reason
from skb.machine import Machine, index_of, kind_of
from skb.questions.interrupts_queues import Devices, Queue
from skb.questions.interrupts_request import (
    UNLIMITED,
    VECTORS_PER_PU,
    InterruptsRequest,
    pus_of,
)
from skb.wording import counted, spans


@dataclass(slots=True)
class Distances:
    """Latencies from devices to PUs in picoseconds, and the level that both have in common."""

    machine: Machine
    costs: Costs
    _rows: dict[tuple[object, ...], dict[int, int]] = field(default_factory=dict)
    _by_device: dict[str, Mapping[int, int]] = field(default_factory=dict)

    def row(self, device: str) -> Mapping[int, int]:
        """Return the latency from a device to every PU."""
        if device not in self._by_device:
            self._by_device[device] = self._row(device)
        return self._by_device[device]

    def _row(self, device: str) -> Mapping[int, int]:
        stated = self._stated(device)
        home = self.machine.numa_of(device)
        base = min(self.costs.dma_ps(device, node) for node in home or (-1,))
        key = (self.machine.anchor(device), base, *stated.items())
        if key not in self._rows:
            self._rows[key] = self._measured(device, base, stated, frozenset(home))
        return self._rows[key]

    def _stated(self, device: str) -> dict[int, int]:
        found: dict[int, int] = {}
        for at in (device, *self.machine.ancestors(device)):
            for node in self.machine.numa:
                value = self.machine.number("dma_latency", at, f"numa:{node}")
                if value is not None:
                    found.setdefault(node, to_ps(value))
        return found

    def _measured(
        self, device: str, base: int, stated: Mapping[int, int], home: frozenset[int]
    ) -> dict[int, int]:
        machine = self.machine
        local = machine.pus_of(device)
        nearby = self._examples(sorted(local))
        found: dict[int, int] = {}
        steps: dict[object, dict[int, int]] = {}
        for pu in machine.pus:
            nodes = machine.numa_of_pu[pu]
            own = min((stated[node] for node in nodes if node in stated), default=None)
            if pu in local or not nearby:
                found[pu] = base if own is None else own
            elif own is not None and not home.intersection(nodes):
                found[pu] = own
            else:
                step = min(self.costs.latency_ps(at, pu) for at in nearby)
                steps.setdefault(self._domain(pu), {})[pu] = (base if own is None else own) + step
        # what was measured of single pairs differs by noise: the PUs of a cache are equally far
        for row in steps.values():
            found |= dict.fromkeys(row, min(row.values()))
        return found

    def _domain(self, pu: int) -> object:
        """Return the outermost cache around a PU, else its memory and package."""
        machine = self.machine
        caches = [at for at in machine.ancestors(f"pu:{pu}") if kind_of(at) in {"l3", "l4"}]
        return caches[-1] if caches else (machine.package_of[pu], machine.numa_of_pu[pu])

    def _examples(self, local: Sequence[int]) -> list[int]:
        """Return PUs that stand for all of a locality.

        Where no latency of a pair is stated, it depends on the package, the node and the common
        part, which is the same for all PUs of a locality and one outside.
        """
        machine = self.machine
        if machine.facts_of("latency") or machine.facts_of("message_cost"):
            return list(local)
        found: dict[object, int] = {}
        for pu in local:
            found.setdefault((machine.package_of[pu], machine.numa_of_pu[pu][:1]), pu)
        return list(found.values())

    def level(self, device: str, pu: int) -> str:
        """Return the level at which a PU is: "local", the part in common, or hops between."""
        machine = self.machine
        if pu in machine.pus_of(device):
            return "local"
        anchor = machine.anchor(device)
        around = (anchor, *machine.ancestors(anchor))
        common = next(at for at in around if pu in machine.pus_of(at))
        hops = machine.hops(machine.package_around(device), machine.package_of[pu])
        if hops:
            return counted(hops, "hop")
        words = machine.levels(common)
        return words[0] if words else kind_of(common)


@dataclass(frozen=True, slots=True)
class Blocked:
    """PUs that no queue may take, by the constraint that says so."""

    id: str
    text: str
    pus: frozenset[int]


@dataclass
class Places:
    """Admissible PUs of each device, vectors that are there already, and the PUs that are seats."""

    machine: Machine
    request: InterruptsRequest
    devices: Devices
    distances: Distances
    _kept: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _near: dict[str, int | None] = field(default_factory=dict)

    @cached_property
    def vectors_per_pu(self) -> int:
        """How many vectors a PU holds: as asked, else as x86 has them, else without a limit."""
        asked, isa = self.request.limits.vectors_per_pu, self.machine.value("isa", "machine:0")
        if asked is not None:
            return asked
        return VECTORS_PER_PU if isa in {None, "x86", "x86_64"} else UNLIMITED

    @cached_property
    def blocked(self) -> tuple[Blocked, ...]:
        """What keeps queues away from PUs, whatever the device."""
        machine, request = self.machine, self.request
        off = [pu for pu in machine.pus if machine.unusable(f"pu:{pu}")]
        rows = [("off", "cannot be used", frozenset(off))]
        for name, words, listed in (
            ("exclude", "are excluded", request.exclude),
            ("spare", "are kept spare", request.spare),
        ):
            if listed:
                path = f"interrupts request $.{name}"
                rows.append((name, words, pus_of(listed, machine, request.tasks, path)))
        if request.isolated == "avoid":
            alone = {index_of(str(fact.args[0])) for fact in machine.facts_of("isolated")}
            rows.append(("isolated", "are isolated", frozenset(alone)))
        return tuple(Blocked(name, f"{_pus(pus)} {words}", pus) for name, words, pus in rows if pus)

    @cached_property
    def closed(self) -> frozenset[int]:
        return frozenset().union(*(one.pus for one in self.blocked))

    def admissible(self, device: str) -> frozenset[int]:
        """Return the PUs that queues of a device may take."""
        return self.devices.workers[device] - self.closed

    def nobody(self, device: str) -> list[Reason]:
        """Return a minimal set of the constraints that leave a device no PU."""
        if why := self.machine.unusable(device):
            return [Reason(f"off:{device}", why, (device,))]
        workers = self.devices.workers[device]
        kept = list(self.blocked)
        for one in self.blocked:
            others = [other for other in kept if other is not one]
            if workers <= frozenset().union(*(other.pus for other in others)):
                kept = others
        found = [
            Reason(one.id, one.text, tuple(f"pu:{pu}" for pu in sorted(one.pus)[:8]))
            for one in kept
        ]
        text = f"the queues of {device} may only take {_pus(workers)}"
        if len(workers) == len(self.machine.pus):
            text = f"{device} needs a PU for its queues"
        return [Reason(f"workers:{device}", text, (device,)), *found]

    # ------------------------------------------------------------ what is fixed
    @cached_property
    def fixed(self) -> dict[int, int]:
        """PUs of the queues that cannot be moved or are given, by place in the list of queues."""
        required = {}
        for row in self.request.require:
            for name in self.devices.names:
                if row.device in {name, name.partition(":")[2]}:
                    required[name, row.queue] = row.pu
        found = {}
        for place, queue in enumerate(self.devices.queues):
            pu = required.get((queue.device, queue.number))
            if queue.managed:
                found[place] = self.home(queue)
            elif pu is not None:
                found[place] = pu
        return found

    def home(self, queue: Queue) -> int:
        """Return the PU that a vector is at: of several the first that can be used."""
        usable = [pu for pu in queue.now if not self.machine.unusable(f"pu:{pu}")]
        return (usable or list(queue.now))[0]

    @cached_property
    def others(self) -> Counter[int]:
        """Vectors of other devices on each PU, as far as facts tell."""
        asked = {queue.irq for queue in self.devices.queues}
        seen: dict[int, int] = {}
        for fact in self.machine.facts_of("interrupt_pu"):
            irq = int(str(fact.args[0]))
            if irq not in asked:
                seen.setdefault(irq, index_of(str(fact.args[1])))
        return Counter(seen.values())

    # ------------------------------------------------------------ seats
    def choices(self, device: str) -> tuple[int, ...]:
        """Return the PUs that are offered to a device, see `_chosen`."""
        if device not in self._kept:
            self._kept[device] = self._chosen(device)
        return self._kept[device]

    def nearest(self, device: str, otherwise: int) -> int:
        """Return the picoseconds to the nearest PU that is offered to a device."""
        if device not in self._near:
            row = self.distances.row(device)
            self._near[device] = min((row[pu] for pu in self.choices(device)), default=None)
        near = self._near[device]
        return otherwise if near is None else near

    def _chosen(self, device: str) -> tuple[int, ...]:
        """Return the PUs that are offered to a device: with `smt` "one" one of each core, the
        nearest; of equal ones that with room, which most of its vectors have now, most devices may
        take, and the fewest of others have.
        """
        allowed = self.admissible(device)
        if self.request.smt == "all":
            return tuple(sorted(allowed))
        row = self.distances.row(device)
        first: dict[str, int] = {}
        full, held = self.vectors_per_pu, Counter(self.fixed.values())

        def rank(pu: int) -> tuple[int, ...]:
            others = self.others[pu]
            room = min(full - others - held[pu], len(self.devices.queues))
            return row[pu], -room, -self._liked[device, pu], -self._open[pu], others, pu

        for pu in sorted(allowed, key=rank):
            first.setdefault(self.machine.core_of[pu], pu)
        return tuple(sorted(first.values()))

    @cached_property
    def _open(self) -> Counter[int]:
        """How many devices may take a PU."""
        return Counter(pu for name in self.devices.names for pu in self.admissible(name))

    @cached_property
    def _liked(self) -> Counter[tuple[str, int]]:
        """How many vectors of a device that may move are on a PU alone now."""
        rows = enumerate(self.devices.queues)
        free = [queue for at, queue in rows if at not in self.fixed and len(queue.now) == 1]
        return Counter((queue.device, queue.now[0]) for queue in free)

    def stays(self, device: str) -> bool:
        """Tell whether the PU of each core is offered that most vectors of a device have now."""
        if self.request.smt == "all":
            return True
        core_of, liked = self.machine.core_of, self._liked
        offered = {core_of[pu]: liked[device, pu] for pu in self.choices(device)}
        return all(liked[device, pu] <= offered[core_of[pu]] for pu in self.admissible(device))


def _pus(pus: Iterable[int]) -> str:
    numbers = sorted(pus)
    word = "PU" if len(numbers) == 1 else "PUs"
    return f"{word} {spans(numbers)}"
