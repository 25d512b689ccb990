"""V12 to V14: raw shootdown and unmap on the 32 cores of the 2009 board.

One set of facts: what a message costs comes from the board's tables by pair of 2013 (gruyere), what
a line costs from Table 1 of 2009, which the bundled machine states. The tables were measured twice,
with channel buffers in the memory of the NUMA node that reads them ("NUMA") and without ("noNUMA");
that is what tells the shootdowns of A. Baumann et al., "The Multikernel", SOSP 2009, section 5.1,
apart, beside their trees:

- broadcast: one line that all poll (`simulator_validation_line.py`), served to one after the other.
- unicast: a channel for each core.
- multicast: one core of each package forwards to the others of its package, all in order of their
  numbers, the initiator's own package first.
- NUMA-aware multicast: buffers with who reads them, and who is farthest is sent to first.

For unmap the multikernel does the NUMA-aware multicast between monitors, each of which polls a
channel from every other one (a look costs a hit in the first cache), traps into its kernel and
invalidates. Linux and Windows are `ipi-shootdown`, request and counter in one line. What each
operating system does beside, locally, is not predicted: it is what its time on two cores leaves
when the simulated shootdown is taken off, and does not grow. So two cores are given, and growth and
crossing are predicted. How Windows shoots down is not public: its row is a prediction for Linux.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from skb.benching.pair_tables import bundled_series
from skb.benching.simulator_validation_line import OneLineShootdown
from skb.benching.simulator_validation_messages import BOARD, GRUYERE
from skb.benching.simulator_validation_model import (
    RULES,
    Rules,
    Statement,
    bundled,
    near,
    order,
    took,
)
from skb.costs import Costs, defaults
from skb.machine import Machine
from skb.simulation import domains, message_costs
from skb.simulation_facts import with_lines
from skb.simulation_transports import cycles_ps, interrupts

if TYPE_CHECKING:
    from simulator import MessageCosts, Tree

SMALL, LARGE = 2, 32
BROADCAST, UNICAST, MULTICAST, AWARE = "broadcast", "unicast", "multicast", "NUMA-aware multicast"
LOCAL, ANYWHERE = "NUMA", "noNUMA"
"""Series of the board's tables: channel buffers with who reads them, or wherever they came."""
# cycles on two cores, and growth to 32
UNMAP = {"messages": (10_300.0, 1.7), "Linux": (5_200.0, 5.7), "Windows": (5_800.0, 7.9)}
CROSSING = (12.5, 10.0, 16.0)
SINGLE = "single-phase-commit"
PS_PER_CYCLE = 1000  # tables of cycles are read as if a cycle were a nanosecond


def statements(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield all statements of this module."""
    yield from raw(rules)
    yield from unmap(rules)


@cache
def tables(series: str) -> Machine:
    """Return the board with the message costs of a series, a cycle as if it were a nanosecond."""
    return bundled_series(GRUYERE, series).machine


def costs_of(series: str, count: int, rules: Rules = RULES) -> MessageCosts:
    """Return what messages cost among the first cores."""
    machine = tables(series)
    return rules.costs(message_costs(Costs(machine), machine.usable_pus[:count]))


def tree_of(name: str, costs: MessageCosts) -> Tree:
    """Return the tree of a shootdown from the first core."""
    from simulator import Tree, build_tree

    members = costs.members
    groups = domains(tables(LOCAL), members)
    if name == MULTICAST:
        return Tree(members[0], in_order(groups))
    shape = "numa-aware" if name == AWARE else "sequential"
    return build_tree(shape, costs, members, members[0], groups)


def in_order(groups: Sequence[Sequence[int]]) -> dict[int, tuple[int, ...]]:
    """Return who sends to whom: the first of each group to its own, the first of all to them."""
    (root, *own), *others = groups
    children = {group[0]: tuple(group[1:]) for group in others}
    children[root] = (*own, *(group[0] for group in others))
    return children


# ------------------------------------------------------------------ V12 and V13
def shootdown(name: str, count: int, rules: Rules = RULES) -> float:
    """Return the cycles of one raw shootdown among so many cores."""
    costs = costs_of(LOCAL if name == AWARE else ANYWHERE, count, rules)
    tree = tree_of(name, costs)
    if name == BROADCAST:
        root = tree.root
        found = took(
            OneLineShootdown, lined(costs), tree, bursts=rules.waiting, model=rules.model,
            clients=(root,),
        )  # fmt: skip
    else:
        found = took(SINGLE, costs, tree, bursts=rules.waiting, model=rules.model)
    return found.latency_ps[0] / PS_PER_CYCLE


def lined(costs: MessageCosts) -> MessageCosts:
    """Return costs with the lines of the bundled board, in its cycles."""
    board = bundled(BOARD)
    lines, cycle_ps = Costs(board), cycles_ps(board, 1)
    transfer = {(u, v): lines.line_ps(u, v) * PS_PER_CYCLE // cycle_ps for u, v in costs.receive_ps}
    hit_ps = lines.own_ps() * PS_PER_CYCLE // cycle_ps
    return replace(costs, transfer_ps=transfer, hit_ps=hit_ps)


def raw(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield how the four shootdowns compare, and how two of them grow."""
    names = (BROADCAST, UNICAST, MULTICAST, AWARE)
    values = {name: shootdown(name, LARGE, rules) for name in names}
    yield order("V12 broadcast > unicast > multicast > NUMA-aware", values)
    told = "measured 13.8k, 12.7k, 4.8k, 3.1k"
    ratio = values[UNICAST] / values[AWARE]
    yield Statement("V12 unicast / NUMA-aware", "", ratio, 4.1, 3.4, 4.9, told)
    ratio = values[MULTICAST] / values[AWARE]
    yield Statement("V12 multicast / NUMA-aware", "", ratio, 1.55, 1.3, 1.8, told)
    small = {name: shootdown(name, SMALL, rules) for name in (UNICAST, AWARE)}
    growth = values[AWARE] / small[AWARE]
    yield Statement(
        "V13 NUMA-aware multicast, 32 / 2 cores", "", growth, 2.4, 0.0, 2.4 * 1.25,
        f"{small[AWARE]:,.0f} cycles on 2 cores, measured 1,300",
    )  # fmt: skip
    slope = (values[UNICAST] - small[UNICAST]) / (LARGE - SMALL)
    yield near("V13 unicast", "cycles per core", slope, 400.0, 0.25)


# ------------------------------------------------------------------ V14
def by_messages(count: int, rules: Rules = RULES) -> float:
    """Return the cycles of a shootdown between monitors."""
    told = defaults()["interrupt"]
    costs = costs_of(LOCAL, count, rules)
    found = took(
        SINGLE, costs, tree_of(AWARE, costs), bursts=rules.waiting, model=rules.model,
        work_ps=(told["trap_cycles"] + told["invalidate_cycles"]) * PS_PER_CYCLE,
        poll_ps=lined(costs).hit_ps,
    )  # fmt: skip
    return found.latency_ps[0] / PS_PER_CYCLE


def by_interrupts(machine: Machine, count: int) -> float:
    """Return the nanoseconds of a shootdown of a kernel that shares memory, as the product has it.

    Interrupts cost what the machine states or the defaults say, lines what it states of lines.
    """
    from simulator import Tree

    members = machine.usable_pus[:count]
    costs, work_ps, _ = interrupts(machine, members)
    costs, _ = with_lines(costs, Costs(machine))
    tree = Tree(members[0], {members[0]: members[1:]})
    found = took(
        "ipi-shootdown", costs, tree, bursts=False, work_ps=work_ps, parameters={"packed": 1}
    )
    return found.latency_ps[0] / 1000


def unmap(rules: Rules = RULES) -> Iterator[Statement]:
    """Yield how unmap grows from 2 to 32 cores, and where messages overtake interrupts."""
    counts = range(SMALL, LARGE + 1)
    board = bundled(BOARD)
    cycle_ns = cycles_ps(board, 1) / 1000
    messages = {count: by_messages(count, rules) for count in counts}
    kernel = {count: by_interrupts(board, count) / cycle_ns for count in counts}
    curves: Mapping[str, Mapping[int, float]] = {
        "messages": messages, "Linux": kernel, "Windows": kernel,
    }  # fmt: skip
    grown: dict[str, dict[int, float]] = {}
    for name, (small, growth) in UNMAP.items():
        curve = curves[name]
        grown[name] = {count: small - curve[SMALL] + curve[count] for count in counts}
        predicted = grown[name][LARGE] / small
        note = f"{small:,.0f} cycles on 2 cores are given"
        if name == "Windows":
            note += "; not predictable, how it shoots down is not public: that of Linux stands here"
        yield Statement(
            f"V14 unmap, {name}, 32 / 2 cores", "", predicted, growth, growth - 0.3, growth + 0.3,
            note,
        )  # fmt: skip
    measured, least, most = CROSSING
    crossing = next(
        (count for count in counts if grown["messages"][count] < grown["Linux"][count]), LARGE + 1
    )
    yield Statement("V14 messages overtake Linux", "cores", float(crossing), measured, least, most)
