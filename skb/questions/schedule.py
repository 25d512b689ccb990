"""`schedule`: gangs of parallel applications in time slots and core sets.

All threads of an application run at once, one on each unit (a core, or a PU), in one slot of the
period or, on the same units, in every slot; so nothing migrates, and core sets of one slot are
disjoint. First come the fewest slots, then the fewest idle units, then the least synchronisation.
One price in ns/s holds the last two: an idle unit loses its whole time (10^9 / slots, or more where
synchronisation could outweigh that), and a barrier waits for the message between the two units of
the application that are farthest apart: sync × largest latency.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from math import inf, nextafter
from typing import Any

from skb.checkers import schedule as checker
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import engine_name, rules_digest
from skb.engines.schedule_greedy import EVERY, Seats, price, spread
from skb.machine import Machine
from skb.questions.question import Question, Raw, unanswered
from skb.questions.schedule_instance import Instance, Limit, memory_of
from skb.questions.schedule_program import PACKING, SCHEDULE
from skb.questions.schedule_request import Request, force, read
from skb.questions.schedule_search import Found, clashing_sizes, decided

UNIT = "ns/s"
PS = 1000


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the schedule with its proof, or the applications that clash.

    Raises `RequestError` where the request is malformed or names what the machine does not have.
    """
    started = time.monotonic()
    request, applications = read(raw, machine)
    instance = Instance(machine, applications, request.unit)
    objective = Objective("lost time", None, UNIT)
    engine, rules = f"{engine_name()} + search", rules_digest((*PACKING, *SCHEDULE))
    decision = unanswered("schedule", machine, raw, limits, objective, engine, rules)
    decision = replace(decision, status=Status.INFEASIBLE)
    reasons = _alone(instance) or _memory(instance)
    if reasons:
        return _stamped(replace(decision, reasons=reasons), started)
    found = decided(instance, request.slots, limits)
    if found.seats is not None:
        decision = _scheduled(decision, instance, request, found, found.seats)
    elif found.clash:
        text = () if found.minimal else ("the reasons are not proven to be minimal",)
        clash = _clash(instance, found)
        decision = replace(decision, reasons=clash, warnings=text)
    else:
        decision = replace(decision, status=Status.UNKNOWN)
    return _stamped(replace(decision, assumed=_assumed(instance, raw)), started)


def _stamped(decision: Decision, started: float) -> Decision:
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


# ------------------------------------------------------------------ answer
def _scheduled(
    decision: Decision, instance: Instance, request: Request, found: Found, seats: Seats
) -> Decision:
    board, slots = instance.board, found.slots
    idle = seats.idle(board, slots)
    idle_ps = instance.idle_price_ps(slots)
    value = idle * idle_ps + price(board, seats)
    bound = min(value, found.least_idle * idle_ps + found.least_price)
    optimal = found.proven and (request.slots > 0 or found.least_slots == slots)
    if optimal:
        bound = value
    shown, floor = float(value / PS), float(bound / PS)
    if not optimal and bound < value and floor >= shown:
        floor = nextafter(shown, -inf)
    answer = {
        "slots": _slots(instance, seats, slots),
        "unit": request.unit,
        "slot_ms": request.slot_ms,
        "period_ms": slots * request.slot_ms,
        "idle": idle,
        "applications": _applications(instance, seats, slots),
        "least": {"slots": found.least_slots, "idle": found.least_idle},
    }
    word = "core" if request.unit == "cores" else "PU"
    warnings = []
    if not request.slots and found.least_slots < slots:
        warnings.append(f"fewer slots than {slots} are not excluded: at least {found.least_slots}")
    if idle_ps * slots > 10**12:
        warnings.append(
            f"synchronisation could outweigh an idle {word}; idle {word}s still count first"
        )
    return replace(
        decision,
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        objective=Objective("lost time", shown, UNIT),
        bound=floor,
        answer=answer,
        costs=(
            Cost("idle", float(idle * idle_ps / PS), UNIT),
            Cost("synchronisation", float(price(board, seats) / PS), UNIT),
            Cost(f"idle {word}s, over all slots", idle, ""),
            Cost("slots", slots, ""),
        ),
        reasons=_binding(instance, request, slots),
        warnings=tuple(warnings),
    )


def _units(instance: Instance, seats: Seats) -> list[list[int]]:
    """Return the units of each application: those of every slot first, then slot by slot."""
    taken: dict[tuple[int, int], int] = {}
    units: list[list[int]] = [[] for _ in seats.homes]
    every: dict[int, int] = {}
    for app in sorted(range(len(seats.homes)), key=lambda a: (seats.homes[a] != EVERY, a)):
        home = seats.homes[app]
        for cell, count in sorted(seats.counts[app].items()):
            start = taken.get((home, cell), every.get(cell, 0))
            units[app] += instance.cells[cell][start : start + count]
            taken[home, cell] = start + count
            if home == EVERY:
                every[cell] = start + count
    return units


def _slots(instance: Instance, seats: Seats, slots: int) -> list[dict[str, Any]]:
    units = _units(instance, seats)
    rows: list[dict[str, Any]] = []
    for slot in range(1, slots + 1):
        rows.append({})
        for app, one in enumerate(instance.applications):
            if seats.homes[app] in (EVERY, slot):
                pus = sorted(pu for unit in units[app] for pu in instance.units[unit])
                rows[-1][one.name] = {"pus": pus}
    return rows


def _applications(instance: Instance, seats: Seats, slots: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    units = _units(instance, seats)
    for app, one in enumerate(instance.applications):
        own = seats.counts[app]
        packages = {instance.machine.package_of[instance.units[unit][0]] for unit in units[app]}
        apart = spread(instance.board, own)
        rows[one.name] = {
            "threads": sum(own.values()),
            "slots": list(range(1, slots + 1)) if seats.homes[app] == EVERY else [seats.homes[app]],
            "packages": len(packages),
            "spread_ns": apart / PS,
            "value": float(one.sync * apart / PS),
            "unit": UNIT,
        }
    return rows


def _binding(instance: Instance, request: Request, slots: int) -> tuple[Reason, ...]:
    """Return why there are no fewer slots, and the limits of the user that leave few units."""
    reasons: list[Reason] = []
    least = sum(one.least for one in instance.applications)
    count = len(instance.units)
    if not request.slots and least > (slots - 1) * count > 0:
        text = f"{least} threads at least run on {count} usable {request.unit}: {slots} slots"
        reasons.append(Reason("slots", text, ("machine:0",)))
    for limits in instance.limits:
        reasons += [
            Reason(limit.id, limit.text, limit.items)
            for limit in limits
            if len(limit.units) < count
        ]
    return tuple(reasons)


# ------------------------------------------------------------------ refusals
def _alone(instance: Instance) -> tuple[Reason, ...]:
    """Return why the first application that cannot run even alone cannot; a minimal set."""
    everywhere = frozenset(range(len(instance.units)))
    for one, limits, allowed in zip(
        instance.applications, instance.limits, instance.allowed, strict=True
    ):
        if len(allowed) >= one.least:
            continue
        kept = list(limits)
        for limit in limits:
            rest = [other for other in kept if other is not limit]
            if len(everywhere.intersection(*(other.units for other in rest))) < one.least:
                kept = rest
        return (_needs(instance, one.name, one.least, kept), *_worded(kept))
    return ()


def _needs(instance: Instance, name: str, least: int, limits: Iterable[Limit]) -> Reason:
    left = frozenset(range(len(instance.units))).intersection(*(one.units for one in limits))
    where = "its limits leave" if list(limits) else f"{instance.machine.name} has"
    word = instance.unit if len(left) != 1 else instance.unit.removesuffix("s")
    text = f"{name} needs {least} threads at once; {where} {len(left)} usable {word}"
    return Reason(f"threads:{name}", text, (f"application:{name}",))


def _worded(limits: Iterable[Limit]) -> tuple[Reason, ...]:
    return tuple(Reason(limit.id, limit.text, limit.items) for limit in limits)


def _memory(instance: Instance) -> tuple[Reason, ...]:
    """Return a minimal set of applications whose memory does not fit; it stays in all slots."""
    room, unknown = memory_of(instance.machine)
    sizes = [one.memory_bytes for one in instance.applications]
    if unknown or not instance.machine.usable_numa:
        return ()
    return tuple(
        Reason(
            f"memory:{one.name}",
            f"{one.name} holds {one.memory_bytes / 2**20:g} MiB in every slot; "
            f"the usable memory is {room / 2**20:g} MiB",
            (f"application:{one.name}",),
        )
        for one in (instance.applications[app] for app in clashing_sizes(sizes, room))
    )


def _clash(instance: Instance, found: Found) -> tuple[Reason, ...]:
    count, slots = len(instance.units), found.slots
    word = "slot" if slots == 1 else "slots"
    text = f"{slots} {word} of {count} usable {instance.unit} are given"
    reasons = [Reason("slots", text, ("machine:0",))]
    for app in found.clash:
        one = instance.applications[app]
        text = f"{one.name} needs {one.least} threads at once"
        reasons.append(Reason(f"threads:{one.name}", text, (f"application:{one.name}",)))
        reasons += _worded(x for x in instance.limits[app] if len(x.units) < count)
    return tuple(reasons)


def _assumed(instance: Instance, raw: Raw) -> tuple[Assumption, ...]:
    found = list(instance.costs.assumed)
    if "unit" not in raw:
        found.append(Assumption("unit = cores", "the request does not say; a thread has a core"))
    _room, unknown = memory_of(instance.machine)
    if any(one.memory_bytes for one in instance.applications) and (
        unknown or not instance.machine.usable_numa
    ):
        found.append(Assumption("the memory is enough", "nobody stated the size of every node"))
    return tuple(found)


EXAMPLE = """\
[[application]]
name = "solver"
threads_min = 8
threads_max = 16
sync = 10000

[[application]]
name = "render"
threads = 24
"""

QUESTION = Question(
    name="schedule",
    summary="time slots and core sets for gangs of parallel applications that synchronise",
    request=Request,
    decide=decide,
    check=checker.check,
    force=force,
    example=EXAMPLE,
)
