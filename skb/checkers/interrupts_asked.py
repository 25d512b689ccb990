"""The request of `interrupts` as its judge reads it: who may go where, how far, with which load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from skb.costs import Costs, to_ps
from skb.machine import Machine

VECTORS_PER_PU = 200
Row = Mapping[str, Any]


@dataclass
class Asked:
    """The request as the judge reads it."""

    machine: Machine
    request: Row
    rows: list[Row]

    def __post_init__(self) -> None:
        self.vectors = Counter(row["device"] for row in self.rows)
        self.irqs = {row["irq"] for row in self.rows}
        self.costs = Costs(self.machine)
        self.limits = self.request.get("limits", {})
        self.spill = self.request.get("spill", "share")
        self.one = self.request.get("smt", "one") == "one"
        self._far: dict[str, dict[int, int]] = {}

    # ------------------------------------------------------------ what was asked
    @cached_property
    def asked(self) -> dict[str, Row]:
        """The devices of the request, or all that have queues."""
        rows: list[Row] = self.request.get("device") or [
            {"name": name}
            for name in {str(fact.args[0]) for fact in self.machine.facts_of("device_queues")}
        ]
        return {self.name(str(row["name"])): row for row in rows}

    def name(self, text: str) -> str:
        tries = (text, f"device:{text}", f"pci:{text}", f"pci:0000:{text}")
        return next((t for t in tries if ":" in t and self.machine.has(t)), text)

    def pus(self, place: Any) -> set[int]:
        """Return the PUs that a place of the request names."""
        if place == "near":
            return set(self.machine.pus)
        tasks = self.request.get("tasks", {})
        found: set[int] = set()
        for one in place if isinstance(place, list) else [place]:
            if str(one) in tasks:
                task = tasks[str(one)]
                found |= set(task if isinstance(task, list) else task["pus"])
            elif str(one).isdigit():
                found.add(int(one))
            else:
                found |= self.machine.pus_of(str(one))
        return found

    @cached_property
    def closed(self) -> set[int]:
        """PUs that no free queue may take."""
        found = {pu for pu in self.machine.pus if self.machine.unusable(f"pu:{pu}")}
        for key in ("exclude", "spare"):
            if self.request.get(key):
                found |= self.pus(self.request[key])
        if self.request.get("isolated", "avoid") == "avoid":
            alone = (str(fact.args[0]) for fact in self.machine.facts_of("isolated"))
            found |= {int(name.partition(":")[2]) for name in alone}
        return found

    def open(self, device: str) -> set[int]:
        """Return the PUs that a free queue of a device may take."""
        workers = self.asked[device].get("workers")
        if workers is None:
            workers = self.request.get("workers", "near")
        return self.pus(workers) - self.closed

    def required(self, row: Row) -> int | None:
        for one in self.request.get("require", []):
            if self.name(one["device"]) == row["device"] and one["queue"] == row["queue"]:
                return int(one["pu"])
        return None

    def managed(self, irq: int | None) -> bool:
        stated = irq is not None and self.machine.fact("interrupt_managed", irq) is not None
        return stated or irq in self.request.get("managed", [])

    def free(self, row: Row) -> bool:
        return not self.managed(row["irq"]) and self.required(row) is None

    def now(self, irq: int | None) -> set[int] | None:
        """Return the PUs that get an interrupt at present, None where nobody says."""
        if irq is None:
            return None
        given = self.request.get("current", {}).get("affinity", {}).get(str(irq))
        if given is not None:
            return _listed(given)
        facts = (f.args for f in self.machine.facts_of("interrupt_pu"))
        pus = {str(pu) for number, pu in facts if number == irq}
        return {int(pu[3:]) for pu in pus if self.machine.has(pu)} or None

    # ------------------------------------------------------------ distance
    def far(self, device: str) -> dict[int, int]:
        """Return the picoseconds from a device to each PU, over every PU of its locality."""
        if device not in self._far:
            self._far[device] = self._walk(device)
        return self._far[device]

    def _walk(self, device: str) -> dict[int, int]:
        machine = self.machine
        local = machine.pus_of(device)
        home = set(machine.numa_of(device))
        base = min(self.costs.dma_ps(device, node) for node in home or {-1})
        found = {}
        groups: dict[Any, list[int]] = {}
        for pu in machine.pus:
            nodes = machine.numa_of_pu[pu]
            stated = [ps for node in nodes if (ps := self._dma(device, node)) is not None]
            start = min(stated, default=base)
            inside = pu in local or not local or (stated and not home & set(nodes))
            step = 0 if inside else min(self.costs.latency_ps(at, pu) for at in local)
            found[pu] = start + step
            if not inside:
                above = machine.ancestors(f"pu:{pu}")
                cache = [at for at in above if at.partition(":")[0] in {"l3", "l4"}]
                shared = cache[-1] if cache else (nodes, machine.package_of[pu])
                groups.setdefault(shared, []).append(pu)
        for pus in groups.values():
            nearest = min(found[pu] for pu in pus)
            found |= dict.fromkeys(pus, nearest)
        return found

    def _dma(self, device: str, node: int) -> int | None:
        for at in (device, *self.machine.ancestors(device)):
            value = self.machine.number("dma_latency", at, f"numa:{node}")
            if value is not None:
                return to_ps(value)
        return None

    def load(self, row: Row) -> Fraction:
        one = self.asked[row["device"]]
        load = one.get("load")
        if isinstance(load, list):
            return Fraction(str(load[row["queue"]]))
        if one.get("packets_per_s") is not None:
            return Fraction(str(one["packets_per_s"])) / self.vectors[row["device"]]
        return Fraction(1) if load is None else Fraction(str(load))

    @cached_property
    def limit(self) -> int:
        stated, isa = self.limits.get("vectors_per_pu"), self.machine.value("isa", "machine:0")
        if stated is not None:
            return int(stated)
        # only x86 has vectors of its own in each PU
        return VECTORS_PER_PU if isa in {None, "x86", "x86_64"} else 10**9

    @cached_property
    def others(self) -> Counter[int]:
        """Vectors of what was not asked for."""
        first: dict[int, int] = {}
        for fact in self.machine.facts_of("interrupt_pu"):
            irq = int(str(fact.args[0]))
            if irq not in self.irqs:
                first.setdefault(irq, int(str(fact.args[1])[3:]))
        return Counter(first.values())

    def offered(self, device: str) -> set[int]:
        mine, far = self.open(device), self.far(device)
        if self.spill not in {"refuse", "other-package"} or not mine:
            return mine
        near = {pu for pu in mine if far[pu] == min(far[at] for at in mine)}
        own = {self.machine.package_of[pu] for pu in near}
        others = {pu for pu in mine if self.machine.package_of[pu] not in own}
        return near | (others if self.spill == "other-package" else set())


def _listed(value: Any) -> set[int]:
    """Return the PUs of an affinity in the request."""
    if isinstance(value, int):
        return {value}
    if isinstance(value, list):
        return set(value)
    found: set[int] = set()
    for part in str(value).split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
