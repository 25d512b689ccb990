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
from collections.abc import Sequence
from dataclasses import replace

from skb.checkers.placement import check as check_answer
from skb.decision import Decision, Limits, Status
from skb.engines.asp import Outcome, engine_name, rules_digest
from skb.engines.compiling import PLAIN, UNCOMPILED, loaded
from skb.engines.placement_admissible import admissible
from skb.engines.placement_board import Board, Seats, terms
from skb.engines.placement_classes import abstracts, annealed, ready
from skb.engines.placement_proof import Proof
from skb.engines.placement_search import ATTEMPTS, descend
from skb.errors import LimitError
from skb.machine import Machine
from skb.questions.placement_answer import board_of, decision_of, decoded, settled
from skb.questions.placement_applications import Written, written_out
from skb.questions.placement_bound import Bounds
from skb.questions.placement_clash import explained, refuted
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, partition
from skb.questions.placement_policies import Policies
from skb.questions.placement_program import DECIDE, Encoder, Priced
from skb.questions.placement_request import Request, check, expand, resolved
from skb.questions.placement_whynot import force, nearby
from skb.questions.question import Question, Raw, read_request

# tasks times places up to which the exact places are tried; above it coarse ones, for bound and
# feasibility
LARGEST_EXACT = 6_000
# conflicts of clingo for each that the limits allow: the default is about what 10 s are good for
CONFLICTS = 30
# a conflict costs about as much as the program is large: the limit is meant for one of this many
# atoms
ATOMS_PER_LIMIT = 600
# candidates that the local search may weigh, and more for each task
WORK, WORK_PER_TASK = 60_000, 9_000
# tasks above which ruin and recreate from nothing is hopeless where annealing found something
MOST_RUINED = 64
# steps of compiled annealing for each second of the limit: a slow host makes about this many
STEPS_PER_SECOND = 5_000_000
# share of the time that a likely proof has for itself, before the other bound takes a processor
WITHOUT_BOUND = 0.4
# share of the time that is left which annealing may take, where its steps are slow
ON_CLASSES = 0.7
# share of that time which loading the compiled search may take
ON_LOADING = 0.6
# volume above which clingo runs in a process that can be killed, because grounding cannot be ended
LARGEST_INSIDE, PER_PAIR = 12_000, 20
# volume up to which a proof is likely, and above which clingo finds none for tasks that talk
LIKELY_PROOF, LARGEST_PROOF = 6_000, 24_000
# seconds to wait for a proof before others compute beside it
PATIENCE = 1.0
# at most this share of the time that is left, where there is a placement
PATIENT = 0.8
# starts of annealing on classes beside clingo, their steps, and what sets their seeds apart
STARTS, STEPS, NEXT_SEED = 6, 400_000, 7_919
# what ended the search: an answer can be repeated exactly unless it was the clock
PROOF_ENDED, WORK_ENDED, CLOCK_ENDED = "proof", "work", "clock"
TOO_LATE = "the time limit came before a proof; the bound is what holds for any placement"
TOO_LARGE = "too large to be proven optimal; the bound is what holds for any placement"
# seconds that the program takes to write down, for each unit of volume
SECONDS_TO_WRITE = 7e-6
# seconds kept for writing the answer down, and for the way back from the other process
RESERVE, RETURN = 0.06, 0.1
# of that after reasons and alternatives
WRITING = 0.03
# so many tasks need as long again to be written down
TASKS_PER_RESERVE = 400

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
    started = time.monotonic() if limits.begun is None else limits.begun
    raw = written_out(machine, raw)
    request = resolved(machine, read_request(raw, Request, "placement"))
    tasks = expand(machine, request)
    check(machine, request, tasks)
    instance = Instance(machine, request, tasks)
    if clash := refuted(instance, limits, started + limits.seconds):
        return _stamped(clash.stamped(rules=rules_digest(DECIDE)), machine, raw, limits, started)
    if time.monotonic() >= started + limits.seconds:
        raise _nothing_found(limits)
    board = board_of(instance)
    share = limits.seconds / 2 if request.compare else limits.seconds - RESERVE
    policies = Policies(instance, board, started + share)
    if request.compare:
        policies.weigh()
    found = _Run(instance, board, policies, limits, started + limits.seconds).decide()
    if request.compare and found.objective.value is not None:
        rows = policies.rows(found.objective.value)
        found = replace(found, alternatives=(*rows, *found.alternatives))
    return _stamped(found, machine, raw, limits, started)


def _stamped(
    found: Decision, machine: Machine, raw: Raw, limits: Limits, started: float
) -> Decision:
    provenance = {
        "facts": machine.digest,
        "engine": f"{engine_name()} + local search",
        "seed": limits.seed,
        "limit_s": limits.seconds,
        "conflicts": limits.conflicts,
    }
    found = replace(found, request=dict(raw), provenance={**found.provenance, **provenance})
    return found.stamped(seconds=round(time.monotonic() - started, 6))


class _Run:
    """One request under way: what is known of it, and when the engines must be done.

    Engines end at `end`, so that the answer is written down by `deadline`.
    """

    def __init__(
        self, instance: Instance, board: Board, policies: Policies, limits: Limits, deadline: float
    ) -> None:
        self.instance, self.board, self.policies = instance, board, policies
        self.limits, self.deadline = limits, deadline
        self.end = deadline - RESERVE * (1 + len(instance.tasks) / TASKS_PER_RESERVE)
        self.cut = _cut(instance)
        self.volume = _volume(instance, self.cut)
        self.rules = rules_digest(DECIDE)

    def decide(self) -> Decision:
        """Return the decision of the engines that fit the size and the time."""
        with Bounds(self.instance, self.board, self.end, self.limits.seconds) as bounds:
            if self.hopeless() and (found := self.approximate(bounds)):
                return found
            return self.exact(bounds)

    def hopeless(self) -> bool:
        """Whether clingo would not even write the program down in time, or never prove it."""
        writing = self.volume * SECONDS_TO_WRITE > (self.end - time.monotonic()) / 3
        return writing or (self.volume > LARGEST_PROOF and bool(self.instance.traffic))

    def approximate(self, bounds: Bounds) -> Decision | None:
        """Return the decision without clingo; None where time is left to find a placement by it."""
        bounds.start()
        seats = self.policies.improve(self.cheapest(self.improved([])), 0)
        if seats is None and self.volume * SECONDS_TO_WRITE < (self.end - time.monotonic()) / 3:
            return None
        return self.unproven(seats, bounds.result(), TOO_LARGE)

    def exact(self, bounds: Bounds) -> Decision:
        """Return the decision of clingo and the local search side by side."""
        priced = Encoder(self.instance, self.cut).decide()
        if free := self.free(priced):
            return self.decided(free, priced.offset)
        inside = self.volume <= LARGEST_INSIDE
        fuse = self.end - (0.0 if inside else RETURN)
        more: list[Seats] = []
        with Proof(priced.program, _spendable(priced, self.limits), fuse, inside) as proof:
            found = self.placed(proof, priced, bounds)
            in_time = proof.wait(self.patience(inside, bool(found)))
            if not in_time:
                # it takes a processor from the proof
                bounds.start()
                more = self.improved(found, proof)
                in_time = proof.wait(self.end, other=lambda: self.met(bounds, more))
            until = 0.0 if self.met(bounds, more) else self.end
            outcome, refuted = proof.outcome(until), proof.refuted
        if outcome is not None and outcome.satisfiable is False:
            return explained(self.instance, self.limits, self.deadline).stamped(rules=self.rules)
        bound = self.price(found[-1]) if refuted else _bound(priced, outcome)
        best = self.cheapest([*found, *self.modelled(outcome)])
        if best is None or self.price(best) > bound:
            best = self.cheapest([*found, *self.modelled(outcome), *(more or self.improved(found))])
            bound = max(bound, bounds.result())
        best = self.policies.improve(best, bound)
        if (outcome is None or best is None) and not in_time:
            return self.unproven(best, bound, TOO_LATE)
        return self.decided(best, bound, WORK_ENDED if in_time and not bounds.cut else CLOCK_ENDED)

    def placed(self, proof: Proof, priced: Priced, bounds: Bounds) -> list[Seats]:
        """Return placements on classes, each cheaper than the one before, where clingo needs more
        than its first conflicts.

        Those are counted, not timed, and starts go on until one is proven: how soon a proof comes,
        and which, does not change the answer.
        """
        found: list[Seats] = []
        now = time.monotonic()
        likely = self.volume <= LIKELY_PROOF
        if likely and proof.wait(now + (self.end - now) / 3, begun=True):
            return found
        late = now + (self.end - now) * WITHOUT_BOUND
        for start in range(STARTS):
            if not likely or time.monotonic() > late:
                bounds.start()
            seats = self.annealed(STEPS, start)
            # met twice it is likely the best, and the proof needs the processor
            if seats is None or (found and self.price(seats) == self.price(found[-1])):
                break
            if not found or self.price(seats) < self.price(found[-1]):
                found.append(seats)
                proof.refute(priced.cost(self.price(seats)) - 1)
            if self.proven(found[-1], proof, priced):
                break
        return found

    def proven(self, seats: Seats, proof: Proof, priced: Priced) -> bool:
        """Whether it is proven by now that nothing is cheaper."""
        if proof.refuted:
            return True
        return proof.complete and self.price(seats) <= _bound(priced, proof.outcome(self.end))

    def met(self, bounds: Bounds, found: Sequence[Seats]) -> bool:
        """Whether the other bound proves the best placement by now."""
        best = self.cheapest(found)
        return best is not None and bounds.meets(self.price(best))

    def patience(self, inside: bool, placed: bool) -> float:
        """Return until when a proof is waited for before others compute beside it; longer where
        there is a placement to give.
        """
        now = time.monotonic()
        likely = inside and self.volume <= LIKELY_PROOF
        share = PATIENT if placed else 1 / 3
        return now + min(PATIENCE, (self.end - now) * share) if likely else now

    def free(self, priced: Priced) -> Seats | None:
        """Return a policy's placement that costs no more than what none can save: no search needed.

        Many tasks without traffic are such a case, of which clingo would compare all permutations.
        """
        seats = self.policies.improve(None, priced.offset)
        return seats if seats is not None and self.price(seats) <= priced.offset else None

    def annealed(self, steps: int, start: int = 0) -> Seats | None:
        """Return the placement on classes, which are an abstraction of the PUs."""
        now = time.monotonic()
        # what loading takes is not taken from the search
        arm = ready(self.board, now + (self.end - now) * ON_LOADING)
        now = time.monotonic()
        fuse = now + (self.end - now) * (ON_CLASSES if self.polishes() else 1)
        most = min(steps, round(self.limits.seconds * STEPS_PER_SECOND))
        return annealed(self.board, self.limits.seed + start * NEXT_SEED, most, fuse, arm=arm)

    def polishes(self) -> bool:
        """Whether steps on PUs may find more than those on classes, of a large placement."""
        return len(self.instance.tasks) <= MOST_RUINED or abstracts(self.board)

    def improved(self, found: Sequence[Seats], proof: Proof | None = None) -> list[Seats]:
        """Return what all the work on classes, and on PUs, makes of the last placement; less once
        there is a proof.
        """
        more = list(found[-1:])
        if not more or self.volume > LIKELY_PROOF:
            seats = self.annealed(round(self.limits.seconds * STEPS_PER_SECOND))
            more += [] if seats is None else [seats]
        start = self.cheapest(more)
        count = len(self.instance.tasks)
        polished = start is not None and count > MOST_RUINED
        if polished and not self.polishes():
            return more
        work = (WORK + (0 if polished else WORK_PER_TASK * count)) // (ATTEMPTS + 1)
        seed = self.limits.seed
        attempts: list[tuple[int, Seats | None]] = [] if start is None else [(seed, start)]
        if not polished:
            attempts += [(seed + number, None) for number in range(ATTEMPTS)]
        for number, begin in attempts:
            if proof is not None and (proof.refuted or proof.complete):
                break
            if better := descend(self.board, number, work, begin, self.end):
                more.append(better[0])
        return more

    def modelled(self, outcome: Outcome | None) -> list[Seats]:
        """Return the placement of clingo's best model, where there is one and it holds exactly."""
        # at the limit clingo may know that there is a model without having shown it; and it may
        # have seen rounded amounts
        if outcome is None or not outcome.atoms:
            return []
        seats = decoded(self.instance, self.cut, outcome.atoms)
        return [settled(self.board, seats)] if admissible(self.board, seats) else []

    def cheapest(self, found: Sequence[Seats]) -> Seats | None:
        """Return the cheapest placement, of equals the first."""
        return min(found, key=self.price, default=None)

    def price(self, seats: Seats) -> int:
        return sum(terms(self.board, seats).values())

    def decided(self, seats: Seats | None, bound: int, ended: str = CLOCK_ENDED) -> Decision:
        """Return the decision, which says what ended the search for it."""
        found = decision_of(self.instance, self.board, seats, bound, self.deadline - WRITING)
        ended = PROOF_ENDED if found.status is Status.OPTIMAL else ended
        return found.stamped(rules=self.rules, ended_by=ended)

    def unproven(self, seats: Seats | None, bound: int, text: str) -> Decision:
        """Return the decision where clingo was of no help; raise `LimitError` where nothing was
        found.
        """
        if seats is None:
            raise _nothing_found(self.limits)
        found = self.decided(seats, bound)
        if found.status is Status.OPTIMAL:
            return found
        texts = (text,) if loaded() is not PLAIN else (text, UNCOMPILED)
        return replace(found, warnings=(*found.warnings, *texts))


def _nothing_found(limits: Limits) -> LimitError:
    text = f"no admissible placement was found in {limits.seconds:g} s, and none was excluded"
    return LimitError(text, mend="allow more seconds, or ask for fewer tasks")


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
    return replace(limits, conflicts=max(1, round(limits.conflicts * CONFLICTS * share)))


def _bound(priced: Priced, outcome: Outcome | None) -> int:
    """Return the proven lower bound of the price; without a proof what every placement costs."""
    if outcome is not None and outcome.bound:
        return priced.price(outcome.bound[0])
    return priced.offset


QUESTION = Question(
    name="placement",
    summary="Where tasks and their memory go, so that their messages travel the shortest.",
    request=Written,
    decide=decide,
    check=check_answer,
    force=force,
    nearby=nearby,
    example=EXAMPLE,
)
