"""`replicas`: which PUs share one replica of a state behind a lock, and which talk by messages.

Per object the parts of the machine that hold one replica each, what orders the operations inside
(a lock or flat combining) and between them (a protocol for each class of updates), and the
coordinator, such that what all PUs spend on the object per second is least.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skb.checkers import replicas as checker
from skb.costs import Costs
from skb.decision import Assumption, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import rules_digest
from skb.engines.replicas_asp import FILES
from skb.engines.replicas_tree import INFINITE
from skb.machine import Machine
from skb.questions.question import Question, Raw, read_request, unanswered
from skb.questions.replicas_answer import costs_of, object_answer, reasons_of
from skb.questions.replicas_compare import alternatives, bearable, crossovers
from skb.questions.replicas_instance import Topology
from skb.questions.replicas_messages import Settled, settled, worst_update
from skb.questions.replicas_request import ReplicasRequest, force, require_sound
from skb.questions.replicas_search import Choice, Priced, Spent
from skb.questions.replicas_wishes import Wanted, wanted
from skb.wording import listed

SHOWN = 4
"""Objects that are named where the time was not enough for them."""
SPARE = 0.1
"""Share of the limit that is left for output."""
MOST_COLUMNS, MOST_TRIED = 8, 32
"""Coordinators, and choices of domains, whose messages are looked at where updates have a limit."""
MOST_KNOWN = 4
"""Trees of parts, with the costs between all of their PUs, that are kept for other objects."""
EXAMPLE = """
[[object]]
name = "page-table"
bytes = 4096
read_rate = 1e6
work_ns = 50
operations = [
    { name = "unmap", rate = 2000, consistency = "single-phase", work_ns = 100 },
]
"""


@dataclass(frozen=True)
class Outcome:
    """What was found for one object: its answer, and what stands beside it in the decision.

    Without an answer the reasons say why there is none. What only the search needs is let go: it
    grows with the square of the users.
    """

    name: str
    status: Status
    bound: float = 0.0
    told: dict[str, Any] = field(default_factory=dict)
    alternatives: tuple[dict[str, Any], ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    assumed: tuple[Assumption, ...] = ()


class _Fuse:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def __call__(self) -> bool:
        return time.monotonic() >= self.deadline

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()


@dataclass(frozen=True)
class _Asked:
    """A request on a machine; `known` are the trees of parts that were made, by members."""

    machine: Machine
    costs: Costs
    request: ReplicasRequest
    limits: Limits
    spent: _Fuse
    known: dict[tuple[int, ...], Topology] = field(default_factory=dict)

    def wanted(self, at: int, used: Mapping[int, int]) -> Wanted:
        place = f"replicas request $.object[{at}]"
        asked = self.request.object[at]
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        return wanted(self.machine, self.costs, asked, place, used, self.known)


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide where replicas are; raise `RequestError` for a bad request."""
    begin = limits.begun if limits.begun is not None else time.monotonic()
    request = read_request(raw, ReplicasRequest, "replicas")
    require_sound(request)
    costs = Costs(machine)
    spent = _Fuse(begin + limits.seconds * (1 - SPARE))
    outcomes = _together(_Asked(machine, costs, request, limits, spent))
    objective = Objective("time spent", None, "ns/s")
    engine = "dynamic programme over the tree of parts"
    rules = rules_digest(FILES)
    decision = replace(
        unanswered(
            "replicas", machine, raw, limits, objective, engine, rules, conflicts=limits.conflicts
        ),
        status=_status(outcomes),
        reasons=tuple(reason for found in outcomes for reason in found.reasons),
        assumed=tuple(
            dict.fromkeys((*costs.assumed, *(row for found in outcomes for row in found.assumed)))
        ),
        warnings=tuple(text for found in outcomes for text in found.warnings),
    )
    if all(found.told for found in outcomes):
        told = {found.name: found.told for found in outcomes}
        value = sum(answer["value"] for answer in told.values())
        decision = replace(
            decision,
            objective=replace(decision.objective, value=value),
            bound=min(value, sum(found.bound for found in outcomes)),
            answer={"objects": told},
            costs=costs_of(told),
            alternatives=tuple(row for found in outcomes for row in found.alternatives),
        )
    else:
        lost = tuple(r for found in outcomes if not found.told for r in found.reasons)
        decision = replace(decision, reasons=lost)
    return decision.stamped(seconds=round(time.monotonic() - begin, 4))


def _status(outcomes: list[Outcome]) -> Status:
    """Return the worst of all objects."""
    found = {outcome.status for outcome in outcomes}
    order = (Status.INFEASIBLE, Status.UNKNOWN, Status.FEASIBLE, Status.OPTIMAL)
    return next(status for status in order if status in found)


# ---------------------------------------------------------------- objects together
def _together(asked: _Asked) -> list[Outcome]:
    """Decide one object after the other in the memory that is left; who finds none is tried first.

    What an object would cost with all memory to itself bounds what it costs.
    """
    order = list(range(len(asked.request.object)))
    found: dict[int, Outcome] = {}
    for attempt in range(len(order)):
        if attempt and asked.spent():
            break
        found, failed = _in_order(asked, order)
        if failed is None or failed == order[0]:
            break
        order.remove(failed)
        order.insert(0, failed)
    return [found[at] for at in sorted(found)]


def _in_order(asked: _Asked, order: list[int]) -> tuple[dict[int, Outcome], int | None]:
    """Decide the objects in an order; also return which one the others left no memory."""
    used: dict[int, int] = {}
    found: dict[int, Outcome] = {}
    failed: int | None = None
    for done, at in enumerate(order):
        name = asked.request.object[at].name
        if done and asked.spent():
            found |= _undecided(asked, order[done:])
            break
        one = asked.wanted(at, used)
        found[at] = _one(asked, one, asked.spent.left / (len(order) - done) / 2)
        if used and one.tight:
            free = asked.wanted(at, {})
            wishes = free.wishes(free.texts)
            choice, bound = None, INFINITE
            if wishes.seats:
                choice, bound = Priced(free.case, wishes).solve(asked.spent)
            if not found[at].told and choice is not None:
                failed = at
                text = f"the memory that other objects leave has no room for {name}"
                reason = Reason(f"memory:{name}", text)
                found[at] = Outcome(name, Status.UNKNOWN, reasons=(reason,))
            elif found[at].told and bound < found[at].told["value"]:
                found[at] = replace(found[at], status=Status.FEASIBLE, bound=bound)
        for row in found[at].told.get("domains", ()):
            if (numa := row["numa_node"]) is not None:
                used[numa] = used.get(numa, 0) + one.asked.bytes
    return found, failed


def _undecided(asked: _Asked, left: list[int]) -> dict[int, Outcome]:
    """Return what is said of objects that the time was not enough for."""
    names = [asked.request.object[at].name for at in left]
    were = "was" if len(names) == 1 else "were"
    text = f"the limit came before {listed(names, SHOWN)} {were} decided"
    reason = Reason(f"limit:{names[0]}", text)
    rows = {at: Outcome(n, Status.UNKNOWN) for at, n in zip(left, names, strict=True)}
    return rows | {left[0]: Outcome(names[0], Status.UNKNOWN, reasons=(reason,))}


# ---------------------------------------------------------------- one object
def _one(asked: _Asked, one: Wanted, seconds: float) -> Outcome:
    """Return the cheapest choice for one object, or which of its constraints clash."""
    name = one.asked.name
    plain = Outcome(name, Status.INFEASIBLE, warnings=one.warnings, assumed=one.assumed)
    wishes = one.wishes(one.texts)
    priced = Priced(one.case, wishes) if wishes.seats else None
    choice, bound = priced.solve(asked.spent) if priced is not None else (None, 0.0)
    if priced is None or choice is None:
        reasons: tuple[Reason, ...] = ()
        if priced is None or bound == INFINITE:
            reasons = _clash(one, priced, asked.spent)
        if reasons:
            return replace(plain, reasons=reasons)
        reason = Reason(f"limit:{name}", f"the limit came before it was clear what {name} may be")
        return replace(plain, status=Status.UNKNOWN, reasons=(reason,))
    found = settled(asked.machine, priced, choice, seconds, asked.limits.seed)
    most = one.asked.max_update_ns
    if most is not None and worst_update(priced, found) > most:
        quick = _quicker(asked, priced, most)
        if quick is None:
            text = f"no choice was found whose updates take at most {most:g} ns"
            reason = Reason(f"limit:{name}", f"{name}: {text}")
            return replace(plain, status=Status.UNKNOWN, reasons=(reason,))
        found = quick
    return _answered(asked, plain, one, priced, found, bound)


def _answered(
    asked: _Asked, plain: Outcome, one: Wanted, priced: Priced, found: Settled, bound: float
) -> Outcome:
    """Fill in answer, reasons, crossovers and what every level would cost."""
    told = object_answer(asked.machine, one, priced, found)
    rows = alternatives(priced, plain.name)
    told["crossovers"] = crossovers(priced, found.choice, asked.spent)
    share = told["coordinator_busy"] = _coordinating(priced, found)
    warnings = plain.warnings
    if share >= 1:
        text = f"the coordinator of {plain.name} would be busy {share:.0%} of the time by messages"
        warnings = (*warnings, f"{text} if it exchanged them all itself")
    return replace(
        plain,
        status=Status.OPTIMAL if found.choice.value <= bound else Status.FEASIBLE,
        bound=bound,
        told=told,
        alternatives=tuple(rows),
        reasons=(reasons_of(plain.name, told, rows), *_binding(one, priced, found.choice)),
        warnings=warnings,
    )


def _coordinating(priced: Priced, found: Settled) -> float:
    """Return the share of its time that a coordinator which exchanges all messages itself is busy
    with them.
    """
    at, seat, total = priced.case.at, found.choice.seat, 0.0
    for node, leader in zip(found.choice.nodes, found.leaders, strict=True):
        if leader != seat:
            down, up = (float(row[node]) for row in priced.between.messages)
            total += down * float(at.send[seat, leader]) + up * float(at.receive[leader, seat])
    return total / 1e9


def _quicker(asked: _Asked, priced: Priced, most: float) -> Settled | None:
    """Return the cheapest choice of those looked at whose updates are quick enough."""
    spent = asked.spent
    for choice in priced.others(MOST_COLUMNS, spent)[:MOST_TRIED]:
        found = settled(asked.machine, priced, choice, spent.left / MOST_TRIED, asked.limits.seed)
        if worst_update(priced, found) <= most:
            return found
        if spent():
            break
    return None


def _binding(one: Wanted, known: Priced, choice: Choice) -> tuple[Reason, ...]:
    """Name the user's limits where the answer would be cheaper without them."""
    texts = {key: text for key, text in one.texts.items() if key != "memory"}
    if not texts:
        return ()
    value = float(Priced(one.case, one.wishes(()), known).best[0].min())
    if not value < choice.value:
        return ()
    text = f"without its limits {one.asked.name} would cost {choice.value - value:.4g} ns/s less"
    return (Reason(f"limits:{one.asked.name}", f"{text}: {'; '.join(texts.values())}"),)


def _clash(one: Wanted, known: Priced | None, spent: Spent) -> tuple[Reason, ...]:
    """Return a set of the user's constraints that exclude every choice, in words: minimal where the
    time is enough.
    """
    name = one.asked.name

    def possible(active: Mapping[str, str]) -> bool:
        wishes = one.wishes(active)
        if not wishes.seats:
            return False
        choice, bound = Priced(one.case, wishes, known).solve(spent)
        return choice is not None or bound < INFINITE

    kept = dict(one.texts)
    if not possible({}):
        total, most = (
            float(one.case.updates.sum()),
            bearable(Priced(one.case, one.wishes(()), known)),
        )
        text = f"{name}: its {total:.4g} updates per second are too many for any choice, as each"
        text += f" replica takes them all; about {most:.4g} can be borne"
        return (Reason(f"load:{name}", text),)
    for key in tuple(kept):
        rest = {other: text for other, text in kept.items() if other != key}
        if not possible(rest):
            kept = rest
    return tuple(Reason(f"{key}:{name}", text) for key, text in kept.items())


QUESTION = Question(
    name="replicas",
    summary="which PUs share one replica of a state behind a lock, and which talk by messages",
    request=ReplicasRequest,
    decide=decide,
    check=checker.check,
    force=force,
    example=EXAMPLE,
)
