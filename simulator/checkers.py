"""Judges of a run: each looks only at the history and knows no protocol.

A check yields one sentence per violation and names the operation and the PUs. Which checks a
protocol must pass stands in its `promises`. The properties are those of V. Hadzilacos, S. Toueg,
"Fault-tolerant broadcasts and related problems", 1993, and of P. Bernstein et al., "Concurrency
control and recovery in database systems", 1987, chapter 7.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

from simulator import checkers_logs as logs
from simulator import checkers_registers as registers
from simulator.errors import UnknownNameError
from simulator.history import (
    ABSTAINED,
    COMMIT,
    DECIDED,
    DELIVERED,
    ENTERED,
    EVENT_NAMES,
    LEFT,
    NO,
    NOT_OF_OPERATIONS,
    REDUCED,
    SUSPECTED,
    VOTED,
    YES,
    History,
)

MOST_VIOLATIONS = 100
"""A broken protocol breaks each operation; more sentences than this help nobody."""


def judge(history: History, checks: Iterable[str]) -> tuple[str, ...]:
    """Apply the named checks and return the violations in a fixed order, at most a hundred.

    Raises `UnknownNameError` for a check that does not exist.
    """
    found: dict[str, list[str]] = {}
    for name in checks:
        if name not in CHECKS:
            raise UnknownNameError("check", name, CHECKS)
        found[name] = [f"{name}: {sentence}" for sentence in CHECKS[name](history)]
    spoken = [sentences for sentences in found.values() if sentences]
    count = sum(map(len, spoken))
    if count <= MOST_VIOLATIONS:
        return tuple(sentence for sentences in spoken for sentence in sentences)
    # so that a flood of one check does not hide what the others say
    share = MOST_VIOLATIONS // len(spoken)
    kept = [sentence for sentences in spoken for sentence in sentences[:share]]
    return (*kept, f"and {count - len(kept)} violations more")


def integrity(history: History) -> Iterator[str]:
    """Nothing happens twice at a member, and nothing happens that was not proposed."""
    seen: set[tuple[int, int, int]] = set()
    for _, pu, op, event, _ in history.entries:
        if event in NOT_OF_OPERATIONS:
            continue
        key = (pu, op, event)
        if op not in history.proposals:
            yield f"PU {pu} {EVENT_NAMES[event]} operation {op}, which nobody proposed"
        elif key in seen:
            yield f"PU {pu} {EVENT_NAMES[event]} operation {op} more than once"
        seen.add(key)


def validity(history: History) -> Iterator[str]:
    """What is delivered is what was proposed."""
    for _, pu, op, _, value in history.by_event[DELIVERED]:
        proposal = history.proposals.get(op)
        if proposal is not None and value != proposal.value:
            yield f"PU {pu} delivered {value} in operation {op}, proposed was {proposal.value}"


def sums(history: History) -> Iterator[str]:
    """The root gets the sum of what all members contributed."""
    for _, pu, op, _, value in history.by_event[REDUCED]:
        proposal = history.proposals.get(op)
        if proposal is not None and value != proposal.value:
            yield f"PU {pu} reduced operation {op} to {value}, the sum is {proposal.value}"


def agreement(history: History) -> Iterator[str]:
    """All who deliver see the same."""
    for op, rows in history.by_operation(DELIVERED).items():
        values = sorted({value for _, _, _, _, value in rows})
        if len(values) > 1:
            yield f"operation {op} was delivered with different values {values}"


def delivery(history: History) -> Iterator[str]:
    """A finished operation reaches every PU that never failed.

    A fault that the protocol does not survive may break this; a run says so all the same.
    """
    if not history.drained:
        return
    delivered = history.by_operation(DELIVERED)
    for op in sorted(history.finished):
        reached = {pu for _, pu, _, _, _ in delivered.get(op, ())}
        missing = [pu for pu in history.steady if pu not in reached]
        if missing:
            yield f"operation {op} is finished but never reached PUs {missing}"


def order(history: History) -> Iterator[str]:
    """Any two members deliver their common operations in the same order."""
    sequences: dict[int, list[int]] = {pu: [] for pu in history.members}
    for _, pu, op, _, _ in history.by_event[DELIVERED]:
        sequences[pu].append(op)
    longest = max(history.members, key=lambda pu: (len(sequences[pu]), -pu))
    place = {op: at for at, op in enumerate(sequences[longest])}
    for pu in history.members:
        known = [op for op in sequences[pu] if op in place]
        for before, after in pairwise(known):
            if place[before] > place[after]:
                yield f"PU {pu} delivered {before} before {after}, PU {longest} the other way round"
                break


def acknowledged(history: History) -> Iterator[str]:
    """An operation ends only after every PU that never failed has carried it out."""
    delivered = history.by_operation(DELIVERED)
    for op, (time, _) in sorted(history.finished.items()):
        in_time = {pu for at, pu, _, _, _ in delivered.get(op, ()) if at <= time}
        late = [pu for pu in history.steady if pu not in in_time]
        if late:
            yield f"operation {op} ended before PUs {late} had carried it out"


def confirmed(history: History) -> Iterator[str]:
    """An operation ends only after the last core has it."""
    delivered = history.by_operation(DELIVERED)
    for op, (time, _) in sorted(history.finished.items()):
        times = [at for at, pu, _, _, _ in delivered.get(op, ()) if pu == history.reporter]
        if not times or min(times) > time:
            yield f"operation {op} ended before its last core, PU {history.reporter}, had it"


def atomicity(history: History) -> Iterator[str]:
    """All decide alike; commit needs every vote, abort needs a no, a fault or a suspicion."""
    votes = history.by_operation(VOTED)
    suspected = history.by_operation(SUSPECTED)
    for op, rows in history.by_operation(DECIDED).items():
        outcomes = sorted({outcome for _, _, _, _, outcome in rows})
        if len(outcomes) > 1:
            yield f"operation {op} was committed by some and aborted by others"
        if COMMIT in outcomes:
            first = min(at for at, _, _, _, outcome in rows if outcome == COMMIT)
            agreed = {pu for at, pu, _, _, vote in votes.get(op, ()) if vote != NO and at <= first}
            missing = [pu for pu in history.members if pu not in agreed]
            if missing:
                yield f"operation {op} was committed without a yes of PUs {missing}"
        elif (
            not history.disturbed
            and op not in suspected
            and all(vote != NO for _, _, _, _, vote in votes.get(op, ()))
        ):
            yield f"operation {op} was aborted though nobody refused"


def isolation(history: History) -> Iterator[str]:
    """A member promises an item to one operation at a time, and refuses only a promised one."""
    holders: dict[tuple[int, int], set[int]] = defaultdict(set)
    for _, pu, op, event, value in history.entries:
        if op not in history.proposals or event not in (VOTED, DECIDED):
            continue
        holding = holders[pu, history.proposals[op].item]
        if event == DECIDED:
            holding.discard(op)
        elif value == YES:
            if holding:
                yield f"PU {pu} voted yes to operation {op} while bound to {sorted(holding)}"
            holding.add(op)
        elif value == ABSTAINED and holding:
            yield f"PU {pu} abstained from operation {op} while bound to {sorted(holding)}"
        elif value == NO and not holding and not history.disturbed:
            yield f"PU {pu} refused operation {op} though the item was free"


def locks(history: History) -> Iterator[str]:
    """No lock is left held, except by an operation that a fault keeps from ending."""
    if not history.drained:
        return
    for lock in history.held:
        if lock.operation in history.finished or not history.disturbed:
            yield f"PU {lock.pu} still locks item {lock.item} for operation {lock.operation}"


def separation(history: History) -> Iterator[str]:
    """Nobody leaves a barrier before all have entered it."""
    entered = history.by_operation(ENTERED)
    for op, rows in history.by_operation(LEFT).items():
        first = min(at for at, _, _, _, _ in rows)
        inside = {pu for at, pu, _, _, _ in entered.get(op, ()) if at <= first}
        missing = [pu for pu in history.members if pu not in inside]
        if missing:
            yield f"a member left barrier {op} before PUs {missing} had entered"


def termination(history: History) -> Iterator[str]:
    """Without faults every proposed operation ends."""
    if not history.over or history.disturbed:
        return
    for op in sorted(history.proposals):
        if op not in history.finished:
            yield f"operation {op} never ended, though nothing failed"


def liveness(history: History) -> Iterator[str]:
    """Once all faults are healed, every operation of a PU that never failed ends.

    Only where they are of kinds that the protocol survives.
    """
    if not history.over or not (history.lively or not history.disturbed):
        return
    for op, proposal in sorted(history.proposals.items()):
        if op not in history.finished and proposal.initiator not in history.failed:
            yield (
                f"operation {op} of PU {proposal.initiator} never ended, "
                "though all faults were healed"
            )


CHECKS: Mapping[str, Callable[[History], Iterator[str]]] = {
    "integrity": integrity,
    "validity": validity,
    "sums": sums,
    "agreement": agreement,
    "delivery": delivery,
    "order": order,
    "acknowledged": acknowledged,
    "confirmed": confirmed,
    "atomicity": atomicity,
    "isolation": isolation,
    "locks": locks,
    "separation": separation,
    "termination": termination,
    "liveness": liveness,
    "prefix": logs.prefix,
    "leadership": logs.leadership,
    "views": logs.views,
    "resumption": logs.resumption,
    "durability": logs.durability,
    "exclusion": registers.exclusion,
    "linearizability": registers.linearizability,
}
