"""The reference event engine: plain Python, integer picoseconds, ties by issue order.

A node is a FIFO server that is described by one number, the time at which it is free. A message is
served when it arrives: it begins at max(arrival, free), keeps the node busy for `receive`, runs
the handler, and performs the handler's actions one after the other. That is exact, because the
state of a node is touched only by its own handlers, in order of arrival; no event for "begin of
service" is needed.

A send keeps the node busy for `send`, or for `gap` if it starts at the very instant at which the
node finished its previous send and nothing was received in between (docs/message-model.md). An idle
node whose timer fires begins anew, even at that instant.

A node that goes down loses what it is receiving, what is waiting and what arrives before it is up,
its timers, and the sends that were not complete. Its fields survive, as if they were on stable
storage; a handler changes them at the instant at which the receive is complete. One that is powered
down hears of it before, and what its handler then says still leaves. Who comes up hears of that.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush

from simulator.faults import Fault
from simulator.history import Entry
from simulator.protocols.protocol import (
    DONE,
    RECORD,
    SEND,
    TIMER,
    Action,
    Boot,
    Message,
    PowerDown,
    PowerUp,
    Protocol,
    Restart,
    bound_handlers,
    handled_kinds,
)

Row = tuple[int, int, int, int, int, int]
"""One run of a handler: (start, end in picoseconds, PU, kind of message, operation, source PU)."""

FINISHED, EVENT_LIMIT, HORIZON = "finished", "event limit", "horizon"

_NETWORK, _LOCAL = -1, -2
_NEVER = 1 << 62
_CHUNK = 6 * 1024


@dataclass(frozen=True, slots=True)
class Wires:
    """Dense picosecond tables by (sending node, receiving node), nodes counted from 0."""

    send: Sequence[Sequence[int]]
    further_send: Sequence[Sequence[int]]
    propagation: Sequence[Sequence[int]]
    receive: Sequence[Sequence[int]]


def widened(wires: Wires, lines: int) -> Wires:
    """Return wires to as many more nodes that cost nothing to reach, and from there."""
    if not lines:
        return wires

    def table(rows: Sequence[Sequence[int]]) -> list[list[int]]:
        free = [0] * lines
        return [[*row, *free] for row in rows] + [[0] * (len(rows) + lines)] * lines

    tables = (wires.send, wires.further_send, wires.propagation, wires.receive)
    return Wires(*map(table, tables))


class Engine:
    """Runs the nodes of one protocol.

    `pus` are the PU numbers of the nodes, for rows and entries. `on_done(operation, node, time_ps,
    result)` is called at each `done` of a handler; a client sets it. After `run`, read `events`,
    `busy_ps` per node, `now_ps` (when the last handler ended), `entries()`, `digest()`, and, where
    `keep_rows` was set, `rows()`.
    """

    def __init__(
        self,
        nodes: Sequence[Protocol],
        pus: Sequence[int],
        wires: Wires,
    ) -> None:
        """Put the nodes in place, all idle and up, and nothing under way.

        Nodes behind those that have wires are cache lines: reaching them and hearing from them
        costs nothing, and rows number them from -1 down.
        """
        lines = len(nodes) - len(pus)
        self._pus = (*pus, *range(-1, -lines - 1, -1))
        self._wires = widened(wires, lines)
        self.on_done: Callable[[int, int, int, int], None] = lambda op, node, now, result: None
        self._outboxes: list[list[Action]] = [node.outbox for node in nodes]
        self._nodes = tuple(nodes)
        self._handlers = [bound_handlers(node) for node in nodes]
        kinds = handled_kinds(type(nodes[0]))
        self._kinds = {kind: number for number, kind in enumerate(kinds)}
        self._queue: list[tuple[int, int, int, Message | None, int, int]] = []
        self._controls: dict[int, Callable[[int], None]] = {}
        self._issue = 0
        self._stop = ""
        self._free = [0] * len(nodes)
        self._last_send = [-1] * len(nodes)
        self._down = [False] * len(nodes)
        self._epoch = [0] * len(nodes)
        self._crashes: list[list[int]] = [[_NEVER] for _ in nodes]
        self.keep_rows = False
        self._sha = hashlib.sha256()
        # Rows and entries are kept as flat integers: tuples by the million slow the collector down.
        self._fresh: list[int] = []
        self.events = 0
        self.now_ps = 0
        self.busy_ps = [0] * len(nodes)
        self._said: list[int] = []
        self._rows: list[Row] = []

    def plan_faults(self, faults: Iterable[Fault], nodes: Mapping[int, int]) -> None:
        """Take in a valid fault plan; call it before anything else is scheduled."""
        for fault in sorted(faults, key=lambda fault: fault.time_ps, reverse=True):
            if fault.state == "down":
                self._crashes[nodes[fault.pu]].append(fault.time_ps)
        for fault in sorted(faults, key=lambda fault: fault.time_ps):
            self.at(fault.time_ps, partial(self._switch, nodes[fault.pu], fault.state))

    def boot(self, nodes: Iterable[int]) -> None:
        """Tell nodes that they are up for the first time, where the protocol wants to know."""
        if Boot in self._kinds:
            for node in nodes:
                self.tell(0, node, Boot(0))

    def at(self, time_ps: int, action: Callable[[int], None]) -> None:
        """Call something from outside of the nodes at a time."""
        self._issue += 1
        self._controls[self._issue] = action
        heappush(self._queue, (time_ps, self._issue, -1, None, _LOCAL, -1))

    def tell(self, time_ps: int, node: int, message: Message) -> None:
        """Give a node a message from outside, such as a start; it costs no receive."""
        self._issue += 1
        heappush(self._queue, (time_ps, self._issue, node, message, _LOCAL, node))

    def stop(self, reason: str) -> None:
        """End the run before the next event."""
        self._stop = reason

    def run(self, event_limit: int, horizon_ps: int | None = None) -> str:
        """Run until nothing is left to happen, and say why it ended.

        The answer is FINISHED, EVENT_LIMIT, HORIZON, or what `stop` was given.
        """
        queue, controls = self._queue, self._controls
        horizon = _NEVER if horizon_ps is None else horizon_ps
        while queue:
            if self.events >= event_limit:
                return EVENT_LIMIT
            time, issue, node, message, epoch, source = heappop(queue)
            if time > horizon:
                return HORIZON
            self.events += 1
            if message is None:
                controls.pop(issue)(time)
            else:
                self._serve(time, node, message, epoch, source)
            if self._stop:
                return self._stop
        return FINISHED

    def digest(self) -> str:
        """Return the SHA-256 of all rows, six little-endian 64-bit integers each."""
        self._absorb()
        return self._sha.hexdigest()

    def rows(self) -> tuple[Row, ...]:
        """Return the rows in the order in which the handlers ran; none unless they were kept."""
        self._absorb()
        return tuple(self._rows)

    def entries(self) -> tuple[Entry, ...]:
        """Return what the nodes have recorded, in the order in which the handlers ran."""
        return tuple(zip(*[iter(self._said)] * 5, strict=True))

    def _serve(self, time: int, node: int, message: Message, epoch: int, source: int) -> None:
        """Receive one message at a node and run its handler, unless a crash prevents it."""
        if self._down[node] or (epoch >= 0 and epoch != self._epoch[node]):
            return
        free = self._free[node]
        begin = free if free > time else time
        end = begin
        if epoch == _NETWORK:
            end += self._wires.receive[source][node]
        crash = self._crashes[node][-1]
        if begin < crash and end <= crash:
            if epoch == _NETWORK or (epoch >= 0 and free <= time):
                self._last_send[node] = -1
            # one object goes to all receivers of a multicast, and may be forwarded
            message.source = source
            self._nodes[node].now = end
            kind = type(message)
            self._handlers[node][kind](message)
            outbox = self._outboxes[node]
            if outbox:
                end = self._perform(node, end, crash, outbox)
                outbox.clear()
            pus, rows = self._pus, self._fresh
            rows += (begin, end, pus[node], self._kinds[kind], message.op, pus[source])
            if len(rows) == _CHUNK:
                self._absorb()
        else:
            begin, end = min(begin, crash), crash
        self._free[node] = end
        self.busy_ps[node] += end - begin
        if end > self.now_ps:
            self.now_ps = end

    def _absorb(self) -> None:
        """Hash the rows that are new since the last time; keep them if they are wanted."""
        fresh = self._fresh
        self._sha.update(struct.pack(f"<{len(fresh)}q", *fresh))
        if self.keep_rows:
            self._rows += zip(*[iter(fresh)] * 6, strict=True)
        self._fresh.clear()

    def _perform(self, node: int, now: int, crash: int, outbox: list[Action]) -> int:
        """Perform the actions of a handler in order; return when the node is done or crashes."""
        first, further = self._wires.send[node], self._wires.further_send[node]
        flight, last_send = self._wires.propagation[node], self._last_send[node]
        for code, what, op, number, message in outbox:
            if code == SEND:
                now += further[what] if now == last_send else first[what]
                if now > crash:
                    return crash
                last_send = self._last_send[node] = now
                self._issue += 1
                arrival = now + flight[what]
                heappush(self._queue, (arrival, self._issue, what, message, _NETWORK, node))
            elif code == RECORD:
                self._said += (now, self._pus[node], op, what, number)
            elif code == DONE:
                self.on_done(op, node, now, number)
            elif code == TIMER:
                self._issue += 1
                due = now + number
                heappush(self._queue, (due, self._issue, node, message, self._epoch[node], node))
            else:
                now += number
                if now > crash:
                    return crash
        return now

    def _switch(self, node: int, state: str, now: int) -> None:
        """Take a node down or bring it up again; either way its timers are void."""
        if state == "off" and PowerDown in self._kinds:
            self._serve(now, node, PowerDown(0), _LOCAL, node)
        up = state in ("up", "on")
        self._epoch[node] += 1
        self._down[node] = not up
        self._free[node] = now
        self._last_send[node] = -1
        if state == "down":
            self._crashes[node].pop()
        told: Message = Restart(0) if state == "up" else PowerUp(0)
        if up and type(told) in self._kinds:
            self.tell(now, node, told)
