"""What the states of the explorer are made of: numbers for values, bounds, ledgers and steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simulator.history import APPLIED, CAME, DECIDED, DELIVERED, LOST, RESUMED, VIEWED, VOTED

UP, CRASHED, OFF = range(3)
NETWORK, TIMED, TOLD = range(3)

DELIVER, LOSE, CRASH, RESTART, POWER_DOWN, POWER_UP = range(6)

Flight = tuple[int, ...]
"""A message under way: (receiving node, origin, kind, source node, operation, its integers)."""

Local = tuple[int, tuple[int, ...], int, int]
"""A node: up, crashed or off; its fields; the numbers of its records and of its reports."""

Said = tuple[int, int, int]
"""A record: operation, event, value."""

IN_ORDER = frozenset({DELIVERED, VOTED, DECIDED, APPLIED, VIEWED, RESUMED, LOST, CAME})
"""Events whose order at a member a check looks at; of all others only the set is kept."""

State = tuple[int, ...]
"""The numbers of all nodes, of the box of each, and of the ledger."""

Move = tuple[int, int, int, int]
"""(what, node, number of the message or -1, number of the cut by a crash or -1).

For one that comes up the last number says which of the messages on their way to it were lost.
"""

Turn = tuple[int, int, Flight, int]
"""A move with the message itself, empty where there is none: it means the same in all spaces."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may go wrong, and how often, in one exploration.

    `crashes` and `powers` count falls of any member, each of which comes up again at any later
    moment; a crash may cut a handler before any of its sends. `losses` counts messages. A timer
    may fire at any moment, but those of a kind in `firings` at most so many times together: what is
    left of them then never fires. `after` lets an operation begin only when another has ended.
    """

    crashes: int = 0
    powers: int = 0
    losses: int = 0
    firings: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is left of the bounds, and in which order operations began (2 op) and ended (2 op + 1).

    Ends between the same two begins stand ascending: their order makes no difference.
    """

    crashes: int
    powers: int
    losses: int
    firings: tuple[int, ...]
    calls: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a handler does to its node: the new node, its sends and timers, the ends it reports.

    `cuts` are the same for a handler that a crash cuts short, without any cuts of their own.
    """

    local: int
    sent: tuple[int, ...]
    timed: tuple[int, ...]
    ended: tuple[int, ...]
    cuts: tuple["Step", ...] = ()


Kept = TypeVar("Kept")


class Table(Generic[Kept]):
    """Numbers for values: the same number for equal ones."""

    def __init__(self) -> None:
        """Begin without values."""
        self.rows: list[Kept] = []
        self._numbers: dict[Kept, int] = {}

    def __len__(self) -> int:
        """Return how many values have a number."""
        return len(self.rows)

    def number(self, row: Kept) -> int:
        """Return the number of a value."""
        number = self._numbers.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
        return number


def said_also(said: tuple[Said, ...], last: Said) -> tuple[Said, ...]:
    """Return records with one more: those whose order matters in front, the others sorted."""
    ordered = [row for row in said if row[1] in IN_ORDER]
    others = [row for row in said if row[1] not in IN_ORDER]
    (ordered if last[1] in IN_ORDER else others).append(last)
    return (*ordered, *sorted(others))
