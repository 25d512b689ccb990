"""Machines that are nothing but an interconnect."""

from __future__ import annotations

from collections.abc import Iterable

from skb.benching.topologies import native, topology
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.relations import Fact
from skb.sources import read


def interconnect(name: str, *facts: Fact, seed: int = 1) -> Machine:
    """Return a named interconnect of packages as a machine."""
    return joined(name, *topology(name, seed), *facts)


def joined(name: str, size: int, edges: Iterable[tuple[int, int]], *facts: Fact) -> Machine:
    """Return a machine of packages that two-way links join."""
    description = read(native(name, size, edges).encode(), f"{name}.toml")
    return Machine(name, [*description.facts, *facts]) if facts else machine_of(description, name)
