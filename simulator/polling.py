"""Receivers that poll their channels in turn, instead of serving in order of arrival.

An idle receiver looks into one channel after the other; a look that finds nothing costs `poll_ps`,
one that finds a message only its receive. From the time at which it became idle and the channel at
which it stands follows when it looks into which: no event per look is needed. Whatever is behind a
channel when it is looked into is there; of several messages the oldest is taken.

What a cache line answers is no message on a channel: it is taken as soon as the receiver is free.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

Waiting = tuple[int, Any, int, int]
"""(time of arrival in picoseconds, message, epoch, source node)."""


class Pollers:
    """The channels of all members of a run.

    `channels[node][source]` is the number of the channel over which a node hears of a member;
    several may share one. Own timers and starts come over the channel of the node itself.
    """

    def __init__(self, poll_ps: int, channels: Sequence[Sequence[int]]) -> None:
        """Nothing waits, and each member stands at its first channel."""
        self._poll_ps = poll_ps
        self.channels = channels
        self._counts = [max(row) + 1 for row in channels]
        self._stands = [0] * len(channels)
        # behind the channels, each node has a box for what cache lines answer
        self._boxes = [[deque[Waiting]() for _ in range(k + 1)] for k in self._counts]
        self._wakes = [(0, 0)] * len(channels)
        self.waiting = 0

    @property
    def turn_ps(self) -> int:
        """Picoseconds that it takes a member with most channels to look into all of them."""
        return max(self._counts) * self._poll_ps

    def put(self, node: int, free: int, now: int, waiting: Waiting) -> int | None:
        """Let a message wait; return when it will be noticed if that is the next to happen."""
        source = waiting[3]
        channels = self.channels[node]
        box = channels[source] if source < len(channels) else self._counts[node]
        self._boxes[node][box].append(waiting)
        self.waiting += 1
        if len(self._boxes[node][box]) > 1:
            return None
        due = self._due(node, box, free, now)
        wake, issue = self._wakes[node]
        return due if not issue or due < wake else None

    def set_wake(self, node: int, due: int, issue: int) -> None:
        """Remember the event at which a member notices the next message."""
        self._wakes[node] = (due, issue)

    def is_wake(self, node: int, issue: int) -> bool:
        """Tell whether an event is the one that was set last."""
        return self._wakes[node][1] == issue

    def take(self, node: int, free: int, now: int) -> Waiting:
        """Return the message that a member notices now, and let it stand behind its channel."""
        self._wakes[node] = (0, 0)
        _, box = self._next(node, free)
        self.waiting -= 1
        count = self._counts[node]
        if box < count:
            self._stands[node] = (box + 1) % count
        else:
            looks = -((free - now) // self._poll_ps)
            self._stands[node] = (self._stands[node] + looks) % count
        return self._boxes[node][box].popleft()

    def next_due(self, node: int, free: int) -> int | None:
        """Return when a member that is free from a time on notices a message; None without any."""
        if not any(self._boxes[node]):
            return None
        return self._next(node, free)[0]

    def clear(self, node: int) -> None:
        """Lose what waits at a member, and let it stand at its first channel."""
        for box in self._boxes[node]:
            self.waiting -= len(box)
            box.clear()
        self._stands[node] = 0
        self._wakes[node] = (0, 0)

    def _next(self, node: int, free: int) -> tuple[int, int]:
        """Return when a member notices which box first; a cache line goes before a channel."""
        boxes, count = self._boxes[node], self._counts[node]
        order = (count, *range(count))
        due = [(self._due(node, box, free, boxes[box][0][0]), box) for box in order if boxes[box]]
        return min(due, key=lambda row: row[0])

    def _due(self, node: int, box: int, free: int, arrival: int) -> int:
        """Return when a member that is idle from `free` on looks into a box behind an arrival."""
        count = self._counts[node]
        if box == count:
            return max(arrival, free)
        first = free + (box - self._stands[node]) % count * self._poll_ps
        if first >= arrival:
            return first
        turn = count * self._poll_ps
        return first - (first - arrival) // turn * turn


def all_channels(count: int) -> list[list[int]]:
    """Return the channels where each of so many members has one from each."""
    return [list(range(count)) for _ in range(count)]


def own_channels(neighbours: Sequence[Iterable[int]]) -> list[list[int]]:
    """Return the channels where each member has one from itself and from each of its neighbours.

    All others share one more, the last.
    """
    rows: list[list[int]] = []
    for node, others in enumerate(neighbours):
        known = sorted({node, *others})
        place = {source: at for at, source in enumerate(known)}
        rows.append([place.get(source, len(known)) for source in range(len(neighbours))])
    return rows
