"""The way of a message over links, as the judges walk it: step by step from the facts alone.

A table's entries are tried first; where they lead astray the walk goes down the distances. Shares
no code with `skb.ways`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise

from skb.machine import Machine, object_order

Link = tuple[str, str]


class Walker:
    """Walks over the links of a machine that are there now; keeps what it counted."""

    def __init__(self, machine: Machine) -> None:
        off = machine.usability.silent
        self._joined: dict[str, list[str]] = {}
        for fact in machine.facts_of("link"):
            a, b = str(fact.args[0]), str(fact.args[1])
            if machine.has(a) and machine.has(b) and a not in off and b not in off:
                self._joined.setdefault(a, []).append(b)
        for ends in self._joined.values():
            ends.sort(key=object_order)
        self._entries = {fact.args[:2]: str(fact.args[2]) for fact in machine.facts_of("next_hop")}
        self._distances: dict[str, dict[str, int]] = {}

    def links(self, start: str, end: str) -> list[Link] | None:
        """Return the links from one part to another, None where none lead there."""
        for steps in (self._by_table(start, end), self._downhill(start, end)):
            if steps is not None:
                return list(pairwise(steps))
        return None

    def _by_table(self, start: str, end: str) -> list[str] | None:
        steps, seen = [start], {start}
        while steps[-1] != end:
            step = self._entries.get((steps[-1], end), "")
            if step in seen or step not in self._joined.get(steps[-1], ()):
                return None
            seen.add(step)
            steps.append(step)
        return steps

    def _downhill(self, start: str, end: str) -> list[str] | None:
        away = self._away(end)
        if start not in away:
            return None
        steps = [start]
        while steps[-1] != end:
            nearer = away[steps[-1]] - 1
            steps.append(next(at for at in self._joined[steps[-1]] if away.get(at) == nearer))
        return steps

    def _away(self, end: str) -> Mapping[str, int]:
        """Return how many links each part is away from one."""
        if end not in self._distances:
            found, waiting = {end: 0}, deque([end])
            while waiting:
                at = waiting.popleft()
                for other, ends in self._joined.items():
                    if other not in found and at in ends:
                        found[other] = found[at] + 1
                        waiting.append(other)
            self._distances[end] = found
        return self._distances[end]
