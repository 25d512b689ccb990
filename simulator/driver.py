"""The client of a run: issues operations, closed or open, and notices when each has ended."""

from collections.abc import Callable, Mapping, Sequence

from simulator.engine import FINISHED, OVERLOADED, Engine
from simulator.history import Proposal
from simulator.load import WINDOW, Load
from simulator.protocols.protocol import Protocol, Start

STALLED = "stalled"

SETTLING = 100
"""Rounds for which a protocol with endless timers runs on after its last operation and fault."""

PATIENCE = 2000
"""Rounds without an operation that ends, and without a fault, after which it has stalled."""


class Driver:
    """Issues the groups of a load to an engine.

    Where `times` are given a group begins at each of them (open load); else `outstanding` groups
    are kept under way (closed load). When an operation would need the place of one that is
    still unfinished, WINDOW operations earlier, the run ends as OVERLOADED. A client issues its
    next group when its last one has ended. A protocol whose timers never end is stopped SETTLING
    rounds after its last operation and the last fault, or once it has STALLED.
    """

    def __init__(
        self,
        engine: Engine,
        load: Load,
        protocol: type[Protocol],
        nodes: Mapping[int, int],
        root: int,
        progress: Callable[[int, int], None] | None,
        round_ps: int = 0,
        healed_ps: int = 0,
    ) -> None:
        """Become the client of an engine; `nodes` gives the engine's node of each PU.

        `round_ps` is the length of a round, `healed_ps` the time of the last fault.
        """
        self._engine = engine
        engine.on_done = self.done
        self._load = load
        self._protocol = protocol
        self._nodes = nodes
        self._root = root
        self._progress = progress
        self._every = max(1, load.operations // 100)
        self._next = 0
        self._reports = 1 if protocol.reports == "one" else len(nodes)
        self._missing: dict[int, int] = {}
        self._latest: dict[int, tuple[int, int]] = {}
        self._group_of: dict[int, int] = {}
        self._group_left: dict[int, int] = {}
        self._times: Sequence[int] = ()
        self._groups = 0
        self._round = round_ps
        self._healed = healed_ps
        self._seen = -1
        self.proposals: dict[int, Proposal] = {}
        self.finished: dict[int, tuple[int, int]] = {}

    def begin(self, outstanding: int, times: Sequence[int] = ()) -> None:
        """Schedule the first operations; `times` are ascending, enough for all, or none."""
        self._times = times
        clients = self._load.clients
        if self._protocol.endless:
            self._engine.at(self._healed + PATIENCE * self._round, self._watch)
        if times:
            self._engine.at(times[0], self._arrive)
        else:
            for number in range(outstanding):
                self._issue(0, clients[number % len(clients)] if clients else None)

    def done(self, operation: int, node: int, time_ps: int, result: int) -> None:
        """Take one report; the last one that is due ends the operation, at the latest of them."""
        if self._missing.get(operation, 0) == 0:
            return
        latest = max(self._latest.get(operation, (0, 0)), (time_ps, result))
        self._latest[operation] = latest
        self._missing[operation] -= 1
        if self._missing[operation] > 0:
            return
        self.finished[operation] = self._latest.pop(operation)
        del self._missing[operation]
        count = len(self.finished)
        if self._progress is not None and count % self._every == 0:
            self._progress(count, self._load.operations)
        group = self._group_of.pop(operation)
        self._group_left[group] -= 1
        if self._group_left[group] == 0:
            del self._group_left[group]
            if not self._times:
                client = self.proposals[group].initiator if self._load.clients else None
                self._issue(latest[0], client)
        if self._protocol.endless and count == self._load.operations:
            settled = max(latest[0], self._healed) + SETTLING * self._round
            self._engine.at(settled, lambda now: self._engine.stop(FINISHED))

    def _watch(self, now: int) -> None:
        """Stop a protocol whose timers never end where nothing has ended for too long."""
        if len(self.finished) == self._seen:
            self._engine.stop(STALLED)
            return
        self._seen = len(self.finished)
        self._engine.at(now + PATIENCE * self._round, self._watch)

    def _arrive(self, now: int) -> None:
        """Issue one group of an open load and schedule the next arrival."""
        clients = self._load.clients
        self._issue(now, clients[self._next % len(clients)] if clients else None)
        self._groups += 1
        if self._next < self._load.operations:
            self._engine.at(self._times[self._groups], self._arrive)

    def _issue(self, now: int, client: int | None) -> None:
        """Begin the next group at a time, if there is one and its places are free."""
        if self._next >= self._load.operations:
            return
        group = self._load.group(self._next, now, client)
        last = group[-1].operation
        for old in range(group[0].operation - WINDOW, last - WINDOW + 1):
            if old >= 0 and old not in self.finished:
                self._engine.stop(OVERLOADED)
                return
        self._next = last + 1
        self._group_left[group[0].operation] = len(group)
        for proposal in group:
            self._group_of[proposal.operation] = group[0].operation
            self._missing[proposal.operation] = self._reports
            self.proposals[proposal.operation] = proposal
            self._start(proposal)

    def _start(self, proposal: Proposal) -> None:
        """Tell those who begin this operation."""
        op, item, now = proposal.operation, proposal.item, proposal.start_ps
        if self._protocol.starts == "members":
            for node in self._nodes.values():
                value = self._load.contribution(op, node)
                self._engine.tell(now, node, Start(op, item, value, proposal.write))
        else:
            pu = self._root if self._protocol.starts == "root" else proposal.initiator
            start = Start(op, item, proposal.value, proposal.write)
            self._engine.tell(now, self._nodes[pu], start)
