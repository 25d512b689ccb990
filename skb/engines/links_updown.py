"""Up*/down* tables: free of deadlock on one virtual channel wherever every link has two directions.

Nodes are ranked by their distance from a root (Schroeder et al., Autonet, 1991); a message goes up
any number of links, then down any number, so no cycle of dependencies can close. A node from which
a way down leads to the destination takes it; that choice depends on the destination alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from skb.engines.links_net import Net, Table, lay


def up_down(net: Net, root: int) -> Table | None:
    """Return the table for a root; None where a link has one direction, or a node is cut off."""
    if not net.connected or any((b, a) not in net.number for a, b in net.arcs):
        return None
    rank = [(net.distance[root][node], node) for node in range(net.size)]
    load = [0] * len(net.arcs)
    trees = []
    for d in range(net.size):
        tree = _tree(net, rank, d, load)
        lay(net, load, tree, d)
        trees.append(tuple(tree))
    return Table(tuple(trees), (0,) * net.size)


def _tree(net: Net, rank: Sequence[tuple[int, int]], d: int, load: Sequence[int]) -> list[int]:
    """Return the shortest ways to d that go up, then down; of equals over the least load."""
    ahead, hops = [-1] * net.size, [-1] * net.size
    hops[d] = 0
    # ways down alone: from nodes above d, nearest first
    rim = [d]
    while rim:
        fresh: dict[int, list[int]] = {}
        for at in rim:
            for s in net.before[at]:
                if hops[s] < 0 and rank[s] < rank[at]:
                    fresh.setdefault(s, []).append(at)
        for s, ways in fresh.items():
            hops[s] = hops[ways[0]] + 1
            ahead[s] = _lightest(net, load, s, ways)
        rim = sorted(fresh)
    # everybody else goes up first; who is above comes before
    for s in sorted(range(net.size), key=lambda node: rank[node]):
        if hops[s] < 0:
            ups = [n for n in net.after[s] if rank[n] < rank[s]]
            least = min(hops[n] for n in ups)
            ahead[s] = _lightest(net, load, s, [n for n in ups if hops[n] == least])
            hops[s] = least + 1
    return ahead


def _lightest(net: Net, load: Sequence[int], s: int, ways: Sequence[int]) -> int:
    return min(ways, key=lambda n: (load[net.number[s, n]], n))
