"""A repair from one decision to the next: what happened, who moves, the safe and the best
answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from skb.decision import Decision, Limits, Status
from skb.engines.placement_board import Seat
from skb.errors import LimitError, NotFoundError, RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import GONE
from skb.questions.placement_repair import Event, Mended, Repair
from skb.questions.placement_request import known_object

# above so many tasks clingo is not asked for a proof that the search cannot give
MOST_ASKED = 64


class Keeper(Protocol):
    """Where decisions are kept."""

    def keep(self, decision: Decision) -> None: ...


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair gives: `safe` at once, `best` soon after; each is a placement decision.

    `safe` is None where those who cannot stay were not seated at once. An infeasible `best` names
    the rules that clash. Seconds count from the event, the preparation apart; `moves` say who
    moves from where to where, and why.
    """

    decision: str
    machine: Machine
    safe: Decision | None
    best: Decision
    moves: tuple[dict[str, Any], ...]
    before: float
    prepared_s: float
    safe_s: float | None
    best_s: float

    def keep(self, keeper: Keeper, ref: str) -> None:
        """Store the answers; `ref` is how the machine was named."""
        if self.safe is not None and self.safe.answer != self.best.answer:
            keeper.keep(self.safe.stamped(machine_ref=ref))
        keeper.keep(self.best.stamped(machine_ref=ref))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for people and programs."""
        return {
            "decision": self.decision,
            "moves": list(self.moves),
            "before": {"value": self.before, "unit": "ns/s"},
            "safe": None if self.safe is None else self.safe.to_json(),
            "best": self.best.to_json(),
            "seconds": {
                "prepared": round(self.prepared_s, 6),
                "safe": None if self.safe_s is None else round(self.safe_s, 6),
                "best": round(self.best_s, 6),
            },
        }


def repaired(
    machine: Machine,
    decision: Mapping[str, Any],
    now: Machine | None = None,
    off: Sequence[str] = (),
    limits: Limits | None = None,
    busy: Sequence[str] = (),
) -> Repaired:
    """Repair a placement that was decided for `machine`, parts of which go off, or which is `now`,
    and parts of which are `busy`.

    Raises `RequestError` where the decision is no placement, `NotFoundError` where the machine has
    no such part, `LimitError` where nothing was found in time.
    """
    if decision["question"] != "placement" or not decision["answer"].get("tasks"):
        raise RequestError(
            f"decision {decision['id']} places no tasks", mend="name a placement that has an answer"
        )
    off, busy = tuple(dict.fromkeys(off)), tuple(dict.fromkeys(busy))
    for index, part in enumerate(off):
        try:
            known_object(machine, part, f"off[{index}]")
        except RequestError as fault:
            raise NotFoundError(fault.message, place=fault.place, mend=fault.mend) from fault
    spent = limits or Limits()
    begun = time.monotonic()
    repair = Repair(machine, decision)
    ready = time.monotonic()
    event = repair.onto(now) if now is not None else repair.off(*off)
    if busy:
        event = repair.busy(*busy)
    deadline = ready + spent.seconds
    safe, best, clash = _stages(event, spent, deadline)
    if clash is not None:
        first = None
        found = clash
    elif best is not None:
        first = None if safe is None else _stamped(event.decision(safe), spent, safe.seconds)
        took = time.monotonic() - ready
        found = _proven(event, _stamped(event.decision(best), spent, took), spent, deadline)
    else:
        raise LimitError(
            f"no admissible repair was found in {spent.seconds:g} s, and none was excluded",
            mend="allow more seconds",
        )
    return Repaired(
        decision["id"],
        event.resident.machine,
        first,
        found,
        _moves(event, found),
        float(decision["objective"]["value"]),
        ready - begun,
        None if safe is None else safe.seconds,
        time.monotonic() - ready,
    )


def _stages(
    event: Event, limits: Limits, deadline: float
) -> tuple[Mended | None, Mended | None, Decision | None]:
    """Return the safe and the best answer, or the decision that names what clashes."""

    def left() -> Limits:
        return replace(limits, seconds=max(0.1, deadline - time.monotonic()), begun=None)

    safe = event.safe()
    best = event.best(left(), safe)
    if best is None:
        clash = event.widen(left())
        if clash is not None:
            return None, None, clash
        safe = event.safe() or _hinted(event)
        best = event.best(left(), safe)
    return safe, best, None


def _hinted(event: Event) -> Mended | None:
    """Return the seats that the placement with the fewest moves has."""
    if not all(guest.name in event.hint for guest in event.guests):
        return None
    seats = {}
    for guest in event.guests:
        place = event.hint[guest.name]
        seats[guest.name] = Seat(place["pus"][0], tuple(sorted(place["pus"])), place["numa_node"])
    return event.mended(seats)


def _proven(event: Event, found: Decision, limits: Limits, deadline: float) -> Decision:
    """Return what clingo makes of a small repair that the search could not prove."""
    left = deadline - time.monotonic()
    if found.status is Status.OPTIMAL or len(event.resident.told) > MOST_ASKED or left < 0.2:
        return found
    try:
        other = decide(event.resident.machine, found.request, replace(limits, seconds=left))
    except LimitError:
        return found
    value, mine = other.objective.value, found.objective.value
    if value is None or mine is None or (value >= mine and other.status is not Status.OPTIMAL):
        return found
    proven = other.status is Status.OPTIMAL
    reasons = (*event.because(), *event.sense(proven))
    # that PUs are gone is no news here: the moves say which, and why
    more = tuple(text for text in other.warnings if GONE not in text)
    return replace(other, reasons=reasons, warnings=(*found.warnings, *more))


def _stamped(found: Decision, limits: Limits, seconds: float) -> Decision:
    return found.stamped(
        seed=limits.seed,
        limit_s=limits.seconds,
        conflicts=limits.conflicts,
        seconds=round(seconds, 6),
    )


def _moves(event: Event, found: Decision) -> tuple[dict[str, Any], ...]:
    """Return who moves from where to where, and why."""
    rows = []
    for reason in event.because():
        name = reason.items[0].removeprefix("task:")
        seat, to = event.before[name], found.answer.get("tasks", {}).get(name)
        if to == seat.placed():
            continue
        rows.append(
            {
                "task": name,
                "from": seat.listed,
                "to": None if to is None else to["pus"],
                "numa_from": seat.node,
                "numa_to": None if to is None else to["numa_node"],
                "why": reason.text.partition(": ")[2],
            }
        )
    return tuple(rows)
