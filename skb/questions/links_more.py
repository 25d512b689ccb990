"""Beside the table of `links`: the next-best tables under single failures, and what would help."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from skb.decision import Limits
from skb.engines.links_net import Net, Table, forced_ring
from skb.engines.links_solve import Solution, solve
from skb.questions.links_answer import table_of
from skb.questions.links_instance import Instance
from skb.wording import counted

SHARE = 8  # each of these tables may cost such a part of the work of the decision
MOST_NODES = 12  # nodes up to which links that one could add are tried
MOST_ADDED = 3  # links to add that are named


def _less(limits: Limits) -> Limits:
    return replace(limits, conflicts=max(1, limits.conflicts // SHARE))


def failures(
    asked: Instance, channels: int, table: Table, limits: Limits, deadline: float, walk: float
) -> list[dict[str, Any]]:
    """Return for each link what happens where it breaks, both directions at once: another table
    on the same channels, one that needs more of them, or nodes that are cut off. The checker takes
    `walk` seconds for each.
    """
    net, rows = asked.net, []
    for a, b in sorted({(min(arc), max(arc)) for arc in net.arcs}):
        row: dict[str, Any] = {"link": [asked.nodes[a], asked.nodes[b]]}
        lost = [asked.nodes[node] for node in cut_off(net, (a, b))]
        if lost:
            rows.append({**row, "status": "disconnects", "cut_off": lost})
            continue
        if time.monotonic() >= deadline:
            rows.append({**row, "status": "unknown"})
            continue
        rest = without(net, (a, b))
        found = solve(rest, channels, _less(limits), deadline)
        deadline -= walk
        more = found.exists is False
        if more:
            found = solve(rest, None, _less(limits), deadline)
        rows.append({**row, **_row(asked, rest, found, table, more)})
    return rows


def cut_off(net: Net, link: tuple[int, int]) -> list[int]:
    """Return the nodes that the first end of a broken link does not reach, or that do not reach it
    any more.
    """
    found: set[int] = set()
    for near in (net.after, net.before):
        seen, todo = {link[0]}, [link[0]]
        while todo:
            at = todo.pop()
            fresh = [n for n in near[at] if n not in seen and {at, n} != set(link)]
            seen.update(fresh)
            todo += fresh
        found |= set(range(net.size)) - seen
    return sorted(found)


def without(net: Net, link: tuple[int, int]) -> Net:
    """Return the network without a link, in both directions."""
    kept = [at for at, arc in enumerate(net.arcs) if (min(arc), max(arc)) != link]
    arcs = tuple(net.arcs[at] for at in kept)
    return Net(net.size, arcs, tuple(net.slow[at] for at in kept), net.weight, net.minimal)


def _row(asked: Instance, rest: Net, found: Solution, table: Table, more: bool) -> dict[str, Any]:
    if found.table is None:
        return {"status": "unknown"}
    told = table_of(replace(asked, net=rest), found.table)
    changed = sum(
        one != other
        for old, new in zip(table.ahead, found.table.ahead, strict=True)
        for one, other in zip(old, new, strict=True)
    )
    status = "needs channels" if more else "optimal" if found.proven else "feasible"
    bound = asked.value(found.value if found.searched else found.bound.value)
    return {"status": status, "bound": bound, "changed": changed, **told}


# ------------------------------------------------------------------ what would help
def helps(
    asked: Instance, channels: int, limits: Limits, deadline: float, unit: str
) -> Iterator[dict[str, Any]]:
    """Yield what makes tables possible where there are none, with the load that they then have."""
    less = _less(limits)
    if time.monotonic() >= deadline:
        return
    found = solve(asked.net, None, less, deadline)
    if found.table is not None:
        name = counted(found.table.channels, "virtual channel")
        yield _help(asked, name, found, unit)
    if asked.net.minimal and time.monotonic() < deadline:
        longer = replace(asked.net, minimal=False)
        found = solve(longer, channels, less, deadline)
        if found.table is not None:
            yield _help(asked, "ways longer than the shortest", found, unit)
    if not asked.net.forced and asked.net.size <= MOST_NODES:
        yield from _added(asked, channels, less, deadline, unit)


def _added(
    asked: Instance, channels: int, limits: Limits, deadline: float, unit: str
) -> Iterator[dict[str, Any]]:
    """Yield links between nodes that have none, as fast as the slowest there is."""
    net, best = asked.net, []
    for a, b in combinations(range(net.size), 2):
        if (a, b) in net.number or (b, a) in net.number or time.monotonic() >= deadline:
            continue
        arcs = (*net.arcs, (a, b), (b, a))
        slow = (*net.slow, max(net.slow), max(net.slow))
        more = Net(net.size, arcs, slow, net.weight, net.minimal)
        if channels == 1 and forced_ring(more):
            continue
        found = solve(more, channels, limits, deadline)
        if found.table is not None:
            best.append((found.value, a, b, found))
    best.sort(key=lambda row: row[:3])
    for _value, a, b, found in best[:MOST_ADDED]:
        yield _help(asked, f"a link {asked.nodes[a]} - {asked.nodes[b]}", found, unit)


def _help(asked: Instance, name: str, found: Solution, unit: str) -> dict[str, Any]:
    return {"name": name, "value": asked.value(found.value), "unit": unit}
