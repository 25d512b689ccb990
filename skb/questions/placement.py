"""Placement: where tasks and their memory go, so that their messages travel the shortest.

Rules decide what is admissible and what it costs (`rules/placement`); clingo proves; beyond its
frontier a local search gives the placement and clingo the bound. The price of a task is counted
from its first PU, which the answer lists first: messages, wishes to be near, memory accesses (one
per second), and one message per second to each further PU of its own (the term `spread`).
"""

from __future__ import annotations

import time
from dataclasses import replace

from skb.checkers.placement import check as check_answer
from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Model, Outcome, engine_name, minimal_core
from skb.engines.placement_search import Seats, search, terms
from skb.machine import Machine
from skb.questions.placement_answer import board_of, decision_of, decoded
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, partition
from skb.questions.placement_program import Encoder, Priced
from skb.questions.placement_request import Request, check, expand, force
from skb.questions.question import Question, Raw, read_request

# tasks times places up to which the exact places are tried; above it coarse ones, for bound and
# feasibility
LARGEST_EXACT = 6_000
# a conflict costs about as much as the program is large: the limit is meant for one of this many
# atoms
ATOMS_PER_LIMIT = 600
# candidates that the local search may weigh, and more for each task
WORK, WORK_PER_TASK = 60_000, 9_000
EXPLAINING = ("--configuration=trendy",)

EXAMPLE = """\
[[task]]
name = "rx"
near = "pci:0000:02:00.0"

[[task]]
name = "worker"
cores = 2
memory_mib = 512

[[traffic]]
from = "rx"
to = "worker"
messages_per_s = 1000
"""


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the cheapest placement with its proof, or the rules that clash; see the module's
    docstring.

    Raises `RequestError` where the request is malformed or names what the machine does not have.
    """
    started = time.monotonic()
    request = read_request(raw, Request, "placement")
    tasks = expand(machine, request)
    check(machine, request, tasks)
    instance = Instance(machine, request, tasks)
    found = _decided(instance, limits)
    provenance = {
        "facts": machine.digest,
        "engine": f"{engine_name()} + local search",
        "seed": limits.seed,
        "limit_s": limits.seconds,
        "conflicts": limits.conflicts,
    }
    found = replace(found, request=dict(raw), provenance={**found.provenance, **provenance})
    return found.stamped(seconds=round(time.monotonic() - started, 6))


def _decided(instance: Instance, limits: Limits) -> Decision:
    cut = _cut(instance)
    priced = Encoder(instance, cut).decide()
    model = Model(priced.program, seed=limits.seed)
    outcome = model.solve(limits=_spendable(priced, limits))
    if outcome.satisfiable is False:
        return _explained(instance, limits).stamped(rules=priced.program.digest)
    board = board_of(instance, cut, model.atoms("ok", 2))
    bound = _bound(priced, outcome)
    seats: Seats | None = None
    if outcome.satisfiable:
        seats = decoded(instance, cut, outcome.atoms)
    if seats is None or bound is None or sum(terms(board, seats).values()) > bound:
        work = WORK + WORK_PER_TASK * len(instance.tasks)
        better = search(board, limits.seed, work, seats)
        seats = better[0] if better else seats
    found = decision_of(instance, board, seats, bound)
    return found.stamped(rules=priced.program.digest)


def _cut(instance: Instance) -> Partition:
    cut = partition(instance)
    if len(cut.places) * len(instance.tasks) > LARGEST_EXACT:
        return partition(instance, coarse=True)
    return cut


def _spendable(priced: Priced, limits: Limits) -> Limits:
    """Return the limit of conflicts for this program; it counts work, so that a decision can be
    replayed.
    """
    share = ATOMS_PER_LIMIT / (ATOMS_PER_LIMIT + len(priced.program.atoms))
    return replace(limits, conflicts=max(1, round(limits.conflicts * share)))


def _bound(priced: Priced, outcome: Outcome) -> int | None:
    """Return the proven lower bound of the price, None where there is none."""
    if outcome.bound:
        return priced.price(outcome.bound[0])
    return priced.offset


def _explained(instance: Instance, limits: Limits) -> Decision:
    """Return the decision that names a minimal set of the user's rules that clash."""
    model = Model(Encoder(instance, partition(instance, coarse=True)).explain(), EXPLAINING)
    named = [("act", (rule,)) for rule in instance.rules]
    core, exact = minimal_core(model, named, limits)
    reasons = [
        Reason(rule.id, rule.text, rule.items)
        for rule in instance.rules.values()
        if ("act", (rule.id,)) in core
    ]
    if not reasons:
        text = f"{instance.machine.name} has {len(instance.pus)} usable PUs"
        reasons = [Reason("machine", text, ("machine:0",))]
        exact = exact or not instance.pus
    return Decision(
        question="placement",
        machine=instance.machine.name,
        revision=instance.machine.revision,
        status=Status.INFEASIBLE,
        objective=Objective("communication", None, "ns/s"),
        answer={},
        reasons=tuple(reasons),
        warnings=() if exact else ("the reasons are not proven to be minimal",),
    )


QUESTION = Question(
    name="placement",
    summary="Where tasks and their memory go, so that their messages travel the shortest.",
    request=Request,
    decide=decide,
    check=check_answer,
    force=force,
    example=EXAMPLE,
)
