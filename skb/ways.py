"""Over which links messages travel: by the tables that are in force, else over shortest ways.

Tables are facts, `next_hop(from, to, next)`. Where they deliver, messages go their way, shortest
or not. Where they say nothing, or do not deliver any more because a link or a part on the way is
gone, a shortest way is taken, at each part over the first neighbour that is nearer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from skb.wording import counted

Entry = tuple[str, str, str]


class Ways:
    """The ways between parts that links join; `links` by origin in the order of the parts.

    `stands` tells whether a part forwards now; `entries` are (from, to, next) of the tables.
    """

    def __init__(
        self,
        links: Mapping[str, Iterable[str]],
        stands: Callable[[str], bool],
        entries: Iterable[Entry],
    ) -> None:
        self._after = {
            a: tuple(b for b in ends if stands(b)) for a, ends in links.items() if stands(a)
        }
        self._ahead: dict[str, dict[str, str]] = {}
        for start, end, step in entries:
            self._ahead.setdefault(end, {})[start] = step
        named = {*self._ahead, *(start for ahead in self._ahead.values() for start in ahead)}
        self._standing = frozenset(name for name in named if stands(name))
        self._delivered: dict[str, dict[str, int]] = {}

    def hops(self, first: str, second: str) -> int | None:
        """Return the number of links on the way, None where none leads there."""
        if first == second:
            return 0
        if self._ahead:
            found = self._by_table(second).get(first)
            if found is not None:
                return found
        return self._shortest.get(first, {}).get(second)

    def path(self, first: str, second: str) -> tuple[str, ...]:
        """Return the parts on the way, both ends with it; empty where none leads there."""
        left = self.hops(first, second)
        if left is None:
            return ()
        way = [first]
        if left and first in self._by_table(second):
            ahead = self._ahead[second]
            while way[-1] != second:
                way.append(ahead[way[-1]])
            return tuple(way)
        near = self._shortest
        while left:
            left -= 1
            way.append(next(b for b in self._after[way[-1]] if near[b].get(second) == left))
        return tuple(way)

    @cached_property
    def broken(self) -> tuple[tuple[str, str], ...]:
        """The pairs of parts that stand for which a table has an entry, but does not deliver."""
        return tuple(
            (start, end)
            for end, ahead in self._ahead.items()
            if end in self._standing
            for start in ahead
            if start != end and start not in self._by_table(end) and start in self._standing
        )

    @cached_property
    def detours(self) -> tuple[tuple[str, str], ...]:
        """Those of the broken pairs that go a shortest way; no way is left for the others."""
        return tuple((a, b) for a, b in self.broken if b in self._shortest.get(a, {}))

    def broken_assumption(self, first: str, second: str) -> tuple[str, str] | None:
        """Return what is assumed, and why, where the table from one part to another is broken."""
        if not self._ahead or first not in self._ahead.get(second, ()):
            return None
        if first == second or first in self._by_table(second) or self.hops(first, second) is None:
            return None
        fact = f"ways of {counted(len(self.detours), 'pair')} = shortest ones"
        return fact, "the tables in force (next_hop) do not deliver there"

    @property
    def tables(self) -> bool:
        """Whether any table is in force."""
        return bool(self._ahead)

    @cached_property
    def _shortest(self) -> Mapping[str, Mapping[str, int]]:
        import networkx

        graph = networkx.DiGraph((a, b) for a, ends in self._after.items() for b in ends)
        return dict(networkx.all_pairs_shortest_path_length(graph))

    def _by_table(self, end: str) -> dict[str, int]:
        """Return the hops to a destination of all from which its table delivers."""
        found = self._delivered.get(end)
        if found is None:
            before: dict[str, list[str]] = {}
            for start, step in self._ahead.get(end, {}).items():
                if step in self._after.get(start, ()):
                    before.setdefault(step, []).append(start)
            found = {}
            todo = deque([(end, 0)])
            while todo:
                at, far = todo.popleft()
                for start in before.get(at, ()):
                    if start != end and start not in found:
                        found[start] = far + 1
                        todo.append((start, far + 1))
            self._delivered[end] = found
        return found
