"""Broadcast trees: shapes by hand, shapes by name, and trees that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import timing
from simulator.costs import POSTAL, MessageCosts
from simulator.errors import TreeError, UnknownNameError
from simulator.trees import TREES, Tree, build_tree
from tests.simulator.worlds import even_costs, random_costs

DOMAINS = ((0, 1, 2, 3), (4, 5, 6, 7))


def children_of(name: str, root: int) -> dict[int, tuple[int, ...]]:
    """Build a classic tree over eight PUs in two NUMA nodes; leave the leaves out."""
    tree = build_tree(name, even_costs(8), range(8), root, DOMAINS)
    return {pu: below for pu, below in tree.children.items() if below}


def test_sequential_sends_ascending_from_the_root() -> None:
    """The root sends to everybody and wraps round behind the last."""
    assert children_of("sequential", 2) == {2: (3, 4, 5, 6, 7, 0, 1)}


def test_binary_is_a_heap() -> None:
    """Position i sends to 2i + 1 and 2i + 2."""
    assert children_of("binary", 0) == {0: (1, 2), 1: (3, 4), 2: (5, 6), 3: (7,)}


def test_fibonacci_has_fibonacci_subtrees() -> None:
    """Eight PUs use the order-5 tree of twelve, cut behind its eighth node by level."""
    assert children_of("fibonacci", 0) == {0: (1, 2), 1: (3, 4), 2: (5, 6), 3: (7,)}
    seven = build_tree("fibonacci", even_costs(7), range(7), 0, (tuple(range(7)),))
    assert {pu: below for pu, below in seven.children.items() if below} == {
        0: (1, 2),
        1: (3, 4),
        2: (5,),
        3: (6,),
    }


def test_cluster_sends_to_leaders_before_the_own_node() -> None:
    """The root stands for its own node, wherever it is."""
    assert children_of("cluster", 0) == {0: (4, 1, 2, 3), 4: (5, 6, 7)}
    assert children_of("cluster", 6) == {6: (0, 4, 5, 7), 0: (1, 2, 3)}


def test_mst_takes_the_nearest_and_at_most_two() -> None:
    """Prim grows along cheap edges, and a full PU hands on to the next best."""
    along = {(u, v): 10 * abs(u - v) for u in range(5) for v in range(5) if u != v}
    line = MessageCosts(tuple(range(5)), along, along)
    assert build_tree("mst", line, range(5), 2, ()).children[2] == (1, 3)
    even = build_tree("mst", even_costs(7), range(7), 0, ())
    assert even.children[0] == (1, 2)
    assert even.children[1] == (3, 4)


def test_numa_aware_serves_the_farthest_first() -> None:
    """The leader with most work behind it comes first, local PUs last."""
    domains = ((0, 1), (2, 3, 4), (5,))
    tree = build_tree("numa-aware", even_costs(6), range(6), 0, domains)
    assert tree.children[0] == (2, 5, 1)
    assert tree.children[2] == (3, 4)


@given(st.data())
def test_classic_tree_spans_any_members_from_any_root(data: st.DataObject) -> None:
    """Every name gives a tree over exactly the members, whatever costs, root and NUMA nodes."""
    members = tuple(sorted(data.draw(st.sets(st.integers(0, 40), min_size=1, max_size=12))))
    costs = data.draw(random_costs(members))
    root = data.draw(st.sampled_from(members))
    homes = [data.draw(st.integers(0, 2)) for _ in members]
    domains = tuple(
        tuple(pu for pu, home in zip(members, homes, strict=True) if home == node)
        for node in range(3)
    )
    for name in TREES:
        tree = build_tree(name, costs, members, root, domains)
        assert tree.root == root
        assert tree.members == members


def test_numa_aware_beats_sequential_on_an_even_machine() -> None:
    """Eight domains of four are reached faster through leaders than one by one."""
    costs = even_costs(32)
    domains = tuple(tuple(range(4 * n, 4 * n + 4)) for n in range(8))
    times = {
        name: timing.broadcast(build_tree(name, costs, range(32), 9, domains), costs, POSTAL)
        for name in ("numa-aware", "sequential")
    }
    assert times["numa-aware"] < times["sequential"]


@pytest.mark.parametrize(
    ("root", "children", "words"),
    [
        (0, {0: (1, 2), 1: (2,)}, "reaches PU 2 twice"),
        (0, {0: (1,), 1: (0,)}, "reaches PU 0 twice"),
        (0, {0: (1,), 2: (3,)}, r"never reaches: \[2\]"),
    ],
)
def test_tree_refuses_what_is_no_tree(
    root: int, children: dict[int, tuple[int, ...]], words: str
) -> None:
    """A PU with two parents, a circle, or a part that hangs in the air is named."""
    with pytest.raises(TreeError, match=words):
        Tree(root, children)


def test_tree_names_members_missed_and_added() -> None:
    """A tree for other members says which."""
    tree = Tree(0, {0: (1,)})
    with pytest.raises(TreeError, match=r"does not reach PUs \[2\]"):
        tree.require_members([0, 1, 2])
    with pytest.raises(TreeError, match=r"not members: \[1\]"):
        tree.require_members([0])


def test_build_tree_unknown_name_lists_the_known() -> None:
    """The error shows every tree there is."""
    with pytest.raises(UnknownNameError, match="binary, cluster, fibonacci, mst, numa-aware"):
        build_tree("ternary", even_costs(2), range(2), 0, DOMAINS)


@pytest.mark.parametrize(
    ("members", "root", "domains", "words"),
    [
        ([0, 1], 5, DOMAINS, "root PU 5"),
        ([0, 0], 0, DOMAINS, "named twice"),
        ([0, 99], 0, DOMAINS, r"no message costs for PUs \[99\]"),
        ([0, 1], 0, ((0,),), "exactly one"),
        ([0, 1], 0, ((0, 1), (1,)), "exactly one"),
    ],
)
def test_build_tree_refuses_what_does_not_fit(
    members: list[int], root: int, domains: tuple[tuple[int, ...], ...], words: str
) -> None:
    """Root, members, costs and NUMA nodes must agree."""
    with pytest.raises(TreeError, match=words):
        build_tree("cluster", even_costs(8), members, root, domains)
