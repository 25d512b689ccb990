"""Single-phase commit that defers and coalesces, and its planted faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.explore import Instance, walk
from simulator.faults import Fault
from simulator.history import Proposal
from simulator.planted import Planted
from simulator.planted.single_phase_rounds import PLANTED
from simulator.protocols.single_phase_commit import SinglePhaseCommit
from simulator.result import Result
from simulator.scenario import Scenario, run, simulate
from simulator.trees import Tree
from tests.simulator.worlds import TWO_LEVELS, random_costs, random_trees, scenario

NAME = SinglePhaseCommit.name
WORK_PS = 700


def stream(parameters: dict[str, int], **settings: object) -> Result:
    """Run 24 operations, eight under way at a time."""
    given_all = {"operations": 24, "outstanding": 8, "work_ps": WORK_PS, **settings}
    result = run(scenario(NAME, TWO_LEVELS, parameters=parameters, **given_all))
    assert (result.completed, result.violations) == (24, ())
    return result


def test_deferred_orders_share_an_invalidation() -> None:
    """Nodes are busy for less time, a single operation takes longer."""
    plain, deferred = stream({}), stream({"defer_ps": 3000})
    assert deferred.elapsed_ps < plain.elapsed_ps
    one = scenario(NAME, TWO_LEVELS, work_ps=WORK_PS)
    late = scenario(NAME, TWO_LEVELS, work_ps=WORK_PS, parameters={"defer_ps": 3000})
    assert run(late).latency_ps[0] >= run(one).latency_ps[0] + 3000


@pytest.mark.parametrize(("coalesce", "fewest", "most"), [(2, 0.5, 0.65), (3, 0.33, 0.5)])
def test_coalesced_rounds_need_fewer_messages(coalesce: int, fewest: float, most: float) -> None:
    """Rounds of two or three carry nearly as many times the operations."""
    share = stream({"coalesce": coalesce}).events / stream({}).events
    assert fewest <= share <= most


@pytest.mark.parametrize("coalesce", [1, 2, 3])
def test_operation_alone_takes_as_long_with_rounds(coalesce: int) -> None:
    """To the picosecond: nothing is waited for."""
    plain = run(scenario(NAME, TWO_LEVELS, work_ps=WORK_PS))
    rounds = run(scenario(NAME, TWO_LEVELS, work_ps=WORK_PS, parameters={"coalesce": coalesce}))
    assert rounds.latency_ps == plain.latency_ps


@given(st.data())
def test_rounds_and_deferral_are_clean_on_any_machine(data: st.DataObject) -> None:
    """Every operation ends, on any tree and costs, also over a second tree."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    parameters = {
        "coalesce": data.draw(st.integers(0, 3)),
        "defer_ps": data.draw(st.sampled_from([0, 1, 50, 2000])),
    }
    chain = [pu for pu in tree.members if pu != tree.root]
    up = Tree(tree.root, {tree.root: tuple(chain)})
    case = Scenario(costs, tree, "any", NAME, 12, 5, work_ps=40, parameters=parameters, up_tree=up)
    result = run(case)
    assert (result.completed, result.violations) == (12, ())


def test_deferred_orders_survive_a_crash_of_the_node() -> None:
    """The timer is lost; what was kept is carried out when the node is up again."""
    faults = (Fault(1500, 3, "down"), Fault(20_000, 3, "up"))
    case = scenario(NAME, TWO_LEVELS, parameters={"defer_ps": 5000}, faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (1, ())
    assert result.latency_ps[0] > 20_000


def test_deferred_orders_are_carried_out_before_a_power_down() -> None:
    """Who is told of it in advance leaves nothing behind."""
    faults = (Fault(1500, 3, "off"), Fault(20_000, 3, "on"))
    case = scenario(NAME, TWO_LEVELS, parameters={"defer_ps": 5000}, faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (1, ())
    assert result.latency_ps[0] < 20_000


@pytest.mark.parametrize("parameters", [{"coalesce": 3}, {"coalesce": 2, "defer_ps": 1}])
def test_rounds_are_safe_in_every_order_of_delivery(parameters: dict[str, int]) -> None:
    """Three operations on three nodes, unordered; timers fire at any moment."""
    proposals = [Proposal(op, 0, 0, op + 5, 0) for op in range(3)]
    chain = Tree(0, {0: (1,), 1: (2,)})
    found = walk(Instance(SinglePhaseCommit, chain, proposals, 2, parameters=parameters))
    assert found.complete
    assert found.violations == ()


@pytest.mark.parametrize("fault", PLANTED, ids=[fault.protocol.__name__ for fault in PLANTED])
def test_planted_fault_is_caught_and_the_original_is_clean(fault: Planted) -> None:
    """One of the named checks speaks up, and on the same load the protocol is clean."""
    case = scenario(fault.protocol.name, TWO_LEVELS, **fault.settings)
    caught = {sentence.split(":")[0] for sentence in simulate(case, fault.protocol).violations}
    assert set(fault.checks) & caught
    assert run(case).violations == ()
