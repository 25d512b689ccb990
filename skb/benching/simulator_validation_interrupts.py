"""V18: shootdown by interrupts on a Haswell, and across packages in a kernel with replicas.

Neither machine is described: of the Haswell only the family is known, of the other that a package
has 14 cores. So both are grown from the defaults (latencies by class, interrupts in cycles), with a
clock that such servers had; the model is `ipi-shootdown`, request and counter in one line, as for
the board in `simulator_validation_shootdown.py`, and as `skb simulate` runs it.

What an operation takes with one thread, without any interrupt, is given; what the interrupts add is
predicted. The rise from 14 to 16 cores is judged on the same given part: in both kernels a thread
enters, changes one entry of a table and invalidates it.
"""

from __future__ import annotations

from collections.abc import Iterator

from skb.benching.simulator_validation_model import RULES, Rules, Statement, near
from skb.benching.simulator_validation_shootdown import by_interrupts
from skb.machine import Machine
from skb.sources import read

# nanoseconds by threads; one thread is given
HASWELL = {1: 661.0, 2: 1436.0, 4: 1571.0}
PACKAGE, ACROSS, RISE = 14, 16, 0.31
CLOCK_MHZ = 2300
"""The base clock of the usual servers of that family (Xeon E5-2650 v3, E5-2670 v3)."""


def statements(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield all statements of this module; no rule has to do with interrupts."""
    haswell = grown(12)
    alone = HASWELL[1] - by_interrupts(haswell, 1)
    for threads in (2, 4):
        predicted = alone + by_interrupts(haswell, threads)
        note = f"{HASWELL[1]:g} ns with one thread are given; clock {CLOCK_MHZ} MHz is assumed"
        yield near(
            f"V18 shootdown, {threads} threads", "ns", predicted, HASWELL[threads], 0.2, note
        )
    larger = grown(PACKAGE)
    inside, across = (alone + by_interrupts(larger, count) for count in (PACKAGE, ACROSS))
    note = f"{inside:,.0f} ns on {PACKAGE} cores, {across:,.0f} ns on {ACROSS}"
    yield near("V18 rise of unmap, 14 to 16 cores", "", across / inside - 1, RISE, 0.2, note)


def grown(cores: int) -> Machine:
    """Return a machine with two packages of so many cores that share a cache."""
    text = f"""
[machine]
name = "haswell"
clock_mhz = {CLOCK_MHZ}
[structure]
tree = "package:2 numa:1 l3:1 core:{cores} pu:1"
"""
    return Machine("haswell", read(text.encode(), "haswell.toml").facts)
