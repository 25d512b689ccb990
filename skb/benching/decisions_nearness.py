"""Rows of `skb bench decisions` about where a ring goes: what is known of every such machine.

What is forwarded lies near the NIC and what is consumed near the core. Where a memory holds one
ring, the second one is one hop away, and none is two hops away before all at one hop are full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skb.benching.routing_rows import Check, Row, in_time, proven, row_of, timed
from skb.checkers.buffers import check
from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions.buffers import decide
from skb.resources import bundled_machines
from skb.sources import read_path

# a NIC, and the PU that consumes, of another package
SENDERS: Mapping[str, tuple[str, int]] = {
    "tyan-s4985": ("eth0", 20),
    "epyc-7773x-2p": ("eth0", 100),
}
BOARD, NIC = "tyan-s4985", "eth0"
RING = 262144


def rows(limit: float) -> Iterator[Row]:
    """Yield a row for each pattern and machine, and for each number of writers; in seconds."""
    for name, (nic, pu) in SENDERS.items():
        machine = _bundled(name)
        for pattern, near in (("forward", "device"), ("consume", "core")):
            yield _pattern(machine, pattern, near, {"device": nic, "consumer": pu}, limit)
    machine = _bundled(BOARD)
    for count in range(2, len(machine.numa) + 1):
        yield _writers(machine, count, limit)


def _bundled(name: str) -> Machine:
    return Machine(name, read_path(bundled_machines()[name]).facts)


def _pattern(
    machine: Machine, pattern: str, near: str, ends: Mapping[str, Any], limit: float
) -> Row:
    request = {"flow": [{"name": "rx", "pattern": pattern, **ends}]}

    def where(found: Decision) -> list[Check]:
        at = found.answer["flows"]["rx"]["near"] if found.answer else "nowhere"
        return [(f"near the {near}", "" if at == near else f"it lies near the {at}")]

    return _row(machine, f"{pattern} from {ends['device']}", request, limit, where)


def _writers(machine: Machine, count: int, limit: float) -> Row:
    """Let each memory hold one ring, all of a NIC."""
    full = [{"object": f"numa:{node}", "bytes": RING} for node in machine.numa]
    flows = [
        {"name": f"w{number}", "device": NIC, "consumer": "none", "ring_bytes": RING}
        for number in range(count)
    ]
    home = machine.package_around(f"device:{NIC}")
    hops = {node: machine.hops(home, f"package:{node}") or 0 for node in machine.numa}

    def where(found: Decision) -> list[Check]:
        flows = found.answer["flows"].values() if found.answer else ()
        used = sorted(hops[flow["numa_node"]] for flow in flows)
        least = sorted(hops.values())[:count]
        miss = "" if used == least else f"they are {used} hops away, not {least}"
        return [(f"hops {' '.join(map(str, least))}", miss)]

    title = f"{count} writers, a memory holds one ring"
    return _row(machine, title, {"flow": flows, "capacity": full}, limit, where)


def _row(machine: Machine, title: str, request: Mapping[str, Any], limit: float, where: Any) -> Row:
    answer = timed(lambda: decide(machine, request, Limits(seconds=limit)))
    found = answer.found
    checks = [*where(found), proven(found), in_time(answer, limit)]
    unit, wrong = found.objective.unit, check(machine, found)
    return row_of("buffers", f"{machine.name}, {title}", unit, answer, checks, faults=wrong)
