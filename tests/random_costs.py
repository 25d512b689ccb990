"""Random machines with a stated message cost of every ordered pair of PUs."""

from __future__ import annotations

import random

from simulator import MessageCosts
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import grown

STRUCTURES = [(1, 8), (2, 3), (2, 4), (4, 4), (3, 5), (2, 10), (8, 4), (1, 24)]
KINDS = ("plain", "ties", "near", "extreme", "posted", "zeros")
Domains = tuple[tuple[int, ...], ...]


def random_machine(dice: random.Random) -> tuple[Machine, MessageCosts, Domains]:
    """Return a machine with stated costs of every ordered pair, the costs, and its NUMA nodes."""
    nodes, cores = dice.choice(STRUCTURES)
    size, kind = nodes * cores, dice.choice(KINDS)

    def cost(role: str, far: bool) -> int:
        if kind == "ties":
            return 1000 * dice.randint(1, 3)
        if kind == "zeros":
            return dice.choice((0, 0, dice.randint(0, 5000)))
        if kind == "extreme":
            return int(10 ** dice.uniform(0, 8))
        if kind == "near":
            return dice.randint(20_000, 30_000) if far else dice.randint(3000, 9000)
        if kind == "posted" and role != "receive":
            return dice.randint(2000, 6000)
        return dice.randint(1, 40_000) * (1 + far)

    pairs = [(u, v) for u in range(size) for v in range(size) if u != v]
    tables = {
        role: {(u, v): cost(role, u // cores != v // cores) for u, v in pairs}
        for role in ("send", "receive", "propagation", "gap")
    }
    if dice.random() < 0.7:
        tables["propagation"] = dict.fromkeys(pairs, 0)
    facts = [
        Fact("message_cost", (f"pu:{u}", f"pu:{v}", "cache_line", role, table[u, v] / 1000))
        for role, table in tables.items()
        for u, v in pairs
    ]
    domains = tuple(tuple(range(at * cores, (at + 1) * cores)) for at in range(nodes))
    costs = MessageCosts(
        tuple(range(size)),
        tables["send"],
        tables["receive"],
        tables["propagation"],
        tables["gap"],
    )
    return grown(f"package:{nodes} numa:1 core:{cores} pu:1", *facts), costs, domains
