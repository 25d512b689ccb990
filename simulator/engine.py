"""The reference event engine: plain Python, integer picoseconds, ties by issue order.

docs/simulator.md defines the model in full, and every other engine has to give the same trace.

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
down hears of it before, and what its handler then says still leaves. Who comes up hears of that
before anything else.

Refinements (simulator/refinements.py) lie between the end of a send and the begin of a service: a
message may be lost or delayed, cross links, and wait until its receiver looks for it.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush

from simulator.faults import AFTER, NEVER, Fault, Span, slow_spans
from simulator.history import CAME, LOST, Entry
from simulator.links import Crossings, Links, LinkUse
from simulator.polling import Pollers
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
from simulator.refinements import Transport

Row = tuple[int, int, int, int, int, int]
"""One run of a handler: (start, end in picoseconds, PU, kind of message, operation, source PU)."""

FINISHED, EVENT_LIMIT, HORIZON = "finished", "event limit", "horizon"
OVERLOADED = "overloaded"

MOST_PENDING = 1 << 20
"""Events that may be scheduled, and messages that may wait, at a time: more is an overload."""

# what an event is, in place of the epoch of a timer; hop h of a message is _HOP - h
_NETWORK, _LOCAL, _WAKE, _HOP = -1, -2, -3, -4
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
    `busy_ps` per node, `now_ps` (when the last handler ended), `ended_ps` (the time of the last
    event), `lost` and `delayed` (messages between members), `entries()`, `digest()`, and,
    where `keep_rows` was set, `rows()`.
    """

    def __init__(
        self,
        nodes: Sequence[Protocol],
        pus: Sequence[int],
        wires: Wires,
        links: Links | None = None,
        transport: Transport | None = None,
        pollers: Pollers | None = None,
    ) -> None:
        """Put the nodes in place, all idle and up, and nothing under way.

        Nodes behind those that have wires are cache lines: reaching them and hearing from them
        costs nothing, and rows number them from -1 down. Where messages cross `links`, the wires'
        propagation is what is left behind the last one.
        """
        self._members = len(pus)
        lines = len(nodes) - self._members
        self._crossings = None if links is None else Crossings(links, pus)
        self._transport = None if transport is None or transport.perfect else transport
        self._straight = self._crossings is None and self._transport is None
        self._pollers = pollers
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
        self._crashes: list[list[int]] = [[NEVER] for _ in nodes]
        self._slow: list[list[Span]] = [[(NEVER, NEVER)] for _ in nodes]
        self._sides = [0] * len(nodes)
        self._parted = False
        self.keep_rows = False
        self._sha = hashlib.sha256()
        # Rows and entries are kept as flat integers: tuples by the million slow the collector down.
        self._fresh: list[int] = []
        self.events = 0
        self.now_ps = 0
        self.ended_ps = 0
        self.busy_ps = [0] * len(nodes)
        self.lost = 0
        self.delayed = 0
        self._said: list[int] = []
        self._rows: list[Row] = []
        self._came: list[int] = []

    def plan_faults(self, faults: Iterable[Fault], nodes: Mapping[int, int]) -> None:
        """Take in a valid fault plan; call it before anything else is scheduled."""
        plan = sorted(faults, key=lambda fault: fault.time_ps)
        for fault in reversed(plan):
            if fault.state == "down":
                self._crashes[nodes[fault.pu]].append(fault.time_ps)
        for pu in sorted({fault.pu for fault in plan}):
            self._slow[nodes[pu]] += reversed(slow_spans(plan, pu))
        for fault in plan:
            if fault.state in AFTER:
                self.at(fault.time_ps, partial(self._switch, nodes[fault.pu], fault.state))
            elif fault.state != "slow":
                self._parted = True
                self.at(fault.time_ps, partial(self._side, nodes[fault.pu], fault.value))

    def boot(self, nodes: Iterable[int]) -> None:
        """Let nodes know that they are up for the first time, where the protocol wants to."""
        for node in nodes:
            self._inform(0, node, Boot(0))

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
        queue, controls, pollers = self._queue, self._controls, self._pollers
        horizon = NEVER if horizon_ps is None else horizon_ps
        straight = pollers is None and not self._parted
        while queue:
            if self.events >= event_limit:
                return EVENT_LIMIT
            if len(queue) + (pollers.waiting if pollers else 0) > MOST_PENDING:
                return OVERLOADED
            time, issue, node, message, epoch, source = heappop(queue)
            if time > horizon:
                return HORIZON
            self.events += 1
            self.ended_ps = time
            if message is None:
                if epoch == _WAKE:
                    self._notice(time, issue, node)
                else:
                    controls.pop(issue)(time)
            elif epoch <= _HOP:
                self._hop(time, node, message, epoch, source)
            elif self._down[node] or (epoch >= 0 and epoch != self._epoch[node]):
                continue
            elif straight:
                self._serve(time, time, node, message, epoch, source)
            else:
                self._arrive(time, node, message, epoch, source)
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

    def link_uses(self) -> tuple[LinkUse, ...]:
        """Return what each link has carried."""
        return () if self._crossings is None else self._crossings.uses()

    def came_ps(self) -> tuple[int, ...]:
        """Return for each kept row when its message had come, -1 where no node had sent it."""
        return tuple(self._came)

    def entries(self) -> tuple[Entry, ...]:
        """Return what the nodes have recorded, in the order in which the handlers ran."""
        return tuple(zip(*[iter(self._said)] * 5, strict=True))

    def _hop(self, time: int, node: int, message: Message, epoch: int, source: int) -> None:
        """Let a message cross the next link of its way."""
        assert self._crossings is not None
        way = self._crossings.ways[source][node]
        hop = _HOP - epoch
        across = self._crossings.cross(way[hop], time)
        epoch -= 1
        if hop + 1 == len(way):
            across += self._wires.propagation[source][node]
            epoch = _NETWORK
        self._issue += 1
        heappush(self._queue, (across, self._issue, node, message, epoch, source))

    def _arrive(self, time: int, node: int, message: Message, epoch: int, source: int) -> None:
        """Take in what has come to a node: serve it, or let it wait until the node looks for it."""
        between_members = source < self._members and node < self._members
        if between_members and self._sides[source] != self._sides[node]:
            self.lost += 1
            return
        if self._pollers is None or node >= self._members:
            self._serve(time, time, node, message, epoch, source)
            return
        due = self._pollers.put(node, self._free[node], time, (time, message, epoch, source))
        if due is not None:
            self._wake(due, node)

    def _wake(self, due: int, node: int) -> None:
        """Let a node look into its channels at a time, and at no other that was set before."""
        assert self._pollers is not None
        self._issue += 1
        self._pollers.set_wake(node, due, self._issue)
        heappush(self._queue, (due, self._issue, node, None, _WAKE, -1))

    def _notice(self, time: int, issue: int, node: int) -> None:
        """Serve what a node finds in its channels now, unless it was to look earlier."""
        pollers = self._pollers
        if pollers is None or not pollers.is_wake(node, issue):
            return
        arrival, message, epoch, source = pollers.take(node, self._free[node], time)
        self._serve(arrival, time, node, message, epoch, source)
        due = pollers.next_due(node, self._free[node])
        if due is not None:
            self._wake(due, node)

    def _inform(self, time: int, node: int, message: Message) -> None:
        """Tell a node of its own power, before anything else that comes at this time."""
        if type(message) in self._kinds:
            self._serve(time, time, node, message, _LOCAL, node)

    def _serve(
        self, arrival: int, time: int, node: int, message: Message, epoch: int, source: int
    ) -> None:
        """Receive one message from a time on and run its handler, unless a crash prevents it."""
        free = self._free[node]
        begin = free if free > time else time
        slow = self._slow[node]
        while slow[-1][1] <= begin:
            slow.pop()
        if slow[-1][0] <= begin:
            begin = slow[-1][1]
        end = begin
        if epoch == _NETWORK:
            end += self._wires.receive[source][node]
        crash = self._crashes[node][-1]
        if begin < crash and end <= crash:
            if epoch == _NETWORK or (epoch >= 0 and free <= arrival):
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
            if self.keep_rows:
                self._came.append(arrival if epoch == _NETWORK else -1)
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
        straight = self._straight or node >= self._members
        for code, what, op, number, message in outbox:
            if code == SEND:
                now += further[what] if now == last_send else first[what]
                if now > crash:
                    return crash
                last_send = self._last_send[node] = now
                self._issue += 1
                if straight or what >= self._members:
                    arrival = now + flight[what]
                    heappush(self._queue, (arrival, self._issue, what, message, _NETWORK, node))
                else:
                    self._post(now, node, what, message)
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

    def _post(self, now: int, node: int, receiver: int, message: Message) -> None:
        """Send what has left a member off to another, over a network that is no plain wire."""
        issue = self._issue
        if self._transport is not None and node != receiver:
            if self._transport.loses(issue):
                self.lost += 1
                return
            stay = self._transport.delay(issue)
            self.delayed += stay > 0
            now += stay
        if self._crossings is not None and self._crossings.ways[node][receiver]:
            heappush(self._queue, (now, issue, receiver, message, _HOP, node))
        else:
            arrival = now + self._wires.propagation[node][receiver]
            heappush(self._queue, (arrival, issue, receiver, message, _NETWORK, node))

    def _switch(self, node: int, state: str, now: int) -> None:
        """Take a node down or bring it up again; either way its timers are void."""
        if state == "off":
            self._inform(now, node, PowerDown(0))
        elif state == "on":
            # what it did when it was told to go down may have taken until after that
            self._free[node] = max(self._free[node], now)
        else:
            self._free[node] = now
        up = state in ("up", "on")
        # a power-down takes effect once what the node had begun before has ended
        when = max(now, self._free[node])
        self._said += (when, self._pus[node], 0, CAME if up else LOST, 0)
        self._epoch[node] += 1
        self._down[node] = not up
        self._last_send[node] = -1
        if self._pollers is not None:
            self._pollers.clear(node)
        if state == "down":
            self._crashes[node].pop()
        if up:
            self._inform(now, node, Restart(0) if state == "up" else PowerUp(0))

    def _side(self, node: int, side: int, now: int) -> None:
        """Bring a node to a side of a partition."""
        self._sides[node] = side
