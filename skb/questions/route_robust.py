"""What an operation takes while its costs vary, and the tree of least 95 percent point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skb.engines.route_busy import Busy, Walk
from skb.engines.route_tree import Task, Tree, admissible, ordered, top_down, value
from skb.noise import SAMPLES, Noise, quantile
from skb.questions.route_objectives import Found
from skb.questions.route_price import PHASES, Pairs
from skb.questions.route_request import Wanted

LIKELY = 1.2
"""Trees that take at most so many times the least are compared by their 95 percent point."""
COMPARED = 40
MOVES = 1500


@dataclass(frozen=True, slots=True)
class Varied:
    """The samples' 95 percent point and median, and how many of the tree's costs have a spread."""

    p95: int
    median: int
    varying: int
    costs: int

    @property
    def answer(self) -> dict[str, int]:
        return {
            "p95_ps": self.p95,
            "median_ps": self.median,
            "samples": SAMPLES,
            "costs": self.costs,
            "costs_with_spread": self.varying,
        }


class Samples:
    """An operation between members, sampled over one tree after the other."""

    def __init__(self, noise: Noise, members: Sequence[int], operation: str, logp: bool) -> None:
        self._noise, self._members, self._logp = noise, members, logp
        self._phases = PHASES[operation]

    def of(self, tree: Tree, back: Tree | None = None) -> Varied:
        """Return how an operation over a tree varies, its reduction maybe over one of its own."""
        import numpy as np

        self._used: set[tuple[str, int, int]] = set()
        total = np.zeros(SAMPLES, dtype=np.int64)
        number = 0
        times: Any = None
        for name, often in self._phases:
            for _ in range(often if name != "report" else 0):
                if name == "broadcast":
                    found = self._down(tree, number)
                    times = found if times is None else times
                    total = total + np.max(list(found.values()), axis=0)
                else:
                    total = total + self._up(back or tree, number)
                number += 1
        if any(name == "report" for name, _ in self._phases):
            total = total + self._report(tree, times, number)
        varying = sum(self._noise.spread_ps(*used) > 0 for used in self._used)
        return Varied(quantile(total), int(np.median(total)), varying, len(self._used))

    def _draws(self, role: str, sender: int, receiver: int, phase: int) -> Any:
        key = (role, self._members[sender], self._members[receiver])
        self._used.add(key)
        return self._noise.draws(*key, phase)

    def _down(self, tree: Tree, phase: int) -> dict[int, Any]:
        times: dict[int, Any] = {tree.root: self._nothing()}
        for node in top_down(tree.root, tree.kids):
            sent = times[node]
            for place, child in enumerate(tree.kids[node]):
                role = "gap" if place and self._logp else "send"
                sent = sent + self._draws(role, node, child, phase)
                flown = self._draws("propagation", node, child, phase)
                times[child] = sent + flown + self._draws("receive", node, child, phase)
        return times

    def _nothing(self) -> Any:
        import numpy as np

        return np.zeros(SAMPLES, dtype=np.int64)

    def _up(self, tree: Tree, phase: int) -> Any:
        import numpy as np

        done: dict[int, Any] = {}
        for node in reversed(top_down(tree.root, tree.kids)):
            arrive, take = [], []
            for child in tree.kids[node]:
                sent = done[child] + self._draws("send", child, node, phase)
                arrive.append(sent + self._draws("propagation", child, node, phase))
                take.append(self._draws("receive", child, node, phase))
            now = self._nothing()
            if arrive:
                order = np.argsort(np.array(arrive), axis=0, kind="stable")
                rows = (
                    np.take_along_axis(np.array(part), order, axis=0) for part in (arrive, take)
                )
                for at, busy in zip(*rows, strict=True):
                    now = np.maximum(now, at) + busy
            done[node] = now
        return done[tree.root]

    def _report(self, tree: Tree, times: dict[int, Any], phase: int) -> Any:
        """Return what the leaf that was informed last in each sample takes to tell the root."""
        import numpy as np

        leaves = [node for node in sorted(times) if not tree.kids[node]]
        if leaves == [tree.root]:
            return 0
        last = np.argmax(np.array([times[leaf] for leaf in leaves]), axis=0)
        ways = [
            sum(
                self._draws(role, leaf, tree.root, phase)
                for role in ("send", "propagation", "receive")
            )
            for leaf in leaves
        ]
        return np.take_along_axis(np.array(ways), last[None, :], axis=0)[0]


def sturdiest(
    wanted: Wanted,
    pairs: Pairs,
    task: Task,
    found: Found,
    starts: Sequence[Tree],
    always: Sequence[Tree],
    samples: Samples,
    effort: float,
    seed: int,
    spent: Callable[[], bool],
) -> tuple[Found, int]:
    """Return the likely tree of least 95 percent point, and how many trees were compared.

    Those of `always` are compared, however late they end.
    """
    most = LIKELY * value(task, found.tree)
    known: dict[tuple[int, tuple[tuple[int, ...], ...]], tuple[int, Tree]] = {}

    def fits(tree: Tree) -> bool:
        load = wanted.request.max_link_load
        return admissible(task, tree) and (load is None or not wanted.ways.excess(tree, load))

    def keep(tree: Tree) -> int:
        worth = value(task, tree)
        if worth <= most and fits(tree):
            known[tree.root, tree.kids] = worth, tree
        return 0

    for tree in (found.tree, *starts):
        keep(tree)
    nothing = tuple((0,) * task.size for _ in range(task.size))
    free = Busy(nothing, nothing, nothing, (0,) * task.size)
    Walk(task, free, 0, found.tree, keep).run(int(MOVES * effort), seed, spent)
    likely = sorted(known.values(), key=lambda row: (row[0], row[1].root, row[1].kids))
    rows: list[tuple[int, int, Tree]] = []
    late = [(value(task, tree), tree) for tree in always if fits(tree)]
    for worth, tree in [*likely[:COMPARED], *late]:
        if rows and spent():
            break
        sent = tree if task.in_order else ordered(pairs.down, tree.root, tree.kids)
        rows.append((samples.of(sent).p95, worth, sent))
    _, _, best = min(rows, key=lambda row: row[:2])
    return replace(found, tree=best), len(rows)
