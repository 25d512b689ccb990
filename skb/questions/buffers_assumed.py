"""What a decision of `buffers` takes for granted: numbers and limits that nobody stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skb.decision import Assumption
from skb.questions.buffers_instance import Instance
from skb.questions.buffers_price import flips, lines_in_flight
from skb.questions.buffers_search import own_nodes
from skb.wording import listed

_NAMED = 8


def assumptions(
    instance: Instance, used: Sequence[Assumption], idle: Sequence[Assumption]
) -> tuple[Assumption, ...]:
    """Return all assumptions: `idle` are those that only flows that read nothing asked for.

    Such a flow needs the cost of a read for its crossover alone; without one they are left out.
    """
    why = "nobody measured it; line-fill buffers of common cores"
    lines = Assumption(f"lines in flight per core = {lines_in_flight()}", why)
    found = list(used)
    if any(flow.consumer is not None and flow.touched for flow in instance.flows):
        found.append(lines)
    if any(_crosses(instance, index) for index in range(len(instance.flows))):
        known = {one.fact for one in found}
        found += [
            replace(one, because=f"only the crossover uses it; {one.because}")
            for one in (*idle, lines)
            if one.fact not in known
        ]
    return (*found, *_unlimited(instance))


def _crosses(instance: Instance, index: int) -> bool:
    """Return whether a flow that reads nothing has a crossover."""
    flow = instance.flows[index]
    if flow.consumer is None or flow.touched:
        return False
    return bool(flips({n: instance.costs[index][n] for n in own_nodes(instance, index)}))


def _unlimited(instance: Instance) -> list[Assumption]:
    """Return the links and nodes that flows may use and that nothing limits."""
    free: dict[str, list[str]] = {"link": [], "memory": []}
    possible = {
        resource
        for index, row in enumerate(instance.uses)
        for node in own_nodes(instance, index)
        for resource in row[node]
    }
    for resource in sorted(possible - instance.stated):
        kind, _, name = resource.partition(" ")
        if kind in free:
            free[kind].append(name.replace(" ", " to "))
    texts = {
        "link": ("bandwidth of the links {} = unlimited", "nobody stated it"),
        "memory": ("memory for rings at {} = unlimited", "nobody stated its size or a capacity"),
    }
    return [
        Assumption(texts[kind][0].format(listed(names, _NAMED)), texts[kind][1])
        for kind, names in free.items()
        if names
    ]
