"""What every placement on one machine stands on: latencies, supplies, and tables of its PUs.

It is the same for all requests, so whoever answers many of them on one machine makes it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from skb.costs import Costs
from skb.machine import ROOT, Machine, kind_of
from skb.questions.placement_latency import Latency
from skb.questions.placement_load import loads
from skb.questions.placement_supplies import Supplies
from skb.wording import counted


class Ground:
    """A machine as placements see it; the tables grow with what is asked for."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.costs = Costs(machine)
        self.latency = Latency(machine, self.costs)
        # apart, so that `assumed` can tell latencies of messages from those of memory
        self.memory_costs = Costs(machine)
        self.supplies = Supplies(machine, self.memory_costs, self.latency)
        self.pus = machine.usable_pus
        self.usable = frozenset(self.pus)
        self._local: dict[tuple[str, ...], frozenset[int]] = {}
        self._objects: dict[str, dict[int, str]] = {}
        self._sizes: dict[frozenset[int], str] = {}
        self._parts: dict[frozenset[int], frozenset[int]] = {}
        self._worded: dict[tuple[str, str], frozenset[int]] = {}
        self._others: dict[frozenset[int], frozenset[int]] = {}

    @cached_property
    def core_pus(self) -> dict[str, tuple[int, ...]]:
        """All PUs of each core, also those that cannot be used."""
        found: dict[str, list[int]] = {}
        for pu in self.machine.pus:
            found.setdefault(self.machine.core_of[pu], []).append(pu)
        return {core: tuple(pus) for core, pus in found.items()}

    @cached_property
    def complete(self) -> frozenset[str]:
        """The cores all of whose PUs can be used."""
        return frozenset(c for c, pus in self.core_pus.items() if self.usable.issuperset(pus))

    @cached_property
    def loads(self) -> dict[int, tuple[str, float]]:
        """The part whose load counts for each PU of known load, and its percent."""
        return loads(self.machine)

    @cached_property
    def isa(self) -> dict[int, str]:
        return {pu: str(self.machine.inherited("isa", f"pu:{pu}") or "") for pu in self.pus}

    @cached_property
    def core_kind(self) -> dict[int, str]:
        return {
            pu: str(self.machine.value("core_kind", self.machine.core_of[pu]) or "")
            for pu in self.pus
        }

    def local(self, names: Iterable[str]) -> frozenset[int]:
        """Return the PUs that any of these parts holds or is local to."""
        key = tuple(names)
        if key not in self._local:
            self._local[key] = frozenset().union(*(self.machine.pus_of(name) for name in key))
        return self._local[key]

    def others(self, pus: frozenset[int]) -> frozenset[int]:
        """Return all PUs but these."""
        if pus not in self._others:
            self._others[pus] = frozenset(self.machine.pus) - pus
        return self._others[pus]

    def part(self, pus: frozenset[int]) -> frozenset[int]:
        """Return those of the PUs that can be used."""
        if pus not in self._parts:
            self._parts[pus] = self.usable & pus
        return self._parts[pus]

    def worded(self, key: str, word: str) -> frozenset[int]:
        """Return the usable PUs of an instruction set (`isa`) or kind of core (`kind`)."""
        if (key, word) not in self._worded:
            table = self.isa if key == "isa" else self.core_kind
            self._worded[key, word] = frozenset(pu for pu, value in table.items() if value == word)
        return self._worded[key, word]

    @cached_property
    def words(self) -> dict[str, str]:
        """What instruction sets and kinds of cores there are, in words."""
        tables = {"isa": self.isa, "kind": self.core_kind}
        return {
            key: ", ".join(sorted({value for value in table.values() if value})) or "none stated"
            for key, table in tables.items()
        }

    def size(self, pus: frozenset[int]) -> str:
        """Return how many usable cores and PUs a set has, in words."""
        if pus not in self._sizes:
            usable = self.usable & pus
            touched = {self.machine.core_of[pu] for pu in usable}
            cores = sum(1 for core in touched if usable.issuperset(self.core_pus[core]))
            many = counted(cores, "usable core"), counted(len(usable), "usable PU")
            self._sizes[pus] = ", ".join(many)
        return self._sizes[pus]

    def objects(self, level: str) -> dict[int, str]:
        """Return the object of a level around each usable PU; a PU without one counts by its
        core.
        """
        if level not in self._objects:
            self._objects[level] = self._objects_of(level)
        return self._objects[level]

    def _objects_of(self, level: str) -> dict[int, str]:
        machine = self.machine
        if level == "machine":
            return dict.fromkeys(self.pus, ROOT)
        if level == "numa":
            nodes = machine.numa_of_pu
            return {pu: f"numa:{nodes[pu][0]}" if nodes[pu] else ROOT for pu in self.pus}
        if level == "package":
            return {pu: machine.package_of[pu] for pu in self.pus}
        return {
            pu: next(
                (at for at in machine.ancestors(f"pu:{pu}") if kind_of(at) == level),
                machine.core_of[pu],
            )
            for pu in self.pus
        }
