"""Decided trees against every tree in every order: `python -m tests.bench.route_oracle`.

Draws groups of up to seven PUs with random message costs (ties, zeros, extreme ratios, alike pairs,
posted sends), an operation, a model, one tree or one for each phase, roots and side conditions;
asks the `route` question, and prices all trees in all orders of sending from docs/message-model.md
alone. Prints the first cases that differ and how many optima were found and proven; exits 1 where
one was missed.

An ordered tree is written as the place of each node's parent, nodes numbered in preorder: 132
shapes of seven nodes, each with 5040 ways to name them, priced at once.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skb.decision import Decision, Limits
from skb.engines import route_solve
from skb.questions.route import decide
from skb.relations import Fact
from tests.machines import grown

Times = NDArray[np.int64]
Table = Sequence[Sequence[int]]
Shape = tuple[int, ...]

OPERATIONS: Mapping[str, tuple[int, int, int]] = {
    "broadcast": (1, 0, 0),
    "broadcast-ack": (1, 0, 1),
    "reduce": (0, 1, 0),
    "barrier": (1, 1, 0),
    "two-phase-commit": (2, 1, 1),
}
"""How often an operation broadcasts, reduces, and has its last leaf report to the root."""

PHASED = ("barrier", "two-phase-commit")
NEVER = 1 << 60
LARGEST = 7


@dataclass(frozen=True, slots=True)
class Case:
    """Costs in picoseconds by (sender, receiver), and what is asked; PUs are 0 … n-1.

    `gap` is None where nobody stated it. `packages` are the PUs of each package, which are linked
    in a row; `forbid_link` is the first package of a link that no message may cross.
    """

    send: Table
    receive: Table
    propagation: Table
    gap: Table | None
    operation: str
    model: str
    trees: str
    root: int | None
    forbid: tuple[tuple[int, int], ...] = ()
    require: tuple[tuple[int, int], ...] = ()
    max_fan_out: int | None = None
    packages: int = 1
    forbid_link: int | None = None

    @property
    def size(self) -> int:
        return len(self.send)

    @property
    def request(self) -> dict[str, Any]:
        """What `skb ask route` is given."""
        asked: dict[str, Any] = {"operation": self.operation, "model": self.model}
        asked |= {"trees": self.trees, "compare": False}
        if self.root is not None:
            asked["root"] = self.root
        if self.forbid:
            asked["forbid"] = [list(pair) for pair in self.forbid]
        if self.require:
            asked["require"] = [list(pair) for pair in self.require]
        if self.max_fan_out is not None:
            asked["max_fan_out"] = self.max_fan_out
        if self.forbid_link is not None:
            ends = [f"package:{self.forbid_link}", f"package:{self.forbid_link + 1}"]
            asked["forbid_links"] = [ends]
        return asked

    def further(self) -> Table:
        """What a further send of a burst adds: half a receive where no gap was stated."""
        if self.model == "postal":
            return self.send
        return self.gap or [[cost // 2 for cost in row] for row in self.receive]

    def closed(self, parent: int, child: int) -> bool:
        """Whether a parent may not have a child."""
        if (parent, child) in self.forbid:
            return True
        if self.forbid_link is None:
            return False
        each = self.size // self.packages
        low, high = sorted((parent // each, child // each))
        return low <= self.forbid_link < high

    def decide(self, limits: Limits) -> Decision:
        """Ask the question of a machine with these costs."""
        roles = {"send": self.send, "receive": self.receive, "propagation": self.propagation}
        if self.gap is not None:
            roles["gap"] = self.gap
        nodes = range(self.size)
        facts = [
            Fact("message_cost", (f"pu:{u}", f"pu:{v}", "cache_line", role, table[u][v] / 1000))
            for role, table in roles.items()
            for u in nodes
            for v in nodes
            if u != v
        ]
        rows = pairwise(range(self.packages))
        links = [f'[[link]]\nfrom = "package:{a}"\nto = "package:{b}"\nkind = "x"' for a, b in rows]
        tree = f"package:{self.packages} core:{self.size // self.packages} pu:1"
        machine = grown(tree, *facts, extra="\n".join(links))
        return decide(machine, self.request, limits)


# ---------------------------------------------------------------- every tree
@cache
def shapes(size: int) -> tuple[Shape, ...]:
    """Return every ordered tree of so many nodes, by the parent's place of each node but the first.

    In preorder the next node hangs below the last one or below one of those above it.
    """

    def grow(shape: Shape, spine: tuple[int, ...]) -> Iterator[Shape]:
        if len(shape) == size - 1:
            yield shape
            return
        node = len(shape) + 1
        for at, parent in enumerate(spine):
            yield from grow((*shape, parent), (*spine[: at + 1], node))

    return tuple(grow((), (0,)))


@cache
def namings(size: int) -> NDArray[np.int64]:
    """Return every way to name the places, one row for each place."""
    return np.array(list(permutations(range(size))), dtype=np.int64).T.copy()


class Everything:
    """All ordered and named trees of a case, shape by shape."""

    def __init__(self, case: Case) -> None:
        self._case = case
        names = namings(case.size)
        if case.root is not None:
            names = names[:, names[0] == case.root]
        self._names = names
        tables = (case.send, case.further(), case.propagation, case.receive)
        send, further, flight, receive = (np.array(table, dtype=np.int64) for table in tables)
        nodes = range(case.size)
        closed = np.array([[case.closed(u, v) for v in nodes] for u in nodes])
        pairs = list(permutations(nodes, 2))
        self._send = {(a, b): send[names[a], names[b]] for a, b in pairs}
        self._further = {(a, b): further[names[a], names[b]] for a, b in pairs}
        self._flight = {(a, b): flight[names[a], names[b]] for a, b in pairs}
        self._receive = {(a, b): receive[names[a], names[b]] for a, b in pairs}
        self._closed = {(a, b): closed[names[a], names[b]] for a, b in pairs}

    def optimum(self) -> int | None:
        """Return the least completion of the case, None where no tree is admissible."""
        case = self._case
        size = case.size
        down, up, both = ([NEVER] * size for _ in range(3))
        often, gathered, told = OPERATIONS[case.operation]
        for shape in shapes(size):
            if not self._fits(shape):
                continue
            refused = self._refused(shape)
            ways = often * self._broadcast(shape)
            if told:
                ways = ways + self._report(shape)
            back = gathered * self._reduction(shape)
            for best, times in ((down, ways), (up, back), (both, ways + back)):
                least = np.where(refused, NEVER, times)
                for root in range(size):
                    mine = least[self._names[0] == root]
                    best[root] = min(best[root], int(mine.min()) if mine.size else NEVER)
        if case.trees == "per-phase":
            both = [a + b for a, b in zip(down, up, strict=True)]
        return None if min(both) >= NEVER else min(both)

    def _fits(self, shape: Shape) -> bool:
        most = self._case.max_fan_out
        return most is None or not shape or max(Counter(shape).values()) <= most

    def _refused(self, shape: Shape) -> NDArray[np.bool_]:
        names = self._names
        refused = np.zeros(names.shape[1], dtype=np.bool_)
        edges = [(parent, node) for node, parent in enumerate(shape, 1)]
        for edge in edges:
            refused |= self._closed[edge]
        for above, below in self._case.require:
            kept = [(names[a] == above) & (names[b] == below) for a, b in edges]
            refused |= ~np.logical_or.reduce(kept)
        return refused

    def _informed(self, shape: Shape) -> list[Times]:
        """Return when each place has received; a parent's children stand in order of sending."""
        zero = np.zeros(self._names.shape[1], dtype=np.int64)
        have, sent = [zero], {0: zero}
        begun: set[int] = set()
        for node, parent in enumerate(shape, 1):
            edge = (parent, node)
            costs = self._further if parent in begun else self._send
            begun.add(parent)
            sent[parent] = sent[parent] + costs[edge]
            have.append(sent[parent] + self._flight[edge] + self._receive[edge])
            sent[node] = have[-1]
        return have

    def _broadcast(self, shape: Shape) -> Times:
        found: Times = np.max(self._informed(shape), axis=0)
        return found

    def _report(self, shape: Shape) -> Times:
        """Return the message of the leaf that is informed last, of equals the least PU's."""
        have = self._informed(shape)
        leaves = [node for node in range(self._case.size) if node not in shape]
        latest = np.full(self._names.shape[1], -1, dtype=np.int64)
        least, found = latest.copy(), np.zeros_like(latest)
        for leaf in leaves:
            if leaf == 0:
                return found
            takes = self._send[leaf, 0] + self._flight[leaf, 0] + self._receive[leaf, 0]
            name = self._names[leaf]
            wins = (have[leaf] > latest) | ((have[leaf] == latest) & (name < least))
            latest = np.where(wins, have[leaf], latest)
            least = np.where(wins, name, least)
            found = np.where(wins, takes, found)
        return found

    def _reduction(self, shape: Shape) -> Times:
        zero = np.zeros(self._names.shape[1], dtype=np.int64)
        done: dict[int, Times] = {}
        for node in reversed(range(self._case.size)):
            below = [child for child, parent in enumerate(shape, 1) if parent == node]
            done[node] = zero
            if not below:
                continue
            arrive = np.array(
                [done[c] + self._send[c, node] + self._flight[c, node] for c in below]
            )
            busy = np.array([self._receive[c, node] for c in below])
            order = np.argsort(arrive, axis=0, kind="stable")
            arrive = np.take_along_axis(arrive, order, axis=0)
            busy = np.take_along_axis(busy, order, axis=0)
            for row in range(len(below)):
                done[node] = np.maximum(done[node], arrive[row]) + busy[row]
        return done[0]


# ---------------------------------------------------------------- cases
def draw(dice: random.Random, size: int | None = None) -> Case:
    """Draw a case; most have five to seven PUs."""
    size = size or dice.choice((1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7))
    kind = dice.choice(("plain", "ties", "zeros", "extreme", "alike", "posted"))
    operation = dice.choice(list(OPERATIONS))
    split = [part for part in (2, 3) if size % part == 0 and size > part]
    packages = dice.choice(split) if split and dice.random() < 0.4 else 1
    nodes = [(u, v) for u in range(size) for v in range(size) if u != v]
    conditions = size > 1 and dice.random() < 0.4
    share = dice.choice((0.0, 0.1, 0.3))
    return Case(
        send=_table(dice, size, kind, packages, "send"),
        receive=_table(dice, size, kind, packages, "receive"),
        propagation=_table(dice, size, kind if dice.random() < 0.4 else "none", packages, ""),
        gap=_table(dice, size, kind, packages, "send") if dice.random() < 0.6 else None,
        operation=operation,
        model=dice.choice(("postal", "logp")),
        trees=dice.choice(("one", "per-phase")) if operation in PHASED else "one",
        root=dice.randrange(size) if dice.random() < 0.4 else None,
        forbid=tuple(pair for pair in nodes if conditions and dice.random() < share),
        require=(dice.choice(nodes),) if conditions and dice.random() < 0.3 else (),
        max_fan_out=dice.choice((1, 2, 3)) if conditions and dice.random() < 0.5 else None,
        packages=packages,
        forbid_link=0 if conditions and packages > 2 and dice.random() < 0.2 else None,
    )


def _table(dice: random.Random, size: int, kind: str, packages: int, role: str) -> list[list[int]]:
    """Draw a cost for each ordered pair, a whole even number of picoseconds."""

    def cost() -> int:
        if kind == "ties":
            return 2000 * dice.randint(1, 3)
        if kind == "zeros":
            return 0 if dice.random() < 0.4 else 2 * dice.randint(0, 4000)
        if kind == "extreme":
            return 2 * int(10 ** dice.uniform(0, 8.5))
        if kind == "posted":
            return 2 * (
                dice.randint(2000, 6000) if role == "send" else dice.randint(40_000, 150_000)
            )
        return 2 * dice.randint(1, 40_000)

    if kind == "none":
        return [[0] * size for _ in range(size)]
    if kind != "alike":
        return [[0 if u == v else cost() for v in range(size)] for u in range(size)]
    each = size // packages
    classes = {(a, b): cost() for a in range(packages) for b in range(packages)}
    home = [pu // each for pu in range(size)]
    return [[0 if u == v else classes[home[u], home[v]] for v in range(size)] for u in range(size)]


def judged(case: Case, decision: Decision) -> str:
    """Return how a decision stands to the optimum: `proven`, `found`, `none`, or what is wrong."""
    best = Everything(case).optimum()
    if best is None:
        return "none" if decision.status == "infeasible" else f"WRONG: {decision.status}, no tree"
    if decision.objective.value is None or decision.bound is None:
        return f"WRONG: {decision.status}, the optimum is {best}"
    value, bound = decision.answer["completion_ps"], round(decision.bound * 1000)
    if value < best or bound > best:
        return f"WRONG: value {value}, bound {bound}, the optimum is {best}"
    if decision.status == "optimal":
        return "proven" if value == best else f"WRONG: {value} proven, the optimum is {best}"
    return "found" if value == best else f"MISSED: {value} by {100 * (value / best - 1):.2f} %"


def main(words: Sequence[str] | None = None) -> int:
    """Run the cases and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of each answer")
    parser.add_argument("--heavy", action="store_true", help="small groups by the heavy proofs too")
    asked = parser.parse_args(words)
    if asked.heavy:
        route_solve.LIGHT_WORK = 0
    counts: Counter[str] = Counter()
    sizes: Counter[tuple[int, str]] = Counter()
    for number in range(asked.seed, asked.seed + asked.cases):
        case = draw(random.Random(number))
        verdict = judged(case, case.decide(Limits(seconds=asked.seconds)))
        counts[verdict.split(":")[0]] += 1
        sizes[case.size, verdict.split(":")[0]] += 1
        if ":" in verdict:
            print(f"case {number}, {case.size} PUs, {case.request}: {verdict}", flush=True)
    print(f"{asked.cases} cases from {asked.seed}:", dict(counts))
    print("  by size:", ", ".join(f"{n} {word} {k}" for (n, word), k in sorted(sizes.items())))
    return 1 if counts["WRONG"] or counts["MISSED"] else 0


if __name__ == "__main__":
    sys.exit(main())
