"""The suite arms of `skb bench simulator`: every protocol runs alike on the two engines.

The same random plans as those of the suite faults, with links and polling on some of them; compared
are the trace, what was recorded, what has ended when, how busy everybody was, and the links.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields, replace

from simulator.draws import draw
from simulator.engines import player
from simulator.links import Links
from simulator.playing import Played, play
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import Protocol
from simulator.scenario import Scenario, setting_of
from simulator.swarm import plan
from skb.benching.routing_rows import Row
from skb.engines.compiling_simulator import compile_now, folder

SUITE = "arms"
PLANS = 200
FIRST_SEED = 70_000_000
EVENTS = 20_000
_OWN = frozenset({"engine"})


def rows(plans: int = PLANS) -> Iterator[Row]:
    """Yield a row for each protocol; all are compiled first, which takes minutes where they are
    not kept.
    """
    compile_now()
    for name, protocol in PROTOCOLS.items():
        begin, spent = time.perf_counter(), time.process_time()
        engine = player(protocol, "compiled", folder())
        events, faults = 0, []
        for seed in range(FIRST_SEED, FIRST_SEED + plans):
            case = case_of(protocol, seed)
            expected = play(setting_of(case, protocol), None)
            found = engine(setting_of(case, protocol), None)
            events += expected.events
            if unlike := differing(expected, found):
                faults.append(f"seed {seed}: {', '.join(unlike)} differ")
        yield Row(
            SUITE, name, "events", events, None, None, "measured",
            round(time.perf_counter() - begin, 2), round(time.process_time() - spent, 2),
            f"{plans} plans alike on both engines", faults=tuple(faults),
        )  # fmt: skip


def differing(expected: Played, found: Played) -> list[str]:
    """Return the names of what two engines left behind differently."""
    names = [field.name for field in fields(Played) if field.name not in _OWN]
    return [name for name in names if getattr(expected, name) != getattr(found, name)]


def case_of(protocol: type[Protocol], seed: int) -> Scenario:
    """Return a random plan that leaves a trace, refined on some seeds."""
    case = replace(plan(protocol, seed), event_limit=EVENTS, trace=True, digest=True)
    return refined(case, seed)


def refined(case: Scenario, number: int) -> Scenario:
    """Return a scenario with links that are shared, and with polling, where the number says so."""
    members = case.tree.members
    pairs = [(u, v) for u in members for v in members if u != v]
    ways = {
        pair: tuple(draw(number, 3 * at + hop, 4) for hop in range(draw(number, at, 4)))
        for at, pair in enumerate(pairs)
    }
    links = Links(("a", "b", "c", "d"), (1, 20, 300, 0), (5, 0, 70, 9), ways)
    return replace(
        case,
        links=links if number % 2 else None,
        poll_ps=(0, 0, 1, 17)[number // 2 % 4],
        channels=("all", "tree")[number // 8 % 2],
    )
