"""Networks with forwarding tables, right and wrong, made without any code of the product."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from skb.machine import Machine
from skb.relations import Fact

Next = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Fabric:
    """Packages, their links by origin, and a table for each that delivers everything."""

    links: Mapping[str, tuple[str, ...]]
    next_hop: Next

    @property
    def facts(self) -> list[Fact]:
        return [
            *(Fact("contains", ("machine:0", node)) for node in self.links),
            *(Fact("link", (a, b, "x")) for a, ends in self.links.items() for b in ends),
        ]

    @property
    def machine(self) -> Machine:
        return Machine("fabric", self.facts)

    def with_tables(self, next_hop: Next | None = None, *facts: Fact) -> Machine:
        """Return the machine with tables in force."""
        rows = (self.next_hop if next_hop is None else next_hop).items()
        told = [Fact("next_hop", (a, d, n)) for a, row in rows for d, n in row.items()]
        return Machine("fabric", [*self.facts, *told, *facts])


def fabric(seed: int, most: int = 9) -> Fabric:
    """Return a random connected network of two-way links, some with one way only more, and tables
    along random trees to each destination, seldom the shortest.
    """
    draw = random.Random(seed)
    size = draw.randint(2, most)
    nodes = [f"package:{at}" for at in range(size)]
    after: dict[str, set[str]] = {node: set() for node in nodes}
    for at in range(1, size):
        other = nodes[draw.randrange(at)]
        after[nodes[at]].add(other)
        after[other].add(nodes[at])
    for _ in range(draw.randint(0, 2 * size)):
        a, b = draw.sample(nodes, 2)
        after[a].add(b)
        if draw.random() < 0.7:
            after[b].add(a)
    links = {a: tuple(sorted(ends)) for a, ends in after.items()}
    return Fabric(links, random_tables(links, draw))


def random_tables(links: Mapping[str, tuple[str, ...]], draw: random.Random) -> Next:
    """Return tables whose entries to each destination form a random tree."""
    found: Next = {node: {} for node in links}
    for end in links:
        reached = [end]
        while len(reached) < len(links):
            steps = [
                (a, b)
                for a, ends in links.items()
                if a not in reached
                for b in ends
                if b in reached
            ]
            a, b = draw.choice(steps)
            found[a][end] = b
            reached.append(a)
    return found


def walked(next_hop: Next, start: str, end: str) -> list[str]:
    """Return the parts on the way of right tables."""
    way = [start]
    while way[-1] != end:
        way.append(next_hop[way[-1]][end])
    return way
