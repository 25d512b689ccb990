"""The closed forms against numbers worked out by hand from docs/message-model.md."""

from simulator import timing
from simulator.costs import LOGP, POSTAL, MessageCosts
from simulator.trees import Tree
from tests.simulator.worlds import CHAIN, STAR, even_costs

COSTS = even_costs(4)  # send 60, receive 100, propagation 30, gap 20


def test_broadcast_star_in_both_models() -> None:
    """A further send costs `send` in the postal and `gap` in the logp model."""
    assert timing.broadcast_arrivals(STAR, COSTS, POSTAL) == {0: 0, 1: 190, 2: 250, 3: 310}
    assert timing.broadcast_arrivals(STAR, COSTS, LOGP) == {0: 0, 1: 190, 2: 210, 3: 230}


def test_broadcast_chain_forwards_after_the_receive() -> None:
    """Three hops take three times send + propagation + receive."""
    assert timing.broadcast(CHAIN, COSTS, LOGP) == 3 * 190


def test_acknowledged_adds_one_message_of_the_last_core() -> None:
    """The last core's report costs send + propagation + receive."""
    assert timing.last_core(STAR, COSTS, POSTAL) == 3
    assert timing.acknowledged(STAR, COSTS, POSTAL) == 310 + 190


def test_last_core_of_equals_is_the_smallest_leaf() -> None:
    """Of two leaves that finish at one instant the smaller PU reports."""
    free_gap = even_costs(3, gap=0)
    assert timing.last_core(Tree(0, {0: (2, 1)}), free_gap, LOGP) == 1


def test_acknowledged_single_member_is_free() -> None:
    """Who is alone waits for nobody."""
    alone = MessageCosts((4,), {}, {})
    tree = Tree(4, {})
    for form in (timing.acknowledged, timing.barrier, timing.two_phase_commit):
        assert form(tree, alone, LOGP) == 0


def test_reduction_serves_in_order_of_arrival() -> None:
    """Three leaves arrive together at 90 and are served one after the other."""
    assert timing.reduction(STAR, COSTS, POSTAL) == 90 + 3 * 100


def test_reduction_is_the_broadcast_backwards() -> None:
    """With exchanged costs and reversed order a chain takes the same time both ways."""
    costs = MessageCosts((0, 1), {(0, 1): 3, (1, 0): 50}, {(0, 1): 9, (1, 0): 7})
    turned = MessageCosts((0, 1), {(0, 1): 7, (1, 0): 9}, {(0, 1): 50, (1, 0): 3})
    tree = Tree(0, {0: (1,)})
    assert timing.reduction(tree, costs, POSTAL) == timing.broadcast(tree, turned, POSTAL) == 57


def test_barrier_and_two_phase_commit_are_sums() -> None:
    """The compound forms add up what they are made of."""
    assert timing.barrier(STAR, COSTS, POSTAL) == 390 + 310
    assert timing.two_phase_commit(STAR, COSTS, POSTAL) == 190 + 310 + 390 + 310
