"""What a decision of `buffers` takes for granted: numbers and limits that nobody stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skb.decision import Assumption
from skb.questions.buffers_answer import crosses
from skb.questions.buffers_instance import Instance
from skb.questions.buffers_price import lines_in_flight
from skb.questions.buffers_rings import Sites
from skb.wording import listed

_NAMED = 8


def assumptions(
    instance: Instance,
    sites: Sites,
    used: Sequence[Assumption],
    idle: Sequence[Assumption],
) -> tuple[Assumption, ...]:
    """Return all assumptions: `idle` are those that only flows that read nothing asked for.

    Such a flow needs the cost of a read for its crossover alone; without one they are left out.
    """
    why = "nobody measured it; line-fill buffers of common cores"
    lines = Assumption(f"lines in flight per core = {lines_in_flight()}", why)
    found = list(used)
    if any(flow.consumer.pus and flow.touched for flow in instance.flows):
        found.append(lines)
    if _idle_crosses(instance):
        known = {one.fact for one in found}
        found += [
            replace(one, because=f"only the crossover uses it; {one.because}")
            for one in (*idle, lines)
            if one.fact not in known
        ]
    free = [f for f in instance.flows if f.consumer.free and not f.consumer.task and f.load == 1]
    if free:
        names = listed([flow.name for flow in free], _NAMED)
        found.append(Assumption("load = 1", f"of a PU that is ours to choose, for {names}"))
    return (*found, *sites.assumed, *_unlimited(instance))


def _idle_crosses(instance: Instance) -> bool:
    """Return whether a flow that reads nothing has a crossover."""
    return any(
        crosses(instance, block, piece)
        for group in instance.groups
        for block in group.blocks
        for piece in block.pieces
        if piece.ring is not None and piece.ring.kind == "payload"
        if not instance.flows[piece.flow].touched
    )


def _unlimited(instance: Instance) -> list[Assumption]:
    """Return the links and nodes that flows may use and that nothing limits."""
    free: dict[str, list[str]] = {"link": [], "memory": []}
    possible = {
        resource
        for piece in instance.pieces()
        for option in piece.options
        if instance.allowed(option)
        for resource in option.uses
    }
    for resource in sorted(possible - instance.stated):
        kind, _, name = resource.partition(" ")
        if kind in free and not (kind == "memory" and not name.startswith("numa:")):
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
