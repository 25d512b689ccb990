"""Two-phase commit with tentative changes, holders and rounds, and its planted faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.explore import Instance, walk
from simulator.history import ABSTAINED, DECIDED, VOTED, YES, Proposal
from simulator.planted import Planted
from simulator.planted.two_phase_batches import PLANTED
from simulator.protocols.two_phase_commit import TwoPhaseCommit
from simulator.result import Result
from simulator.scenario import Scenario, observe, run, simulate
from simulator.trees import Tree
from tests.simulator.worlds import TWO_LEVELS, random_costs, random_trees, scenario

NAME = TwoPhaseCommit.name
WORK_PS = 700


def stream(parameters: dict[str, int], **settings: object) -> Result:
    """Run 60 proposals, some of which conflict."""
    load: dict[str, object] = {"operations": 60, "outstanding": 8, "conflict_per_mille": 400}
    result = run(scenario(NAME, TWO_LEVELS, parameters=parameters, **{**load, **settings}))
    assert (result.completed, result.violations) == (60, ())
    return result


def one(parameters: dict[str, int]) -> Result:
    """Run one proposal."""
    return run(scenario(NAME, TWO_LEVELS, work_ps=WORK_PS, parameters=parameters, overlap=True))


@pytest.mark.parametrize("parameters", [{"tentative": 1}, {"batch": 3}, {"holders": 1000}])
def test_proposal_alone_takes_as_long_with_options(parameters: dict[str, int]) -> None:
    """To the picosecond: nothing is waited for, nobody is left out."""
    assert one(parameters).latency_ps == one({}).latency_ps


def test_proposal_that_nobody_holds_costs_no_work() -> None:
    """All abstain, and it commits without anybody being made ready."""
    result = one({"holders": 1})
    assert (result.completed, result.aborts, result.violations) == (1, 0, ())
    assert result.latency_ps[0] == one({}).latency_ps[0] - WORK_PS


def test_rivals_conflict_only_where_an_item_is_held() -> None:
    """The fewer hold an item, the fewer rivals meet."""
    aborts = [stream({"holders": share}).aborts for share in (1, 300, 1000)]
    assert aborts[0] == 0
    assert aborts[0] < aborts[1] <= aborts[2]


def test_tentative_changes_preempt_each_other() -> None:
    """Both rivals are bound at home before either asks, so both abort; others commit."""
    plain, tentative = stream({}), stream({"tentative": 1})
    assert plain.aborts < tentative.aborts <= 2 * plain.aborts


def test_tentative_change_refuses_the_item_to_others() -> None:
    """Nobody else holds the items, and still rivals do not both commit."""
    free, bound = (stream({"holders": 1, "tentative": tentative}) for tentative in (0, 1))
    assert free.aborts == 0
    assert bound.aborts > 0


class AbstainsWhereItIsBound(TwoPhaseCommit):
    """A member that is bound to another operation has no opinion, so that both commit."""

    def cast(self, op: int, item: int) -> int:
        if self.lock[item] not in (0, op + 1):
            self.record(op, VOTED, ABSTAINED)
            return 0
        return super().cast(op, item)


@pytest.mark.parametrize("parameters", [{"holders": 500, "tentative": 1}, {"holders": 500}, {}])
def test_nobody_abstains_while_it_is_bound(parameters: dict[str, int]) -> None:
    """What a member is bound to excludes others, whether it holds the item or has changed it."""
    load = {"operations": 60, "outstanding": 8, "conflict_per_mille": 600, "items": 3}
    case = scenario(NAME, TWO_LEVELS, parameters=parameters, **load)
    silent = []
    for protocol in (TwoPhaseCommit, AbstainsWhereItIsBound):
        history = observe(case, protocol)[2]
        bound: dict[tuple[int, int], int] = {}
        silent.append(0)
        for _, pu, op, event, vote in history.entries:
            place = (pu, history.proposals[op].item)
            if event == VOTED and vote == YES:
                bound[place] = op
            elif event == VOTED and vote == ABSTAINED:
                silent[-1] += place in bound
            elif event == DECIDED and bound.get(place) == op:
                del bound[place]
    assert silent[0] == 0
    assert silent[1] > 0


def test_retries_help_who_was_preempted_at_home() -> None:
    """An initiator whose item is bound by another waits, and then commits."""
    settings = {"items": 2, "conflict_per_mille": 0, "outstanding": 4}
    impatient = stream({"tentative": 1}, **settings)
    patient = stream({"tentative": 1, "retries": 50}, **settings)
    assert impatient.aborts > 0
    assert patient.aborts < impatient.aborts


def test_retries_let_rivals_commit_one_after_the_other() -> None:
    """The coordinator waits until it is free, instead of opening a vote that must fail."""
    assert stream({}).aborts > 0
    assert stream({"retries": 50}).aborts == 0


@pytest.mark.parametrize("batch", [2, 3])
def test_rounds_need_fewer_messages(batch: int) -> None:
    """Proposals that wait for a round share its messages."""
    settings = {"conflict_per_mille": 0, "overlap": True}
    assert stream({"batch": batch}, **settings).events < 0.65 * stream({}, **settings).events


@given(st.data())
def test_options_are_clean_on_any_machine(data: st.DataObject) -> None:
    """Every proposal ends, on any tree and costs, with any options together."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    parameters = {
        "batch": data.draw(st.integers(0, 3)),
        "tentative": data.draw(st.integers(0, 1)),
        "retries": data.draw(st.integers(0, 2)),
        "holders": data.draw(st.sampled_from([0, 1, 500, 1000])),
    }
    up = Tree(tree.root, {tree.root: tuple(pu for pu in tree.members if pu != tree.root)})
    overlap = data.draw(st.booleans())
    case = Scenario(
        costs, tree, "any", NAME, 12, 5, conflict_per_mille=500, work_ps=40, items=3,
        parameters=parameters, up_tree=up, overlap=overlap,
    )  # fmt: skip
    result = run(case)
    assert (result.completed, result.violations) == (12, ())


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch": 3},
        {"tentative": 1, "retries": 1},
        {"batch": 2, "tentative": 1, "holders": 500},
        {"batch": 2, "tentative": 1, "timeout_ps": 1},
        {"retries": 2},
    ],
)
def test_options_are_safe_in_every_order_of_delivery(parameters: dict[str, int]) -> None:
    """Conflicting proposals on three nodes, unordered; timers fire at any moment."""
    rivals = [Proposal(0, 1, 0, 0, 0), Proposal(1, 2, 0, 0, 0)]
    chain = Tree(0, {0: (1,), 1: (2,)})
    found = walk(Instance(TwoPhaseCommit, chain, rivals, 2, parameters=parameters))
    assert found.complete
    assert found.violations == ()


@pytest.mark.parametrize("fault", PLANTED, ids=[fault.protocol.__name__ for fault in PLANTED])
def test_planted_fault_is_caught_and_the_original_is_clean(fault: Planted) -> None:
    """One of the named checks speaks up, and on the same load the protocol is clean."""
    case = scenario(fault.protocol.name, TWO_LEVELS, **fault.settings)
    caught = {sentence.split(":")[0] for sentence in simulate(case, fault.protocol).violations}
    assert set(fault.checks) & caught
    assert run(case).violations == ()
