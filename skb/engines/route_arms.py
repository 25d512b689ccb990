"""The two arms of the kernels of routes: plain Python, and what numba made of the same source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from skb.engines import compiling
from skb.engines import placement_kernel as draws
from skb.engines import route_kernel as kernel
from skb.engines import route_sets as sets
from skb.engines import route_sweep as sweeping
from skb.engines.compiling import Loading

_INSIDE = (
    kernel.sort_row,
    kernel.tall,
    kernel.climb,
    kernel.take_back,
    kernel.bend,
    kernel.worth,
    kernel.find_critical,
    kernel.inside,
    kernel.hang,
    kernel.rename,
    kernel.exchange,
    kernel.fits,
    kernel.keep,
    kernel.try_hang,
    kernel.try_trade,
    kernel.try_swap,
    sets.latest,
    sets.split,
    sets.solve,
    sweeping.better,
    sweeping.entered,
    sweeping.raise_block,
    sweeping.chosen,
)


@dataclass(frozen=True, slots=True)
class RouteArm:
    """A way to run the kernels: its functions, how its arrays are made, and the moves and splits
    that it does between two looks at the clock.
    """

    name: str
    wander: Callable[[kernel.Costs, kernel.Walk, int, int], int]
    fill: Callable[[sets.Sets, int], int]
    sweep: Callable[[sweeping.Nodes], None]
    count: Callable[[sweeping.Nodes, int, int], None]
    words: Callable[[Sequence[int]], Any]
    halves: Callable[[int, int], Any]
    reals: Callable[[Iterable[float]], Any]
    moves: int
    splits: int

    @property
    def compiled(self) -> bool:
        return self.name == "compiled"


def _filled(count: int, value: int) -> list[int]:
    return [value] * count


PLAIN = RouteArm(
    name="plain",
    wander=kernel.wander,
    fill=sets.fill,
    sweep=sweeping.sweep,
    count=sweeping.count,
    words=list,
    halves=_filled,
    reals=list,
    moves=32,
    splits=4096,
)
_routing: Loading[RouteArm] = Loading()


def fastest(deadline: float) -> RouteArm:
    """Return the compiled arm where it can be had in time, else the plain one (see `compiling`)."""
    return compiling.had(_routing, PLAIN, _compiled, deadline)


def uncompiled() -> bool:
    """Whether routes are searched for by the plain arm so far."""
    return _routing.arm is None


def compile_routes() -> RouteArm:
    """Compile the kernels of routes, or load them.

    Raises `ImportError` where numba does not load.
    """
    with _routing.lock:
        _routing.arm = _compiled()
    return _routing.arm


@cache
def _compiled() -> RouteArm:
    import numpy as np

    entries = (kernel.wander, sets.fill, sweeping.sweep, sweeping.count)
    # the tuples of arrays are too large to be handed over at every call
    wander, fill, sweep, count = compiling.jitted(_INSIDE, entries, forceinline=True)
    arm = RouteArm(
        name="compiled",
        wander=wander,
        fill=fill,
        sweep=sweep,
        count=count,
        words=lambda numbers: np.array(numbers, dtype=np.int64),
        halves=lambda count, value: np.full(count, value, dtype=np.int32),
        reals=lambda numbers: np.array(numbers, dtype=np.float64),
        moves=4096,
        splits=1 << 24,
    )
    _exercise(arm)
    return arm


def _exercise(arm: RouteArm) -> None:
    """Run every kernel once on two nodes."""
    words, reals = arm.words, arm.reals
    pair, none, one, two = words([0, 1, 1, 0]), words([]), words([1]), words([0, 0])
    costs = kernel.Costs(
        first=pair, further=pair, tail=pair, weight=one, allowed=pair, roots=words([1, 1]),
        report=none, fan_out=one, odds=reals([0.0] * draws.SHARES),
    )  # fmt: skip
    walk = kernel.Walk(
        parent=words([-1, 0]), degree=words([1, 0]), kids=words([1, 0, 0, 0]),
        height=words([2, 0]), found=words([-1, 0]), row=words([0, 0]), key=words([0, 0]),
        end=words([0] * 4), undo=words([0] * 16), critical=words([1, 0]),
        control=words([1, 2, 2, 0, 0, 0, 1, 0]), heat=reals([0.0, 0.0]),
    )  # fmt: skip
    arm.wander(costs, walk, 1, 0)
    edges = arm.halves(8, 1)
    table = sets.Sets(
        busy=edges, arrive=edges, budget=words([-1] * 8), below=arm.halves(8, 0),
        after=arm.halves(8, 0), least=arm.halves(4, 0), best=words([0] * 4), outside=two,
        control=words([1, 1]),
    )  # fmt: skip
    arm.fill(table, 1)
    nodes = sweeping.Nodes(
        busy=pair, arrive=pair, group=words([0, 1]), shape=words([1, 1, 1, 1, 1, 1]),
        price=reals([1.0, 1.0]), table=reals([0.0] * 4), entry=reals([0.0] * 4),
        counts=words([0, 0]), stack=words([0] * 64),
    )  # fmt: skip
    arm.sweep(nodes)
    arm.count(nodes, 0, 1)
