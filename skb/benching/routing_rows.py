"""A row of `skb bench routing`, what it is measured against, and the values published for machines.

Published values are looked up by machine name and size to be printed beside the answers; nothing
that decides reads them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skb.decision import Decision, Status
from skb.errors import SkbError

KEPT_S = 0.2
TOLERANCE = 1e-9
# a target and why it is missed, an empty string where it is met; one without a text always holds
# and is told only where it is missed
Check = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Timed:
    """A decision, and the seconds that it took by the clock and by the processor."""

    found: Decision
    seconds: float
    cpu_s: float


def timed(work: Callable[[], Decision]) -> Timed:
    """Decide, and take the time."""
    begin, spent = time.perf_counter(), time.process_time()
    found = work()
    return Timed(found, time.perf_counter() - begin, time.process_time() - spent)


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: value, bound and seconds, the targets in words, and which of them are missed.

    `beside` is the best classic tree and how much dearer it is, `faults` what checker or simulator
    say against the product.
    """

    suite: str
    case: str
    unit: str
    value: float | None
    bound: float | None
    gap: float | None
    status: str
    seconds: float
    cpu_s: float = 0.0
    target: str = ""
    misses: tuple[str, ...] = ()
    beside: str = ""
    note: str = ""
    faults: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether every target is met."""
        return not self.misses and not self.faults


def row_of(
    suite: str,
    case: str,
    unit: str,
    answer: Timed,
    checks: Sequence[Check],
    *,
    beside: str = "",
    note: str = "",
    faults: Sequence[str] = (),
) -> Row:
    """Return the row of a decision."""
    found = answer.found
    return Row(
        suite,
        case,
        unit,
        found.objective.value,
        found.bound,
        found.gap,
        found.status.value,
        round(answer.seconds, 4),
        round(answer.cpu_s, 4),
        ", ".join(text for text, _miss in checks if text),
        tuple(miss for _text, miss in checks if miss),
        beside,
        note,
        tuple(faults),
    )


def ended(suite: str, case: str, begin: float, fault: Exception) -> Row:
    """Return the row of a case that began then and ended in an exception: what the product refuses
    is a missed target, anything else a fault.
    """
    spent = time.perf_counter() - begin
    refused = isinstance(fault, SkbError)
    told = (str(fault) if refused else f"{type(fault).__name__}: {fault}",)
    name, misses, faults = ("refused", told, ()) if refused else ("fault", (), told)
    return Row(suite, case, "", None, None, None, name, spent, misses=misses, faults=faults)


# ------------------------------------------------------------ targets
@dataclass(frozen=True, slots=True)
class Published:
    """The best value known, in cycles, and the least bound where one is known.

    A value in whole cycles is met within that cycle, another to a hundredth.
    """

    value: float
    bound: float | None = None
    proven: bool = False

    def checks(self, found: Decision) -> list[Check]:
        """Compare a decision."""
        value, bound = found.objective.value, found.bound
        most = self.value + (1.0 if self.value == int(self.value) else 0.01)
        good = value is not None and value < most
        rows = [(f"<= {self.value:,g}", "" if good else f"the value is above {self.value:,g}")]
        if self.proven:
            rows.append(proven(found))
        if self.bound is not None:
            good = bound is not None and bound >= self.bound
            text = f"bound >= {self.bound:,g}"
            rows.append((text, "" if good else f"the bound is below {self.bound:,g}"))
        return rows


INTEL = "intel_xeon_e5_v2_2x10"
PUBLISHED: Mapping[tuple[str, int, str], Published] = {
    ("brie", 4, "broadcast"): Published(319.05, proven=True),
    ("tomme", 16, "broadcast"): Published(323.73, proven=True),
    (INTEL, 20, "broadcast"): Published(1301.21, proven=True),
    ("ziger", 24, "broadcast"): Published(2541.1, 2538.0),
    ("gruyere", 32, "broadcast"): Published(2376.6, 2366.4),
    ("appenzeller", 48, "broadcast"): Published(2412.9, 2361.0),
    ("tomme", 16, "reduce"): Published(409, proven=True),
    (INTEL, 20, "reduce"): Published(1710, proven=True),
    ("ziger", 24, "reduce"): Published(2770),
    ("gruyere", 32, "reduce"): Published(2242),
    ("appenzeller", 48, "reduce"): Published(2448),
    ("tomme", 16, "barrier"): Published(954),
    (INTEL, 20, "barrier"): Published(3248),
    ("ziger", 24, "barrier"): Published(5390),
    ("gruyere", 32, "barrier"): Published(4667),
    ("appenzeller", 48, "barrier"): Published(4965),
}


def proven(found: Decision) -> Check:
    """The target that a decision is proven."""
    return "proven", "" if found.status is Status.OPTIMAL else "not proven"


def gap_below(found: Decision, most: float) -> Check:
    """The target that value and bound are near."""
    good = found.gap is not None and found.gap <= most
    return f"gap <= {most:.1%}", "" if good else f"the gap is above {most:.1%}"


def in_time(answer: Timed, limit: float) -> Check:
    """What always holds: that a limit is kept."""
    late = answer.seconds > limit + KEPT_S
    return "", f"took {answer.seconds:.2f} s of {limit:g} s" if late else ""


def no_dearer(found: Decision, classic: Mapping[str, float]) -> Check:
    """What always holds: that no classic tree is better; `classic` in the decision's unit."""
    value = found.objective.value
    if value is None:
        return "", "no answer"
    better = [name for name, took in classic.items() if took < value * (1 - TOLERANCE)]
    return "", f"dearer than the {', '.join(better)} tree" if better else ""
