"""Which contexts form cores, groups and nodes of an MCTOP file: exact, or not at all.

The latencies of a file are clustered: a few distinct values. At each of them the contexts that
reach each other within it form groups, if "within it" is an equivalence: everybody in a group
reaches everybody in it, and nobody else. Only such levels, of groups of equal size, are believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Group = tuple[int, ...]
# mctop clusters into a handful; a table with more was never clustered
_MOST_LEVELS = 12


@dataclass(frozen=True, slots=True)
class Groups:
    """Contexts by core, by group inside a node, by node, and by group of nodes.

    `nodes[k]` are the contexts of package k, `numbers[k]` is the OS index of its NUMA node. Empty
    where the table does not show it; `notes` say why.
    """

    nodes: tuple[Group, ...]
    numbers: tuple[int, ...] = ()
    cores: tuple[Group, ...] = ()
    inner: tuple[tuple[Group, ...], ...] = ()
    outer: tuple[tuple[Group, ...], ...] = ()
    notes: tuple[str, ...] = ()


def find_groups(
    latency: NDArray[np.float64],
    nodes: int,
    smt: bool | None,
    nearest: dict[int, int],
) -> Groups:
    """Group contexts by their latencies (NaN = unknown, the diagonal is ignored).

    `nearest` is the node of least memory latency, by the contexts that state one.
    """
    size = len(latency)
    levels = _levels(latency)
    if nodes == 1:
        packages: tuple[Group, ...] = (tuple(range(size)),)
    else:
        packages = next((level for level in levels if len(level) == nodes), ())
    if not packages:
        return Groups((), notes=(_no_nodes(latency, nodes),))
    numbers, doubt = _numbers(packages, nearest)
    if not numbers:
        return Groups((), notes=(doubt,))
    notes = [doubt] if doubt else []
    inside = [level for level in levels if nodes < len(level)]
    cores: tuple[Group, ...] = ()
    if smt:
        if inside and inside[0] == levels[0]:
            cores, inside = inside[0], inside[1:]
        else:
            notes.append("the header says SMT, the table shows no cores of several contexts")
    outside = [level for level in levels if 1 < len(level) < nodes]
    return Groups(packages, numbers, cores, tuple(inside), tuple(outside), tuple(notes))


def _levels(latency: NDArray[np.float64]) -> list[tuple[Group, ...]]:
    """Return the groups of every latency that forms equal ones, from the cheapest."""
    size = len(latency)
    off = ~np.eye(size, dtype=bool)
    both = np.maximum(latency, latency.T)
    distinct = np.unique(both[off & np.isfinite(both)])
    if len(distinct) > _MOST_LEVELS:
        return []
    found: list[tuple[Group, ...]] = []
    for value in distinct:
        # a pair without a number is not within anything
        within = np.where(off, both <= value, True)
        level = _classes(within)
        if level and len({len(group) for group in level}) == 1 and level not in found:
            found.append(level)
    return found


def _classes(within: NDArray[np.bool_]) -> tuple[Group, ...]:
    """Return the classes of a relation that is reflexive and symmetric, none if it is not one."""
    first = np.argmax(within, axis=1)
    # in an equivalence every context has the same row as the first of its class
    if not np.array_equal(within, within[first]):
        return ()
    classes: dict[int, list[int]] = {}
    for context, leader in enumerate(first.tolist()):
        classes.setdefault(leader, []).append(context)
    return tuple(tuple(classes[leader]) for leader in sorted(classes))


def _no_nodes(latency: NDArray[np.float64], nodes: int) -> str:
    count = len(np.unique(latency[np.isfinite(latency) & ~np.eye(len(latency), dtype=bool)]))
    if count > _MOST_LEVELS:
        return (
            f"the table has {count} distinct latencies, so it is not clustered: no structure is "
            "read from it; `skb infer` finds one"
        )
    return (
        f"the header states {nodes} nodes, but no latency divides the contexts into {nodes} equal "
        "groups: no structure is read from the table"
    )


def _numbers(packages: Sequence[Group], nearest: dict[int, int]) -> tuple[tuple[int, ...], str]:
    """Return the node of each group by memory latency, or none and why."""
    if len(packages) == 1:
        return (0,), ""
    found: list[int] = []
    for group in packages:
        nodes = {nearest[context] for context in group if context in nearest}
        if len(nodes) > 1:
            return (), (
                f"contexts of one group ({group[0]}, …) have their least memory latency to nodes "
                f"{', '.join(map(str, sorted(nodes)))}: no structure is read from the table"
            )
        found += nodes
    if not found:
        return tuple(range(len(packages))), (
            "no memory latencies check the nodes: they are numbered by their first context"
        )
    if len(found) < len(packages) or len(set(found)) < len(found):
        return (), (
            "memory latencies do not give each group of contexts a node of its own: no structure "
            "is read from the table"
        )
    return tuple(found), ""
