"""V10 and V15 to V17: round trips, broadcasts and agreement, against measured ones.

Broadcasts and agreement come from tables of send and receive costs by pair alone, under the rules
of `simulator_validation_model.py`. The machine of V10 states latencies of lines by hops; from them
a message is derived by the same picture: the store reaches the polling receiver's copy after half a
transfer, the receiver fetches the line, a whole one, and handles it. What handling costs is the
cheapest receive that the machine states: that of a line which crosses no link. No other statement
uses this picture, and its weak point is that a receive contains a transfer already.

Measured: round trips and broadcasts on machines of 2013 (ETH Zurich Systems Group), agreement and
broadcasts on the Intel machine (S. Kaestle et al., "Machine-aware atomic broadcast trees for
multicores", OSDI 2016). Of the classic trees of 2013 the MST had degree limits that nobody
recorded, so it is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from skb.benching.pair_tables import Subject, subjects
from skb.benching.routing_rows import INTEL
from skb.benching.simulator_validation_model import RULES, Rules, Statement, bundled, near, took
from skb.costs import Costs
from skb.errors import NotFoundError
from skb.machine import Machine
from skb.simulation import domains, message_costs

if TYPE_CHECKING:
    from simulator import MessageCosts, Tree

BOARD, GRUYERE = "tyan-s4985", "gruyere"
# cycles, by links on the way
ROUND_TRIPS = {0: 643.0, 1: 806.0, 2: 962.5, 3: 1214.0}
AGREEMENT = {"cluster": 6852.0, "binary": 8046.0, "sequential": 14360.0}
PS_PER_CYCLE = 1000  # tables of cycles are read as if a cycle were a nanosecond
STREAM, UNDER_WAY = 200, 8


def statements(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield all statements of this module."""
    yield from round_trips(bundled(BOARD))
    yield from broadcasting(rules)
    yield from agreement(rules)


def broadcasting(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield V15 and V16, of all measured machines."""
    found = measured()
    if GRUYERE in found:
        yield from board(found[GRUYERE], rules)
    for subject in found.values():
        yield from broadcasts(subject, rules)


def agreement(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield V17."""
    if INTEL in measured():
        yield from agreements(measured()[INTEL], rules)


@cache
def measured() -> Mapping[str, Subject]:
    """Return the machines with tables by pair."""
    return {subject.name: subject for subject in subjects((), _unknown)}


def _unknown(name: str) -> Machine:
    raise NotFoundError(f"{name} is not a machine of measured tables", mend="leave it out")


# ------------------------------------------------------------------ V10
def round_trips(machine: Machine) -> Iterator[Statement]:
    """Yield the round trip of a message over each number of links."""
    from simulator import Tree

    cycle_ps = 1e6 / float(str(machine.inherited("clock_mhz", "pu:0")))
    for hops, measured in ROUND_TRIPS.items():
        pair = pair_at(machine, hops)
        predicted = round_trip_ps(machine, pair) / cycle_ps
        table = message_costs(Costs(machine), tuple(sorted(pair)))
        tree = Tree(pair[0], {pair[0]: pair[1:]})
        plain = took("single-phase-commit", table, tree, bursts=False).latency_ps[0] / cycle_ps
        note = f"the stated send and receive give {plain:,.0f}"
        yield near(f"V10 round trip, {hops} links", "cycles", predicted, measured, 0.10, note)


def pair_at(machine: Machine, hops: int) -> tuple[int, int]:
    """Return two PUs whose packages are so many links apart."""
    first, *others = machine.usable_pus
    home = machine.package_of
    return next(
        (first, other) for other in others if machine.hops(home[first], home[other]) == hops
    )


def round_trip_ps(machine: Machine, pair: tuple[int, int]) -> int:
    """Return how long an order to another PU and its acknowledgement take, from line latencies."""
    from simulator import MessageCosts, Tree

    costs = Costs(machine)
    handling = min(costs.message_pairs(machine.usable_pus).receive.values())
    first, second = pair
    lines = {(u, v): costs.line_ps(u, v) for u, v in (pair, (second, first))}
    send = {key: line // 2 for key, line in lines.items()}
    receive = {key: line + handling for key, line in lines.items()}
    table = MessageCosts(pair, send, receive)
    return took("single-phase-commit", table, Tree(first, {first: (second,)})).latency_ps[0]


# ------------------------------------------------------------------ broadcasts
def trees(
    subject: Subject, names: Mapping[str, object], rules: Rules = RULES
) -> dict[str, tuple[MessageCosts, Tree]]:
    """Return the classic trees of a measured machine from its first PU, and its costs."""
    from simulator import build_tree

    machine = subject.machine
    members = machine.usable_pus
    costs = rules.costs(message_costs(Costs(machine), members))
    groups = domains(machine, members)
    return {name: (costs, build_tree(name, costs, members, members[0], groups)) for name in names}


def broadcast(costs: MessageCosts, tree: Tree, model: str = "logp") -> float:
    """Return the cycles of an acknowledged broadcast."""
    found = took("atomic-broadcast", costs, tree, bursts=False, model=model)
    return found.latency_ps[0] / PS_PER_CYCLE


def board(subject: Subject, rules: Rules = RULES) -> Iterator[Statement]:
    """Yield how the board's broadcasts compare with each other (V15)."""
    values = {
        name: broadcast(costs, tree, rules.model)
        for name, (costs, tree) in trees(subject, subject.took, rules).items()
    }
    for name, measured in (("sequential", 1.93), ("binary", 1.11)):
        predicted = values[name] / values["cluster"]
        yield near(f"V15 {name} / cluster on the board", "", predicted, measured, 0.15)


def broadcasts(subject: Subject, rules: Rules = RULES) -> Iterator[Statement]:
    """Yield the broadcasts of a machine with data, and bursts where they are cheap (V16)."""
    wanted = {name: subject.took[name] for name in ("cluster", "binary") if name in subject.took}
    for name, (costs, tree) in trees(subject, wanted, rules).items():
        measured = wanted[name]
        predicted = broadcast(costs, tree, rules.model)
        yield near(f"V16 {name} on {subject.name}", "cycles", predicted, measured, 0.20)
    if "sequential" in subject.took:
        costs, tree = trees(subject, {"sequential": None}, rules)["sequential"]
        naive = broadcast(costs, tree, "postal")
        measured = subject.took["sequential"] / naive
        # elsewhere bursts are dearer than the sum, not cheaper
        if measured < 1:
            predicted = broadcast(costs, tree, rules.model) / naive
            name = f"V16 sequential / naive sum on {subject.name}"
            yield near(name, "", predicted, measured, 0.20)


# ------------------------------------------------------------------ V17
def agreements(subject: Subject, rules: Rules = RULES) -> Iterator[Statement]:
    """Yield the latency of agreement, its ratio to a broadcast, and what pipelining brings."""
    protocol = "two-phase-commit"
    settings: dict[str, Any] = {"overlap": True, "bursts": rules.waiting, "model": rules.model}
    for name, (costs, tree) in trees(subject, AGREEMENT, rules).items():
        measured = AGREEMENT[name]
        single = took(protocol, costs, tree, **settings).latency_ps[0] / PS_PER_CYCLE
        yield near(f"V17 agreement, {name}", "cycles", single, measured, 0.15)
        ratio = single / broadcast(costs, tree, rules.model)
        seen = measured / subject.took[name]
        yield Statement(f"V17 agreement / broadcast, {name}", "", ratio, seen, 1.9, 2.6)
        stream = took(protocol, costs, tree, operations=STREAM, outstanding=UNDER_WAY, **settings)
        share = stream.elapsed_ps / PS_PER_CYCLE / STREAM / single
        note = f"{UNDER_WAY} under way"
        yield Statement(f"V17 pipelined / single, {name}", "", share, 1.0, 0.0, 1.0 - 1e-9, note)
