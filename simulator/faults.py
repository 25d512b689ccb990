"""Fault plans: which PU goes down or comes up, and when.

`down` is a crash and `up` a restart; `off` and `on` are a power-down that the PU hears of before,
and a power-up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from simulator.errors import FaultPlanError

AFTER = {"down": ("up",), "up": ("down", "off"), "off": ("on",), "on": ("down", "off")}
"""The states that may follow each state."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a fault plan, in picoseconds from the begin of the run."""

    time_ps: int
    pu: int
    state: Literal["down", "up", "off", "on"]


def require_fault_plan(plan: Iterable[Fault], members: Iterable[int]) -> tuple[Fault, ...]:
    """Return the plan in order of time.

    Raises `FaultPlanError` where a PU is no member, a time is negative, or a PU goes down or comes
    up twice in a row. Every PU is up at first.
    """
    known = set(members)
    ordered = tuple(sorted(plan, key=lambda fault: fault.time_ps))
    state: dict[int, str] = {}
    for fault in ordered:
        if fault.pu not in known:
            raise FaultPlanError(f"the fault plan names PU {fault.pu}, which is not in the tree")
        if fault.time_ps < 0:
            raise FaultPlanError(f"the fault of PU {fault.pu} has a negative time")
        if fault.state not in AFTER:
            raise FaultPlanError(
                f"PU {fault.pu} is to go {fault.state!r}: a PU goes {', '.join(AFTER)}"
            )
        before = state.get(fault.pu, "up")
        if fault.state not in AFTER[before]:
            raise FaultPlanError(
                f"PU {fault.pu} is {before} already at {fault.time_ps} ps: "
                f"it cannot go {fault.state}"
            )
        state[fault.pu] = fault.state
    return ordered
