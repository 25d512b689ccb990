"""The client of a run: issues operations, closed or open, and notices when each has ended."""

from collections.abc import Callable, Mapping

from simulator.engine import Engine
from simulator.history import Proposal
from simulator.load import WINDOW, Load
from simulator.protocols.protocol import Protocol

OVERLOADED = "overloaded"


class Driver:
    """Issues the groups of a load to an engine.

    With `interval_ps` a group begins every so many picoseconds (open load); else `outstanding`
    groups are kept under way (closed load). When an operation would need the place of one that is
    still unfinished, WINDOW operations earlier, the run ends as OVERLOADED.
    """

    def __init__(
        self,
        engine: Engine,
        load: Load,
        protocol: type[Protocol],
        nodes: Mapping[int, int],
        root: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """Become the client of an engine; `nodes` gives the engine's node of each PU."""
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
        self._interval: int | None = None
        self.proposals: dict[int, Proposal] = {}
        self.finished: dict[int, tuple[int, int]] = {}

    def begin(self, outstanding: int, interval_ps: int | None) -> None:
        """Schedule the first operations."""
        self._interval = interval_ps
        if interval_ps is not None:
            self._engine.at(0, self._arrive)
        else:
            for _ in range(outstanding):
                self._issue(0)

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
            if self._interval is None:
                self._issue(latest[0])

    def _arrive(self, now: int) -> None:
        """Issue one group of an open load and schedule the next arrival."""
        self._issue(now)
        if self._interval is not None and self._next < self._load.operations:
            self._engine.at(now + self._interval, self._arrive)

    def _issue(self, now: int) -> None:
        """Begin the next group at a time, if there is one and its places are free."""
        if self._next >= self._load.operations:
            return
        group = self._load.group(self._next, now)
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
                self._engine.start(now, node, op, item, self._load.contribution(op, node))
        else:
            pu = self._root if self._protocol.starts == "root" else proposal.initiator
            self._engine.start(now, self._nodes[pu], op, item, proposal.value)
