"""Latencies between many PUs by blocks of interchangeable cores, instead of a pair table.

Where no pair is stated, a latency depends on the closest common ancestor, the packages and the
nodes (`skb.costs`); cores under one part therefore share their row, and a block stands for all of
them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from skb.costs import Costs
from skb.machine import Machine, kind_of


class Latency:
    """One-way latency in picoseconds between the PUs of a machine, asked for by OS index."""

    def __init__(self, machine: Machine, costs: Costs) -> None:
        self.machine = machine
        self.costs = costs
        self.pairwise = _states_pairs(machine)
        self.block_of = self._blocks()
        self.members: dict[int, list[int]] = defaultdict(list)
        for pu in machine.pus:
            self.members[self.block_of[pu]].append(pu)
        self._known: dict[tuple[int, int], int] = {}
        self._core = machine.core_of
        self._own = costs.own_ps()
        self._near: dict[tuple[str, int], int] = {}

    def _blocks(self) -> dict[int, int]:
        machine = self.machine
        if self.pairwise:
            return {pu: index for index, pu in enumerate(machine.pus)}
        cores: dict[str, set[str]] = defaultdict(set)
        for pu in machine.pus:
            for at in machine.ancestors(f"pu:{pu}"):
                cores[at].add(machine.core_of[pu])
        numbers: dict[tuple[object, ...], int] = {}
        found: dict[int, int] = {}
        for pu in machine.pus:
            around = machine.ancestors(f"pu:{pu}")
            parent = next((at for at in around if len(cores[at]) > 1), "machine:0")
            key = (parent, machine.numa_of_pu[pu], machine.package_of[pu])
            found[pu] = numbers.setdefault(key, len(numbers))
        return found

    def ps(self, first: int, second: int) -> int:
        """Return the latency from one PU to another; a PU's to itself is its first cache."""
        if first == second:
            return self._own
        a, b = self.block_of[first], self.block_of[second]
        if a == b and self._core[first] == self._core[second]:
            a, b = -1 - first, -1 - second
        value = self._known.get((a, b))
        if value is None:
            value = self._known[a, b] = self.costs.latency_ps(first, second)
        return value

    def near_ps(self, pu: int, name: str) -> int:
        """Return the latency from a PU to an object: 0 where local, else to the nearest PU local
        to it.
        """
        key = (name, pu)
        if key not in self._near:
            local = self.machine.pus_of(name)
            self._near[key] = (
                0 if pu in local else min(self.ps(pu, q) for q in self._delegates(pu, local))
            )
        return self._near[key]

    def _delegates(self, pu: int, local: Iterable[int]) -> Iterable[int]:
        own = self.block_of[pu]
        chosen: dict[tuple[int, int], int] = {}
        for q in sorted(local):
            block = self.block_of[q]
            chosen.setdefault((block, q if block == own else -1), q)
        return chosen.values()


def _states_pairs(machine: Machine) -> bool:
    return bool(machine.facts_of("message_cost")) or any(
        kind_of(str(fact.args[0])) == "pu" for fact in machine.facts_of("latency")
    )
