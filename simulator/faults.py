"""Fault plans: what befalls which PU, and when.

`down` is a crash and `up` a restart; `off` and `on` are a power-down that the PU hears of before,
and a power-up. `slow` deschedules a PU for `value` picoseconds: what it has begun ends as if
nothing were, and nothing begins until then. `cut` brings a PU to side `value` of a partition, and
`joined` back to side 0, where all are at first: a message that arrives from another side is lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from simulator.errors import FaultPlanError

AFTER = {"down": ("up",), "up": ("down", "off"), "off": ("on",), "on": ("down", "off")}
"""The states of power that may follow each."""

STATES = (*AFTER, "slow", "cut", "joined")

State = Literal["down", "up", "off", "on", "slow", "cut", "joined"]

NEVER = 1 << 62
"""A time in picoseconds that no run reaches."""

Span = tuple[int, int]
"""A time and the one at which it is over, in picoseconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a fault plan, in picoseconds from the begin of the run.

    `value` is the picoseconds of a `slow`, the side (from 1) of a `cut`, and else 0.
    """

    time_ps: int
    pu: int
    state: State
    value: int = 0


def require_fault_plan(plan: Iterable[Fault], members: Iterable[int]) -> tuple[Fault, ...]:
    """Return the plan in order of time.

    Raises `FaultPlanError` where a PU is no member, a time is negative, a value makes no sense, a
    PU goes down or comes up twice in a row, is slow while it is down, or joins where it was not
    cut off. Every PU is up, and on side 0, at first.
    """
    known = set(members)
    ordered = tuple(sorted(plan, key=lambda fault: fault.time_ps))
    state: dict[int, str] = {}
    away: set[int] = set()
    for fault in ordered:
        _require_row(fault, known)
        before = state.get(fault.pu, "up")
        if fault.state in AFTER:
            if fault.state not in AFTER[before]:
                raise FaultPlanError(
                    f"PU {fault.pu} is {before} already at {fault.time_ps} ps: "
                    f"it cannot go {fault.state}"
                )
            state[fault.pu] = fault.state
        elif fault.state == "slow" and before in ("down", "off"):
            raise FaultPlanError(
                f"PU {fault.pu} is {before} at {fault.time_ps} ps: it cannot be slow"
            )
        elif fault.state == "cut":
            away.add(fault.pu)
        elif fault.state == "joined":
            if fault.pu not in away:
                raise FaultPlanError(
                    f"PU {fault.pu} is not cut off at {fault.time_ps} ps: it cannot be joined"
                )
            away.remove(fault.pu)
    return ordered


def _require_row(fault: Fault, known: set[int]) -> None:
    """Raise `FaultPlanError` where a row makes no sense, whatever the others say."""
    if fault.pu not in known:
        raise FaultPlanError(f"the fault plan names PU {fault.pu}, which is not in the tree")
    for name, number in (("time", fault.time_ps), ("value", fault.value)):
        if not isinstance(number, int) or isinstance(number, bool):
            raise FaultPlanError(
                f"the fault of PU {fault.pu} has the {name} {number!r}: it is a whole number"
            )
        if number < 0:
            raise FaultPlanError(f"the fault of PU {fault.pu} has a negative {name}")
        if number >= NEVER:
            raise FaultPlanError(f"the fault of PU {fault.pu} has too large a {name}: {number}")
    if fault.state not in STATES:
        raise FaultPlanError(
            f"PU {fault.pu} is to go {fault.state!r}: a PU goes {', '.join(STATES)}"
        )
    if fault.state in ("slow", "cut") and fault.value == 0:
        what = "time for which it is slow" if fault.state == "slow" else "side (from 1) it is on"
        raise FaultPlanError(f"the {fault.state} of PU {fault.pu} needs a value: the {what}")
    if fault.state not in ("slow", "cut") and fault.value:
        raise FaultPlanError(f"PU {fault.pu} goes {fault.state}, which has no use for a value")


def healed_ps(plan: Iterable[Fault]) -> int:
    """Return when the last fault of a plan is over."""
    ends = (fault.time_ps + (fault.value if fault.state == "slow" else 0) for fault in plan)
    return max(ends, default=0)


def slow_spans(plan: Iterable[Fault], pu: int) -> tuple[Span, ...]:
    """Return when a PU is descheduled, ascending; spans that touch are one."""
    spans: list[Span] = []
    for fault in sorted(plan, key=lambda fault: fault.time_ps):
        if fault.pu != pu or fault.state != "slow":
            continue
        start, end = fault.time_ps, fault.time_ps + fault.value
        if spans and start <= spans[-1][1]:
            start, end = spans[-1][0], max(end, spans.pop()[1])
        spans.append((start, end))
    return tuple(spans)
