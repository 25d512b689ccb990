"""How much per second flows between devices, nodes and PUs: bandwidths of a snapshot, in MiB/s.

Stated numbers come first; what nobody stated is taken from `facts/defaults.toml` and kept in
`assumed`.
"""

from __future__ import annotations

from itertools import pairwise

from skb.costs import defaults
from skb.decision import Assumption
from skb.machine import Machine


class Bandwidths:
    """Bandwidths of one machine; `assumed` grows with every number that nobody stated."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._assumed: dict[str, str] = {}

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        return tuple(Assumption(fact, why) for fact, why in sorted(self._assumed.items()))

    def _assume(self, fact: str, why: str) -> None:
        self._assumed.setdefault(fact, why)

    def line_bytes(self) -> int:
        """Return the size of a cache line, the largest that a cache states."""
        stated = [int(str(fact.args[-1])) for fact in self.machine.facts_of("cache_line")]
        if any(stated):
            return max(stated)
        size = int(defaults()["memory"]["line_bytes"])
        self._assume(f"cache_line = {size} bytes", "nobody stated it")
        return size

    def route(self, first: str, second: str) -> tuple[tuple[str, str], ...]:
        """Return the links between the packages of two parts: by the tables in force, else the
        first shortest path.
        """
        machine = self.machine
        at, end = machine.package_around(first), machine.package_around(second)
        if broken := machine.ways.broken_assumption(at, end):
            self._assume(*broken)
        return tuple(pairwise(machine.ways.path(at, end)))

    def links_mib_s(self, first: str, second: str) -> float | None:
        """Return the bandwidth of the slowest link on the way that states one, or None."""
        stated = (
            self.machine.number("link_bandwidth", *link) for link in self.route(first, second)
        )
        return min((value for value in stated if value), default=None)

    def stated_node_mib_s(self, node: int) -> float | None:
        """Return the stated bandwidth of a node's memory: the most that any initiator gets."""
        return max(
            (
                float(str(fact.args[-1]))
                for fact in self.machine.facts_of("memory_bandwidth")
                if fact.args[1] == f"numa:{node}" and float(str(fact.args[-1])) > 0
            ),
            default=None,
        )

    def node_mib_s(self, node: int) -> float:
        """Return the bandwidth of a node's memory."""
        stated = self.stated_node_mib_s(node)
        if stated is not None:
            return stated
        value = float(defaults()["memory"]["local_bandwidth_mib_s"])
        self._assume(f"memory_bandwidth(local) = {value:g} MiB/s", "nobody stated it")
        return value

    def memory_mib_s(self, pu: int, node: int) -> float:
        """Return the bandwidth at which a PU reads a node: stated, else memory and links."""
        machine = self.machine
        local = (f"numa:{near}" for near in machine.numa_of_pu[pu])
        for at in (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"), *local):
            for access in ("access", "read"):
                stated = machine.number("memory_bandwidth", at, f"numa:{node}", access)
                if stated:
                    return stated
        links = self.links_mib_s(f"numa:{node}", f"pu:{pu}")
        return min(self.node_mib_s(node), links or float("inf"))

    def device_mib_s(self, device: str) -> float:
        """Return the bandwidth of a device: the slower of its wire and its PCI links, as stated."""
        machine = self.machine
        chain = (device, *machine.ancestors(device))
        links = [speed * 1e9 for at in chain if (speed := machine.number("pci_link_speed", at))]
        wire = machine.number("device_speed", device)
        rates = links + ([wire * 1e6 / 8] if wire else [])
        if rates:
            return min(rates) / 2**20
        value = float(defaults()["device"]["link_bandwidth_mib_s"])
        self._assume(f"bandwidth of {device} = {value:g} MiB/s", "nobody stated wire or PCI speed")
        return value
