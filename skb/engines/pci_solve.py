"""Where registers and windows below one host bridge lie, with a bound on what they take.

The value is what is taken of each window of the host bridge, from its base to the end of the last
thing in it. Things that may lie in one window only are packed there exactly where the steps last;
of those that may lie in several, several shares are tried. A window with a pinned register lies
around it: it grows upwards or downwards into the free addresses beside it, and both are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skb.engines.pci_joint import joint
from skb.engines.pci_lower import Lower, missing_of
from skb.engines.pci_packing import (
    Outcome,
    Problem,
    Thing,
    contents_of,
    least_of,
    pack,
    place_of,
    spread,
)
from skb.engines.pci_parts import BEAM, EFFORTS, QUICK, SEARCH, WHOLE, Budget
from skb.engines.pci_pinned import settlements
from skb.engines.pci_tree import OPEN, Bar, Laid, Line, Range, Root, Window

MANY = 400  # registers above which a narrow beam comes first


def solve(problem: Problem, steps: int, deadline: float, quick: bool = False) -> Outcome:
    """Lay out what is below a host bridge; `quick` stops at the first answer, good or not."""
    budget = Budget(steps, deadline)
    pins = [bar for bar in problem.every_bar() if bar.base is not None]
    best = Outcome()
    lower = Lower(problem, pins)
    best.bound = lower.simple()
    if missing := lower.too_much():
        return Outcome(fits=False, short=missing, bound=best.bound)
    if pins and (lower.clashing() or lower.parted()):
        return Outcome(fits=False, bound=best.bound)
    settled = list(settlements(problem, pins, budget))
    many = sum(1 for _ in problem.every_bar()) > MANY
    first = QUICK if many else BEAM
    for effort in range(first, SEARCH + 1 if quick else len(EFFORTS)):
        # the last effort is for the best way to grow the windows with pins
        for fixed in settled[:] if effort < WHOLE else settled[:1]:
            value = best.value if best.laid else None
            _pack_all(problem, pins, fixed, effort, budget, best)
            if best.laid and (value is None or best.value < value):
                settled.insert(0, settled.pop(settled.index(fixed)))
            if best.proven or best.fits is False or (best.laid and quick):
                break
        if best.proven or best.fits is False or budget.steps < 0:
            break
        if best.laid is not None and effort > BEAM and pins:
            lower.search(best, effort, budget)
    if best.open and len(problem.roots) > 1:
        for fixed in settled:
            if best.open:
                _pack_jointly(problem, pins, fixed, Budget(steps, deadline), best)
    if best.open and pins and not quick:
        lower.search(best, WHOLE, Budget(steps, deadline))
        if best.open and lower.cramped(Budget(steps, deadline)):
            best.fits = False
    return best


# ------------------------------------------------------------------ what is free
def _pack_all(
    problem: Problem,
    pins: Sequence[Bar],
    fixed: Laid,
    effort: int,
    budget: Budget,
    best: Outcome,
) -> None:
    """Pack what is free around what is fixed; keep what is better."""
    taken = [*problem.taken, *(place_of(bar) for bar in pins), *fixed.windows.values()]
    bars = [bar for bar in problem.bars if bar.base is None]
    windows = [window for window in problem.windows if not window.pinned]
    whole = not fixed.windows
    shares = list(_shares(problem.roots, [*bars, *windows], taken))
    for share in shares:
        laid = Laid(dict(fixed.bars), dict(fixed.windows))
        used, exact, complete, lowest = {}, True, True, 0
        for at, root in enumerate(problem.roots):
            own = contents_of(
                root,
                [thing for thing in share[at] if isinstance(thing, Bar)],
                [thing for thing in share[at] if isinstance(thing, Window)],
                taken,
                problem.grain,
            )
            line = Line(root.base, root.end, taken)
            least = max(own.least, _end(root, pins, fixed) - root.base)
            only = whole and not pins and len(problem.roots) == 1
            most = root.base + best.used[at] if only and best.laid else OPEN
            found, sure = pack(own, root, line, effort, budget, least, most)
            if found is None and most < OPEN:
                # nothing better: there is none, or none was found as far as the search came
                reached = best.value if sure else min(best.value, own.reached)
                best.bound = max(best.bound, reached)
                return
            exact = exact and sure
            lowest += own.reached or own.least
            if found is None:
                complete = False
                if sure and whole and len(problem.roots) == 1:
                    best.fits = False
                    best.short = missing_of(root, own, taken, effort, budget)
                break
            spread(own, root.base, found, laid)
            end = max(found.end, _end(root, pins, fixed) - root.base)
            used[at] = end
        if not complete:
            continue
        if best.laid is None or sum(used.values()) < best.value:
            best.laid, best.used, best.fits = laid, used, True
            best.method = f"effort {effort + 1}"
        if whole and len(shares) == 1:
            best.bound = best.value if exact else max(best.bound, min(best.value, lowest))
        if best.proven:
            return


def _pack_jointly(
    problem: Problem, pins: Sequence[Bar], fixed: Laid, budget: Budget, best: Outcome
) -> None:
    """Pack what is free into all windows at once, where no share of it was packed."""
    taken = [*problem.taken, *(place_of(bar) for bar in pins), *fixed.windows.values()]
    bars = [bar for bar in problem.bars if bar.base is None]
    windows = [window for window in problem.windows if not window.pinned]
    laid, sure = joint(problem, bars, windows, taken, budget)
    if laid is None:
        best.fits = False if sure and not fixed.windows else None
        return
    laid.add(fixed)
    sizes = {bar.name: bar.size for bar in problem.every_bar()}
    ranges = [(base, base + sizes[name]) for name, base in laid.bars.items()]
    ranges += laid.windows.values()
    best.laid, best.fits = laid, True
    best.used = {
        at: max((high for low, high in ranges if root.base <= low < root.end), default=root.base)
        - root.base
        for at, root in enumerate(problem.roots)
    }


def _end(root: Root, pins: Sequence[Bar], fixed: Laid) -> int:
    """Return where the last pinned thing in a window ends, its base where there is none."""
    ranges = [*(place_of(bar) for bar in pins), *fixed.windows.values()]
    return max((high for low, high in ranges if root.base <= low < root.end), default=root.base)


def _shares(
    roots: Sequence[Root], things: Sequence[Thing], taken: Sequence[Range]
) -> Iterator[list[list[Thing]]]:
    """Yield shares of the things among the windows: as many as differ, a few at most."""
    allowed = {
        thing.name: [at for at, root in enumerate(roots) if root.takes(thing)] for thing in things
    }
    if any(not where for where in allowed.values()):
        return
    free = [sum(b - a for a, b in Line(root.base, root.end, taken).free) for root in roots]
    special = sorted(range(len(roots)), key=lambda at: (len(roots[at].spaces), -roots[at].base))
    orders = [
        special,
        sorted(range(len(roots)), key=lambda at: (-len(roots[at].spaces), roots[at].base)),
        sorted(range(len(roots)), key=lambda at: (free[at], at)),
        sorted(range(len(roots)), key=lambda at: (-free[at], at)),
    ]
    seen: set[tuple[tuple[str, ...], ...]] = set()
    for order in orders:
        for tight in (100, 90, 75, 50):
            share = _share(
                order, things, allowed, [each * tight // 100 for each in free], len(roots)
            )
            key = tuple(tuple(sorted(thing.name for thing in own)) for own in share)
            if key not in seen:
                seen.add(key)
                yield share
            if all(len(where) == 1 for where in allowed.values()):
                return


def _share(
    order: Sequence[int],
    things: Sequence[Thing],
    allowed: dict[str, list[int]],
    room: list[int],
    count: int,
) -> list[list[Thing]]:
    share: list[list[Thing]] = [[] for _ in range(count)]
    # who has the least choice goes first, then the largest
    for thing in sorted(things, key=lambda t: (len(allowed[t.name]), -least_of(t), t.name)):
        own = [at for at in order if at in allowed[thing.name]]
        at = next((at for at in own if room[at] >= least_of(thing)), own[0])
        room[at] -= least_of(thing)
        share[at].append(thing)
    return share
