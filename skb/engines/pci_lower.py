"""What nothing below a host bridge can undercut, and proofs that nothing fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from skb.engines.pci_contents import Contents
from skb.engines.pci_joint import joint
from skb.engines.pci_packing import Outcome, Problem, contents_of, least_of, place_of
from skb.engines.pci_parts import EFFORTS, WHOLE, Budget, Spent
from skb.engines.pci_tree import LOW, OPEN, Bar, Line, Range, Root, Window, up

SUBSETS = 6  # windows of a host bridge up to which every set of them is weighed


def impossible(problem: Problem, steps: int, deadline: float) -> bool | None:
    """Tell whether it is proven that nothing fits; None where the steps do not last."""
    pins = [bar for bar in problem.every_bar() if bar.base is not None]
    lower = Lower(problem, pins)
    if lower.too_much() or lower.clashing() or lower.parted():
        return True
    budget = Budget(steps, deadline)
    found = Outcome()
    lower.search(found, WHOLE, budget, told=False)
    if found.fits is False or lower.cramped(budget):
        return True
    return False if lower.finished else None


class Lower:
    """What nothing can undercut."""

    def __init__(self, problem: Problem, pins: Sequence[Bar]) -> None:
        self.problem = problem
        self.pins = pins
        self.finished = True

    def clashing(self) -> bool:
        """Tell whether pins overlap each other or what is taken."""
        rows = sorted([*map(place_of, self.pins), *self.problem.taken])
        own = set(map(place_of, self.pins))
        return any(b[0] < a[1] and (a in own or b in own) for a, b in pairwise(rows))

    def parted(self) -> bool:
        """Tell whether a bridge's window around its pins would hold something that it may not, or
        is inside no window of the host bridge.
        """
        hulls = list(_hulls(self.problem.windows, ()))
        for at, (window, low, high, above) in enumerate(hulls):
            own = {bar.name for bar in window.every_bar()}
            foreign = [*self.problem.taken]
            foreign += [place_of(bar) for bar in self.pins if bar.name not in own]
            foreign += [
                (other_low, other_high)
                for other, other_low, other_high, others in hulls[:at]
                if window.name not in others and other.name not in above
            ]
            if any(a < high and low < b for a, b in foreign):
                return True
            limit = LOW if window.low else OPEN
            if not any(
                root.takes(window) and root.base <= low and high <= min(root.end, limit)
                for root in self.problem.roots
            ):
                return True
        return False

    def cramped(self, budget: Budget) -> bool:
        """Tell whether what is behind a bridge does not fit around its pins, where other pins and
        what is taken leave its window no more than one stretch.
        """
        problem = self.problem
        hulls = list(_hulls(problem.windows, ()))
        for window, low, high, above in hulls:
            own = [bar for bar in window.every_bar() if bar.base is not None]
            foreign = [*problem.taken, *(place_of(bar) for bar in self.pins if bar not in own)]
            foreign += [
                (a, b)
                for other, a, b, others in hulls
                if other is not window and window.name not in others and other.name not in above
            ]
            for root in problem.roots:
                line = Line(root.base, root.end, foreign)
                limit = line.low if window.low else line.end
                free = next(((a, b) for a, b in line.free if a <= low and high <= b), None)
                if free is None or not root.takes(window):
                    continue
                begin, end = up(free[0], window.grain), min(free[1], limit)
                place = Root(window.name, frozenset({window.space}), begin, end)
                inside = Problem((place,), window.bars, window.windows, (), window.grain)
                inner, found = Lower(inside, own), Outcome()
                if not inner.too_much():
                    inner.search(found, WHOLE, budget, told=False)
                    self.finished = self.finished and inner.finished
                if found.fits is False or inner.too_much():
                    return True
        return False

    def simple(self) -> int:
        """Return bytes that are taken at the least: the sum of all, or up to the last pin."""
        total = sum(least_of(thing) for thing in self.problem.things)
        ends = sum(self.last(root) - root.base for root in self.problem.roots)
        return max(total, ends)

    def last(self, root: Root) -> int:
        """Return where the last pin in a window ends at the least; its base where there is none."""
        ends = [root.base]
        for thing in self.problem.things:
            grain = thing.grain if isinstance(thing, Window) else 1
            bars = thing.every_bar() if isinstance(thing, Window) else (thing,)
            ends += [
                up(bar.base + bar.size, grain)
                for bar in bars
                if bar.base is not None and root.base <= bar.base < root.end
            ]
        return max(ends)

    def too_much(self) -> dict[int, int]:
        """Return missing bytes by window where things take more than all windows for them have."""
        roots = self.problem.roots
        free = [
            sum(b - a for a, b in Line(root.base, root.end, self.problem.taken).free)
            for root in roots
        ]
        allowed = [
            (frozenset(at for at, root in enumerate(roots) if root.takes(thing)), least_of(thing))
            for thing in self.problem.things
        ]
        count = min(len(roots), SUBSETS)
        sets = [frozenset(s) for n in range(count + 1) for s in combinations(range(len(roots)), n)]
        for chosen in sets:
            need = sum(size for where, size in allowed if where <= chosen)
            have = sum(free[at] for at in chosen)
            if need > have:
                return {max(chosen, key=lambda at: free[at], default=0): need - have}
        return {}

    def loose(self) -> tuple[list[Bar], list[Window]]:
        """Return what is free, that of windows with pins as if it lay outside them."""
        bars = [bar for bar in self.problem.bars if bar.base is None]
        windows: list[Window] = []
        queue = list(self.problem.windows)
        while queue:
            window = queue.pop()
            if window.pinned:
                bars += [bar for bar in window.bars if bar.base is None]
                queue += window.windows
            else:
                windows.append(window)
        return bars, windows

    def search(self, best: Outcome, effort: int, budget: Budget, told: bool = True) -> None:
        """Raise the bound, or prove that nothing fits, without the bonds of pinned windows."""
        problem = self.problem
        bars, windows = self.loose()
        taken = [*problem.taken, *(place_of(bar) for bar in self.pins)]
        if len(problem.roots) != 1:
            if best.laid is None:
                laid, sure = joint(problem, bars, windows, taken, budget)
                self.finished = self.finished and sure
                best.fits = False if sure and laid is None else best.fits
            return
        root = problem.roots[0]
        last = self.last(root) - root.base
        contents = contents_of(root, bars, windows, taken, problem.grain)
        line = Line(root.base, root.end, taken)
        own = Budget(EFFORTS[effort][0], budget.deadline)
        try:
            found, sure = contents.search(root.base, line, effort, own, budget)
        except Spent:
            self.finished = False
            if contents.reached:
                best.bound = max(best.bound, min(contents.reached, best.value or contents.reached))
            return
        if not sure:
            self.finished = False
            return
        if found is not None:
            best.bound = max(best.bound, found.end, last)
        elif best.laid is None:
            best.fits = False
            if told:
                best.short = missing_of(root, contents, taken, effort, budget)


def missing_of(
    root: Root, contents: Contents, taken: Sequence[Range], effort: int, budget: Budget
) -> dict[int, int]:
    """Return by how many bytes the least end is behind the window's."""
    line = Line(root.base, root.end, taken, endless=True)
    own = Budget(EFFORTS[effort][0], budget.deadline)
    try:
        found, sure = contents.search(root.base, line, effort, own, budget)
    except Spent:
        return {0: max(contents.reached - (root.end - root.base), 0)}
    if found is None or not sure:
        return {0: 0}
    return {0: max(root.base + found.end - root.end, 0)}


def _hulls(
    windows: Sequence[Window], above: tuple[str, ...]
) -> Iterator[tuple[Window, int, int, tuple[str, ...]]]:
    """Yield the windows with pins, where they begin and end at the most and least, and what they
    are in.
    """
    for window in windows:
        if window.pinned:
            places = [place_of(bar) for bar in window.every_bar() if bar.base is not None]
            low = min(low for low, _high in places) // window.grain * window.grain
            yield window, low, up(max(high for _low, high in places), window.grain), above
            yield from _hulls(window.windows, (*above, window.name))
