"""`power`: what is lost when parts go, which can go while a load keeps running, and in what order.

What is lost follows from containment and links; each lost part is told with its dominator and the
ways that are lost. With a load to keep the largest saving is searched, best first, with a bound.
Tasks that run now leave with the fewest moves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as structs_replace

from skb.checkers import power as checker
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.errors import LimitError, RequestError
from skb.machine import Machine, kind_of
from skb.questions.placement import QUESTION as PLACEMENT
from skb.questions.power_answer import single_points, totals, unreachable
from skb.questions.power_evacuation import TOKEN_MIB, evacuation, tasks_of
from skb.questions.power_instance import Off, Power, supposed
from skb.questions.power_load import Load
from skb.questions.power_order import off_order, resume_order
from skb.questions.power_request import EXAMPLE, Keep, PowerRequest, Save, force
from skb.questions.power_wishes import Solved, binding, clash, left_on, priced, solved
from skb.questions.question import Question, Raw, read_request, unanswered

SPARE = 0.05  # seconds of the limit for output
TELLING = 1.5e-4  # and for each part of the machine, which answer, checker and output walk
SEARCHING = 0.6  # of the limit for the search, the rest for reasons and prices
# parts of a kind up to which each one's price is told
MOST_PRICED = 32
ENGINE = "reachability, dominators, best first with a bound"


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide what goes; raise `RequestError` for a bad request."""
    begin = limits.begun if limits.begun is not None else time.monotonic()
    started = time.monotonic()
    spare = SPARE + TELLING * len(machine.objects)
    deadline = begin + max(0.05, limits.seconds - spare)
    request = _whole(read_request(raw, PowerRequest, "power"))
    power = Power(machine)
    _known(power, request)
    off = power.off(request.off, "$.off")
    back = power.off(request.resume, "$.resume")
    tasks, asked = tasks_of(request), request
    if tasks is not None and request.save is not None and _bare(request.keep):
        keep = request.keep or Keep()
        plain = {key: value for key, value in tasks.items() if key != "current"}
        request = structs_replace(request, keep=structs_replace(keep, placement=plain))
    if request.save is None and request.keep is not None and not request.off:
        request = structs_replace(request, save=Save())
    searching = started + (deadline - started) * SEARCHING
    found = solved(power, request, limits, searching)
    decision = _begun(machine, raw, limits, found)
    if found.possible is False:
        decision = _refused(decision, power, request, limits, deadline)
    elif found.possible is None and found.choice is None:
        text = (
            "it was not found within the limit how the load runs, and that it does is not excluded"
        )
        decision = replace(decision, reasons=(Reason("limit", text),))
    else:
        if found.choice is not None:
            off = off.plus(found.choice.off)
            decision = _saved(decision, power, request, found, limits, deadline)
        else:
            decision = replace(decision, status=Status.OPTIMAL)
        decision = _told(decision, power, request, off, back, found)
        if tasks is not None:
            decision = _evacuated(decision, power, off, asked, tasks, found.load, limits, deadline)
    return decision.stamped(seconds=round(time.monotonic() - started, 4))


def _bare(keep: Keep | None) -> bool:
    return keep is None or (keep.pus is None and keep.placement is None)


def _whole(request: PowerRequest) -> PowerRequest:
    """Return the request; raise `RequestError` where it asks for nothing, or twice."""
    asks = (request.off, request.keep, request.save, request.resume)
    if not any(one not in (None, []) for one in asks):
        raise RequestError(
            "nothing goes, stays or comes back",
            place="power request $",
            mend='write off = ["package:0"], or [keep] and [save], or resume = [...]',
        )
    keep = request.keep
    if keep is not None and keep.decision is not None:
        raise RequestError(
            f"decision {keep.decision} is not filled in",
            place="power request $.keep.decision",
            mend="ask through the knowledge base, which has it, or give keep.placement",
        )
    if keep is not None and keep.placement is not None and keep.pus is not None:
        raise RequestError(
            "a load has PUs or tasks, not both",
            place="power request $.keep",
            mend="leave out keep.pus or keep.placement",
        )
    return request


def _known(power: Power, request: PowerRequest) -> None:
    """Raise `RequestError` where tasks are malformed, or watts are of no part."""
    if request.keep is not None and request.keep.placement is not None:
        read_request(request.keep.placement, PLACEMENT.request, "placement")
    kinds = {kind_of(name) for name in power.machine.objects}
    for name in request.watts:
        if name not in kinds:
            power.part(name, f"$.watts.{name}")


def _begun(machine: Machine, raw: Raw, limits: Limits, found: Solved) -> Decision:
    """Return a decision without an answer yet."""
    objective = Objective("parts lost", None, "parts")
    if found.asked is not None:
        words = "power left on" if found.asked.unit == "W" else f"{found.asked.kind}s left on"
        objective = Objective(words, None, found.asked.unit)
    assumed = list(found.asked.assumed) if found.asked is not None else []
    if found.load is not None:
        assumed += found.load.assumed
    decision = unanswered(
        "power", machine, raw, limits, objective, ENGINE, conflicts=limits.conflicts
    )
    return replace(decision, assumed=tuple(assumed))


def _refused(
    decision: Decision, power: Power, request: PowerRequest, limits: Limits, deadline: float
) -> Decision:
    """Name the user's wishes that clash."""
    found, exact = clash(power, request, limits, deadline)
    warnings = decision.warnings
    if not exact:
        warnings = (*warnings, "that fewer of these wishes clash is not excluded")
    return replace(
        decision,
        status=Status.INFEASIBLE,
        reasons=tuple(wish.reason for wish in found),
        warnings=warnings,
    )


# ------------------------------------------------------------------ a saving
def _saved(
    decision: Decision,
    power: Power,
    request: PowerRequest,
    found: Solved,
    limits: Limits,
    deadline: float,
) -> Decision:
    """Add value, bound, what binds the saving, and what each part costs."""
    asked, choice, load = found.asked, found.choice, found.load
    assert asked is not None and choice is not None and load is not None
    value, bound = left_on(asked, choice.saved), left_on(asked, choice.bound)
    if load.loose:
        bound = min(bound, left_on(asked, asked.total))
    status = Status.OPTIMAL if value == bound else Status.FEASIBLE
    warnings = decision.warnings
    if found.possible is None:
        text = "the limit came before so much was saved, and it is not excluded that it can be"
        warnings = (*warnings, text)
    reasons: list[Reason] = []
    rows: list[dict[str, Any]] = []
    if load.keep.placement is None and len(asked.parts) <= MOST_PRICED:
        reasons, missing = binding(power, request, found, limits, deadline)
        rows = priced(power, request, found, limits, deadline)
        if missing or len(rows) < len(asked.parts) - len(request.off) - len(request.never):
            warnings = (*warnings, "the limit came before every alternative had its price")
    return replace(
        decision,
        status=status,
        objective=replace(decision.objective, value=value),
        bound=bound,
        answer={
            "saving": {
                "kind": asked.kind,
                "of": len(asked.parts),
                "parts": sorted(choice.off, key=list(asked.parts).index),
                "amount": asked.shown(choice.saved),
                "unit": asked.unit,
                "at_most": asked.shown(max(choice.bound, choice.saved)),
            }
        },
        costs=(Cost("saved", asked.shown(choice.saved), asked.unit),),
        reasons=tuple(reasons),
        alternatives=tuple(rows),
        warnings=warnings,
    )


# ------------------------------------------------------------------ what is lost, and the order
def _told(
    decision: Decision,
    power: Power,
    request: PowerRequest,
    off: Off,
    back: Off,
    found: Solved,
) -> Decision:
    after = power.reach(off)
    rows = unreachable(power, off, after)
    lost = totals(power, rows)
    answer: dict[str, Any] = {
        **decision.answer,
        "off": list(off.names),
        "lost": lost,
        "unreachable": rows,
        "order": off_order(power, off, after.home),
        "single_points": single_points(power),
        "resume": resume_order(power, back if request.resume else off, off),
        "other_way": [
            {"part": name, "over": [h for h in power.net.hosts[name] if h not in after.lost]}
            for name in sorted(after.hosted - power.now.hosted)
        ],
    }
    fit = found.load.fit(off, after) if found.load is not None else None
    if fit is not None and (request.keep is not None or request.save is not None):
        answer["kept"] = {
            "pus": list(fit.pus),
            "numa": list(fit.numa),
            "devices": list(found.load.keep.devices) if found.load else [],
            **({"tasks": dict(fit.tasks)} if fit.tasks else {}),
        }
    costs = list(decision.costs)
    objective, bound = decision.objective, decision.bound
    if found.choice is None:
        objective = replace(objective, value=float(lost["parts"]))
        bound = float(lost["parts"])
    costs.append(Cost("PUs lost", lost["pus"], "PUs"))
    if power.size:
        costs.append(Cost("memory lost", lost["memory_mib"], "MiB"))
    reasons = decision.reasons
    if found.choice is None and off.names:
        reasons = tuple(_because(rows, off))
    return replace(
        decision,
        answer=answer,
        costs=tuple(costs),
        objective=objective,
        bound=bound,
        reasons=reasons,
    )


def _because(rows: list[dict[str, Any]], off: Off) -> list[Reason]:
    """Return for each part that goes how much it takes along, and for groups that cut together."""
    found: dict[tuple[str, ...], int] = {}
    for row in rows:
        if row["part"] not in off.names:
            found[tuple(row["because"])] = found.get(tuple(row["because"]), 0) + 1
    reasons = []
    for parts, many in sorted(found.items()):
        names = " and ".join(parts)
        verb = "takes" if len(parts) == 1 else "together take"
        text = f"{names} {verb} {many} other part{'s' * (many > 1)} along"
        reasons.append(Reason(f"off:{'+'.join(parts)}", text, parts))
    return reasons


# ------------------------------------------------------------------ tasks that leave
def _evacuated(
    decision: Decision,
    power: Power,
    off: Off,
    request: PowerRequest,
    tasks: dict[str, Any],
    load: Load | None,
    limits: Limits,
    deadline: float,
) -> Decision:
    """Add the moves, and the steps in their order."""
    machine, order = power.machine, decision.answer["order"]
    left = replace(limits, seconds=max(0.2, deadline - time.monotonic()), begun=None)
    reached = power.reach(off)
    after = supposed(machine, off, reached.cut)
    try:
        found = evacuation(machine, after, tasks, order, left)
    except LimitError as fault:
        text = f"no evacuation: {fault}"
        return replace(decision, warnings=(*decision.warnings, text))
    if found.clash:
        goes = tuple(Reason(f"off:{name}", f"{name} goes", (name,)) for name in off.names)
        return replace(
            decision,
            status=Status.INFEASIBLE,
            objective=replace(decision.objective, value=None),
            bound=None,
            reasons=(*goes, *found.clash),
        )
    told = found.told
    costs = (
        *decision.costs,
        Cost("tasks that move", told["moves"], "tasks"),
        Cost("messages before", told["before"]["value"], "ns/s"),
        Cost("messages after", told["after"]["value"], "ns/s"),
    )
    warnings = (*decision.warnings, *found.warnings)
    answer = {**decision.answer, "evacuation": told}
    if load is not None and answer.get("kept", {}).get("tasks"):
        if load.suits(off, reached, told["tasks"]):
            answer["kept"] = {**answer["kept"], **_seated(told["tasks"])}
        else:
            text = "after the fewest moves tasks are farther from each other than was asked for"
            warnings = (*warnings, text)
    assumed = tuple(dict.fromkeys((*decision.assumed, *found.assumed, *_tokens(request))))
    return replace(decision, answer=answer, costs=costs, warnings=warnings, assumed=assumed)


def _seated(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what of the machine tasks use."""
    nodes = {place["numa_node"] for place in tasks.values()} - {None}
    pus = {pu for place in tasks.values() for pu in place["pus"]}
    return {"pus": sorted(pus), "numa": sorted(nodes), "tasks": dict(tasks)}


def _tokens(request: PowerRequest) -> list[Assumption]:
    """Return the sizes that were assumed of tasks of which only the place is said."""
    if request.keep is not None and request.keep.placement is not None:
        return []
    return [
        Assumption(f"memory of task {name} = {TOKEN_MIB:g} MiB", "only its node is said")
        for name, seat in request.current.items()
        if seat.numa_node is not None and seat.memory_mib is None
    ]


QUESTION = Question(
    name="power",
    summary="What is lost when parts go, what can go while a load keeps running, in which order.",
    request=PowerRequest,
    decide=decide,
    check=checker.check,
    force=force,
    example=EXAMPLE,
    needs_pus=False,
)
