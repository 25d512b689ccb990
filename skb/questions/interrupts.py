"""`interrupts`: a PU for every queue of every device, as near to the device as is admissible.

Minimised, each before the next: the sum of load times latency from device to PU, the largest load
of a core, the moves away from what is in force. The flow of `skb.engines.interrupts_flow` proves
it (docs/interrupts.md).
"""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf, nextafter

from skb.checkers import interrupts as checker
from skb.costs import Costs
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.interrupts_answer import alternatives, answer_of, binding, refused
from skb.questions.interrupts_changes import changes
from skb.questions.interrupts_groups import groups
from skb.questions.interrupts_instance import Instance, Plan
from skb.questions.interrupts_places import Distances, Places
from skb.questions.interrupts_queues import Devices, devices_of
from skb.questions.interrupts_request import UNLIMITED, InterruptsRequest, device_of, force
from skb.questions.question import Question, Raw, read_request, unanswered

SPARE = 0.05  # seconds of the limit for output
WRITING = 1.5e-4  # and for each queue
EXAMPLE = """\
[[device]]
name = "eth0"
queues = 8

[[device]]
name = "nvme0n1"
queues = 16
"""
LEAST = 0.05  # seconds that the search has in any case


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide where vectors go; raise `RequestError` for a bad request."""
    begin = limits.begun if limits.begun is not None else time.monotonic()
    started = time.monotonic()
    request = read_request(raw, InterruptsRequest, "interrupts")
    devices = devices_of(machine, request)
    costs = Costs(machine)
    places = Places(machine, request, devices, Distances(machine, costs))
    _check_required(places)
    ipi, assumed_ids = groups(machine, request)
    until = max(started + LEAST, begin + limits.seconds - SPARE - WRITING * len(devices.queues))
    instance = Instance(places, until)
    decision = _begun(machine, raw, devices, limits)
    if reasons := _closed(places):
        decision = replace(decision, status=Status.INFEASIBLE, reasons=reasons)
    else:
        plan = instance.plan()
        if plan.pus:
            decision = _planned(decision, instance, plan, devices)
            told = {"ipi_groups": ipi, "changes": changes(machine, request, decision.answer)}
            decision = replace(decision, answer={**decision.answer, **told})
        elif plan.stuck:
            reasons = refused(instance, plan)
            decision = replace(decision, status=Status.INFEASIBLE, reasons=reasons)
        else:
            text = "the limit came before all queues had a PU"
            decision = replace(decision, reasons=(Reason("limit", text),))
    assumed = (*costs.assumed, *devices.assumed, *assumed_ids, *_defaults(places))
    decision = replace(decision, assumed=assumed, warnings=tuple(devices.warnings))
    return decision.stamped(seconds=round(time.monotonic() - started, 4))


def _begun(machine: Machine, raw: Raw, devices: Devices, limits: Limits) -> Decision:
    """Return a decision without an answer yet."""
    objective = Objective("distance", None, _unit(devices))
    engine = "cheapest flow with convex costs, longest first, branches"
    return unanswered("interrupts", machine, raw, limits, objective, engine)


def _unit(devices: Devices) -> str:
    return "ns/s" if devices.rates else "ns"


def _planned(decision: Decision, instance: Instance, plan: Plan, devices: Devices) -> Decision:
    unit = _unit(devices)
    value = instance.price(plan.pus)
    bound = value if plan.proven else min(value, instance.least_price)
    proven = plan.levelled and bound == value
    answer = answer_of(instance, plan, unit)
    load = "packets/s" if devices.rates else ""
    low = float(bound)
    if bound < value and low >= float(value):
        low = nextafter(float(value), -inf)
    return replace(
        decision,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=replace(decision.objective, value=float(value)),
        bound=low,
        answer=answer,
        costs=(
            Cost("distance", float(value), unit),
            Cost("largest load of a core", answer["max_load"], load),
            Cost("moves", float(len(answer["moves"])), ""),
        ),
        reasons=binding(instance, plan, answer),
        alternatives=alternatives(instance, plan, unit),
    ).stamped(steps=plan.steps)


def _check_required(places: Places) -> None:
    """Raise where the request gives a PU to a queue that there is not, or that is managed."""
    devices = places.devices
    for at, row in enumerate(places.request.require):
        path = f"interrupts request $.require[{at}]"
        name = device_of(row.device, places.machine, path)
        queues = [queue for queue in devices.of(name) if queue.number == row.queue]
        if not queues:
            numbers = [queue.number for queue in devices.of(name)]
            last = f"its queues go up to {max(numbers)}" if numbers else "it is not asked for"
            raise RequestError(f"{name} has no queue {row.queue}", place=path, mend=last)
        if not places.machine.has(f"pu:{row.pu}"):
            last = f"PUs go up to {max(places.machine.pus, default=0)}"
            text = f"{places.machine.name} has no pu:{row.pu}"
            raise RequestError(text, place=path, mend=last)


def _closed(places: Places) -> tuple[Reason, ...]:
    """Return why a device has no PU at all, or a given PU is none; empty where all is well."""
    machine = places.machine
    for at, row in enumerate(places.request.require):
        path = f"interrupts request $.require[{at}]"
        name = device_of(row.device, machine, path)
        given = Reason(
            f"require:{name}:{row.queue}",
            f"queue {row.queue} of {name} must be on pu:{row.pu}",
            (name, f"pu:{row.pu}"),
        )
        for queue in places.devices.of(name):
            if queue.number == row.queue and queue.managed and places.home(queue) != row.pu:
                text = f"the kernel manages interrupt {queue.irq}: it stays on {places.home(queue)}"
                return given, Reason(f"managed:{queue.irq}", text, (f"pu:{places.home(queue)}",))
        if row.pu not in places.devices.workers[name]:
            text = f"pu:{row.pu} is none of the workers of {name}"
            return given, Reason(f"workers:{name}", text, (name,))
        for one in places.blocked:
            if row.pu in one.pus:
                return given, Reason(one.id, one.text, (f"pu:{row.pu}",))
    for name in places.devices.names:
        if machine.unusable(name) or (not places.admissible(name) and _has_free(places, name)):
            return tuple(places.nobody(name))
    return ()


def _has_free(places: Places, name: str) -> bool:
    fixed = places.fixed
    return any(
        queue.device == name and at not in fixed for at, queue in enumerate(places.devices.queues)
    )


def _defaults(places: Places) -> tuple[Assumption, ...]:
    if places.request.limits.vectors_per_pu is not None or places.vectors_per_pu >= UNLIMITED:
        return ()
    text = f"a PU holds {places.vectors_per_pu} vectors of devices"
    return (Assumption(text, "x86: 256 vectors less exceptions and the kernel's own"),)


QUESTION = Question(
    name="interrupts",
    summary="a PU for every queue and interrupt of devices, near them and evenly loaded",
    request=InterruptsRequest,
    decide=decide,
    check=checker.check,
    force=force,
    example=EXAMPLE,
)
