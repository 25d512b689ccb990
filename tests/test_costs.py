"""Costs: the paper's table comes out, stated numbers come first, defaults never come in silence."""

from __future__ import annotations

from random import Random

import pytest

from skb.costs import Costs, to_ps
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown

CYCLE_PS = 500


def test_costs_of_the_2009_machine_are_the_papers() -> None:
    """V1: 2, 15, 75, 130, 190 and 260 cycles, and 2 hops / L1 = 130, 2 hops / L2 = 17.3."""
    board = bundled("tyan-s4985")
    cycles = [board.number("cache_latency", level) for level in ("l1d", "l2", "l3")]
    assert [value and value * 2 for value in cycles] == [2, 15, 75]
    costs = Costs(board)
    lines = [costs.line_ps(0, pu) / CYCLE_PS for pu in (1, 4, 8)]
    assert lines == [130, 190, 260]
    assert lines[2] / 2 == 130
    assert lines[2] / 15 == pytest.approx(17.3, rel=0.05)
    assert costs.assumed == ()


def test_costs_message_classes_follow_the_hops() -> None:
    """V10: one-way costs of 0 to 3 hops are the published send and receive costs."""
    pairs = Costs(bundled("tyan-s4985")).message_pairs(range(32))
    received = [pairs.receive[0, pu] / CYCLE_PS for pu in (1, 4, 8, 12)]
    assert received == [103, 256.5, 426, 632]
    assert {cost / CYCLE_PS for cost in pairs.send.values()} == {358}
    assert pairs.gap[0, 4] == pairs.receive[0, 4] // 2


def test_costs_beyond_the_stated_hops_are_assumed() -> None:
    """The last step of a stated series goes on, and the decision will list it."""
    costs = Costs(bundled("tyan-s4985"))
    assert costs.line_ps(0, 12) / CYCLE_PS == 330
    assert [entry.fact for entry in costs.assumed] == ["latency_hops(3) = 165 ns"]


def test_costs_prefer_pairs_to_classes() -> None:
    """A latency stated for a pair holds for that ordered pair alone."""
    stated = Fact("latency", ("pu:0", "pu:1", 7.0))
    costs = Costs(grown("package:1 l3:1 core:2 pu:1", stated))
    assert costs.latency_ps(0, 1) == 7000
    assert costs.latency_ps(1, 0) == 25_000


def test_costs_defaults_grow_with_distance() -> None:
    """Where nothing is stated, nearer is cheaper: core, L2, L3, package, machine."""
    costs = Costs(grown("package:2 l3:2 l2:2 core:2 pu:2"))
    series = [costs.latency_ps(0, pu) for pu in (1, 2, 4, 8, 16)]
    assert series == sorted(set(series))
    assert len(costs.assumed) == 5


def test_costs_slit_scales_the_remote_packages() -> None:
    """A farther node by SLIT is dearer in proportion."""
    slit = [
        Fact("numa_distance", (f"numa:{a}", f"numa:{b}", d), source="firmware")
        for a, row in enumerate(((10, 16, 32), (16, 10, 32), (32, 32, 10)))
        for b, d in enumerate(row)
    ]
    costs = Costs(grown("package:3 numa:1 core:1 pu:1", *slit))
    assert costs.latency_ps(0, 2) == 2 * costs.latency_ps(0, 1)
    assert costs.memory_ps(0, 2) > costs.memory_ps(0, 1) > costs.memory_ps(0, 0)


def test_costs_message_shares_add_up_to_the_latency() -> None:
    """Without message costs, send and receive are shares of the latency, and marked so."""
    costs = Costs(grown("package:2 core:2 pu:1"))
    pairs = costs.message_pairs((0, 1, 2, 3))
    for pair, send in pairs.send.items():
        assert send + pairs.receive[pair] == costs.latency_ps(*pair)
    assert any(entry.fact.startswith("message send") for entry in costs.assumed)


@pytest.mark.parametrize(("ns", "ps"), [(0.5, 500), (0.0004, 0), (1e6, 10**9), (0.3333, 333)])
def test_to_ps_rounds_once(ns: float, ps: int) -> None:
    """Nanoseconds become whole picoseconds."""
    assert to_ps(ns) == ps


def test_costs_packages_of_one_node_are_no_chip() -> None:
    """Packages on one bus share a node: a line costs more than inside one, less than far away."""
    costs = Costs(grown("group:2 numa:1 package:2 core:2 pu:1"))
    inside, bus, far = (costs.latency_ps(0, pu) for pu in (1, 2, 4))
    assert inside < bus < far
    assert any("packages of one NUMA node" in entry.fact for entry in costs.assumed)
    stated = Fact("latency_within", ("numa", 42.0))
    assert Costs(grown("group:2 numa:1 package:2 core:2 pu:1", stated)).latency_ps(0, 2) == 42_000


def _stated(size: int, seed: int) -> list[Fact]:
    """Some latencies and message costs of pairs, as a measurement that was broken off has them."""
    draw = Random(seed)
    rows: list[Fact] = []
    for u in range(size):
        for v in range(size):
            if u != v and draw.random() < 0.3:
                rows.append(Fact("latency", (f"pu:{u}", f"pu:{v}", draw.choice([7.0, 9.0, 31.5]))))
            for role in ("send", "receive", "gap"):
                if u != v and draw.random() < 0.4:
                    pair = (f"pu:{u}", f"pu:{v}")
                    rows.append(
                        Fact("message_cost", (*pair, "cache_line", role, draw.choice([3, 4])))
                    )
    return rows


@pytest.mark.parametrize(
    "machine",
    [
        bundled("tyan-s4985"),
        bundled("epyc-7401-2p"),
        grown("package:2 numa:2 l3:2 core:2 pu:2"),
        grown("group:2 numa:1 package:2 core:2 pu:2"),
        grown("package:2 core:2 pu:2", *_stated(8, 1)),
        grown("core:3 pu:2", *_stated(6, 2)),
    ],
    ids=lambda machine: machine.name,
)
def test_costs_of_all_pairs_are_those_of_each_pair(machine: Machine) -> None:
    """Pairs priced together by their kind cost what each costs alone, and assume the same."""
    members = machine.pus[1:][::-1]
    together, alone = Costs(machine), Costs(machine)
    pairs = together.message_pairs(members)
    tables = {"send": pairs.send, "receive": pairs.receive, "gap": pairs.gap}
    for u in members:
        for v in members:
            if u != v:
                found = alone._message(u, v, "cache_line")
                assert {role: table[u, v] for role, table in tables.items()} == {
                    role: found[role] for role in tables
                }
    assert together.assumed == alone.assumed
    assert len(pairs.send) == len(list(pairs.send)) == len(members) * (len(members) - 1)
    assert pairs.send.rows()[0][1] == pairs.send[members[0], members[1]]
    with pytest.raises(KeyError):
        pairs.send[members[0], members[0]]
