"""Checker of what a route crosses: walks each message over the links and counts; no engine."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from skb.checkers.ways import Link, Walker
from skb.decision import Decision
from skb.machine import Machine

Rows = dict[int, list[int]]
_TIMES = {
    "broadcast": (1, 0),
    "broadcast-ack": (1, 0),
    "reduce": (0, 1),
    "barrier": (1, 1),
    "two-phase-commit": (2, 1),
}


def check_links(machine: Machine, decision: Decision, rows: Rows, back: Rows) -> list[str]:
    """Return where stated loads differ, forbidden links are crossed or a limit is broken."""
    request, answer = decision.request, decision.answer
    strict = bool(request.get("forbid_links")) or request.get("max_link_load") is not None
    if "link_load" not in answer and not strict:
        return []
    down, up = _TIMES[request.get("operation", "broadcast")]
    loads: Counter[Link] = Counter()
    wrong = []
    walker = Walker(machine)
    for often, tree, upwards in ((down, rows, False), (up, back, True)):
        for parent, children in tree.items() if often else ():
            for child in children:
                ends = (child, parent) if upwards else (parent, child)
                way = _way(machine, walker, request.get("next_hop"), *ends)
                if way is None:
                    wrong.append(f"no way leads from pu:{ends[0]} to pu:{ends[1]}")
                for link in way or ():
                    loads[link] += often
    stated = {(row["from"], row["to"]): row["messages"] for row in answer.get("link_load", [])}
    if stated != dict(loads):
        wrong.append("the messages that cross each link are others than stated")
    wrong += [
        f"the forbidden link {a} - {b} is crossed"
        for a, b in request.get("forbid_links", [])
        if loads[a, b] or loads[b, a]
    ]
    most = request.get("max_link_load")
    wrong += [
        f"{load} messages cross the link from {a} to {b}, allowed are {most}"
        for (a, b), load in sorted(loads.items())
        if most is not None and load > most
    ]
    return wrong


def _way(
    machine: Machine, walker: Walker, table: Any, sender: int, receiver: int
) -> list[Link] | None:
    start, end = _node(machine, sender), _node(machine, receiver)
    if not start or not end or start == end:
        return []
    if table is None:
        return walker.links(start, end)
    path = [start]
    while path[-1] != end:
        step = table.get(path[-1], {}).get(end)
        if step not in machine.links.get(path[-1], ()) or len(path) > len(machine.links):
            return None
        path.append(step)
    return list(pairwise(path))


def _node(machine: Machine, pu: int) -> str:
    """Return the innermost part around a PU that links join, else its NUMA node, else nothing."""
    joined = {*machine.links, *(end for row in machine.links.values() for end in row)}
    around = [*machine.ancestors(f"pu:{pu}"), *(f"numa:{n}" for n in machine.numa_of_pu[pu])]
    return next((at for at in around if at in joined), "")
