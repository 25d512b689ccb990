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
}

YES = COMMIT = 1
NO = ABORT = 0

Entry = tuple[int, int, int, int, int]
"""(time in picoseconds, PU, operation, event, value); value is a vote, an outcome or a payload."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was asked for in one operation: the item it changes and the value all should see."""

    operation: int
    initiator: int
    item: int
    value: int
    start_ps: int


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
