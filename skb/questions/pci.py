"""`pci`: base addresses of PCI registers and the windows of bridges, in windows that are given.

Minimised is what is taken of the host bridges' windows: of each the bytes from its base to the end
of the last thing in it. With `keep_current` the registers that move come first.
"""

from __future__ import annotations

import time
from dataclasses import replace

from skb.checkers.pci import check
from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.engines.pci_packing import Outcome
from skb.engines.pci_solve import solve
from skb.engines.pci_tree import Range
from skb.machine import Machine
from skb.questions.pci_answer import alternatives, answer_of, because, costs_of
from skb.questions.pci_constraints import conflicts, instance
from skb.questions.pci_instance import Group, Instance
from skb.questions.pci_kept import kept
from skb.questions.pci_reasons import clash
from skb.questions.pci_request import EXAMPLE, PciRequest, force
from skb.questions.question import Question, Raw, read_request, unanswered

VALUE = "address space taken"
MOVES = "registers that move"
UNIT = "bytes"
SPARE = 0.05  # seconds of the limit for answer, checker and output
EACH = 6e-5  # and for each register
STEPS = 40  # states that are visited for each conflict that the limit allows


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide addresses; raise `RequestError` for a bad request."""
    begun = limits.begun if limits.begun is not None else time.monotonic()
    started = time.monotonic()
    request = read_request(raw, PciRequest, "pci")
    asked = instance(machine, request)
    decision = _begun(machine, raw, asked, limits)
    if wrong := conflicts(asked):
        decision = replace(decision, status=Status.INFEASIBLE, reasons=tuple(wrong))
        return decision.stamped(seconds=round(time.monotonic() - started, 4))
    count = sum(1 for group in asked.groups for _ in asked.asked(group))
    deadline = begun + limits.seconds - SPARE - EACH * count
    found, pins, least, failed = _solved(asked, limits, deadline)
    if failed is not None:
        decision = _without(decision, asked, failed, found[-1], limits, deadline)
    else:
        decision = _with(decision, asked, found, pins, least)
    return decision.stamped(seconds=round(time.monotonic() - started, 4))


def _begun(machine: Machine, raw: Raw, asked: Instance, limits: Limits) -> Decision:
    """Return a decision without an answer yet."""
    moves = asked.request.keep_current
    objective = Objective(MOVES if moves else VALUE, None, "registers" if moves else UNIT)
    engine = "least end of each multiset, beam and exact"
    decision = unanswered(
        "pci", machine, raw, limits, objective, engine, conflicts=limits.conflicts
    )
    return replace(decision, assumed=tuple(asked.assumed), warnings=tuple(asked.warnings))


def _solved(
    asked: Instance, limits: Limits, deadline: float
) -> tuple[list[Outcome], dict[tuple[str, int], int], int, Group | None]:
    """Return the outcome of each group up to one that fails, all pins, how many registers move in
    any case, and the group that fails.
    """
    hard = {key: base for key, (base, _why) in asked.pins.items()}
    outcomes: list[Outcome] = []
    pins = dict(hard)
    steps, least = limits.conflicts * STEPS, 0
    for at, group in enumerate(asked.groups):
        now = time.monotonic()
        until = now + max(deadline - now, 0.0) / (len(asked.groups) - at)
        taken = [(each.low, each.high) for each in asked.taken_in(group)]
        others = _elsewhere(asked, group, outcomes)
        if asked.request.keep_current:
            stay, moving = kept(asked, group, pins, [*taken, *others], steps, until)
            pins |= stay
            least += moving
        problem = asked.problem(group, pins, [*taken, *others])
        outcome = solve(problem, steps, until)
        if others and outcome.laid is None:
            outcome.fits = None
        if others:
            # a bound beside what was laid for another host bridge is none of both together
            outcome.bound = min(outcome.bound, sum(bar.size for bar in problem.every_bar()))
        outcomes.append(outcome)
        if outcome.laid is None:
            return outcomes, pins, least, group
    return outcomes, pins, least, None


def _elsewhere(asked: Instance, group: Group, outcomes: list[Outcome]) -> list[Range]:
    """Return what was laid for other host bridges in windows that overlap this one's."""
    found: list[Range] = []
    for other, outcome in zip(asked.groups, outcomes, strict=False):
        if other.domain != group.domain or outcome.laid is None:
            continue
        if any(a.base < b.end and b.base < a.end for a in other.roots for b in group.roots):
            problem = asked.problem(other, {}, [])
            sizes = {bar.name: bar.size for bar in problem.every_bar()}
            found += [(base, base + sizes[name]) for name, base in outcome.laid.bars.items()]
            found += outcome.laid.windows.values()
    return found


def _with(
    decision: Decision,
    asked: Instance,
    found: list[Outcome],
    pins: dict[tuple[str, int], int],
    least: int,
) -> Decision:
    """Return the decision with its answer, price and reasons."""
    answer = answer_of(asked, found)
    value = sum(outcome.value for outcome in found)
    bound = sum(outcome.bound for outcome in found)
    proven = value == bound
    objective = replace(decision.objective, value=value)
    if asked.request.keep_current:
        objective = replace(decision.objective, value=answer["moved"])
        proven, bound = answer["moved"] == least, least
    return replace(
        decision,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=objective,
        bound=bound,
        answer=answer,
        costs=costs_of(answer),
        reasons=because(asked, answer, found, pins),
        alternatives=alternatives(asked, found),
    )


def _without(
    decision: Decision,
    asked: Instance,
    group: Group,
    outcome: Outcome,
    limits: Limits,
    deadline: float,
) -> Decision:
    """Return the decision that says what does not fit, by how much, and what clashes."""
    if outcome.fits is not False:
        text = f"no layout below {group.host} was found within the limit, and none is excluded"
        return replace(decision, reasons=(Reason("limit", text, (group.host,)),))
    reasons, exact = clash(asked, group, outcome, limits.conflicts * STEPS, deadline)
    warnings = decision.warnings
    if not exact:
        warnings = (*warnings, "the reasons are not proven to be minimal")
    return replace(decision, status=Status.INFEASIBLE, reasons=tuple(reasons), warnings=warnings)


QUESTION = Question(
    name="pci",
    summary="base addresses of PCI registers and the windows of bridges that hold them",
    request=PciRequest,
    decide=decide,
    check=check,
    force=force,
    example=EXAMPLE,
    needs_pus=False,
)
