"""Interrupts and networks between machines, from facts to a run."""

import pytest

from simulator import Scenario, Tree, run
from simulator.protocols import PROTOCOLS
from skb.costs import Costs
from skb.errors import RequestError
from skb.machine import Machine
from skb.simulation import simulate
from skb.simulation_transports import cycles_ps, interrupts, joined
from skb.sources import read

NETWORK = """
[[message]]
within = "machine"
transport = "network"
send_ns = 400
propagation_ns = 2000
receive_ns = 700
"""

TWO_MACHINES = """
[machine]
name = "two-machines"
clock_mhz = 2500

[structure]
tree = "package:2 numa:1 l3:1 core:4 pu:1"

[[message]]
within = "package"
send_ns = 60
receive_ns = 120
"""


def described(text: str) -> Machine:
    """Return a machine of the native notation."""
    return Machine("described", read(text.encode(), "described.toml").facts)


def test_machines_on_a_network_pay_for_it_between_them_only() -> None:
    """Inside of a machine messages are lines, between machines they are packets."""
    machine = described(TWO_MACHINES + NETWORK)
    told = Costs(machine)
    costs, groups = joined(told, machine.usable_pus)
    assert groups == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert costs.one_way(0, 1) == 180_000
    assert costs.one_way(0, 4) == 3_100_000
    assert costs.further_send(0, 4, "logp") == 400_000
    assert any("network" in row.fact for row in told.assumed)


def test_machines_without_stated_network_costs_are_refused() -> None:
    """Nothing is invented about a network."""
    machine = described(TWO_MACHINES)
    with pytest.raises(RequestError, match="states no network message costs"):
        joined(Costs(machine), machine.usable_pus)


def test_packages_that_links_join_share_memory() -> None:
    """Then nothing goes over the network, however it is described."""
    link = '\n[[link]]\nfrom = "package:0"\nto = "package:1"\nkind = "x"\n'
    machine = described(TWO_MACHINES + NETWORK + link)
    _, groups = joined(Costs(machine), machine.usable_pus)
    assert groups == (machine.usable_pus,)


@pytest.mark.parametrize("protocol", ["single-phase-commit", "two-phase-commit", "barrier"])
def test_agreement_between_machines_crosses_the_network_once_a_phase(protocol: str) -> None:
    """A tree that crosses once beats one that crosses for each PU."""
    machine = described(TWO_MACHINES + NETWORK)
    costs, _ = joined(Costs(machine), machine.usable_pus)
    once = Tree(0, {0: (4, 1, 2, 3), 4: (5, 6, 7)})
    often = Tree(0, {0: (1, 2, 3, 4, 5, 6, 7)})
    latency = {}
    for name, tree in (("once", once), ("often", often)):
        result = run(Scenario(costs, tree, name, protocol))
        assert (result.completed, result.violations) == (1, ())
        latency[name] = result.latency_ps[0]
    assert 2 * 3_100_000 < latency["once"] < latency["often"]


def test_simulate_uses_the_network_between_machines() -> None:
    """What `skb simulate` does with such a description, over a tree that crosses once."""
    machine = described(TWO_MACHINES + NETWORK)
    options = {"protocol": "single-phase-commit", "route": "numa-aware"}
    told = simulate(machine, options, lambda *_: None)
    assert told["violations"] == []
    assert 2 * 3_100 < told["latency"]["mean"] < 3 * 3_100


def test_interrupts_come_from_defaults_in_cycles_of_the_clock() -> None:
    """Send and trap are cycles, the next interrupt waits for a line's latency more."""
    machine = described(TWO_MACHINES)
    costs, work_ps, assumed = interrupts(machine, machine.usable_pus)
    assert cycles_ps(machine, 1) == 400
    assert costs.receive(0, 1) == 800 * 400
    assert costs.further_send(0, 1, "logp") > costs.send(0, 1) == 298 * 400
    assert 95 * 400 <= work_ps <= 320 * 400
    assert costs.transfer(0, 1) == 120_000
    assert any("trap_cycles" in told.fact for told in assumed)


def test_stated_interrupts_come_before_defaults() -> None:
    """The transport `ipi` of the facts."""
    stated = (
        '\n[[message]]\nwithin = "package"\ntransport = "ipi"\nsend_ns = 50\nreceive_ns = 300\n'
    )
    machine = described(TWO_MACHINES + stated)
    members = (0, 1, 2, 3)
    costs, _, _ = interrupts(machine, members)
    assert (costs.send(0, 1), costs.receive(0, 1)) == (50_000, 300_000)


def test_shootdown_runs_on_interrupts_of_a_machine() -> None:
    """From facts to a result that all promises hold for."""
    machine = described(TWO_MACHINES)
    members = (0, 1, 2, 3)
    costs, work_ps, _ = interrupts(machine, members)
    assert "ipi-shootdown" in PROTOCOLS
    tree = Tree(0, {0: (1, 2, 3)})
    result = run(Scenario(costs, tree, "star", "ipi-shootdown", 8, 2, work_ps=work_ps))
    assert (result.completed, result.violations) == (8, ())
    assert result.latency_ps[0] > costs.receive(0, 1) + 2 * work_ps
