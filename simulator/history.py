"""What the members of a run did and decided: the only thing that the checkers look at."""

from dataclasses import dataclass, field

ENTERED = 1
DELIVERED = 2
ACKNOWLEDGED = 3
COMMITTED = 4
VOTED = 5
PREPARED = 6
DECIDED = 7
SUSPECTED = 8
REDUCED = 9
LEFT = 10
APPLIED = 11
ORDERED = 12
ACQUIRED = 13
RELEASED = 14
LED = 15
VIEWED = 16
RESUMED = 17

EVENT_NAMES = {
    ENTERED: "entered",
    DELIVERED: "delivered",
    ACKNOWLEDGED: "acknowledged",
    COMMITTED: "committed",
    VOTED: "voted",
    PREPARED: "prepared",
    DECIDED: "decided",
    SUSPECTED: "suspected",
    REDUCED: "reduced",
    LEFT: "left",
    APPLIED: "applied",
    ORDERED: "ordered",
    ACQUIRED: "acquired",
    RELEASED: "released",
    LED: "led",
    VIEWED: "viewed",
    RESUMED: "resumed",
}

NOT_OF_OPERATIONS = frozenset({LED, VIEWED, RESUMED})
"""Events whose operation is a term, the number of a view, or nothing."""

YES = COMMIT = 1
NO = ABORT = 0

Entry = tuple[int, int, int, int, int]
"""(time in picoseconds, PU, operation, event, value).

The value is a vote, an outcome or a payload; where an operation was applied or ordered, its
position in the order; where a lock was acquired or released, its item; where a view was installed,
its members, one bit each; where a member resumed, the position that it had caught up to.
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was asked for in one operation: the item it changes and the value all should see.

    A read (`write` 0) changes nothing.
    """

    operation: int
    initiator: int
    item: int
    value: int
    start_ps: int
    write: int = 1


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that was still held when the run ended."""

    pu: int
    item: int
    operation: int


@dataclass(frozen=True, slots=True)
class History:
    """The record of one run.

    `entries` stand in the order of each PU, `finished` maps an operation to (time in picoseconds,
    result), `reporter` is the last core of a broadcast, `failed` names the PUs that the fault plan
    ever touches. `drained` says that nothing was left to happen, so that what has not happened
    never will. `by_event` holds the entries of each event, in the same order.
    """

    members: tuple[int, ...]
    reporter: int
    proposals: dict[int, Proposal]
    entries: tuple[Entry, ...]
    finished: dict[int, tuple[int, int]]
    failed: frozenset[int]
    held: tuple[HeldLock, ...]
    drained: bool
    by_event: dict[int, tuple[Entry, ...]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the entries by event once, for all checks."""
        groups: dict[int, list[Entry]] = {event: [] for event in EVENT_NAMES}
        for entry in self.entries:
            groups[entry[3]].append(entry)
        object.__setattr__(self, "by_event", {event: tuple(g) for event, g in groups.items()})
