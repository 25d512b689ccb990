"""What an alternative to a decision costs: exactly, or between which bounds, and why it may not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from skb.decision import Decision, Limits, Status
from skb.errors import LimitError
from skb.machine import Machine
from skb.questions.question import Question, Raw

# seconds that are left for deciding at the least
LEAST = 0.05

Decide = Callable[[str, Machine, Mapping[str, Any], Limits], Decision]


def alternative(
    asked: Question,
    machine: Machine,
    decision: Raw,
    clause: Mapping[str, str],
    limits: Limits,
    decide: Decide,
) -> dict[str, Any]:
    """Return what the best answer with a clause forced costs more than the decision.

    `difference` compares the best answers that are known; `low` and `high` are what holds between
    the optima, None where nothing is known; `price` is "exact", "at most", "at least", "between" or
    "unknown" accordingly. Without a difference `reasons` name the constraints that forbid it.
    """
    assert asked.force is not None, "the caller asked whether there are alternatives"
    begun = time.monotonic()
    raw = asked.force(machine, decision["request"], clause)
    quick = _nearby(asked, machine, decision, raw)
    left = max(LEAST, limits.seconds - (time.monotonic() - begun))
    try:
        other = decide(asked.name, machine, raw, replace(limits, seconds=left))
    except LimitError:
        if quick is None:
            raise
        other = quick
    value, best = other.objective.value, quick.objective.value if quick else None
    if quick and value is not None and best is not None and best < value:
        other = replace(quick, bound=other.bound)
        value = best
    base = decision["objective"]["value"]
    told: dict[str, Any] = {
        "forced": dict(clause),
        "status": other.status.value,
        "exact": False,
        "objective": {"name": other.objective.name, "value": value, "unit": other.objective.unit},
        "difference": None,
        "reasons": other.to_json()["reasons"],
        "answer": other.answer,
    }
    if value is None or base is None:
        return told | {"price": "unknown", "low": None, "high": None, "better": False}
    low, high = _between(decision, other, value, base)
    exact = other.status == Status.OPTIMAL and decision["status"] == Status.OPTIMAL
    return told | {
        "exact": exact,
        "difference": value - base,
        "price": "exact" if exact else _kind(low, high),
        "low": low,
        "high": high,
        "better": value < base and decision["status"] != Status.OPTIMAL,
    }


def _nearby(asked: Question, machine: Machine, decision: Raw, raw: Raw) -> Decision | None:
    """Return a quick answer with what is forced, where the checker accepts it."""
    if asked.nearby is None or decision["objective"]["value"] is None:
        return None
    found = asked.nearby(machine, decision, raw)
    if found is None:
        return None
    found = replace(found, request=dict(raw))
    return None if asked.check(machine, found) else found


def _between(
    decision: Raw, other: Decision, value: float, base: float
) -> tuple[float | None, float | None]:
    """Return the bounds of the difference between the two optima; forcing never makes it
    cheaper.
    """
    least = base if decision["status"] == Status.OPTIMAL else decision["bound"]
    lowest = value if other.status == Status.OPTIMAL else other.bound
    high = None if least is None else value - least
    low = 0.0 if lowest is None else max(0.0, lowest - base)
    return low, high


def _kind(low: float | None, high: float | None) -> str:
    if high is None:
        return "at least" if low else "unknown"
    return "between" if low else "at most"
