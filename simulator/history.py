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
LOST = 18
CAME = 19

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
    LOST: "went down",
    CAME: "came up",
}

NOT_OF_OPERATIONS = frozenset({LED, VIEWED, RESUMED, LOST, CAME})
"""Events whose operation is a term, the number of a view, or nothing."""

YES = COMMIT = 1
NO = ABORT = 0
ABSTAINED = 2
"""The vote of a member that has no part in the item."""

Entry = tuple[int, int, int, int, int]
"""(time in picoseconds, PU, operation, event, value).

The value is a vote, an outcome or a payload; where an operation was applied or ordered, its
position in the order; where a lock was acquired or released, its item; where a view was installed,
its members, one bit each; where a member resumed, the position that it had caught up to. That a
member went down or came up (LOST, CAME) is recorded by the engine, behind what it did before.
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
    takes down. `drained` says that nothing was left to happen, so that what has not happened
    never will; `stalled` that timers ran on though no operation had ended for long. `kinds` are the
    kinds of faults of the plan, `lively` says that all are of kinds which the protocol survives,
    and healed before the end; `sequential` that a client begins an operation only when its last one
    has ended. `by_event` holds the entries of each event, in the same order.
    """

    members: tuple[int, ...]
    reporter: int
    proposals: dict[int, Proposal]
    entries: tuple[Entry, ...]
    finished: dict[int, tuple[int, int]]
    failed: frozenset[int]
    held: tuple[HeldLock, ...]
    drained: bool
    stalled: bool = False
    kinds: frozenset[str] = frozenset()
    lively: bool = False
    sequential: bool = False
    by_event: dict[int, tuple[Entry, ...]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the entries by event once, for all checks."""
        groups: dict[int, list[Entry]] = {event: [] for event in EVENT_NAMES}
        for entry in self.entries:
            groups[entry[3]].append(entry)
        object.__setattr__(self, "by_event", {event: tuple(g) for event, g in groups.items()})

    @property
    def over(self) -> bool:
        """Whether what has not ended never will."""
        return self.drained or self.stalled

    @property
    def settled(self) -> bool:
        """Whether the run came to rest with nothing failing any more: all have what they will have.

        Messages that may be lost at any moment leave that open.
        """
        calm = not self.disturbed or (self.lively and "loss" not in self.kinds)
        return self.over and calm

    @property
    def disturbed(self) -> bool:
        """Whether the plan has a fault of any kind."""
        return bool(self.failed or self.kinds)

    @property
    def steady(self) -> tuple[int, ...]:
        """The members that the fault plan never takes down."""
        return tuple(pu for pu in self.members if pu not in self.failed)

    def by_operation(self, event: int) -> dict[int, list[Entry]]:
        """Group the entries of an event by operation, in order of the operations."""
        groups: dict[int, list[Entry]] = {}
        for entry in self.by_event[event]:
            groups.setdefault(entry[2], []).append(entry)
        return dict(sorted(groups.items()))
