"""In which order parts go and come back: farthest and innermost first, and the other way round."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

from skb.engines.power_net import before_each, distances, graph_of, led, link_name
from skb.machine import object_order
from skb.questions.power_instance import Off, Power

FAR = 1 << 30


def off_order(power: Power, off: Off, home: str) -> list[dict[str, Any]]:
    """Return the order in which parts and links go: none is cut off before its own turn.

    What is farther from home, or inside another part that goes, goes first; links go last.
    """
    graph = power.graph(home)
    far = distances(graph, power.net.root)
    names = [name for name in off.parts if name not in power.now]
    depth = {name: len(power.net.chain(name)) for name in names}
    ends = power.net.ends
    order: list[str] = []
    waits = dict.fromkeys(names, 0)
    for name in names:
        for outer in power.net.chain(name)[:-1]:
            if outer in waits:
                waits[outer] += 1
    keys = {n: (-far.get(n, 0), -depth[n], object_order(n)) for n in names}
    ready = [(keys[name], name) for name in names if not waits[name]]
    heapify(ready)
    while ready:
        _key, name = heappop(ready)
        order.append(name)
        for outer in power.net.chain(name)[:-1]:
            if outer in waits:
                waits[outer] -= 1
                if not waits[outer]:
                    heappush(ready, (keys[outer], outer))
    rows: list[dict[str, Any]] = []
    for name in order:
        inside = [other for other in power.net.below(name)[1:] if other in depth]
        text = "nothing that is still needed hangs on it"
        if inside:
            text = f"{', '.join(inside[:3])} inside it went before"
        elif name in ends and home and name != home:
            text = "what goes later is reached over other ways"
        rows.append({"part": name, "why": text})
    for link in sorted(link_name(*sorted(link)) for link in off.links):
        rows.append({"part": link, "why": "no part that goes needs it any more"})
    return [{"step": at, **row} for at, row in enumerate(rows, 1)]


def resume_order(power: Power, back: Off, off: Off) -> dict[str, Any]:
    """Return the order in which parts come up, each after what it depends on.

    Links come first: they carry as soon as both ends are up. Parts come up from the state that
    the facts and `off` say; `still_unreachable` are those that are not reached even then.
    """
    parts = set(back.parts)
    states = {name: state for name, state in power.states.items() if name not in parts}
    kept = Off(tuple(name for name in off.parts if name not in parts), off.links - back.links)
    after = _as_if(power, states).reach(kept)
    stayed = power.reach(off).home
    home = stayed if stayed and stayed not in after else after.home
    graph = graph_of(power.net, home, kept.links)
    graph.remove_nodes_from([name for name in after.lost if name in graph])
    root = power.net.root
    far = distances(graph, root) if root in graph else {}
    before = before_each(graph, root) if root in graph else {}
    links = sorted(link_name(*sorted(link)) for link in back.links)
    rows: list[dict[str, Any]] = [{"part": link, "after": []} for link in links]
    for name in sorted(parts, key=lambda n: (far.get(n, FAR), object_order(n))):
        way = led(before, name)
        needs = [part for part in [*power.net.chain(name)[:-1], *way[:-1]] if part in parts]
        rows.append({"part": name, "after": list(dict.fromkeys(needs))})
    still = []
    for name in back.parts:
        if name in after:
            cause = after.lost.get(name) or after.still.get(name)
            text = f"{cause} stays off" if cause else "no way over the links leads there"
            still.append({"part": name, "text": f"{name} stays unreachable: {text}"})
    steps = [{"step": at, **row} for at, row in enumerate(_topological(rows), 1)]
    return {"steps": steps, "still_unreachable": still}


def _topological(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows so that each comes after what it needs; their order is kept where it may be."""
    done: set[str] = set()
    found: list[dict[str, Any]] = []
    left = list(rows)
    while left:
        ready = next((row for row in left if done >= set(row["after"])), left[0])
        left.remove(ready)
        done.add(ready["part"])
        found.append(ready)
    return found


def _as_if(power: Power, states: dict[str, set[str]]) -> Power:
    """Return the same parts with other states."""
    from copy import copy

    from skb.usability import takes_all

    other = copy(power)
    other.__dict__.pop("now", None)
    other.states = states
    other.takes = {name for name, state in states.items() if takes_all(name, state)}
    other.stops = set(states) - other.takes
    return other
