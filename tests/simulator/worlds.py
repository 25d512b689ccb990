"""Small machines and random ones, for all tests of the simulator."""

from hypothesis import strategies as st

from simulator.costs import MessageCosts
from simulator.scenario import Scenario
from simulator.trees import Tree

CHAIN = Tree(0, {0: (1,), 1: (2,), 2: (3,)})
STAR = Tree(0, {0: (1, 2, 3)})
TWO_LEVELS = Tree(0, {0: (1, 2), 1: (3, 4), 2: (5, 6)})


def even_costs(count: int, send: int = 60, receive: int = 100, gap: int = 20) -> MessageCosts:
    """Return a machine on which every pair costs the same, in picoseconds."""
    pairs = [(u, v) for u in range(count) for v in range(count) if u != v]
    return MessageCosts(
        tuple(range(count)),
        dict.fromkeys(pairs, send),
        dict.fromkeys(pairs, receive),
        dict.fromkeys(pairs, 30),
        dict.fromkeys(pairs, gap),
    )


def scenario(protocol: str, tree: Tree = TWO_LEVELS, **settings: object) -> Scenario:
    """Return a scenario on an even machine that is just large enough."""
    costs = even_costs(max(tree.members) + 1)
    return Scenario(costs, tree, "by hand", protocol, **settings)  # type: ignore[arg-type]


@st.composite
def random_trees(draw: st.DrawFn, largest: int = 9) -> Tree:
    """Draw a tree over PUs with gaps in their numbers, any shape, any root."""
    count = draw(st.integers(1, largest))
    pus = draw(st.permutations([3 * i + 1 for i in range(count)]))
    children: dict[int, tuple[int, ...]] = {}
    for at in range(1, count):
        parent = pus[draw(st.integers(0, at - 1))]
        children[parent] = (*children.get(parent, ()), pus[at])
    return Tree(pus[0], children)


@st.composite
def random_costs(draw: st.DrawFn, members: tuple[int, ...]) -> MessageCosts:
    """Draw costs from 0 up, small enough that many instants coincide."""
    pairs = [(u, v) for u in members for v in members if u != v]
    largest = draw(st.sampled_from([1, 5, 1000]))
    row = st.lists(st.integers(0, largest), min_size=len(pairs), max_size=len(pairs))
    tables = [dict(zip(pairs, draw(row), strict=True)) for _ in range(4)]
    propagation = tables[2] if draw(st.booleans()) else None
    gap = tables[3] if draw(st.booleans()) else None
    return MessageCosts(members, tables[0], tables[1], propagation, gap)
