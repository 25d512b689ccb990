"""The messages of a run, found again from its rows: who sent which to whom, and when.

A row names the source of its message but not the instant at which it was sent. A message had come
its propagation after that (docs/message-model.md); what sent it is the row of its source that was
under way then. Where an engine does not say when messages came, and where links or a network held
them up, they are taken to have left as late as the row of their sender allows.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.costs import MessageCosts
from simulator.engine import Row

SEARCHED = 64
"""Rows of a sender that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One message between two nodes, in picoseconds: when its sending was complete, when its
    receipt began and was complete.

    `sender_row` and `row` are the numbers of the rows that sent and received it.
    """

    sent_ps: int
    begun_ps: int
    heard_ps: int
    source: int
    target: int
    kind: int
    operation: int
    sender_row: int
    row: int


def flights(rows: Iterable[Row], costs: MessageCosts, came_ps: Sequence[int] = ()) -> list[Flight]:
    """Return the messages of rows in their order; `came_ps` says when each of them had come.

    Cache lines (negative numbers) are reached at once. A row whose sender is not among the rows
    has no flight.
    """
    ordered = list(rows)
    begins: dict[int, list[int]] = {}
    numbers: dict[int, list[int]] = {}
    for number in sorted(range(len(ordered)), key=lambda at: ordered[at][0]):
        begins.setdefault(ordered[number][2], []).append(ordered[number][0])
        numbers.setdefault(ordered[number][2], []).append(number)
    found: list[Flight] = []
    for number, (begin, end, target, kind, operation, source) in enumerate(ordered):
        came = came_ps[number] if came_ps else begin
        if source == target or source not in begins or came < 0:
            continue
        between = min(source, target) >= 0
        sent = came - (costs.propagation(source, target) if between else 0)
        heard = min(end, begin + (costs.receive(source, target) if between else 0))
        sender = _sender(ordered, begins[source], numbers[source], sent, operation)
        if sender is not None:
            # what links or the network held up had left by the end of its row
            sent = min(sent, ordered[sender][1])
            found.append(
                Flight(sent, begin, heard, source, target, kind, operation, sender, number)
            )
    return found


def _sender(
    rows: list[Row], begins: list[int], numbers: list[int], sent: int, operation: int
) -> int | None:
    """Return the row of a source that was under way at an instant, rather on the operation.

    A row that begins at the instant sends nothing then, unless it takes no time at all.
    """
    best, found = (-1, -1), None
    last = bisect_right(begins, sent) - 1
    for at in range(last, max(-1, last - SEARCHED), -1):
        begin, end, _, _, own, _ = rows[numbers[at]]
        under_way = begin < sent <= end or begin == end == sent
        worth = (2 * int(under_way) + int(begin < sent), int(own == operation))
        if worth > best:
            best, found = worth, numbers[at]
        if best == (3, 1):
            break
    return found
