"""IPI shootdown: what it costs, what it waits for, and its planted faults."""

import pytest

from simulator.planted import Planted
from simulator.planted.ipi_shootdown import PLANTED
from simulator.protocols.ipi_shootdown import IpiShootdown
from simulator.scenario import Scenario, run, simulate
from simulator.trees import Tree
from tests.simulator.worlds import TWO_LEVELS, even_costs, scenario

TRAP_PS, WORK_PS = 900, 150


def one(members: int, **settings: object) -> int:
    """Return the latency of one shootdown among so many cores."""
    tree = Tree(0, {0: tuple(range(1, members))})
    case = scenario(IpiShootdown.name, tree, **settings)
    result = run(case)
    assert (result.completed, result.violations) == (case.operations, ())
    return result.latency_ps[0]


def test_shootdown_of_one_other_core_is_the_sum_of_its_steps() -> None:
    """Lock, request and counter are at home; interrupt, trap, request, invalidation, counter."""
    costs = even_costs(2, send=60, receive=100, gap=20)
    took = one(2, work_ps=WORK_PS, parameters={"trap_ps": TRAP_PS})
    interrupt = costs.send(0, 1) + costs.propagation(0, 1) + costs.receive(0, 1)
    lines = costs.transfer(0, 1) * 3  # request and counter to the core, the counter back
    assert took == interrupt + TRAP_PS + WORK_PS + lines


def test_traps_of_several_cores_overlap_unless_they_are_serial() -> None:
    """More cores add lines and sends; serial ones add their traps too."""
    settings = {"parameters": {"trap_ps": TRAP_PS}}
    assert one(8, **settings) - one(2, **settings) < 6 * TRAP_PS
    serial = {"parameters": {"trap_ps": TRAP_PS, "serial": 1}}
    assert one(8, **serial) - one(2, **serial) >= 6 * TRAP_PS
    assert one(2, **serial) == one(2, **settings)


def test_request_in_the_line_of_the_counter_slows_all_down() -> None:
    """False sharing: those who read the request take the line from those who count."""
    assert one(8, parameters={"packed": 1}) > one(8)


def test_shootdowns_of_several_initiators_exclude_each_other() -> None:
    """All cores unmap at once; each holds the lock alone, none is lost."""
    result = run(scenario(IpiShootdown.name, TWO_LEVELS, operations=21, outstanding=7))
    assert (result.completed, result.violations) == (21, ())


def test_shootdown_of_a_single_core_interrupts_nobody() -> None:
    """Only the own entry is invalidated."""
    assert one(1, work_ps=WORK_PS) == WORK_PS


@pytest.mark.parametrize("fault", PLANTED, ids=[fault.protocol.__name__ for fault in PLANTED])
def test_planted_fault_is_caught_and_the_original_is_clean(fault: Planted) -> None:
    """One of the named checks speaks up, and on the same load the protocol is clean."""
    case: Scenario = scenario(fault.protocol.name, TWO_LEVELS, **fault.settings)
    caught = {sentence.split(":")[0] for sentence in simulate(case, fault.protocol).violations}
    assert set(fault.checks) & caught
    assert run(case).violations == ()
