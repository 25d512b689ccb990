"""Small machines for the tests of placement, built from facts."""

from __future__ import annotations

from skb.machine import Machine
from skb.relations import Fact, Value

WITHIN = {"core": 8.0, "l3": 25.0, "package": 100.0, "machine": 200.0}


def machine(
    packages: int = 2,
    cores: int = 2,
    threads: int = 1,
    *,
    memory_mib: int = 1024,
    within: dict[str, float] | None = None,
    extra: tuple[tuple[str, tuple[Value, ...]], ...] = (),
) -> Machine:
    """Return packages with one node and one L3 each, cores below it, PUs numbered as by Linux."""
    facts: list[tuple[str, tuple[Value, ...]]] = []
    total = packages * cores
    for package in range(packages):
        facts += [
            ("contains", ("machine:0", f"package:{package}")),
            ("contains", (f"package:{package}", f"numa:{package}")),
            ("contains", (f"package:{package}", f"l3:{package}")),
            ("memory_size", (f"numa:{package}", memory_mib * 2**20)),
            ("cache_size", (f"l3:{package}", 4 * 2**20)),
        ]
        for number in range(cores):
            core = package * cores + number
            facts.append(("contains", (f"l3:{package}", f"core:{core}")))
            facts += [
                ("contains", (f"core:{core}", f"pu:{core + total * thread}"))
                for thread in range(threads)
            ]
    for level, latency in (within or WITHIN).items():
        facts.append(("latency_within", (level, latency)))
    facts += [
        ("memory_latency", (f"package:{a}", f"numa:{b}", "access", 90.0 if a == b else 140.0))
        for a in range(packages)
        for b in range(packages)
    ]
    return Machine("small", [Fact(name, args) for name, args in (*facts, *extra)])
