"""How many packets wait for a link: a table is simulated under the traffic that it is for.

Store and forward (Dally, Towles, "Principles and Practices of Interconnection Networks", 2004,
chapter 13): a link sends a packet whole, the packet arrives a latency later, and waits for its next
link in the queue of its virtual channel. Queues have no end here: what waits in the worst moment is
how deep they must be so that none ever overflows. A channel is first come, first served, the
channels of a link take turns (Dally, "Virtual-channel flow control", 1992). Packets that come at
one instant queue by their number; then free links take one each; then what still waits is counted.
Time is whole (ps), so that nothing depends on rounding; only instants at which something happens
are looked at.
"""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush

from skb.engines.links_net import Net, Table, Weights

LOOK = 64  # instants between two looks at the clock
Packet = tuple[int, int, int]  # begin, from, to


@dataclass(frozen=True, slots=True)
class Timing:
    """For each arc, the time to send one packet and the time until it is there, in ps."""

    send: tuple[int, ...]
    flight: tuple[int, ...]


def burst(net: Net) -> Weights:
    """Return how many packets each node sends to each other at once: a pair of mean traffic one,
    others in proportion, rounded up.
    """
    amounts = [w for s, row in enumerate(net.weight) for d, w in enumerate(row) if s != d and w]
    total, pairs = sum(amounts), len(amounts)
    return tuple(
        tuple(0 if s == d else -(-weight * pairs // total) for d, weight in enumerate(row))
        for s, row in enumerate(net.weight)
    )


def sending(counts: Weights) -> tuple[Packet, ...]:
    """Return the packets of a burst: each node's own in the order of the destinations."""
    return tuple(
        (0, s, d)
        for s, row in enumerate(counts)
        for d, count in enumerate(row)
        for _packet in range(count)
    )


def steady(
    sent: Sequence[Packet], rounds: int, busy: int, slot: int, rate: Fraction, seed: int
) -> tuple[Packet, ...]:
    """Return the packets so many times over, each in a random slot (ps) of such a time that the
    link that is `busy` for so long (ps) by one round is so for a share `rate` of the whole.
    """
    draw = random.Random(seed)
    slots = max(1, int(rounds * busy / (rate * slot)))
    return tuple(
        (int(draw.random() * slots) * slot, s, d) for _round in range(rounds) for _b, s, d in sent
    )


def backlog(
    net: Net, table: Table, timing: Timing, sent: Sequence[Packet], spent: Callable[[], bool]
) -> list[list[int]] | None:
    """Return, for each arc and channel, the most packets that wait at one time, the one on the link
    not among them; None where the time was over.
    """
    run = _Run(net, table, timing, sent)
    while run.events:
        if spent():
            return None
        run.forward(LOOK)
    count = table.channels
    return [run.most[first : first + count] for first in range(0, len(run.most), count)]


class _Run:
    """One simulation: queues by arc x channels + channel, events by time. `filled` are the queues
    of each arc that are not empty, in their order, `last` the one that sent last.

    An event is the number of a packet that arrives, or of an arc, after those, that may be free.
    """

    def __init__(self, net: Net, table: Table, timing: Timing, sent: Sequence[Packet]) -> None:
        self.count = table.channels
        self.timing = timing
        self.head = [head for _tail, head in net.arcs]
        onward = [
            [
                -1 if s == d else net.number[s, n] * self.count + table.channel[d]
                for s, n in enumerate(ahead)
            ]
            for d, ahead in enumerate(table.ahead)
        ]
        self.rows = [onward[d] for _begin, _s, d in sent]
        self.node = [s for _begin, s, _d in sent]
        self.queues: list[list[int]] = [[] for _ in range(len(net.arcs) * self.count)]
        self.most = [0] * len(self.queues)
        self.filled: list[list[int]] = [[] for _arc in net.arcs]
        self.free = [0] * len(net.arcs)
        self.due = [-1] * len(net.arcs)
        self.last = [-1] * len(net.arcs)
        self.events: dict[int, list[int]] = {}
        for code, (begin, _s, _d) in enumerate(sent):
            self.events.setdefault(begin, []).append(code)
        self.times = sorted(self.events)

    def forward(self, instants: int) -> None:
        """Do all that happens at so many instants."""
        total, count, rows, node = len(self.rows), self.count, self.rows, self.node
        queues, filled, most = self.queues, self.filled, self.most
        for _instant in range(min(instants, len(self.times))):
            now = heappop(self.times)
            events = self.events.pop(now)
            events.sort()
            arcs, come = [], []
            for code in events:
                if code >= total:
                    arcs.append(code - total)
                    continue
                at = rows[code][node[code]]
                if at >= 0:
                    arc = at // count
                    if not queues[at]:
                        insort(filled[arc], at)
                    queues[at].append(code)
                    come.append(at)
                    arcs.append(arc)
            self._serve(arcs, now)
            for at in come:
                if len(queues[at]) > most[at]:
                    most[at] = len(queues[at])

    def _serve(self, arcs: list[int], now: int) -> None:
        """Let links take a packet where they are free, and look again when they will be."""
        queues, free, last, total = self.queues, self.free, self.last, len(self.rows)
        send, flight, events = self.timing.send, self.timing.flight, self.events
        for arc in arcs:
            filled = self.filled[arc]
            if free[arc] <= now and filled:
                which = bisect_right(filled, last[arc]) % len(filled)
                at = last[arc] = filled[which]
                code = queues[at].pop(0)
                if not queues[at]:
                    del filled[which]
                self.node[code] = self.head[arc]
                free[arc] = now + send[arc]
                then = free[arc] + flight[arc]
                if then in events:
                    events[then].append(code)
                else:
                    events[then] = [code]
                    heappush(self.times, then)
            if filled and self.due[arc] < free[arc]:
                then = self.due[arc] = free[arc]
                if then in events:
                    events[then].append(total + arc)
                else:
                    events[then] = [total + arc]
                    heappush(self.times, then)
