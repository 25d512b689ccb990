"""The notation of a protocol: state and a message in, actions out, no input or output of its own.

A protocol is a class. Its fields are declared by annotation (`int`, `PerOperation`, `PerItem`),
its handlers by `@on(KIND)`. A handler reads fields and message, changes fields, and calls `send`,
`multicast`, `timer`, `work`, `record` and `done`; an engine or the explorer performs them. Handlers
keep to integers, fields, loops and branches, so that they can be lowered to compiled code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_type_hints

START = 0
"""Kind of the message that begins an operation; every other kind is the protocol's own."""

SEND, TIMER, WORK, RECORD, DONE = range(5)

Action = tuple[int, int, int, int, int, int]
"""(code, kind or event, peer, operation, a, b); times are in `b`, in picoseconds."""

PerOperation = Annotated[list[int], "operation"]
"""A field with one integer per operation in flight, indexed by `self.slot(op)`."""

PerItem = Annotated[list[int], "item"]
"""A field with one integer per item that operations contend for."""

Handler = TypeVar("Handler", bound=Callable[..., None])


class Message:
    """One message to a node: its kind, the sending node, the operation and two integers."""

    __slots__ = ("a", "b", "kind", "op", "source")

    def __init__(self, kind: int, source: int, op: int, a: int = 0, b: int = 0) -> None:
        """Keep the five integers."""
        self.kind, self.source, self.op, self.a, self.b = kind, source, op, a, b


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands in its tree, and the numbers it was given.

    `parent` is -1 at the root; it and `gathered` nodes that have this one as the parent are those
    of the way up, which may be another tree than that of `children`. `reporter` is the leaf that
    acknowledges a broadcast. `window` is the number of operations that may be in flight, `items`
    the number of items. `hold_ps` is how long this node waits with its own answer from the moment
    it was asked; negative: not at all, it answers in one go with what it forwards.
    """

    me: int
    parent: int
    children: tuple[int, ...]
    root: int
    reporter: int
    window: int
    items: int
    work_ps: int = 0
    timeout_ps: int = 0
    gathered: int | None = None
    hold_ps: int = -1


@dataclass(frozen=True, slots=True)
class Phase:
    """A named moment of an operation: the first record of an event, or the last of all members."""

    name: str
    event: int
    when: Literal["first", "last"]


def on(kind: int) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of a kind of message."""

    def mark(method: Handler) -> Handler:
        method.handled_kind = kind  # type: ignore[attr-defined]
        return method

    return mark


class Protocol:
    """One node of a protocol.

    Class variables say what a run needs to know: `starts` (who is told to begin), `reports`
    (whether one node or every member says `done`), `options` (numbers of a scenario that mean
    something here), `promises` (checks that must hold), `phases`, and `lock_field` (the PerItem
    field that holds operation + 1 of the holder).
    """

    name: ClassVar[str]
    starts: ClassVar[Literal["root", "members", "initiator"]]
    reports: ClassVar[Literal["one", "all"]]
    options: ClassVar[frozenset[str]] = frozenset()
    promises: ClassVar[tuple[str, ...]]
    phases: ClassVar[tuple[Phase, ...]]
    lock_field: ClassVar[str] = ""

    def __init__(self, place: Place) -> None:
        """Take a place in the tree and set every declared field to zero."""
        self.me = place.me
        self.parent = place.parent
        self.children = place.children
        self.nchildren = len(place.children) if place.gathered is None else place.gathered
        self.root = place.root
        self.reporter = place.reporter
        self.window = place.window
        self.work_ps = place.work_ps
        self.timeout_ps = place.timeout_ps
        self.hold_ps = place.hold_ps
        self.outbox: list[Action] = []
        for field, extent in declared_fields(type(self)).items():
            size = {"operation": place.window, "item": place.items}.get(extent, 0)
            setattr(self, field, [0] * size if size else 0)

    def slot(self, op: int) -> int:
        """Return where the PerOperation fields keep an operation."""
        return op % self.window

    def send(self, peer: int, kind: int, op: int, a: int = 0, b: int = 0) -> None:
        """Send one message."""
        self.outbox.append((SEND, kind, peer, op, a, b))

    def multicast(self, kind: int, op: int, a: int = 0, b: int = 0) -> None:
        """Send the same message to every child, in the order of the tree."""
        for child in self.children:
            self.outbox.append((SEND, kind, child, op, a, b))

    def timer(self, delay_ps: int, kind: int, op: int, a: int = 0) -> None:
        """Send a message to itself after a delay; a crash in between loses it."""
        self.outbox.append((TIMER, kind, self.me, op, a, delay_ps))

    def work(self, busy_ps: int) -> None:
        """Be busy with something else than messages."""
        if busy_ps:
            self.outbox.append((WORK, 0, 0, 0, 0, busy_ps))

    def record(self, op: int, event: int, value: int = 0) -> None:
        """Say what was done or decided at this point of the handler, for phases and checkers."""
        self.outbox.append((RECORD, event, 0, op, value, 0))

    def done(self, op: int, result: int) -> None:
        """Say that the operation has ended for this node."""
        self.outbox.append((DONE, 0, 0, op, result, 0))


def declared_fields(protocol: type[Protocol]) -> dict[str, str]:
    """Return each field of a protocol with its extent: `one`, `operation` or `item`.

    Raises `TypeError` for an annotation that is none of the three.
    """
    own: dict[str, Any] = get_type_hints(protocol, include_extras=True)
    inherited = get_type_hints(Protocol)
    extents: dict[Any, str] = {int: "one", PerOperation: "operation", PerItem: "item"}
    fields: dict[str, str] = {}
    for field, hint in own.items():
        if field in inherited:
            continue
        if hint not in extents:
            raise TypeError(f"{protocol.__name__}.{field} is neither int, PerOperation nor PerItem")
        fields[field] = extents[hint]
    return fields


def handler_names(protocol: type[Protocol]) -> dict[int, str]:
    """Return the method that handles each kind; a subclass may redefine it without the mark."""
    names: dict[int, str] = {}
    for owner in reversed(protocol.__mro__):
        for name, value in vars(owner).items():
            kind = getattr(value, "handled_kind", None)
            if kind is not None:
                names[kind] = name
    return names


def bound_handlers(node: Protocol) -> dict[int, Callable[[Message], None]]:
    """Return the handlers of one node by kind of message."""
    return {kind: getattr(node, name) for kind, name in handler_names(type(node)).items()}
