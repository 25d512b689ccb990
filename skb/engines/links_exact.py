"""What clingo decides of tables: whether one exists, whether one with smaller loads does, and which
few entries clash where none does. Larger programs ground in a child that is killed at the deadline.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from skb.decision import Limits
from skb.engines.asp import Atom, Model, Outcome, Program, minimal_core
from skb.engines.links_net import Net, Table
from skb.engines.placement_proof import Child

FILES = ("links/table.lp", "links/decide.lp")
EXPLAIN_FILES = ("links/table.lp", "links/explain.lp")
OPTIONS = ("--configuration=tweety",)
SMALL = 600  # entries times degree that ground within milliseconds, so that no child is needed
LARGEST_LOADS = 24
"""Nodes up to which loads are decided: the program grows with their third power."""
LARGEST = 80


Core = tuple[tuple[Atom, ...], bool]


@dataclass(frozen=True, slots=True)
class Search:
    """A program of which one model is wanted or, where `named` is given, a minimal clash of those.

    `deadline` is the fuse by the monotonic clock, which processes of one host share.
    """

    program: Program
    limits: Limits
    deadline: float
    named: tuple[Atom, ...] = ()

    def run(self) -> Outcome | Core:
        model = Model(self.program, OPTIONS, self.limits.seed)
        left = replace(self.limits, seconds=max(0.0, self.deadline - time.monotonic()))
        if self.named:
            return minimal_core(model, self.named, left)
        return model.solve(limits=left, models=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a table exists, None where the limit came first; and the table."""

    exists: bool | None
    table: Table | None = None


def _atoms(net: Net, channels: int) -> list[Atom]:
    rows: list[Atom] = [("node", (at,)) for at in range(net.size)]
    rows += [("link", arc) for arc in net.arcs]
    rows += [("channel", (which,)) for which in range(channels)]
    rows += [
        ("dist", (s, d, hops))
        for s, row in enumerate(net.distance)
        for d, hops in enumerate(row)
        if hops >= 0
    ]
    rows += [("forced", entry) for entry in net.forced]
    if net.minimal:
        rows.append(("minimal", ()))
    return rows


def decided(net: Net, channels: int, most: int | None, limits: Limits, deadline: float) -> Verdict:
    """Look for a table on so many channels whose slowed loads are at most `most`, if given."""
    if net.size > (LARGEST if most is None else LARGEST_LOADS):
        return Verdict(None)
    rows = _atoms(net, channels)
    if most is not None:
        rows += [
            ("traffic", (s, d, weight))
            for s, row in enumerate(net.weight)
            for d, weight in enumerate(row)
            if weight and s != d
        ]
        rows += [
            ("limit", (*arc, min(most // slow, 2**31 - 1)))
            for arc, slow in zip(net.arcs, net.slow, strict=True)
        ]
    found = _done(net, Search(Program(FILES, tuple(rows)), limits, deadline))
    if found is None or not isinstance(found, Outcome):
        return Verdict(None)
    if not found.satisfiable:
        return Verdict(found.satisfiable)
    return Verdict(True, _table(net, found.atoms))


def clash(
    net: Net, channels: int, limits: Limits, deadline: float
) -> tuple[tuple[tuple[int, ...], ...], bool]:
    """Return a minimal set of entries (node, destination) that one channel cannot hold, or of
    destinations that several cannot, and whether it is proven to be minimal; empty where there is
    none, or none was found in time.
    """
    nodes = range(net.size)
    named: list[Atom] = [("whole", (d,)) for d in nodes]
    if channels == 1:
        named = [("wanted", (s, d)) for d in nodes for s in nodes if s != d]
    program = Program(EXPLAIN_FILES, tuple(_atoms(net, channels)))
    found = _done(net, Search(program, limits, deadline, tuple(named)))
    if found is None or isinstance(found, Outcome):
        return (), False
    core, exact = found
    return tuple(tuple(int(str(arg)) for arg in args) for _name, args in core), exact


def _done(net: Net, work: Search) -> Outcome | Core | None:
    if time.monotonic() >= work.deadline:
        return None
    if net.size * len(net.arcs) <= SMALL:
        return work.run()
    with Child(work) as child:
        found: Outcome | Core | None = child.result(work.deadline)
    return found


def _table(net: Net, atoms: tuple[Atom, ...]) -> Table:
    ahead = [[-1] * net.size for _ in range(net.size)]
    channel = [0] * net.size
    for name, args in atoms:
        numbers = [int(str(arg)) for arg in args]
        if name == "next":
            ahead[numbers[1]][numbers[0]] = numbers[2]
        elif name == "layer":
            channel[numbers[0]] = numbers[1]
    return Table(tuple(tuple(row) for row in ahead), tuple(channel))
