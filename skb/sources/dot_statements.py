"""The statements of a graph in DOT, as the grammar builds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A node in a statement, and its line; where an edge is drawn to touch it is left out."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Group:
    """The statements of a graph or subgraph."""

    statements: tuple[Chain | Defaults, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes, or nodes and groups joined by edges, with the attributes behind them."""

    ends: tuple[Place | Group, ...]
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Defaults:
    """Attributes of all that follows in a group: of `graph`, `node` or `edge`."""

    of: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph: what it is called, whether its edges have a direction, whether it is strict."""

    name: str
    directed: bool
    strict: bool
    body: Group


class Excess(Exception):
    """A text has more than a limit allows; `line` is where it exceeds it."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line
