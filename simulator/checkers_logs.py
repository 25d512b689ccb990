"""Judges of replicated logs: one operation per position, one leader per term, one list of members.

The properties are those of D. Ongaro, J. Ousterhout, "In search of an understandable consensus
algorithm", USENIX ATC 2014 (state machine safety, election safety), and of A. Ricciardi, K. Birman,
"Using process groups to implement failure detection in asynchronous environments", PODC 1991
(views).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from simulator.history import (
    APPLIED,
    CAME,
    COMMIT,
    LED,
    RESUMED,
    VIEWED,
    History,
)


def prefix(history: History) -> Iterator[str]:
    """A position has one operation; each member applies them upwards and skips none.

    A member that has resumed may go on behind the position that it took over. A position that
    nobody ever applies is none.
    """
    op_at: dict[int, int] = {}
    first: dict[int, int] = {}
    for _, pu, op, _, position in history.by_event[APPLIED]:
        if op_at.setdefault(position, op) != op:
            yield (
                f"PU {pu} applied operation {op} at position {position}, "
                f"PU {first[position]} operation {op_at[position]}"
            )
        first.setdefault(position, pu)
    positions = sorted(op_at)
    reached = dict.fromkeys(history.members, 0)
    for _, pu, op, event, position in history.entries:
        if event == RESUMED:
            reached[pu] = max(reached[pu], position)
        elif event == APPLIED:
            if position <= reached[pu]:
                yield (
                    f"PU {pu} applied operation {op} at position {position} "
                    f"when it had reached position {reached[pu]}"
                )
            else:
                skipped = positions[bisect_right(positions, reached[pu]) :]
                skipped = skipped[: bisect_left(skipped, position)]
                if skipped:
                    yield (
                        f"PU {pu} applied operation {op} at position {position} and skipped "
                        f"position {skipped[0]}, operation {op_at[skipped[0]]}"
                    )
            reached[pu] = max(reached[pu], position)


def leadership(history: History) -> Iterator[str]:
    """A term has at most one leader."""
    leader: dict[int, int] = {}
    for _, pu, term, _, _ in history.by_event[LED]:
        if term not in leader:
            leader[term] = pu
        elif leader[term] == pu:
            yield f"PU {pu} became leader of term {term} twice"
        else:
            yield f"PU {leader[term]} and PU {pu} both became leader of term {term}"


def views(history: History) -> Iterator[str]:
    """All install the same members under a number; the numbers ascend at each member."""
    masks: dict[int, tuple[int, int]] = {}
    latest: dict[int, int] = {}
    for _, pu, view, _, mask in history.by_event[VIEWED]:
        known, by = masks.setdefault(view, (mask, pu))
        if known != mask:
            yield (
                f"PU {pu} installed view {view} with members {_bits(mask)}, "
                f"PU {by} with {_bits(known)}"
            )
        if view <= latest.get(pu, -1):
            yield f"PU {pu} installed view {view} after view {latest[pu]}"
        latest[pu] = max(view, latest.get(pu, -1))


def resumption(history: History) -> Iterator[str]:
    """Who was down applies nothing before it has resumed, and nothing that the others do not have.

    The latter once all faults are healed, where they are of kinds that the protocol survives.
    """
    away: set[int] = set()
    for _, pu, op, event, value in history.entries:
        if event == CAME:
            away.add(pu)
        elif event == RESUMED:
            away.discard(pu)
        elif event == APPLIED and pu in away:
            yield f"PU {pu} came up and applied operation {op} at {value} before it had resumed"
    if not history.settled or len(history.members) < 2:
        return
    for op, pus in sorted(_appliers(history).items()):
        if len(pus) == 1 and pus <= history.failed:
            yield f"operation {op} was applied by nobody but PU {min(pus)}, which had been down"


def durability(history: History) -> Iterator[str]:
    """A finished update is applied; at the end by a majority and by all who never failed.

    The latter where all faults are healed and of kinds that the protocol survives. A member that
    resumed at or behind the update's position has it, and where all were away the update may stand
    at a position that nobody recorded: there may be as many such updates as such positions.
    """
    appliers = _appliers(history)
    taken = max((entry[4] for entry in history.by_event[RESUMED]), default=0)
    unknown = taken - len({e[4] for e in history.by_event[APPLIED] if e[4] <= taken})
    for op, (time, result) in sorted(history.finished.items()):
        if not history.proposals[op].write or result != COMMIT:
            continue
        pus = appliers.get(op, set())
        if not pus:
            unknown -= 1
            if unknown < 0:
                yield f"operation {op} ended at {time} ps, but nobody ever applied it"
        elif history.settled:
            missing = [pu for pu in history.steady if pu not in pus]
            if missing:
                yield f"operation {op} has ended, but PUs {missing} never applied it"
            elif 2 * len(pus) <= len(history.members):
                yield f"operation {op} has ended, but only PUs {sorted(pus)} have applied it"


def _appliers(history: History) -> dict[int, set[int]]:
    """Return who has each operation: who applied it, or resumed at its position or behind it."""
    found: dict[int, set[int]] = {}
    positions: dict[int, int] = {}
    for _, pu, op, _, position in history.by_event[APPLIED]:
        found.setdefault(op, set()).add(pu)
        positions.setdefault(op, position)
    for _, pu, _, _, taken in history.by_event[RESUMED]:
        for op, position in positions.items():
            if position <= taken:
                found[op].add(pu)
    return found


def _bits(mask: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
