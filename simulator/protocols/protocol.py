"""The notation of a protocol: state and a message in, actions out, no input or output of its own.

A protocol is a class, and one of its objects is a node. Messages are small classes of integers
(`@message`), the fields of a node are declared by annotation (`int`, `PerOperation`, `PerItem`,
`PerNode`, `PerEntry`, `Parameter`), the handlers by `@on(Kind)`. A handler reads its fields and the
message, changes fields, and calls `send`, `multicast`, `timer`, `work`, `record` and `done`; an
engine or the explorer performs them, in order, once the handler has returned. So that they can be
lowered to compiled code, handlers and the methods that they call keep to integers, fields, message
fields, module constants, `if`, `while`, `for x in range(…)`, `for x in self.children`, and calls of
their own methods with integers or with a message as it came.

A cache line is a node of its own behind the members (`cache_lines`): it serves accesses in the
order of their arrival, costs nothing to reach, and keeps itself busy (`work`) for as long as the
line takes to come from its last owner (`transfer_ps`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeVar, dataclass_transform, get_type_hints

from simulator.draws import draw

MOST_FIELDS = 5
"""Integers that a message may carry beside its operation."""

Made = TypeVar("Made")


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def message(cls: type[Made]) -> type[Made]:
    """Make a kind of message of a class whose annotations are its integers."""
    made = dataclass(slots=True, eq=False)(cls)
    if len(payload_names(made)) > MOST_FIELDS:
        raise TypeError(f"{cls.__name__} carries more than {MOST_FIELDS} integers")
    return made


def payload_names(kind: type[Any]) -> tuple[str, ...]:
    """Return the names of what a kind of message carries beside operation and source."""
    return tuple(name for name in kind.__dataclass_fields__ if name not in ("op", "source"))


@message
class Message:
    """A message about an operation; `source` is the node that sent it, set by the engine."""

    op: int
    source: int = field(default=-1, init=False)


@message
class Start(Message):
    """Begins an operation at a node: an update (`write` 1) or a read (0) of an item."""

    item: int
    value: int
    write: int


@message
class Boot(Message):
    """Comes once, when a node is up for the first time; timers that run for ever begin here."""


@message
class Restart(Message):
    """Comes when a node is up again after a crash: its fields survived, its timers did not."""


@message
class PowerDown(Message):
    """Comes when a node is about to be powered down: it is down as soon as this is handled."""


@message
class PowerUp(Message):
    """Comes when a node is powered up again: its fields are as old as its power-down."""


SEND, TIMER, WORK, RECORD, DONE = range(5)

Action = tuple[int, int, int, int, Any]
"""(code, event or node, operation, value or picoseconds, message)."""

PerOperation = Annotated[list[int], "operation"]
"""A field with one integer per operation in flight, indexed by `self.slot(op)`."""

PerItem = Annotated[list[int], "item"]
"""A field with one integer per item that operations contend for."""

PerNode = Annotated[list[int], "node"]
"""A field with one integer per member, indexed by the member's number."""

PerEntry = Annotated[list[int], "entry"]
"""A field with one integer per log position that is kept, indexed by `position % self.entries`."""

Parameter = Annotated[int, "parameter"]
"""A number that the scenario gives, 0 unless it says otherwise; handlers do not change it."""

Handler = TypeVar("Handler", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands, and the numbers it was given.

    `parent` is -1 at the root; it and `gathered` nodes that have this one as the parent are those
    of the way up, which may be another tree than that of `children`. `reporter` is the leaf that
    acknowledges a broadcast. `window` is the number of operations that may be in flight, `items`
    the number of items, `entries` that of log positions that are kept, `count` that of members;
    nodes from there on are cache lines. `domain` is the number of the sharing domain (NUMA node),
    `domains` how many there are, `leader` its first member, `neighbours` its other members.
    `round_ps` is longer than a message to all members and all of their answers take on an idle
    machine. `transfer` holds the picoseconds that a cache line takes from one member to another.
    A negative `seed` makes every draw 0.
    """

    me: int
    parent: int
    children: tuple[int, ...]
    root: int
    reporter: int
    window: int
    items: int
    gathered: int | None = None
    entries: int = 0
    count: int = 1
    domain: int = 0
    domains: int = 1
    leader: int = 0
    neighbours: tuple[int, ...] = ()
    round_ps: int = 0
    seed: int = -1
    transfer: tuple[tuple[int, ...], ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """A named moment of an operation: the first record of an event, or the last of all members."""

    name: str
    event: int
    when: Literal["first", "last"]


def on(kind: type[Message]) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of a kind of message."""

    def mark(method: Handler) -> Handler:
        method.handled_kind = kind  # type: ignore[attr-defined]
        return method

    return mark


class Protocol:
    """One node of a protocol.

    Class variables say what a run needs to know: `starts` (who is told to begin: the root, every
    member, the last core of a broadcast, or one member after the other as a client), `reports`
    (whether one node or every member says `done`), `options` (what of a load means something here:
    `conflict_per_mille`, `overlap`, `reads_per_mille`, `items`), `promises` (checks that must
    hold), `phases`, `lock_field` (the PerItem field that holds operation + 1 of the holder),
    `cache_lines` (behind the members: one, or one per item, member or domain, in this
    order), `endless` (timers run for ever, so a run ends some time after its last operation) and
    `survives` (the faults after which, once healed, every operation still ends: `crash`, `power`,
    `slow`, `delay`, `loss`, `partition`). Safety must hold under all of them. A log is kept of
    `least_entries` positions or more.
    """

    name: ClassVar[str]
    starts: ClassVar[Literal["root", "members", "initiator", "client"]]
    reports: ClassVar[Literal["one", "all"]]
    options: ClassVar[frozenset[str]] = frozenset()
    promises: ClassVar[tuple[str, ...]]
    phases: ClassVar[tuple[Phase, ...]]
    lock_field: ClassVar[str] = ""
    cache_lines: ClassVar[tuple[Literal["one", "item", "member", "domain"], ...]] = ()
    endless: ClassVar[bool] = False
    survives: ClassVar[frozenset[str]] = frozenset({"slow", "delay"})
    least_entries: ClassVar[int] = 1

    def __init__(self, place: Place) -> None:
        """Take a place and set every declared field to zero, or to what the scenario gives."""
        self.me = place.me
        self.parent = place.parent
        self.children = place.children
        self.nchildren = len(place.children) if place.gathered is None else place.gathered
        self.root = place.root
        self.reporter = place.reporter
        self.window = place.window
        self.items = place.items
        self.entries = place.entries or place.window
        self.count = place.count
        self.domain = place.domain
        self.domains = place.domains
        self.leader = place.leader
        self.neighbours = place.neighbours
        self.round_ps = place.round_ps
        self.now = 0
        self.seed = place.seed
        self.draws = 0
        self.transfer = place.transfer
        self.outbox: list[Action] = []
        sizes = {"operation": place.window, "item": place.items, "node": place.count}
        sizes["entry"] = self.entries
        for name, extent in declared_fields(type(self)).items():
            if extent == "parameter":
                setattr(self, name, place.parameters.get(name, 0))
            else:
                setattr(self, name, [0] * sizes[extent] if extent in sizes else 0)

    def pause(self) -> int:
        """Return the picoseconds between two ticks of a timer that runs for ever, 0 without one."""
        return 0

    def slot(self, op: int) -> int:
        """Return where the PerOperation fields keep an operation."""
        return op % self.window

    def transfer_ps(self, owner: int, asker: int) -> int:
        """Return the picoseconds that a cache line takes to a member from its last owner."""
        return self.transfer[owner][asker]

    def random(self, bound: int) -> int:
        """Return a number from 0 to bound - 1, another one at each call, the same in each run."""
        if self.seed < 0:
            return 0
        self.draws += 1
        return draw(self.seed, (self.draws << 16) + self.me, bound)

    def send(self, peer: int, message: Message) -> None:
        """Send one message."""
        self.outbox.append((SEND, peer, 0, 0, message))

    def multicast(self, message: Message) -> None:
        """Send the same message to every child, in the order of the tree."""
        for child in self.children:
            self.outbox.append((SEND, child, 0, 0, message))

    def timer(self, delay_ps: int, message: Message) -> None:
        """Send a message to itself after a delay; a crash in between loses it."""
        self.outbox.append((TIMER, self.me, 0, delay_ps, message))

    def work(self, busy_ps: int) -> None:
        """Be busy with something else than messages."""
        if busy_ps:
            self.outbox.append((WORK, 0, 0, busy_ps, None))

    def record(self, op: int, event: int, value: int = 0) -> None:
        """Say what was done or decided at this point of the handler, for phases and checkers."""
        self.outbox.append((RECORD, event, op, value, None))

    def done(self, op: int, result: int) -> None:
        """Say that the operation has ended for this node."""
        self.outbox.append((DONE, 0, op, result, None))


_EXTENTS: Mapping[Any, str] = {
    int: "one",
    Parameter: "parameter",
    PerOperation: "operation",
    PerItem: "item",
    PerNode: "node",
    PerEntry: "entry",
}


# asked for each node of each run: reading annotations would be half of a small run's time
_FIELDS: dict[type[Protocol], dict[str, str]] = {}
_KINDS: dict[type[Protocol], dict[type[Message], str]] = {}


def declared_fields(protocol: type[Protocol]) -> dict[str, str]:
    """Return each field with its extent: `one`, `parameter`, `operation`, `item`, `node`, `entry`.

    Raises `TypeError` for an annotation that is none of these.
    """
    if protocol not in _FIELDS:
        _FIELDS[protocol] = _read_fields(protocol)
    return _FIELDS[protocol]


def _read_fields(protocol: type[Protocol]) -> dict[str, str]:
    own: dict[str, Any] = get_type_hints(protocol, include_extras=True)
    inherited = get_type_hints(Protocol)
    fields: dict[str, str] = {}
    for name, hint in own.items():
        if name in inherited:
            continue
        if hint not in _EXTENTS:
            raise TypeError(f"{protocol.__name__}.{name} is no field that a protocol may have")
        fields[name] = _EXTENTS[hint]
    return fields


def parameters_of(protocol: type[Protocol]) -> tuple[str, ...]:
    """Return the names of the numbers that a scenario may give to a protocol."""
    fields = declared_fields(protocol)
    return tuple(name for name, extent in fields.items() if extent == "parameter")


def handled_kinds(protocol: type[Protocol]) -> dict[type[Message], str]:
    """Return the kinds of message in order of their handlers, and the method of each.

    A subclass may redefine a method without the mark. The position of a kind is its number.
    """
    if protocol not in _KINDS:
        _KINDS[protocol] = _read_kinds(protocol)
    return _KINDS[protocol]


def _read_kinds(protocol: type[Protocol]) -> dict[type[Message], str]:
    names: dict[type[Message], str] = {}
    for owner in reversed(protocol.__mro__):
        for name, value in vars(owner).items():
            kind = getattr(value, "handled_kind", None)
            if kind is not None:
                names[kind] = name
    return names


def bound_handlers(node: Protocol) -> dict[type[Message], Callable[[Any], None]]:
    """Return the handlers of one node by kind of message."""
    return {kind: getattr(node, name) for kind, name in handled_kinds(type(node)).items()}
