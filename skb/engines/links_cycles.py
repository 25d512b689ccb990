"""The cycles that close whatever the choice: what a proof that there is no table rests on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product

from skb.engines.links_net import Arc, Net, Ring, shortest_cycle

MOST_CHOICES = 4096


def covering(net: Net, entries: Sequence[tuple[int, int]]) -> tuple[Ring, ...]:
    """Return cycles of dependencies of which each choice of these entries (node, destination)
    closes one, on one virtual channel; none where there are too many choices, or one is free.
    """
    ways = [net.steps[d][s] for s, d in entries]
    found: list[Ring] = []
    count = 0
    for choice in islice(product(*ways), MOST_CHOICES + 1):
        count += 1
        if count > MOST_CHOICES:
            return ()
        waits: dict[Arc, dict[Arc, int]] = {}
        chosen = dict(zip(entries, choice, strict=True))
        for (s, d), n in chosen.items():
            if (n, d) in chosen:
                waits.setdefault((s, n), {}).setdefault((n, chosen[n, d]), d)
        if any(_closes(ring, waits) for ring in found):
            continue
        ring = shortest_cycle(waits)
        if ring is None:
            return ()
        found.append(ring)
    return tuple(found)


def _closes(ring: Ring, waits: dict[Arc, dict[Arc, int]]) -> bool:
    ends = (*ring.arcs[1:], ring.arcs[0])
    return all(then in waits.get(arc, ()) for arc, then in zip(ring.arcs, ends, strict=True))
