"""How far the PUs of a load are from each other: each kind of pair is looked up once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skb.costs import Costs
from skb.machine import Machine


class Far:
    """Latencies, each kind of pair asked for once: PUs of two places, which are not one core."""

    def __init__(self, machine: Machine) -> None:
        self.costs = Costs(machine)
        self.core = machine.core_of
        stated = machine.facts_of("latency") or machine.facts_of("message_cost")
        cores: dict[str, set[str]] = {}
        for core in set(self.core.values()):
            for at in machine.ancestors(core):
                cores.setdefault(at, set()).add(core)
        self.place: dict[int, object] = {}
        for pu in machine.pus:
            # what is around one core alone is no place that it shares
            around = [at for at in machine.ancestors(self.core[pu]) if len(cores[at]) > 1]
            place = (tuple(around), machine.numa_of_pu[pu], machine.package_of[pu])
            self.place[pu] = pu if stated else place
        self.known: dict[tuple[object, object, bool], int] = {}

    def pairs(self, pus: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield a pair of PUs of each kind that there is among some, both ways."""
        members: dict[object, list[int]] = {}
        for pu in pus:
            members.setdefault(self.place[pu], []).append(pu)
        for first, here in members.items():
            for second, there in members.items():
                if first != second:
                    yield here[0], there[0]
            cores = [self.core[pu] for pu in here]
            for at, pu in enumerate(here):
                other = cores.index(cores[at])
                if other != at:
                    yield here[other], pu
                elif at:
                    yield here[0], pu

    def ps(self, a: int, b: int) -> int:
        """Return the latency between two PUs in picoseconds."""
        key = (self.place[a], self.place[b], self.core[a] == self.core[b])
        if key not in self.known:
            self.known[key] = self.costs.latency_ps(a, b)
        return self.known[key]
