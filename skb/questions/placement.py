"""Placement: where tasks and their memory go, so that their messages travel the shortest.

Rules decide what is admissible and what it costs (`rules/placement`); clingo proves; beyond its
frontier a local search gives the placement, and clingo or the eigenvalues of the traffic the bound.
The price of a task is counted from its first PU, which the answer lists first: messages, wishes to
be near, and memory accesses (one per second) where the task asks for memory (`memory_mib` or
`memory_kind`); the others get the nearest usable node without a price. A task of several PUs also
sends one message per second to each further PU of its own: the term `spread`, a tie-breaker that
keeps its PUs close.
"""

from __future__ import annotations

import time
from dataclasses import replace

from skb.checkers.placement import check as check_answer
from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Atom, Outcome, engine_name, rules_digest
from skb.engines.placement_classes import annealed
from skb.engines.placement_proof import Child, Work, clashing, solved
from skb.engines.placement_search import ATTEMPTS, Board, Seats, search, terms
from skb.errors import LimitError
from skb.machine import Machine
from skb.questions.placement_answer import board_of, decision_of, decoded, fits, settled
from skb.questions.placement_bound import Bounds
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, partition
from skb.questions.placement_policies import Policies
from skb.questions.placement_program import DECIDE, Encoder, Priced
from skb.questions.placement_request import Request, check, expand, force, resolved
from skb.questions.question import Question, Raw, read_request

# tasks times places up to which the exact places are tried; above it coarse ones, for bound and
# feasibility
LARGEST_EXACT = 6_000
# a conflict costs about as much as the program is large: the limit is meant for one of this many
# atoms
ATOMS_PER_LIMIT = 600
# candidates that the local search may weigh, and more for each task
WORK, WORK_PER_TASK = 60_000, 9_000
# tasks above which ruin and recreate from nothing is hopeless where annealing found something
MOST_RUINED = 64
# steps of annealing for each second of the limit: a slow host makes about this many
STEPS_PER_SECOND = 30_000
# share of the time that is left which annealing may take, where its steps are slow
ON_CLASSES = 0.7
# volume above which clingo runs in a process that can be killed: about 0.3 s of grounding
LARGEST_INSIDE, PER_PAIR = 3_000, 20
# seconds that the program takes to write down, for each unit of volume
SECONDS_TO_WRITE = 7e-6
# seconds kept for writing the answer down, and for the way back from the other process
RESERVE, RETURN = 0.1, 0.1
# so many tasks need as long again to be written down
TASKS_PER_RESERVE = 400
EXPLAINING = ("--configuration=trendy",)

EXAMPLE = """\
[[task]]
name = "rx"
near = "device:eth0"

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

    Raises `RequestError` where the request is malformed or names what the machine does not have,
    `LimitError` where the time limit came before the first admissible placement.
    """
    started = time.monotonic()
    request = resolved(machine, read_request(raw, Request, "placement"))
    tasks = expand(machine, request)
    check(machine, request, tasks)
    instance = Instance(machine, request, tasks)
    board = board_of(instance)
    share = limits.seconds / 2 if request.compare else limits.seconds - RESERVE
    policies = Policies(instance, board, started + share)
    if request.compare:
        policies.weigh()
    found = _decided(instance, board, policies, limits, started + limits.seconds)
    if request.compare and found.objective.value is not None:
        rows = policies.rows(found.objective.value)
        found = replace(found, alternatives=(*rows, *found.alternatives))
    provenance = {
        "facts": machine.digest,
        "engine": f"{engine_name()} + local search",
        "seed": limits.seed,
        "limit_s": limits.seconds,
        "conflicts": limits.conflicts,
    }
    found = replace(found, request=dict(raw), provenance={**found.provenance, **provenance})
    return found.stamped(seconds=round(time.monotonic() - started, 6))


def _decided(
    instance: Instance, board: Board, policies: Policies, limits: Limits, deadline: float
) -> Decision:
    with Bounds(instance, board, _end(instance, deadline)) as bounds:
        return _weighed(instance, board, policies, limits, deadline, bounds)


def _weighed(
    instance: Instance,
    board: Board,
    policies: Policies,
    limits: Limits,
    deadline: float,
    bounds: Bounds,
) -> Decision:
    cut = _cut(instance)
    end = _end(instance, deadline)
    if _volume(instance, cut) * SECONDS_TO_WRITE > (end - time.monotonic()) / 3:
        bounds.start()
        seats = policies.improve(_searched(instance, board, limits, None, end), 0)
        return _unproven(instance, board, seats, limits, deadline, bounds.result())
    priced = Encoder(instance, cut).decide()
    if free := _free(board, policies, priced):
        return decision_of(instance, board, free, priced.offset, deadline).stamped(
            rules=priced.program.digest
        )
    job = Work(priced.program, _spendable(priced, limits), end - RETURN)
    if _volume(instance, cut) > LARGEST_INSIDE:
        bounds.start()
        with Child(job) as child:
            seats = _searched(instance, board, limits, None, end)
            outcome = child.result(end)
    else:
        seats, outcome = None, solved(job)
    if outcome is not None and outcome.satisfiable is False:
        return _explained(instance, limits, deadline).stamped(rules=priced.program.digest)
    bound = _bound(priced, outcome)
    if outcome is not None and outcome.satisfiable:
        proven = decoded(instance, cut, outcome.atoms)
        if fits(board, proven):
            proven = settled(board, proven)
            if seats is None or _price(board, proven) < _price(board, seats):
                seats = proven
    if seats is None or _price(board, seats) > bound:
        bounds.start()
        again = _volume(instance, cut) > LARGEST_INSIDE
        seats = _searched(instance, board, limits, seats, end, again) or seats
        bound = max(bound, bounds.result())
    seats = policies.improve(seats, bound)
    if outcome is None or (seats is None and time.monotonic() >= end):
        return _unproven(instance, board, seats, limits, deadline, bound)
    found = decision_of(instance, board, seats, bound, deadline)
    return found.stamped(rules=priced.program.digest)


def _free(board: Board, policies: Policies, priced: Priced) -> Seats | None:
    """Return a policy's placement that costs no more than what none can save: it needs no search.

    Many tasks without traffic are such a case, of which clingo would compare all permutations.
    """
    seats = policies.improve(None, priced.offset)
    return seats if seats is not None and _price(board, seats) <= priced.offset else None


def _end(instance: Instance, deadline: float) -> float:
    """Return when the engines must be done, so that the answer is written down in time."""
    return deadline - RESERVE * (1 + len(instance.tasks) / TASKS_PER_RESERVE)


def _unproven(
    instance: Instance,
    board: Board,
    seats: Seats | None,
    limits: Limits,
    deadline: float,
    bound: int = 0,
) -> Decision:
    """Return the decision where clingo had no time; raise `LimitError` where nothing was found."""
    if seats is None:
        raise LimitError(
            f"no admissible placement was found in {limits.seconds:g} s, and none was excluded",
            mend="allow more seconds, or ask for fewer tasks",
        )
    text = "the time limit came before a proof; the bound is what holds for any placement"
    found = decision_of(instance, board, seats, bound, deadline)
    found = replace(found, warnings=(*found.warnings, text))
    return found.stamped(rules=rules_digest(DECIDE))


def _searched(
    instance: Instance,
    board: Board,
    limits: Limits,
    start: Seats | None,
    deadline: float,
    again: bool = False,
) -> Seats | None:
    """Return the better of `start` and what is found; annealing would find the same again."""
    many = len(instance.tasks) > MOST_RUINED
    # a part of the time is for the steps on PUs, from which the annealing on classes abstracts
    now = time.monotonic()
    fuse = now + (deadline - now) * ON_CLASSES
    steps = round(limits.seconds * STEPS_PER_SECOND)
    placed = None if again else annealed(board, limits.seed, steps, fuse)
    if placed and (start is None or _price(board, placed) < _price(board, start)):
        start = placed
    polished = many and placed is not None
    work = WORK + (0 if polished else WORK_PER_TASK * len(instance.tasks))
    attempts = 0 if many and start is not None else ATTEMPTS
    found = search(board, limits.seed, work, start, deadline, attempts)
    return found[0] if found else None


def _price(board: Board, seats: Seats) -> int:
    return sum(terms(board, seats).values())


def _volume(instance: Instance, cut: Partition) -> int:
    """Return about how large the ground program is: units of tasks times places, and levels."""
    units = sum(1 + instance.count(task) for task in range(len(instance.tasks)))
    return len(cut.places) * units + len(instance.traffic) * PER_PAIR


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


def _bound(priced: Priced, outcome: Outcome | None) -> int:
    """Return the proven lower bound of the price; without a proof what every placement costs."""
    if outcome is not None and outcome.bound:
        return priced.price(outcome.bound[0])
    return priced.offset


def _explained(instance: Instance, limits: Limits, deadline: float) -> Decision:
    """Return the decision that names a minimal set of the user's rules that clash."""
    cut = partition(instance, coarse=True)
    program = Encoder(instance, cut).explain()
    named: tuple[Atom, ...] = tuple(("act", (rule,)) for rule in instance.rules)
    job = Work(program, limits, deadline - RETURN, named, EXPLAINING)
    if _volume(instance, cut) > LARGEST_INSIDE:
        with Child(job) as child:
            core, exact = child.result(deadline) or ((), False)
    else:
        core, exact = clashing(job)
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
        assumed=instance.assumed_by(reason.id for reason in reasons),
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
