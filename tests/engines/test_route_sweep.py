"""The sweep of node prices: what keeps its work in bounds."""

from __future__ import annotations

from skb.engines.route_sweep import VISITS, Nodes, count, sweep

SIZE, STEPS = 3, 16


def test_counting_stops_in_a_tree_that_grows_without_end() -> None:
    """Where every send takes one step a best tree has 2 ** 16 sends; so many are not followed.

    Which of them are left out decides the next prices, never what is proven.
    """
    width = STEPS + 1
    once = [0 if u == v else 1 for u in range(SIZE) for v in range(SIZE)]
    nodes = Nodes(
        busy=once,
        arrive=once,
        group=list(range(SIZE)),
        shape=[1, STEPS, 1, 1, 1, 1, 1],
        price=[1.0] * SIZE,
        table=[0.0] * (SIZE * width),
        entry=[0.0] * (SIZE * width),
        counts=[0] * SIZE,
        stack=[0] * 4096,
    )
    sweep(nodes)
    assert nodes.entry[STEPS] == 2**STEPS
    count(nodes, 0, STEPS)
    assert SIZE < sum(nodes.counts) <= VISITS * SIZE + 1
