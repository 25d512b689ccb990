"""What a fault plan means to the checks: its kinds, whether all is healed, who went down."""

from collections.abc import Iterable
from operator import itemgetter

from simulator.faults import Fault
from simulator.history import Entry

KINDS = {
    "down": "crash",
    "up": "crash",
    "off": "power",
    "on": "power",
    "slow": "slow",
    "cut": "partition",
    "joined": "partition",
}
"""The kind of each fault, as protocols name what they survive."""


def kinds_of(
    faults: Iterable[Fault], loss_per_million: int = 0, delay_per_million: int = 0
) -> frozenset[str]:
    """Return the kinds of the faults of a plan and of what its messages suffer."""
    found = {KINDS[fault.state] for fault in faults}
    if loss_per_million:
        found.add("loss")
    if delay_per_million:
        found.add("delay")
    return frozenset(found)


def fallen(faults: Iterable[Fault]) -> frozenset[int]:
    """Return the PUs that a plan takes down."""
    return frozenset(fault.pu for fault in faults if fault.state in ("down", "off"))


def healed(faults: Iterable[Fault]) -> bool:
    """Say whether every PU is up and reachable after the last fault; faults in order of time."""
    down: set[int] = set()
    apart: set[int] = set()
    for fault in faults:
        for pus, ends in ((down, ("up", "on")), (apart, ("joined",))):
            if fault.state in ends:
                pus.discard(fault.pu)
        if fault.state in ("down", "off"):
            down.add(fault.pu)
        elif fault.state == "cut":
            apart.add(fault.pu)
    return not down and not apart


def in_time(entries: tuple[Entry, ...], faults: Iterable[Fault]) -> tuple[Entry, ...]:
    """Return a record in order of time, in which each member's own entries keep their order.

    Without faults the order of the handlers will do: no check compares members by it.
    """
    return tuple(sorted(entries, key=itemgetter(0))) if any(True for _ in faults) else entries
