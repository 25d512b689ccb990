"""Explicit-state explorer: the classes that the simulator runs, through every delivery order.

A state is the fields of all nodes, what each has recorded, and the messages under way. These may be
delivered in any order, or, with `fifo`, in any order that keeps that of each channel (one sender,
one receiver), as channels of cache lines do. Explored are all states that can be reached, each
once, in breadth, so a counterexample is a shortest one. Messages are neither lost nor doubled;
nobody crashes; a timer may fire at any moment.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.checkers import judge
from simulator.history import Entry, HeldLock, History, Proposal
from simulator.protocols.protocol import (
    DONE,
    RECORD,
    SEND,
    TIMER,
    Message,
    Protocol,
    Start,
    bound_handlers,
    declared_fields,
    handled_kinds,
    payload_names,
)
from simulator.scenario import held_locks, seat
from simulator.trees import Tree

AT_ANY_TIME = (
    "integrity",
    "validity",
    "sums",
    "order",
    "acknowledged",
    "confirmed",
    "atomicity",
    "isolation",
    "separation",
)
"""Checks that must hold in every state, not only where nothing is left to happen."""

Flight = tuple[int, ...]
"""A message under way: (receiving node, kind, source node, operation, its integers)."""

Local = tuple[tuple[int, ...], tuple[tuple[int, int, int], ...], tuple[tuple[int, int], ...]]
"""A node: its fields, its records (operation, event, value), its reports (operation, result)."""

State = tuple[tuple[Local, ...], tuple[Flight, ...]]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What an exploration found; `path` leads to the first violation, one sentence per step."""

    states: int
    transitions: int
    complete: bool
    violations: tuple[str, ...]
    path: tuple[str, ...]


def explore(
    protocol: type[Protocol],
    tree: Tree,
    proposals: Sequence[Proposal],
    reporter: int,
    state_limit: int = 200_000,
    timeout_ps: int = 0,
    fifo: bool = False,
    up_tree: Tree | None = None,
    hold_ps: int = -1,
) -> Exploration:
    """Deliver in every order, until a violation, the end, or more states than the limit.

    The operations of the proposals are numbered from 0; all are begun at once. Items must be
    smaller than their number. `value` is given to each who begins. Answers go up over `up_tree`
    where that is given, and are held back where `hold_ps` is not negative.
    """
    holds = dict.fromkeys(tree.members, hold_ps)
    window = len(proposals)
    nodes = seat(
        protocol,
        tree,
        reporter,
        parameters={"timeout_ps": timeout_ps},
        window=window,
        up_tree=up_tree,
        holds=holds,
    )
    explorer = _Explorer(protocol, tree, proposals, reporter, nodes, fifo)
    first = explorer.initial()
    came: dict[State, tuple[State, Flight] | None] = {first: None}
    waiting = deque([first])
    transitions = 0
    while waiting:
        state = waiting.popleft()
        for at, flight in enumerate(state[1]):
            if explorer.must_wait(state, at):
                continue
            following = explorer.deliver(state, at)
            transitions += 1
            if following in came:
                continue
            came[following] = (state, flight)
            violations = explorer.judge(state, following, flight[0])
            if violations:
                path = explorer.path(came, following)
                return Exploration(len(came), transitions, False, violations, path)
            if len(came) >= state_limit:
                return Exploration(len(came), transitions, False, (), ())
            waiting.append(following)
    return Exploration(len(came), transitions, True, (), ())


class _Explorer:
    """Moves a set of nodes from state to state."""

    def __init__(
        self,
        protocol: type[Protocol],
        tree: Tree,
        proposals: Sequence[Proposal],
        reporter: int,
        nodes: list[Protocol],
        fifo: bool,
    ) -> None:
        """Take the nodes, seated with a window as small as the operations allow."""
        self._protocol = protocol
        self._members = tree.members
        self._root = tree.root
        self._reporter = reporter
        self._fifo = fifo
        self._proposals = {proposal.operation: proposal for proposal in proposals}
        self._nodes = nodes
        self._handlers = [bound_handlers(node) for node in self._nodes]
        self._fields = {
            name: extent
            for name, extent in declared_fields(protocol).items()
            if extent != "parameter"
        }
        kinds = list(handled_kinds(protocol))
        self._kinds = {kind: number for number, kind in enumerate(kinds)}
        self._made = [(kind, payload_names(kind)) for kind in kinds]
        self._due = 1 if protocol.reports == "one" else len(self._nodes)

    def initial(self) -> State:
        """Return the state in which every begin is under way."""
        flights: list[Flight] = []
        for proposal in self._proposals.values():
            starters = {
                "root": (self._root,),
                "initiator": (proposal.initiator,),
                "client": (proposal.initiator,),
                "members": self._members,
            }[self._protocol.starts]
            for pu in starters:
                node = self._members.index(pu)
                start = Start(proposal.operation, proposal.item, proposal.value, proposal.write)
                flights.append(self._flight(node, node, start))
        locals_ = tuple((self._fields_of(node), (), ()) for node in self._nodes)
        return locals_, self._sorted(flights)

    def deliver(self, state: State, at: int) -> State:
        """Return the state after one of the messages under way was handled."""
        locals_, flights = state
        number, kind, source, op, *integers = flights[at]
        node, (fields, records, reports) = self._nodes[number], locals_[number]
        self._restore(node, fields)
        made = self._made[kind][0]
        message = made(op, *integers)
        message.source = source
        self._handlers[number][made](message)
        sent = [*flights[:at], *flights[at + 1 :]]
        for code, what, about, value, told in node.outbox:
            if code in (SEND, TIMER):
                sent.append(self._flight(what, number, told))
            elif code == RECORD:
                records = (*records, (about, what, value))
            elif code == DONE:
                reports = (*reports, (about, value))
        node.outbox.clear()
        after = (self._fields_of(node), records, reports)
        return (*locals_[:number], after, *locals_[number + 1 :]), self._sorted(sent)

    def _flight(self, node: int, source: int, message: Message) -> Flight:
        """Return a message on its way to a node as plain integers."""
        kind = self._kinds[type(message)]
        integers = (getattr(message, name) for name in self._made[kind][1])
        return (node, kind, source, message.op, *integers)

    def must_wait(self, state: State, at: int) -> bool:
        """Say whether a message stands behind its channel's first, or equals the one before it."""
        if at == 0:
            return False
        flight, before = state[1][at], state[1][at - 1]
        return self._channel(flight) == self._channel(before)

    def _sorted(self, flights: list[Flight]) -> tuple[Flight, ...]:
        """Bring messages into the one order that stands for all equal states."""
        return tuple(sorted(flights, key=self._channel))

    def _channel(self, flight: Flight) -> tuple[int, ...]:
        """Return what must be equal for two messages to keep their order."""
        node, kind, source, *rest = flight
        if self._fifo and node != source:
            return (node, source)
        return (node, source, kind, *rest)

    def judge(self, before: State, after: State, moved: int) -> tuple[str, ...]:
        """Judge a step; what was recorded before it counts as earlier."""
        final = not after[1]
        if not final and len(before[0][moved][1]) == len(after[0][moved][1]):
            return ()
        entries: list[Entry] = []
        for number, (_, records, _) in enumerate(after[0]):
            old = len(before[0][number][1])
            pu = self._members[number]
            entries += [
                (int(i >= old), pu, op, event, value)
                for i, (op, event, value) in enumerate(records)
            ]
        promises = self._protocol.promises
        checks = promises if final else [name for name in promises if name in AT_ANY_TIME]
        return judge(self._history(after, tuple(entries), final), checks)

    def path(self, came: dict[State, tuple[State, Flight] | None], state: State) -> tuple[str, ...]:
        """Return the deliveries that lead to a state, as sentences."""
        names = list(handled_kinds(self._protocol).values())
        steps: list[str] = []
        step = came[state]
        while step is not None:
            before, (number, kind, source, op, *_) = step
            here, there = self._members[number], self._members[source]
            steps.append(f"PU {here} handles {names[kind]} of operation {op} from PU {there}")
            step = came[before]
        return tuple(reversed(steps))

    def _history(self, state: State, entries: tuple[Entry, ...], final: bool) -> History:
        """Return what the checkers look at in a state."""
        reports: dict[int, list[int]] = {}
        for node, (fields, _, said) in zip(self._nodes, state[0], strict=True):
            self._restore(node, fields)
            for op, result in said:
                reports.setdefault(op, []).append(result)
        held: tuple[HeldLock, ...] = held_locks(self._protocol, self._nodes, self._members)
        return History(
            members=self._members,
            reporter=self._reporter,
            proposals=self._proposals,
            entries=entries,
            finished={op: (1, said[0]) for op, said in reports.items() if len(said) >= self._due},
            failed=frozenset(),
            held=held,
            drained=final,
        )

    def _fields_of(self, node: Protocol) -> tuple[int, ...]:
        """Return all fields of a node in one row."""
        row: list[int] = []
        for field, extent in self._fields.items():
            value = getattr(node, field)
            row += [value] if extent == "one" else value
        return tuple(row)

    def _restore(self, node: Protocol, row: tuple[int, ...]) -> None:
        """Set all fields of a node from a row."""
        at = 0
        for field, extent in self._fields.items():
            if extent == "one":
                setattr(node, field, row[at])
                at += 1
            else:
                size = len(getattr(node, field))
                setattr(node, field, list(row[at : at + size]))
                at += size
