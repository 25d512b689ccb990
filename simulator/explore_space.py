"""The space that the explorer walks: states as small tuples of numbers, moves as table look-ups.

A node with all that it has recorded is one number, its box of messages under way another, the
budgets of faults and timers a third; a state is one of each for every node and one ledger. What a
handler does depends on the node and the message alone, so each handler runs once for each pair of
them, and all further moves are look-ups.
"""

from collections.abc import Iterator, Sequence

from simulator.explore_handlers import Handlers
from simulator.explore_tables import (
    CRASH,
    CRASHED,
    DELIVER,
    LOSE,
    NETWORK,
    OFF,
    POWER_DOWN,
    POWER_UP,
    RESTART,
    TIMED,
    TOLD,
    UP,
    Bounds,
    Ledger,
    Move,
    State,
    Step,
    Table,
    Turn,
    said_also,
)
from simulator.history import CAME, LOST, Proposal
from simulator.protocols.protocol import (
    Boot,
    Message,
    PowerDown,
    PowerUp,
    Protocol,
    Restart,
    Start,
)
from simulator.trees import Tree


class Space(Handlers):
    """All states that some nodes can reach, and the moves between them."""

    def __init__(
        self,
        protocol: type[Protocol],
        tree: Tree,
        proposals: Sequence[Proposal],
        nodes: list[Protocol],
        fifo: bool,
        bounds: Bounds,
    ) -> None:
        """Take the nodes, seated with a window as small as the operations allow."""
        super().__init__(protocol, nodes, bounds.crashes > 0)
        self.protocol = protocol
        self.members = tree.members
        self.proposals = {proposal.operation: proposal for proposal in proposals}
        self.bounds = bounds
        self._root = tree.root
        self._fifo = fifo
        self._bounded = [
            number for kind, number in self.kinds.items() if kind.__name__ in bounds.firings
        ]
        self.ledgers: Table[Ledger] = Table()
        self._boxes: Table[tuple[int, ...]] = Table()
        self._due = 1 if protocol.reports == "one" else len(self.members)
        self._pushed: dict[tuple[int, int], int] = {}
        self._cleared: dict[tuple[int, int], int] = {}
        self._left: dict[int, tuple[int, ...]] = {}
        self._choices: dict[int, tuple[tuple[int, int], ...]] = {}

    # ------------------------------------------------------------ states
    def initial(self) -> State:
        """Return the state in which all members have booted and every begin is under way."""
        empty = self._boxes.number(())
        records, reports = self.records.number(()), self.reports.number(())
        state = [
            self.locals.number((UP, self.fields_of(node), records, reports)) for node in self.nodes
        ]
        state += [empty] * len(self.nodes)
        most = tuple(
            self.bounds.firings[kind.__name__]
            for kind, number in self.kinds.items()
            if number in self._bounded
        )
        bounds = self.bounds
        ledger = Ledger(bounds.crashes, bounds.powers, bounds.losses, most, ())
        state.append(self.ledgers.number(ledger))
        for op in self.proposals:
            if op not in bounds.after:
                self._begin(state, op)
        if Boot in self.kinds:
            for node in range(len(self.members)):
                self._perform(state, node, self.step(state[node], self.special(node, Boot(0))))
        return tuple(state)

    def is_final(self, state: State) -> bool:
        """Say whether nothing is left to happen: nothing under way, and all are up."""
        count = len(self.nodes)
        boxes = state[count : 2 * count]
        return not any(self._boxes.rows[box] for box in boxes) and all(
            self.locals.rows[node][0] == UP for node in state[:count]
        )

    def spent(self, state: State) -> frozenset[str]:
        """Return the kinds of faults that have happened, `bound` where a timer may fire no more."""
        ledger, bounds = self.ledgers.rows[state[-1]], self.bounds
        found = {
            kind
            for kind, left, most in (
                ("crash", ledger.crashes, bounds.crashes),
                ("power", ledger.powers, bounds.powers),
                ("loss", ledger.losses, bounds.losses),
            )
            if left < most
        }
        if 0 in ledger.firings:
            found.add("bound")
        return frozenset(found)

    def moves(self, state: State) -> Iterator[tuple[Move, State]]:
        """Yield every move that is possible in a state, and where it leads."""
        count, members = len(self.nodes), len(self.members)
        ledger = self.ledgers.rows[state[-1]]
        for node in range(count):
            status = self.locals.rows[state[node]][0]
            # what arrives at a node that is down is lost, which shows when it comes up again
            choices = self._choices_of(state[count + node]) if status == UP else ()
            for flight, rest in choices:
                step = self.step(state[node], flight)
                yield (DELIVER, node, flight, -1), self._after(state, node, flight, rest, step)
                if ledger.losses and self.flights.rows[flight][1] == NETWORK and node < members:
                    yield (LOSE, node, flight, -1), self._lose(state, node, rest)
                if ledger.crashes and node < members:
                    for number, cut in enumerate(step.cuts):
                        after = self._after(state, node, flight, rest, cut)
                        yield (CRASH, node, flight, number), self._fall(after, node, CRASHED)
            if node < members:
                yield from self._faults(state, node, status, ledger)

    def turn(self, move: Move) -> Turn:
        """Return what a move means, whatever the numbers of this space."""
        what, node, number, cut = move
        return (what, node, self.flights.rows[number] if number >= 0 else (), cut)

    def follow(self, state: State, turn: Turn) -> State:
        """Return where a turn leads; raises `ValueError` where it is not possible."""
        for move, after in self.moves(state):
            if self.turn(move) == turn:
                return after
        raise ValueError(f"the turn {turn} is not possible here")

    # ------------------------------------------------------------ moves
    def _faults(
        self, state: State, node: int, status: int, ledger: Ledger
    ) -> Iterator[tuple[Move, State]]:
        """Yield the falls and returns of a member."""
        if status == UP:
            if ledger.crashes:
                yield (CRASH, node, -1, -1), self._fall(state, node, CRASHED)
            if ledger.powers:
                told = self._tell(state, node, PowerDown(0))
                yield (POWER_DOWN, node, -1, -1), self._fall(told, node, OFF)
        else:
            back = list(state)
            fields, records, reports = self.locals.rows[state[node]][1:]
            came = self.records.number(said_also(self.records.rows[records], (0, CAME, 0)))
            back[node] = self.locals.number((UP, fields, came, reports))
            message: Message = Restart(0) if status == CRASHED else PowerUp(0)
            move = RESTART if status == CRASHED else POWER_UP
            at = len(self.nodes) + node
            for number, box in enumerate(self._remainders(state[at])):
                back[at] = box
                yield (move, node, -1, number), self._tell(tuple(back), node, message)

    def _tell(self, state: State, node: int, message: Message) -> State:
        """Let a node handle what comes from outside at once, if it wants to know."""
        if type(message) not in self.kinds:
            return state
        after = list(state)
        self._perform(after, node, self.step(state[node], self.special(node, message)))
        return tuple(after)

    def _after(self, state: State, node: int, flight: int, rest: int, step: Step) -> State:
        """Return the state after a node has handled a message."""
        after = list(state)
        after[len(self.nodes) + node] = rest
        if self._bounded and self.flights.rows[flight][1] == TIMED:
            self._count_firing(after, self.flights.rows[flight][2])
        self._perform(after, node, step)
        return tuple(after)

    def _perform(self, after: list[int], node: int, step: Step) -> None:
        """Change a state by what a handler did."""
        count, push = len(self.nodes), self._push
        after[node] = step.local
        for flight in step.sent:
            at = count + self.flights.rows[flight][0]
            after[at] = push(after[at], flight)
        if step.timed:
            firings = self.ledgers.rows[after[-1]].firings
            for flight in step.timed:
                if self._may_fire(firings, self.flights.rows[flight][2]):
                    after[count + node] = push(after[count + node], flight)
        for op in step.ended:
            self._end(after, op)

    def _lose(self, state: State, node: int, rest: int) -> State:
        """Return the state after a message under way was lost."""
        after = list(state)
        after[len(self.nodes) + node] = rest
        ledger = self.ledgers.rows[state[-1]]
        left = ledger.losses - 1
        after[-1] = self.ledgers.number(
            Ledger(ledger.crashes, ledger.powers, left, ledger.firings, ledger.calls)
        )
        return tuple(after)

    def _fall(self, state: State, node: int, status: int) -> State:
        """Return the state after a member has gone down: its timers are void."""
        after = list(state)
        at = len(self.nodes) + node
        after[at] = self._without_timers(state[at])
        _, fields, records, reports = self.locals.rows[state[node]]
        fell = self.records.number(said_also(self.records.rows[records], (0, LOST, 0)))
        after[node] = self.locals.number((status, fields, fell, reports))
        ledger = self.ledgers.rows[state[-1]]
        crashed = int(status == CRASHED)
        after[-1] = self.ledgers.number(
            Ledger(
                ledger.crashes - crashed,
                ledger.powers - 1 + crashed,
                ledger.losses,
                ledger.firings,
                ledger.calls,
            )
        )
        return tuple(after)

    # ------------------------------------------------------------ timers and operations
    def _may_fire(self, firings: tuple[int, ...], kind: int) -> bool:
        return kind not in self._bounded or firings[self._bounded.index(kind)] > 0

    def _count_firing(self, after: list[int], kind: int) -> None:
        """Take one firing from the budget; with the last one the timers of this kind are void."""
        if kind not in self._bounded:
            return
        at = self._bounded.index(kind)
        ledger = self.ledgers.rows[after[-1]]
        left = ledger.firings[at] - 1
        firings = (*ledger.firings[:at], left, *ledger.firings[at + 1 :])
        after[-1] = self.ledgers.number(
            Ledger(ledger.crashes, ledger.powers, ledger.losses, firings, ledger.calls)
        )
        if left == 0:
            for box in range(len(self.nodes), 2 * len(self.nodes)):
                after[box] = self._without_timers(after[box], kind)

    def _without_timers(self, box: int, kind: int = -1) -> int:
        """Return a box without its timers, or only without those of a kind."""
        known = self._cleared.get((box, kind))
        if known is None:
            flights = self.flights.rows
            kept = [
                flight
                for flight in self._boxes.rows[box]
                if flights[flight][1] != TIMED or kind not in (-1, flights[flight][2])
            ]
            known = self._cleared[box, kind] = self._boxes.number(tuple(kept))
        return known

    def _begin(self, after: list[int], op: int) -> None:
        """Put the begin of an operation under way."""
        proposal = self.proposals[op]
        starters = {
            "root": (self._root,),
            "initiator": (proposal.initiator,),
            "client": (proposal.initiator,),
            "members": self.members,
        }[self.protocol.starts]
        for pu in starters:
            node = self.members.index(pu)
            start = Start(op, proposal.item, proposal.value, proposal.write)
            flight = self.flight(node, TOLD, node, start)
            at = len(self.nodes) + node
            after[at] = self._push(after[at], flight)
        self._call(after, 2 * op)

    def _end(self, after: list[int], op: int) -> None:
        """Take a report; the last one that is due ends the operation and begins those behind it."""
        ledger = self.ledgers.rows[after[-1]]
        if 2 * op + 1 in ledger.calls:
            return
        reported = sum(
            op == said
            for number in after[: len(self.members)]
            for said, _ in self.reports.rows[self.locals.rows[number][3]]
        )
        if reported < self._due:
            return
        self._call(after, 2 * op + 1)
        for later, first in self.bounds.after.items():
            if first == op:
                self._begin(after, later)

    def _call(self, after: list[int], call: int) -> None:
        """Write down that an operation has begun or ended."""
        ledger = self.ledgers.rows[after[-1]]
        calls = [*ledger.calls, call]
        begin = len(calls)
        while begin and calls[begin - 1] % 2 == call % 2:
            begin -= 1
        calls[begin:] = sorted(calls[begin:])
        after[-1] = self.ledgers.number(
            Ledger(ledger.crashes, ledger.powers, ledger.losses, ledger.firings, tuple(calls))
        )

    # ------------------------------------------------------------ boxes
    def _push(self, box: int, flight: int) -> int:
        """Return a box with one message more, in the one order that stands for all equal boxes."""
        known = self._pushed.get((box, flight))
        if known is None:
            row = sorted([*self._boxes.rows[box], flight], key=self._channel)
            known = self._pushed[box, flight] = self._boxes.number(tuple(row))
        return known

    def _choices_of(self, box: int) -> tuple[tuple[int, int], ...]:
        """Return the messages of a box that may come next, each with the rest of the box."""
        known = self._choices.get(box)
        if known is None:
            row = self._boxes.rows[box]
            known = self._choices[box] = tuple(
                (flight, self._boxes.number((*row[:at], *row[at + 1 :])))
                for at, flight in enumerate(row)
                if at == 0 or self._channel(flight) != self._channel(row[at - 1])
            )
        return known

    def _remainders(self, box: int) -> tuple[int, ...]:
        """Return what may be left of a box when some of it has arrived and is lost, all first."""
        known = self._left.get(box)
        if known is None:
            found = [box]
            for left in found:
                found += [rest for _, rest in self._choices_of(left) if rest not in found]
            known = self._left[box] = tuple(dict.fromkeys(found))
        return known

    def _channel(self, number: int) -> tuple[int, ...]:
        """Return what must be equal for two messages to keep their order, or to be the same."""
        _, origin, _, source, *_ = self.flights.rows[number]
        if self._fifo and origin == NETWORK:
            return (origin, source)
        return (origin, source, number)
