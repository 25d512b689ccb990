"""Judges of locks and registers: what clients may see of operations that run at the same time.

Linearizability: M. Herlihy, J. Wing, "Linearizability: a correctness condition for concurrent
objects", TOPLAS 1990. Each item is a register of its own (the condition is local), 0 at first.
Where the run names an order, that order is the witness and is checked in one pass; else a search
tries all orders of an item (J. Wing, C. Gong, "Testing and verifying concurrent objects", 1993;
with the memo of G. Lowe, "Testing for linearizability", 2017).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from simulator.history import ABORT, ACQUIRED, APPLIED, LOST, ORDERED, RELEASED, History

NEVER = 1 << 62
MOST_STEPS = 200_000
"""Steps after which the search for an order gives up."""

MOST_CALLS = 2000
"""Calls of one item for which it does not begin."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation on one register as its client saw it; `end` is NEVER where none came.

    Calls of one `session` follow on each other.
    """

    op: int
    client: int
    session: int
    write: bool
    value: int
    start: int
    end: int

    def precedes(self, other: "Call") -> bool:
        """Say whether this one had ended when the other began.

        At the same instant only where both are of one session.
        """
        if self.end == other.start:
            earlier = (self.start, self.op) < (other.start, other.op)
            return self.session == other.session and earlier
        return self.end < other.start


def exclusion(history: History) -> Iterator[str]:
    """An item is held by one operation at a time; who goes down has lost what it held then."""
    down: dict[int, list[int]] = {}
    for time, pu, _, event, _ in history.entries:
        if event == LOST:
            down.setdefault(pu, []).append(time)
    released = {(pu, op): time for time, pu, op, _, _ in history.by_event[RELEASED]}
    holds: dict[int, list[tuple[int, int, int, int]]] = {}
    for time, pu, op, _, item in history.by_event[ACQUIRED]:
        end = released.get((pu, op))
        if end is None:
            falls = down.get(pu, [])
            after = bisect_left(falls, time)
            end = falls[after] if after < len(falls) else NEVER
        holds.setdefault(item, []).append((time, end, pu, op))
    for item, rows in sorted(holds.items()):
        last = (0, -1, -1, -1)
        for row in sorted(rows):
            if row[0] < last[1] and last[0] < row[1]:
                yield (
                    f"PU {row[2]} acquired item {item} for operation {row[3]} at {row[0]} ps, "
                    f"while PU {last[2]} held it for operation {last[3]}"
                )
            if row[1] > last[1]:
                last = row


def linearizability(history: History) -> Iterator[str]:
    """Every read and update takes effect at one instant between its begin and its end."""
    positions, doubts = positions_of(history)
    yield from doubts
    for item, calls in sorted(calls_of(history).items()):
        if positions and all(call.op in positions for call in calls if _settled_write(call)):
            yield from _witnessed(item, calls, positions)
        elif search(calls) is False:
            ops = sorted(call.op for call in calls)
            yield (
                f"no order of the operations {ops} on item {item} explains "
                f"{', '.join(_told(call) for call in calls if not call.write)}"
            )


def undecided(history: History) -> int:
    """Return the number of items for which the search gave up; these count as no violation."""
    if positions_of(history)[0]:
        return 0
    return sum(search(calls) is None for calls in calls_of(history).values())


def positions_of(history: History) -> tuple[dict[int, int], list[str]]:
    """Return the place of operations in the one order that the run names, and what contradicts it.

    The places are those that were ORDERED, or, where there are none, those that were APPLIED.
    """
    event = ORDERED if history.by_event[ORDERED] else APPLIED
    positions: dict[int, int] = {}
    op_at: dict[int, int] = {}
    doubts: list[str] = []
    for _, pu, op, _, position in history.by_event[event]:
        if positions.setdefault(op, position) != position:
            doubts.append(
                f"PU {pu} put operation {op} at position {position}, which had {positions[op]}"
            )
        if op_at.setdefault(position, op) != op:
            doubts.append(
                f"PU {pu} put operation {op} at position {position}, that of {op_at[position]}"
            )
    return positions, doubts


def calls_of(history: History) -> dict[int, list[Call]]:
    """Return the calls of each item in order of their begin, without those that changed nothing.

    Left out are aborted updates and reads that never returned.
    """
    items: dict[int, list[Call]] = {}
    for op, proposal in history.proposals.items():
        end, result = history.finished.get(op, (NEVER, proposal.value))
        if proposal.write and end != NEVER and result == ABORT:
            continue
        if not proposal.write and end == NEVER:
            continue
        value = proposal.value if proposal.write else result
        client = proposal.initiator
        session = client if history.sequential else -op - 1
        call = Call(op, client, session, bool(proposal.write), value, proposal.start_ps, end)
        items.setdefault(proposal.item, []).append(call)
    return {
        item: sorted(calls, key=lambda call: (call.start, call.op)) for item, calls in items.items()
    }


def search(calls: list[Call], steps: int = MOST_STEPS) -> bool | None:
    """Say whether some order explains the calls of one register; None after too many steps.

    An update that never returned may be put anywhere behind its begin, or left out. A read that
    has the value of the moment is placed at once: that never hurts another call.
    """
    read = {call.value for call in calls if not call.write}
    calls = [call for call in calls if call.end != NEVER or call.value in read]
    if not read:
        return True
    if len(calls) > MOST_CALLS:
        return None
    before = [
        sum(1 << at for at, other in enumerate(calls) if other.precedes(call)) for call in calls
    ]
    reads = [(at, call) for at, call in enumerate(calls) if not call.write]
    writes = [(at, call) for at, call in enumerate(calls) if call.write]
    due = sum(1 << at for at, call in enumerate(calls) if call.end != NEVER)
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        placed, value = waiting.pop()
        for at, call in reads:
            # by begin, so that one pass suffices: whom a read precedes stands behind it
            if call.value == value and not placed >> at & 1 and not before[at] & ~placed:
                placed |= 1 << at
        if placed & due == due:
            return True
        for at, call in reversed(writes):
            steps -= 1
            if steps < 0:
                return None
            state = (placed | 1 << at, call.value)
            if not (placed >> at & 1 or before[at] & ~placed or state in seen):
                seen.add(state)
                waiting.append(state)
    return False


def _settled_write(call: Call) -> bool:
    return call.write and call.end != NEVER


def _told(call: Call) -> str:
    return f"operation {call.op} of PU {call.client} reading {call.value}"


class _Earlier:
    """The latest place, in the order, of what had ended before a call; calls come by begin."""

    def __init__(self) -> None:
        self._open: list[tuple[int, int, int]] = []
        self._own: dict[int, list[tuple[int, int, int]]] = {}
        self._all = (0, -1)
        self._mine: dict[int, tuple[int, int]] = {}

    def bound(self, call: Call) -> tuple[int, int]:
        """Return place and operation of the latest one that precedes a call."""
        while self._open and self._open[0][0] < call.start:
            self._all = max(self._all, heappop(self._open)[1:])
        own = self._own.setdefault(call.session, [])
        mine = self._mine.get(call.session, (0, -1))
        while own and own[0][0] <= call.start:
            mine = max(mine, heappop(own)[1:])
        self._mine[call.session] = mine
        return max(self._all, mine)

    def add(self, call: Call, place: int) -> None:
        """Take in a call that has a place."""
        if call.end != NEVER:
            heappush(self._open, (call.end, place, call.op))
            heappush(self._own.setdefault(call.session, []), (call.end, place, call.op))


def _witnessed(item: int, calls: list[Call], positions: dict[int, int]) -> Iterator[str]:
    """Check the calls of an item against the named order of its updates.

    A read without a position takes the first place that has its value and stands behind all that
    had ended before it began; an earlier place never hurts a later read.
    """
    writes = sorted(
        (call for call in calls if call.write and call.op in positions),
        key=lambda call: positions[call.op],
    )
    ordered = [positions[call.op] for call in writes]
    place = {call.op: at for at, call in enumerate(writes, 1)}
    having: dict[int, list[int]] = {0: [0]}
    for at, call in enumerate(writes, 1):
        having.setdefault(call.value, []).append(at)
    latest = _Latest(writes)
    earlier = _Earlier()
    for call in calls:
        least, after = earlier.bound(call)
        if call.write:
            at = place.get(call.op, -1)
            if 0 <= at <= least:
                yield (
                    f"operation {call.op} stands at position {positions[call.op]} of item {item}, "
                    f"not behind operation {after}, which had ended before it began"
                )
            if at < 0:
                continue
        else:
            most = latest.bound(call)
            if call.op in positions:
                at = bisect_left(ordered, positions[call.op])
                value = writes[at - 1].value if at else 0
                fits = value == call.value and least <= at <= most
            else:
                having_it = having.get(call.value, [])
                first = bisect_left(having_it, least)
                fits = first < len(having_it) and having_it[first] <= most
                at = having_it[first] if fits else least
            if not fits:
                yield (
                    f"{_told(call)} from item {item}, which has another value "
                    f"{_span(writes, positions, least, most)}"
                )
                at = least
        earlier.add(call, at)


class _Latest:
    """The first place of the updates that began after a read had ended."""

    def __init__(self, writes: list[Call]) -> None:
        begins = sorted((call.start, at) for at, call in enumerate(writes, 1))
        self._starts = [start for start, _ in begins]
        self._least = [len(writes) + 1]
        for _, at in reversed(begins):
            self._least.append(min(self._least[-1], at))
        self._least.reverse()
        self._own: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for at, call in enumerate(writes, 1):
            self._own.setdefault((call.session, call.start), []).append((call.op, at))

    def bound(self, call: Call) -> int:
        """Return the last place that a read may take."""
        own = self._own.get((call.session, call.end), ())
        least = self._least[bisect_right(self._starts, call.end)]
        return min([least, *(at for op, at in own if call.end > call.start or op > call.op)]) - 1


def _span(writes: list[Call], positions: dict[int, int], least: int, most: int) -> str:
    """Say between which positions a read would have to stand."""
    low = positions[writes[least - 1].op] if least else 0
    if most >= len(writes):
        return f"from position {low} on"
    return f"from position {low} to {positions[writes[most].op]}"
