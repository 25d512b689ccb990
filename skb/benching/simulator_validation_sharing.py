"""2009 figure 3: sixteen cores that update the same lines, against one server that they call.

A. Baumann et al., "The Multikernel", SOSP 2009, section 2.3: on four packages of four cores an
update of the same lines by all cores takes about 12,000 cycles more than one alone, and the server
carries out twice the updates of all sixteen. Of eight lines, the most that were tried, the cost is
the highest, so the number is taken to be theirs.

That machine is not described, so four packages in a square take the costs by hops that the bundled
board states: lines of Table 1, messages of 2013. Replies are posted (`MessageCosts.posted`): the
board's send of 358 cycles is the rate of a stream over one channel (2.77 to 2.79 messages in 1000
cycles, the same paper), and a server that answers another client with each reply is not bound by
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from skb.benching.simulator_validation_messages import BOARD, pair_at
from skb.benching.simulator_validation_model import RULES, Rules, Statement, bundled, near, took
from skb.costs import Costs
from skb.simulation_transports import cycles_ps

if TYPE_CHECKING:
    from simulator import MessageCosts

CORES, PACKAGES, LINES, EACH = 16, 4, 8, 100
ADDED, TIMES = 12_000.0, 2.0
"""Cycles that an update takes longer among sixteen cores; the server's share of their rate."""


def statements(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield what sharing costs, and how a server compares."""
    cycle_ps = cycles_ps(bundled(BOARD), 1)
    costs = square()
    alone = updated(costs, 1, rules)[0] / cycle_ps
    shared_ps, among_ps = updated(costs, CORES, rules)
    added = shared_ps / cycle_ps - alone
    yield near("2009 figure 3, 16 cores share 8 lines", "cycles added", added, ADDED, 0.2)
    among = 1000 * cycle_ps / among_ps
    rate, waiting = (1000 * cycle_ps / served(each, rules) for each in (costs.posted(), costs))
    expected = 1000 * CORES / ADDED
    unit = "updates in 1000 cycles"
    note = f"{waiting:.2f} if it waits for each send"
    yield near("2009 figure 3, server", unit, rate, TIMES * expected, 0.2, note)
    note = f"sharing {among:.2f} in 1000 cycles, measured {expected:.2f}"
    yield near("2009 figure 3, server / 16 cores that share", "", rate / among, TIMES, 0.2, note)


def square() -> MessageCosts:
    """Return what messages and lines cost on four packages of four cores in a square."""
    from simulator import MessageCosts

    board = bundled(BOARD)
    costs = Costs(board)
    table = costs.message_pairs(board.usable_pus)
    like = {hops: pair_at(board, hops) for hops in range(PACKAGES // 2 + 1)}
    members = range(CORES)
    apart = {(u, v): abs(u // PACKAGES - v // PACKAGES) for u in members for v in members if u != v}
    same = {pair: like[min(far, PACKAGES - far)] for pair, far in apart.items()}
    return MessageCosts(
        tuple(members),
        {pair: table.send[one] for pair, one in same.items()},
        {pair: table.receive[one] for pair, one in same.items()},
        {pair: table.propagation[one] for pair, one in same.items()},
        {pair: table.gap[one] for pair, one in same.items()},
        {pair: costs.line_ps(*one) for pair, one in same.items()},
        costs.own_ps(),
    )


def updated(costs: MessageCosts, cores: int, rules: Rules) -> tuple[float, float]:
    """Return the mean picoseconds of an update by so many cores, and those between two updates."""
    from simulator import Tree

    count = EACH * cores
    found = took(
        "shared-update", costs, Tree(0, {0: tuple(range(1, CORES))}), bursts=False,
        model=rules.model, operations=count, outstanding=cores, clients=tuple(range(cores)),
        items=1, parameters={"lines": LINES},
    )  # fmt: skip
    return sum(found.latency_ps) / count, found.elapsed_ps / count


def served(costs: MessageCosts, rules: Rules) -> float:
    """Return the picoseconds between two updates of a server that all others call."""
    from simulator import Tree

    count = EACH * CORES
    clients = tuple(range(1, CORES))
    found = took(
        "rpc-server", costs, Tree(0, {0: clients}), bursts=False, model=rules.model,
        operations=count, outstanding=len(clients), clients=clients, items=1,
        work_ps=2 * costs.hit_ps, parameters={"lines": LINES},
    )  # fmt: skip
    return found.elapsed_ps / count
