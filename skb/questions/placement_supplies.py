"""What a machine has for tasks beside PUs: memory nodes and caches, their room and their
latency.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property

from skb.costs import Costs, defaults
from skb.machine import Machine, kind_of
from skb.questions.placement_latency import Latency

CACHES = ("l5", "l4", "l3", "l2", "l1d")


class Supplies:
    """Memory nodes and last-level caches of the usable part of a machine.

    `assumed` grows with every size, kind and bandwidth that nobody stated, by the key of the
    request that asks for it.
    """

    def __init__(self, machine: Machine, costs: Costs, latency: Latency) -> None:
        self.machine = machine
        self.costs = costs
        self.latency = latency
        self.pus = machine.usable_pus
        self.assumed: dict[str, dict[str, str]] = {}
        self._memory: dict[tuple[int, int], int] = {}

    def memory_kind(self, node: int) -> str:
        stated = self.machine.value("memory_kind", f"numa:{node}")
        if stated is None:
            self._assume("memory_kind", f"memory_kind(numa:{node}) = dram")
        return str(stated or "dram")

    def _assume(self, key: str, fact: str) -> None:
        self.assumed.setdefault(key, {})[fact] = "nobody stated it"

    def memory(self, node: int) -> Fraction | None:
        """Return the bytes of a node; None, taken as enough, where nobody stated its size."""
        size = self.machine.number("memory_size", f"numa:{node}")
        if size is None:
            self._assume("memory_mib", f"memory_size(numa:{node}) is enough")
            return None
        return Fraction(str(size))

    def bandwidth(self, node: int) -> Fraction:
        """Return the bandwidth that a node gives to its own PUs, in bytes per second."""
        stated = [
            Fraction(str(fact.args[-1]))
            for fact in self.machine.facts_of("memory_bandwidth")
            if fact.args[1] == f"numa:{node}" and fact.args[2] in {"access", "read"}
        ]
        if not stated:
            stated = [Fraction(str(defaults()["memory"]["local_bandwidth_mib_s"]))]
            self._assume(
                "bandwidth_mbps", f"memory_bandwidth(numa:{node}) = {float(stated[0]):g} MiB/s"
            )
        return max(stated) * 2**20

    @cached_property
    def cache_of(self) -> dict[int, str]:
        """The last-level cache of known size around each PU; PUs without one are missing."""
        found: dict[int, str] = {}
        for pu in self.pus:
            around = self.machine.ancestors(f"pu:{pu}")
            caches = [at for at in around if self.machine.fact("cache_size", at) is not None]
            caches.sort(key=lambda at: CACHES.index(kind_of(at)) if kind_of(at) in CACHES else 9)
            if caches:
                found[pu] = caches[0]
        return found

    @cached_property
    def caches(self) -> dict[str, Fraction]:
        """The bytes of each last-level cache."""
        return {
            cache: Fraction(str(self.machine.number("cache_size", cache) or 0))
            for cache in sorted(set(self.cache_of.values()))
        }

    @cached_property
    def largest_cache(self) -> Fraction:
        """The bytes of the largest last-level cache, 0 where none is known."""
        return max(self.caches.values(), default=Fraction(0))

    def memory_ps(self, pu: int, node: int) -> int:
        key = (pu if self._fine_memory else self.latency.block_of[pu], node)
        if key not in self._memory:
            self._memory[key] = self.costs.memory_ps(pu, node)
        return self._memory[key]

    @cached_property
    def _fine_memory(self) -> bool:
        """Whether an initiator of a stated memory latency is a core or smaller."""
        initiators = {str(fact.args[0]) for fact in self.machine.facts_of("memory_latency")}
        cores = self.machine.core_of
        return any(
            len({cores[pu] for pu in self.machine.pus_of(at)}) < 2
            for at in initiators
            if kind_of(at) != "numa"
        )

    @cached_property
    def nearest(self) -> dict[int, int | None]:
        """The nearest usable memory node of each PU, the lowest of equals; None without memory."""
        nodes = self.machine.usable_numa
        return {
            pu: min(nodes, key=lambda node: (self.memory_ps(pu, node), node), default=None)
            for pu in self.pus
        }
