"""What lies side by side in a window, alike things counted together, and where it ends at best.

Things are laid from left to right. Of two ways to have laid the same things the one that ends first
is never worse, because the other's start can be reached by leaving addresses empty; so the least
end for each multiset of laid things is all that counts. They are visited by where all would end at
the least (A*), which is exact; where that takes too many steps, a beam keeps the best few of each
number of things. A bridge's window ends where its contents do, laid from that address on: that
depends on the address only up to the largest alignment in it, so each is worked out once.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Sequence
from math import inf
from operator import mul

from skb.engines.pci_parts import (
    AHEAD,
    EFFORTS,
    FIELD,
    HASTY,
    LAST,
    LEVELS,
    QUICK,
    Budget,
    Counts,
    Layout,
    Option,
    Part,
    Spent,
    State,
    Step,
    Steps,
    layout_of,
    pack_small,
    registers_alone,
)
from skb.engines.pci_tree import OPEN, Bar, Line, Window, up


class Contents:
    """The parts of one window; where `packed`, registers below the grain are put into grains.

    The contents of a host bridge's window (`root`) need not end at a grain. Where `split`, things
    of different spaces are told apart, which may not lie in the same places; where addresses above
    4 GiB are among them (`high`), so are those that may not lie there. `reached` is what no
    end precedes, as far as the last search that was cut short came.
    """

    def __init__(
        self,
        bars: Sequence[Bar],
        windows: Sequence[Window],
        grain: int,
        packed: bool,
        root: bool,
        split: bool = False,
        high: bool = False,
    ) -> None:
        self.grain = grain
        self.parts = _parts(bars, windows, grain, packed, root, split, high)
        self.counts = tuple(len(part.things) for part in self.parts)
        self.single: bool = len(self.parts) == 1 and self.counts == (1,) and not self.parts[0].inner
        self.least: int = sum(p.size * len(p.things) for p in self.parts)
        self.align: int = max((p.align for p in self.parts), default=1)
        self.key: object = tuple(
            (p.size, p.align, p.low, len(p.things), p.inner.key if p.inner else None)
            for p in self.parts
        )
        self.blocks: dict[int, int] = {}
        for part in self.parts:
            own = part.inner.blocks if part.inner else {part.size: part.size}
            for size, held in own.items():
                self.blocks[size] = self.blocks.get(size, 0) + held * len(part.things)
        self._levels = sorted((s for s in self.blocks if s & (s - 1) == 0), reverse=True)[:LEVELS]
        if any(part.size % grain for part in self.parts) and grain not in self._levels:
            self._levels.append(grain)
        self._blocks = [self._at_level(level) for level in self._levels]
        # counts of all parts in one number, a field for each, which is quick to change and to find
        self._ones = [1 << FIELD * at for at in range(len(self.parts))]
        self._masks = [one * ((1 << FIELD) - 1) for one in self._ones]
        self._all = sum(c * one for c, one in zip(self.counts, self._ones, strict=True))
        # by level the bytes in blocks of its size, and the windows with other bytes beside them
        self._whole = [
            (sum(map(mul, self.counts, a)), sum(map(mul, self.counts, b))) for a, b in self._blocks
        ]
        self._known: dict[tuple[int, int], Layout] = {}
        self.reached = 0
        self._leaf = all(part.inner is None and part.size == part.align for part in self.parts)

    def _at_level(self, level: int) -> tuple[list[int], list[int]]:
        """Return by part the bytes in blocks of a size and above, and whether it has others too."""
        held = []
        for part in self.parts:
            own = part.inner.blocks if part.inner else {part.size: part.size}
            if level <= self.grain and part.inner is not None:
                own = {part.size: part.size}  # a window is whole grains
            held.append(sum(count for size, count in own.items() if size >= level))
        mixed = [0 < n < part.size for n, part in zip(held, self.parts, strict=True)]
        return held, [int(each) for each in mixed]

    # ------------------------------------------------------------ where it ends
    def laid_from(self, address: int, effort: int, budget: Budget) -> Layout:
        """Return the layout that ends first of those from an address on, relative to it."""
        offset = address % self.align
        found = self._known.get((offset, effort))
        if found is None and self._leaf:
            found = registers_alone(self.parts, offset)
            for each in range(len(EFFORTS)):
                self._known[offset, each] = found
        if found is None:
            states, width = EFFORTS[effort]
            found = self._exact(offset, effort, Budget(states, budget.deadline), budget)
            if found is None:
                found = self.beam(offset, None, effort, width, budget)
            assert found is not None, "without an end everything fits"
            self._known[offset, effort] = found
        return found

    def _exact(self, offset: int, effort: int, own: Budget, budget: Budget) -> Layout | None:
        try:
            return self.search(offset, None, effort, own, budget)[0]
        except Spent:
            budget.take(0)
            return None

    def _put(
        self, at: int, address: int, line: Line | None, effort: int, budget: Budget
    ) -> tuple[int, int, Layout | None] | None:
        """Return start, end and inner layout of a part from an address on, None where it does not
        fit.
        """
        part = self.parts[at]
        if line is not None and line.by_space:
            line = line.by_space[part.space]
        if part.inner is None:
            if line is None:
                start = -(-address // part.align) * part.align
                return start, start + part.size, None
            limit = line.low if part.low else line.end
            if line.taken:
                start = line.fit(address, part.size, part.align, limit)
            else:
                start = -(-address // part.align) * part.align
            return (
                None if start < 0 or start + part.size > limit else (start, start + part.size, None)
            )
        if line is None:
            inner = part.inner.laid_from(address, effort, budget)
            return address + inner.start, address + inner.end, inner
        limit = line.low if part.low else line.end
        while True:
            address = up(address, part.inner.grain)
            inner = part.inner.laid_from(address, effort, budget)
            if address + inner.end > limit:
                return None
            lies = address + inner.start, address + inner.end
            blocked = line.behind(*lies) if line.taken else 0
            if not blocked:
                return *lies, inner
            address = blocked

    def _options(
        self,
        counts: Counts,
        address: int,
        line: Line | None,
        effort: int,
        budget: Budget,
        state: tuple[int, Sequence[tuple[int, int]]],
        most: int,
    ) -> list[Option]:
        """Return part, start, end and inner layout of what can come next and end before `most`; the
        state is the bytes that are left and what of them are blocks.
        """
        found = []
        rest, room = state
        for which, mask in enumerate(self._masks):
            if not counts & mask:
                continue
            part = self.parts[which]
            if most < OPEN and part.inner is not None:
                # what is not worked out yet need not be, where even its least end is too late
                end = part.inner.ends_at_least(address, effort)
                last = self._last(end, rest - part.size, self._room_left(room, which)) if end else 0
                if last >= most:
                    continue
            put = self._put(which, address, line, effort, budget)
            if put is not None:
                found.append((which, *put))
        return found

    def _likely(
        self,
        counts: Counts,
        address: int,
        line: Line | None,
        effort: int,
        budget: Budget,
        state: tuple[int, Sequence[tuple[int, int]]],
        best: list[int],
    ) -> list[Option]:
        """Return those options that may be among the best of a beam; `best` has their last ends."""
        rest, room = state
        left = [which for which, mask in enumerate(self._masks) if counts & mask]
        if len(left) > AHEAD + LAST:
            # of many only those of the largest and of the smallest alignments come next
            left = [*left[:AHEAD], *left[-LAST:]]
        hopes = []
        for which in left:
            part = self.parts[which]
            end = 0
            if part.inner is not None:
                end = part.inner.ends_at_least(address, effort)
            if end:
                end = self._last(end, rest - part.size, self._room_left(room, which))
            hopes.append((end, which))
        hopes.sort()
        found = []
        for hope, which in hopes:
            if hope > best[-1]:
                break
            put = self._put(which, address, line, effort, budget)
            if put is not None:
                found.append((which, *put))
                after = rest - self.parts[which].size
                insort(best, self._last(put[1], after, self._room_left(room, which)))
                best.pop()
        return found

    def ends_at_least(self, address: int, effort: int) -> int:
        """Return an address before which no layout ends, 0 where the least one is known."""
        offset = address % self.align
        if (offset, effort) in self._known:
            return 0
        return address - offset + self._last(offset, self.least, self._whole)

    def search(
        self,
        address: int,
        line: Line | None,
        effort: int,
        own: Budget,
        budget: Budget,
        most: int = OPEN,
    ) -> tuple[Layout | None, bool]:
        """Return the layout that ends first, None where nothing ends before `most`, and whether
        that is sure; raise `Spent` where it takes too many steps.
        """
        total, counts, bound, sure = self.least, self._all, 0, True
        best = {counts: 0}
        rooms = {counts: self._whole}
        before: dict[Counts, Step] = {}
        heap: list[tuple[int, int, int, Counts]] = [(0, total, 0, counts)]
        try:
            while heap:
                bound, rest, waste, counts = heapq.heappop(heap)
                if waste > best[counts]:
                    continue
                at = address + total - rest + waste
                if not rest:
                    return self._told(address, before, counts, sure, at), sure
                own.take()
                budget.take()
                state = (rest, rooms[counts])
                options = self._options(counts, at, line, effort, budget, state, most)
                # what begins where something else could have been laid before it, waits for that
                first = min((end for _which, _start, end, _inner in options), default=0)
                for which, start, end, inner in options:
                    sure = sure and (inner is None or inner.exact)
                    left = rest - self.parts[which].size
                    empty = end - address - total + left
                    then = counts - self._ones[which]
                    if start >= first or empty >= best.get(then, OPEN):
                        continue
                    best[then] = empty
                    before[then] = (counts, which, start, inner)
                    if then not in rooms:
                        rooms[then] = self._room_left(rooms[counts], which)
                    last = self._last(end, left, rooms[then])
                    if last < most:
                        heapq.heappush(heap, (last, left, empty, then))
        except Spent:
            self.reached = bound - address if sure else 0
            raise
        return None, sure

    # ------------------------------------------------------------ what is left takes at least
    def _room_left(self, room: Sequence[tuple[int, int]], which: int) -> list[tuple[int, int]]:
        return [
            (n - held[which], m - mixed[which])
            for (n, m), (held, mixed) in zip(room, self._blocks, strict=True)
        ]

    def _last(self, end: int, left: int, room: Sequence[tuple[int, int]]) -> int:
        """Return where all ends at the least, once what is laid ends at an address.

        Blocks of a level take whole places. The bytes that a window has beside its blocks lie in
        other places, each of which two such windows share at most, since a block of each is
        between any three; the place that has begun is shared with what is laid, and the last one
        need not be whole.
        """
        last = end + left
        for level, (held, mixed) in zip(self._levels, room, strict=True):
            if held:
                whole = -(-end // level) * level
                more = whole + held
                split = mixed - 1 if whole > end else mixed
                if split > 0:
                    more += ((split + 1) // 2 - 1) * level + self.grain
                if more > last:
                    last = more
        return last

    def _told(
        self, address: int, before: dict[Counts, Step], last: Counts, exact: bool, end: int
    ) -> Layout:
        steps: Steps = []
        while last in before:
            last, which, start, inner = before[last]
            steps.append((which, start - address, inner))
        return layout_of(steps[::-1], end - address, exact)

    def _next(
        self,
        layer: Sequence[State],
        rooms: dict[Counts, list[tuple[int, int]]],
        line: Line | None,
        effort: int,
        width: int,
        budget: Budget,
    ) -> list[State]:
        """Return the best states with one thing more."""
        ahead: dict[Counts, State] = {}
        best = [OPEN] * (width + 1)
        for _last, heavy, counts, rest, way, at in layer:
            budget.take()
            state = (rest, rooms[counts])
            options = self._likely(counts, at, line, effort, budget, state, best)
            first = min((end for _which, _start, end, _inner in options), default=0)
            for which, start, end, inner in options:
                then = counts - self._ones[which]
                old = ahead.get(then)
                if start < first and (old is None or end < old[5]):
                    left, light = rest - self.parts[which].size, heavy - self.parts[which].align
                    if then not in rooms:
                        rooms[then] = self._room_left(rooms[counts], which)
                    last = self._last(end, left, rooms[then])
                    ahead[then] = (last, light, then, left, (which, start, inner, way), end)
        return heapq.nsmallest(width, ahead.values(), key=lambda state: state[:3])

    def beam(
        self, address: int, line: Line | None, effort: int, width: int, budget: Budget
    ) -> Layout | None:
        """Return a layout by keeping the best few of each number of laid things, None where none
        of them fits.
        """
        # large alignments go first of what would end at the same address
        weight = sum(part.align * len(part.things) for part in self.parts)
        layer: list[State] = [(address + self.least, weight, self._all, self.least, None, address)]
        rooms = {self._all: self._whole}
        hasty = False
        for _ in range(sum(self.counts)):
            try:
                layer = self._next(layer, rooms, line, effort, width, budget)
            except Spent:
                # what has begun is ended in haste, where that is soon done
                if hasty or line is None or effort == QUICK or sum(self.counts) > HASTY:
                    raise
                hasty, effort, width, budget = True, QUICK, 1, Budget(OPEN, inf)
                layer = self._next(layer[:1], rooms, line, effort, width, budget)
        if not layer:
            return None
        way, steps = layer[0][4], []
        while way is not None:
            which, start, inner, way = way
            steps.append((which, start - address, inner))
        end = layer[0][5] - address
        return layout_of(steps[::-1], end, end == self.least)


def _parts(
    bars: Sequence[Bar],
    windows: Sequence[Window],
    grain: int,
    packed: bool,
    root: bool,
    split: bool,
    high: bool,
) -> list[Part]:
    """Return what lies in a window by what is alike, large alignments first."""
    parts: dict[object, Part] = {}

    def add(size: int, low: bool, space: str, thing: tuple[Bar, ...] | Window) -> None:
        part = parts.setdefault((size, size, low, space), Part(size, size, low, [], None, space))
        part.things.append(thing)

    small = [bar for bar in bars if packed and bar.size < grain]
    kinds = {(bar.low and high, bar.space if split else "") for bar in small}
    if len(kinds) == 1:  # of several kinds, which may lie in different places, a grain can hold all
        pack_small(sorted(small, key=lambda b: -b.size), grain, root, *min(kinds), parts)
    for bar in bars:
        if len(kinds) != 1 or bar.size >= grain:
            add(bar.size, bar.low and high, bar.space if split else "", (bar,))
    for window in windows:
        space, low = window.space if split else "", window.low and high
        inner = Contents(window.bars, window.windows, window.grain, True, False)
        if inner.single:
            # a window around one register is as that register
            add(inner.least, low, space, window)
        elif inner.parts:
            size = up(inner.least, window.grain)
            part = Part(size, inner.align, low, [], inner, space)
            parts.setdefault((inner.key, low, space), part).things.append(window)
    return sorted(parts.values(), key=lambda p: (-p.align, p.inner is None, -p.size))
