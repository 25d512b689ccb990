"""A bound of `buffers` for any number of flows, and a mixture of answers near it: volume algorithm.

Any multipliers that are not negative give a valid bound (Fisher, Management Science 27, 1981). The
volume algorithm (Barahona and Anbil, Mathematical Programming 87, 2000) moves them along what a
running mixture of the relaxed answers exceeds; the mixture comes near the linear programme's answer
and says which options an answer should begin with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skb.engines.buffers_choice import Choice, Relaxed, relax

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats

ROUNDS = 60
# the share of the newest answer in the mixture, as the algorithm goes on
FRESH, FINE = 0.2, 0.05
_PATIENCE, _LESS, _MORE, _INERTIA = 4, 0.66, 1.1, 0.3
# rounds of plain subgradient at the beginning
STEEP = 48
# how much nearer the moving target is afterwards
_NEARER = 0.1


@dataclass(frozen=True, slots=True)
class Bounded:
    """The best bound, the relaxation and multipliers that gave it, and the mixture of options."""

    relaxed: Relaxed
    multipliers: Floats
    mix: Floats


class _Climb:
    """The best bound so far, where it is tried next, and the mixture."""

    def __init__(self, problem: Choice, start: Floats | None, mix: Floats | None) -> None:
        import numpy as np

        self.problem = problem
        self.most = np.minimum(problem.limit, 1)
        self.best_at = np.zeros(len(problem.limit)) if start is None else start
        self.best = self.now = relax(problem, self.best_at)
        self.at = self.best_at
        self.mixed = np.zeros(len(problem.price)) if mix is None else mix.copy()
        if mix is None:
            self.mixed[self.best.picked] = 1.0
        self.used = self.best.used.copy() if mix is None else _used(problem, self.mixed)

    def go(self, at: Floats, share: float) -> bool:
        """Try multipliers, mix their answer in; return whether the bound rose."""
        self.at, self.now = at, relax(self.problem, at)
        self.mixed *= 1 - share
        self.mixed[self.now.picked] += share
        self.used = (1 - share) * self.used + share * self.now.used
        if self.now.bound <= self.best.bound:
            return False
        self.best, self.best_at = self.now, at
        return True

    def slope(self, used: Floats, at: Floats) -> Floats:
        slope = used - self.most
        slope[(at <= 0) & (slope < 0)] = 0
        return slope


def bounded(
    problem: Choice,
    upper: float | None = None,
    start: Floats | None = None,
    rounds: int = ROUNDS,
    mix: Floats | None = None,
) -> Bounded:
    """Raise the bound of a choice towards `upper`, the price of an answer, or a moving target.

    Where no multipliers are given the first rounds are plain subgradient, which gets away from
    nothing quicker.
    """
    climb = _Climb(problem, start, mix)
    reach = _reach(problem) if upper is None else 0.0
    steep = 0 if start is not None else min(rounds, STEEP)
    if steep:
        _subgradient(climb, upper, reach, steep)
    _volume(climb, upper, reach * _NEARER, rounds - steep)
    return Bounded(climb.best, climb.best_at, climb.mixed)


def _subgradient(climb: _Climb, upper: float | None, reach: float, rounds: int) -> None:
    """Polyak's steps, halved where the bound does not rise."""
    import numpy as np

    way, scale, since = np.zeros_like(climb.at), 1.0, 0
    for _ in range(rounds):
        way = climb.slope(climb.now.used, climb.at) + _INERTIA * way
        norm = float(way @ way)
        goal = climb.best.bound + reach if upper is None else upper
        if norm <= 0 or climb.best.bound >= goal:
            return
        step = scale * (goal - climb.now.bound) / norm
        if climb.go(np.maximum(0.0, climb.at + step * way), FRESH):
            since = 0
            continue
        since += 1
        if since == _PATIENCE - 1:
            scale, since = scale / 2, 0
            climb.at, climb.now, way = climb.best_at, climb.best, np.zeros_like(way)


def _volume(climb: _Climb, upper: float | None, reach: float, rounds: int) -> None:
    """Steps from the best multipliers along what the mixture exceeds."""
    import numpy as np

    scale, since = 1.0, 0
    for turn in range(rounds):
        slope = climb.slope(climb.used, climb.best_at)
        norm = float(slope @ slope)
        goal = climb.best.bound + reach if upper is None else upper
        if norm <= 1e-12 or climb.best.bound >= goal:
            return
        step = scale * (goal - climb.best.bound) / norm
        share = max(FINE, FRESH * (1 - turn / rounds))
        if climb.go(np.maximum(0.0, climb.best_at + step * slope), share):
            scale, since = min(2.0, scale * _MORE), 0
            continue
        since += 1
        if since == _PATIENCE:
            scale, since = scale * _LESS, 0


def _used(problem: Choice, mixed: Floats) -> Floats:
    """Return the share of each limit that a mixture takes."""
    import numpy as np

    lengths = np.diff(problem.use_of)
    none = len(problem.limit)
    taken = problem.share * np.repeat(mixed, lengths)
    return np.asarray(np.bincount(problem.resource, taken, none + 1)[:none], dtype=np.float64)


def _reach(problem: Choice) -> float:
    """Return how far above the cheapest places the answer may lie: the mean regret of all."""
    import numpy as np

    rows = problem.by_piece(problem.floats)
    rows = np.where(np.isfinite(rows), rows, np.nan)
    return float((np.nanmean(rows, axis=1) - np.nanmin(rows, axis=1)).sum()) / 4
