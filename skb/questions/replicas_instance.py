"""The tree of parts that hold users of an object, what lines and messages cost between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from skb.containment import CPU_KINDS, ROOT, kind_of
from skb.costs import Costs
from skb.engines.replicas_tree import Tree
from skb.machine import Machine, index_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALLED = ("machine", "package", "die", "numa", "core", "l4", "l3", "l2", "l1", "pu")
"""Levels in the order in which a part of several is called: a core before its caches."""
LEVELS = ("machine", "package", "die", "numa", "l4", "l3", "l2", "l1", "core", "pu")


@dataclass(frozen=True)
class Topology:
    """Some PUs of a machine as a tree of parts; parts with the same of these PUs are one node.

    `pus` are in the order of the tree, node v holds those from `begin[v]` to `end[v]`. `names` are
    the parts of each node, the outermost first; `levels` what they are, and `words` what a node is
    called: the core or PU where it has one user, else the first of its levels in `CALLED`. Matrices
    are in ns by places in `pus`: `line` to fetch a line from the other PU, `send` and `receive`
    what a message keeps its sender and its receiver busy, `one_way` from the begin until it is
    received. `twins` has for each place the first of its siblings that nothing of this tells apart
    from it.
    """

    pus: tuple[int, ...]
    tree: Tree
    names: tuple[tuple[str, ...], ...]
    levels: tuple[frozenset[str], ...]
    words: tuple[str, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    line: NDArray[Any]
    send: NDArray[Any]
    receive: NDArray[Any]
    one_way: NDArray[Any]
    own_ns: float
    twins: tuple[int, ...]

    @cached_property
    def busy(self) -> NDArray[Any]:
        """What a message keeps both of its ends busy."""
        found: NDArray[Any] = self.send + self.receive
        return found

    @cached_property
    def place(self) -> dict[int, int]:
        return {pu: at for at, pu in enumerate(self.pus)}

    @cached_property
    def node_of(self) -> dict[str, int]:
        """The node of each part that holds members."""
        return {name: node for node, names in enumerate(self.names) for name in names}

    def part(self, node: int) -> str:
        """Return the part that stands for a node."""
        word = self.words[node]
        names = self.names[node]
        return next((name for name in names if kind_of(name) == word), names[0])

    def members(self, node: int) -> tuple[int, ...]:
        return self.pus[self.begin[node] : self.end[node]]

    def cut(self, level: str) -> tuple[int, ...]:
        """Return the choice of all parts of a level; PUs that are in none stay as coarse as may be.

        Empty where no part is of the level.
        """
        has = [level in words for words in self.levels]
        holds = list(has)
        for node in range(self.tree.size - 1, 0, -1):
            holds[self.tree.parent[node]] |= holds[node]
        if not holds[0]:
            return ()
        found, stack = [], [0]
        while stack:
            node = stack.pop()
            if has[node] or not holds[node]:
                found.append(node)
            else:
                stack.extend(self.tree.children[node])
        return tuple(sorted(found))


def topology(machine: Machine, costs: Costs, members: Sequence[int]) -> Topology:
    """Return the tree of parts around some PUs, and the costs between them."""
    import numpy as np

    users = {f"pu:{pu}" for pu in members}
    holding = users | {name for pu in users for name in machine.ancestors(pu)}
    chains: list[list[str]] = []
    parents: list[int] = []
    layer: list[tuple[str, int]] = [(ROOT, -1)]
    while layer:
        following = []
        for name, parent in layer:
            chain = [name]
            inner = _inner(machine, name, holding)
            while len(inner) == 1:
                chain.append(inner[0])
                inner = _inner(machine, inner[0], holding)
            parents.append(parent)
            chains.append(chain)
            following += [(child, len(parents) - 1) for child in inner]
        layer = following
    tree = Tree(tuple(parents))
    begin, end, order = _ranges(tree)
    pus = tuple(index_of(chains[node][-1]) for node in order)
    own = costs.own_ps() / 1000
    line, send, receive, one_way, kinds = _matrices(costs, pus)
    np.fill_diagonal(line, own)
    levels = tuple(_levels(machine, chain) for chain in chains)
    names = tuple(map(tuple, chains))
    words = tuple(
        _word(machine, tree, node, chain[-1], levels[node]) for node, chain in enumerate(chains)
    )
    tables = (line, send, receive, one_way)
    twins = _twins(tree, begin, kinds)
    return Topology(pus, tree, names, levels, words, begin, end, *tables, own, twins)


def _twins(tree: Tree, begin: Sequence[int], kinds: NDArray[Any]) -> tuple[int, ...]:
    """Return for each place the first leaf of the same parent with the same kinds of pairs.

    Two twins may change places: with all others, and with each other, their pairs are alike.
    """
    import numpy as np

    size = len(kinds)
    first = np.arange(size)
    known: dict[int, int] = {}
    for node in range(tree.size):
        if not tree.children[node]:
            first[begin[node]] = known.setdefault(tree.parent[node], begin[node])
    places = np.arange(size)
    alike = kinds[places, first] == kinds[first, places]
    for table in (kinds, kinds.T):
        same = table == table[first]
        same[places, places] = same[places, first] = True
        alike &= same.all(axis=1)
    return tuple(np.where(alike, first, places).tolist())


def _inner(machine: Machine, name: str, holding: set[str]) -> list[str]:
    return [
        child
        for child in machine.children(name)
        if child in holding and kind_of(child) in CPU_KINDS
    ]


def _levels(machine: Machine, chain: Sequence[str]) -> frozenset[str]:
    """Return the level words of the parts of a node."""
    found = {word for name in chain for word in (*machine.levels(name), kind_of(name))}
    found |= {"numa" for name in chain if _has_memory(machine, name)}
    return frozenset(found & set(LEVELS))


def _word(machine: Machine, tree: Tree, node: int, innermost: str, levels: frozenset[str]) -> str:
    if not tree.children[node]:
        return "core" if "core" in machine.levels(innermost) else "pu"
    return next((word for word in CALLED if word in levels), "group")


def _has_memory(machine: Machine, name: str) -> bool:
    return any(kind_of(child) in ("numa", "memcache") for child in machine.children(name))


def _ranges(tree: Tree) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Return where the leaves of each node begin and end in the order of the tree, and those."""
    begin, end = [0] * tree.size, [0] * tree.size
    order: list[int] = []
    stack = [(0, False)]
    while stack:
        node, done = stack.pop()
        if done:
            end[node] = len(order)
            continue
        begin[node] = len(order)
        if not tree.children[node]:
            order.append(node)
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(tree.children[node]))
    return tuple(begin), tuple(end), order


def _matrices(costs: Costs, pus: Sequence[int]) -> tuple[Any, Any, Any, Any, Any]:
    """Return lines and messages between PUs in ns, and the kinds of pairs, each looked up once."""
    import numpy as np

    pairs = costs.message_pairs(pus)
    kinds = pairs.send.kinds
    _numbers, first = np.unique(kinds, return_index=True)
    lines = [0.0]
    for flat in first[1:].tolist():
        u, v = divmod(flat, len(pus))
        lines.append(costs.line_ps(pus[u], pus[v]) / 1000)
    line = np.array(lines)[kinds]
    send, receive, flight = (
        np.array([float(value) for value in table.values_of])[table.kinds] / 1000
        for table in (pairs.send, pairs.receive, pairs.propagation)
    )
    return line, send, receive, send + flight + receive, kinds
