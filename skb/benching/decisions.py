"""`skb bench decisions`: its suites, a question each, as rows that come one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from skb.benching import (
    decisions_buffers,
    decisions_interrupts,
    decisions_nearness,
    decisions_pci,
    decisions_power,
    decisions_replicas,
)
from skb.benching.routing_rows import Row, ended
from skb.machine import Machine

SECONDS = 10.0
# a suite's rows, of its own instances where there are no machines; seconds for each answer
Suite = Callable[[float, Sequence[Machine]], Iterator[Row]]


def _buffers(limit: float, _machines: Sequence[Machine]) -> Iterator[Row]:
    yield from decisions_nearness.rows(limit)
    yield from decisions_buffers.rows(limit)


SUITES: Mapping[str, Suite] = {
    "buffers": _buffers,
    "replicas": lambda limit, _machines: decisions_replicas.rows(limit),
    "pci": decisions_pci.rows,
    "interrupts": decisions_interrupts.rows,
    "power": lambda limit, _machines: decisions_power.rows(limit),
}
TITLES = {
    "buffers": "where rings and payload lie; the engine alone on random flows, then whole requests",
    "replicas": "one object of all cores, with the programme alone in ms; random trees",
    "pci": "address space from the first to the last register",
    "interrupts": "queues of all NICs and disks: sum of distances to their cores",
    "power": "parts that stay on, or that are lost",
}
# suites that take machines, and whether one has what they decide about
READERS: Mapping[str, Callable[[Machine], bool]] = {
    "pci": decisions_pci.fits,
    "interrupts": decisions_interrupts.fits,
}


def chosen(suites: Sequence[str], machines: Sequence[Machine]) -> dict[str, list[Machine]]:
    """Return the machines that each of these suites takes; where some are given but none fits, the
    suite is left out.
    """
    if not machines:
        return {name: [] for name in suites}
    fitting = {
        name: [machine for machine in machines if READERS[name](machine)]
        for name in suites
        if name in READERS
    }
    return {name: found for name, found in fitting.items() if found}


def rows(name: str, machines: Sequence[Machine], limit: float | None) -> Iterator[Row]:
    """Yield the rows of a suite; a refusal is a missed target, a fault of the product a row, and
    either ends the suite.
    """
    begin = time.perf_counter()
    done = 0
    try:
        for row in SUITES[name](SECONDS if limit is None else limit, machines):
            yield row
            done += 1
            begin = time.perf_counter()
    except Exception as fault:  # it is told with the row
        yield ended(name, f"row {done + 1}", begin, fault)


def warm() -> None:
    """Compile what the first answer would have to: that is not what is measured."""
    from skb.engines.compiling import compile_now

    # a fault comes again, and is told, where it is measured
    with suppress(Exception):
        compile_now()
