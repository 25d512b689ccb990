"""The two arms of the kernels of routes: plain Python, and what numba made of the same source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from skb.engines import compiling
from skb.engines import placement_kernel as draws
from skb.engines import route_hunt as hunting
from skb.engines import route_kernel as kernel
from skb.engines import route_rows as rows
from skb.engines import route_sets as sets
from skb.engines import route_sweep as sweeping
from skb.engines.compiling import Loading

_INSIDE = (
    rows.enter,
    rows.gather,
    rows.bursting,
    rows.ending,
    rows.tall,
    rows.lifted,
    rows.edited,
    rows.joined,
    rows.changed,
    rows.climbed,
    rows.priced,
    kernel.settle,
    kernel.bend,
    kernel.reported,
    kernel.find_critical,
    kernel.inside,
    kernel.hang,
    kernel.rename,
    kernel.exchange,
    kernel.fits,
    kernel.keep,
    kernel.depth,
    kernel.note,
    kernel.promised,
    kernel.ready,
    kernel.move_child,
    kernel.try_hang,
    kernel.move_node,
    kernel.try_swap,
    kernel.move_both,
    kernel.try_trade,
    sets.latest,
    sets.split,
    sets.solve,
    sweeping.better,
    sweeping.entered,
    hunting.arrival,
    hunting.open_to,
    hunting.first_end,
    hunting.hopeful,
    hunting.judge,
    hunting.send,
    hunting.take_back,
    sweeping.raise_block,
    sweeping.chosen,
)


@dataclass(frozen=True, slots=True)
class RouteArm:
    """A way to run the kernels: its functions, how its arrays are made, and the moves, splits and
    tries that it does between two looks at the clock.
    """

    name: str
    wander: Callable[[rows.Costs, rows.Walk, int, int], int]
    fill: Callable[[sets.Sets, int], int]
    sweep: Callable[[sweeping.Nodes], None]
    count: Callable[[sweeping.Nodes, int, int], None]
    hunt: Callable[[rows.Costs, rows.Walk, hunting.Hunt, int], bool]
    words: Callable[[Sequence[int]], Any]
    halves: Callable[[int, int], Any]
    reals: Callable[[Iterable[float]], Any]
    moves: int
    splits: int
    tries: int

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
    hunt=hunting.hunt_on,
    words=list,
    halves=_filled,
    reals=list,
    moves=32,
    splits=4096,
    tries=256,
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

    entries = (kernel.wander, sets.fill, sweeping.sweep, sweeping.count, hunting.hunt_on)
    # the tuples of arrays are too large to be handed over at every call
    wander, fill, sweep, count, hunt = compiling.jitted(_INSIDE, entries, forceinline=True)
    arm = RouteArm(
        name="compiled",
        wander=wander,
        fill=fill,
        sweep=sweep,
        count=count,
        hunt=hunt,
        words=lambda numbers: np.array(numbers, dtype=np.int64),
        halves=lambda count, value: np.full(count, value, dtype=np.int32),
        reals=lambda numbers: np.array(numbers, dtype=np.float64),
        moves=4096,
        splits=1 << 24,
        tries=1 << 17,
    )
    _exercise(arm)
    return arm


def _exercise(arm: RouteArm) -> None:
    """Run every kernel once on two nodes."""
    words, reals = arm.words, arm.reals
    pair, none, one, two = words([0, 1, 1, 0]), words([]), words([1]), words([0, 0])
    costs = rows.Costs(
        first=pair, further=pair, tail=pair, weight=one, bursts=words([0]), allowed=pair,
        roots=words([1, 1]), report=none, fan_out=words([1, 1]),
        odds=reals([0.0] * draws.SHARES),
    )  # fmt: skip
    walk = rows.Walk(
        parent=words([-1, 0]), degree=words([1, 0]), kids=arm.halves(4, 1),
        height=words([2, 0]), found=words([-1, 0]), row=words([0, 0]), key=words([0, 0]),
        end=words([0] * 4), edit=words([0] * 8), critical=words([1, 0]),
        control=words([1, 2, 2, 0, 0, 1, 0]), heat=reals([0.0, 0.0]),
    )  # fmt: skip
    arm.wander(costs, walk, 1, 0)
    zero = words([0, 0])
    hunt = hunting.Hunt(
        time=words([0, -1]), busy=zero, way_in=zero, least=words([0] * 4), pick=zero, ended=zero,
        before=zero, height=words([0] * 4), found=zero, place=zero, reach=zero,
        control=words([0] * 5),
    )  # fmt: skip
    arm.hunt(costs, walk, hunt, 0)
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
