"""Tables against an oracle that tries them all, on networks of three to five nodes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise, product

import networkx
import pytest

from skb.benching.topologies import topology
from skb.decision import Limits
from skb.engines.links_bound import _few_cuts, _many_cuts, lower_bound, value_of
from skb.engines.links_cycles import covering
from skb.engines.links_exact import clash, decided
from skb.engines.links_layers import grown, layered
from skb.engines.links_net import Net, Table, forced_ring, loads, price
from skb.engines.links_product import composed, product_of
from skb.engines.links_search import improved
from skb.engines.links_solve import Solution, solve
from skb.engines.links_updown import up_down

Path = tuple[int, ...]


def net(size: int, edges: list[tuple[int, int]], minimal: bool = True) -> Net:
    """Return a network of two-way links with uniform traffic."""
    arcs = tuple(sorted({*edges, *((b, a) for a, b in edges)}))
    weight = tuple(tuple(int(s != d) for d in range(size)) for s in range(size))
    return Net(size, arcs, (1,) * len(arcs), weight, minimal)


def named(name: str, minimal: bool = True) -> Net:
    """Return a named network."""
    size, edges = topology(name)
    return net(size, list(edges), minimal)


def drawn(seed: int, most: int = 5, minimal: bool = True) -> Net:
    """Return a random strongly connected network, links of one direction among them."""
    draw = random.Random(seed)
    while True:
        size = draw.randrange(3, most + 1)
        arcs = set()
        for a in range(size):
            for b in range(a):
                kind = draw.random()
                arcs |= {(a, b)} if kind < 0.6 else set()
                arcs |= {(b, a)} if kind < 0.52 or kind > 0.92 else set()
        slow = tuple(draw.choice((1, 1, 1, 2, 3)) for _ in arcs)
        weight = tuple(
            tuple(0 if s == d else draw.choice((0, 1, 1, 1, 4)) for d in range(size))
            for s in range(size)
        )
        found = Net(size, tuple(sorted(arcs)), slow, weight, minimal)
        if found.connected and any(map(any, weight)):
            return found


def ringed(seed: int) -> Net:
    """Return a ring of one direction or two with chords: one channel is often too few."""
    draw = random.Random(seed)
    size = draw.randrange(3, 7)
    arcs = {(s, (s + 1) % size) for s in range(size)}
    if draw.random() < 0.7:
        arcs |= {(b, a) for a, b in arcs}
    for _extra in range(draw.randrange(3)):
        a, b = draw.sample(range(size), 2)
        arcs.add((a, b))
    weight = tuple(tuple(int(s != d) for d in range(size)) for s in range(size))
    return Net(size, tuple(sorted(arcs)), (1,) * len(arcs), weight, True)


def _trees(network: Net, d: int) -> Iterator[tuple[int, ...]]:
    """Yield every tree to d over the admissible steps; networkx says which those are."""
    graph = networkx.DiGraph(network.arcs)
    to = networkx.single_source_shortest_path_length(graph.reverse(), d)
    rows = []
    for s in range(network.size):
        near = list(graph.successors(s))
        if network.minimal:
            near = [n for n in near if to[n] == to[s] - 1]
        rows.append([-1] if s == d else near)
    for choice in product(*rows):
        if all(_path(choice, s, d) for s in range(network.size)):
            yield choice


def _path(ahead: tuple[int, ...], s: int, d: int) -> Path | None:
    path = [s]
    while path[-1] != d:
        path.append(ahead[path[-1]])
        if len(path) > len(ahead):
            return None
    return tuple(path)


def _free(network: Net, trees: tuple[tuple[int, ...], ...], channel: tuple[int, ...]) -> bool:
    """Tell whether no links wait for each other in a circle."""
    for which in set(channel):
        waits = networkx.DiGraph()
        for d, ahead in enumerate(trees):
            if channel[d] == which:
                for s in range(network.size):
                    waits.add_edges_from(pairwise(pairwise(_path(ahead, s, d) or ())))
        if not networkx.is_directed_acyclic_graph(waits):
            return False
    return True


def _largest(network: Net, trees: tuple[tuple[int, ...], ...]) -> int:
    load = dict.fromkeys(network.arcs, 0)
    for d, ahead in enumerate(trees):
        for s in range(network.size):
            for arc in pairwise(_path(ahead, s, d) or ()):
                load[arc] += network.weight[s][d]
    return max(load[arc] * slow for arc, slow in zip(network.arcs, network.slow, strict=True))


def best(network: Net, channels: int) -> int | None:
    """Return the least largest load over all tables, None where there is none."""
    every = [list(_trees(network, d)) for d in range(network.size)]
    found = None
    for trees in product(*every):
        value = _largest(network, trees)
        if (found is None or value < found) and any(
            _free(network, trees, channel)
            for channel in product(range(channels), repeat=network.size)
            if channel[0] == 0
        ):
            found = value
    return found


def solved(network: Net, channels: int | None, conflicts: int = 4000) -> Solution:
    """Return what the portfolio finds; time never decides here."""
    return solve(network, channels, Limits(conflicts=conflicts), time.monotonic() + 60)


def check(network: Net, table: Table) -> None:
    """Assert that a table arrives, stays on its steps and cannot deadlock."""
    assert network.admits(table)
    assert all(
        _path(ahead, s, d) for d, ahead in enumerate(table.ahead) for s in range(network.size)
    )
    assert _free(network, table.ahead, table.channel)


@pytest.mark.parametrize("seed", range(40))
def test_links_least_largest_load_is_that_of_all_tables(seed: int) -> None:
    """Minimal tables on one or two channels: existence and value as the oracle says, proven."""
    network = drawn(seed)
    for channels in (1, 2):
        right = best(network, channels) if channels == 1 or network.size < 5 else None
        found = solved(network, channels)
        if channels == 1 or network.size < 5:
            assert found.exists is (right is not None)
            assert found.value == (right or 0)
            assert found.proven is (right is not None)
        if found.table is not None:
            check(network, found.table)
            assert found.table.channels <= channels
            assert price(network, found.table)[0] == found.value >= found.bound.value


@pytest.mark.parametrize("seed", range(30))
def test_links_least_channels_are_those_of_all_tables(seed: int) -> None:
    """On rings with chords the fewest channels, and the least load on them, are the oracle's."""
    network = ringed(seed)
    found = solved(network, None)
    right = next(k for k in range(1, network.size + 1) if best(network, k) is not None)
    assert found.table is not None and found.proven
    assert (found.channels, found.least_channels) == (right, right)
    assert found.value == best(network, right)
    check(network, found.table)


@pytest.mark.parametrize("seed", range(25))
def test_links_longer_ways_are_searched_as_well(seed: int) -> None:
    """Tables that may take longer ways: as the oracle says, and never worse than minimal ones."""
    network = drawn(1000 + seed, most=4, minimal=False)
    right = best(network, 1)
    found = solved(network, 1)
    assert found.exists is (right is not None) and found.value == (right or 0)
    if found.table is not None:
        check(network, found.table)
    shortest = solved(drawn(1000 + seed, most=4), 1)
    assert shortest.table is None or found.value <= shortest.value


@pytest.mark.parametrize("seed", range(30))
def test_links_bounds_hold_for_every_table(seed: int) -> None:
    """No table of one channel for each destination is below the bound; its prices prove it."""
    network = drawn(2000 + seed, most=4, minimal=bool(seed % 3))
    bound = lower_bound(network, 10**9, lambda: False)
    assert bound.value <= (best(network, network.size) or 0)
    assert value_of(network, bound.prices) == bound.value


@pytest.mark.parametrize("seed", range(30))
def test_links_one_channel_is_refused_for_a_reason(seed: int) -> None:
    """A ring that no table avoids, or a minimal set of entries, stands only where there is none."""
    network = ringed(3000 + seed)
    possible = decided(network, 1, None, Limits(), time.monotonic() + 60).exists
    ring = forced_ring(network)
    core, exact = clash(network, 1, Limits(), time.monotonic() + 60)
    if possible:
        assert ring is None and not core
        return
    assert exact and core
    for left in range(len(core)):
        kept = [(s, d) for at, (s, d) in enumerate(core) if at != left]
        assert not covering(network, kept)
    assert covering(network, [(s, d) for s, d in core])
    if ring is not None:
        ends = (*ring.arcs[1:], ring.arcs[0])
        for (s, n), then, d in zip(ring.arcs, ends, ring.to, strict=True):
            assert network.steps[d][s] == (n,) and then == (n, network.steps[d][n][0])


@pytest.mark.parametrize("name", ["mesh4x4", "torus3x5", "hypercube4", "mesh2x3x2", "torus4x4"])
def test_links_products_are_found_under_any_numbering(name: str) -> None:
    """Factors multiply to the whole, and dimension order over them cannot deadlock."""
    size, edges = topology(name)
    order = list(range(size))
    random.Random(7).shuffle(order)
    network = net(size, [(order[a], order[b]) for a, b in edges])
    found = product_of(network)
    assert found is not None
    tables = []
    for factor in found.factors:
        table = solved(factor, None).table
        assert table is not None
        tables.append(table)
    whole = composed(network, found, tables, range(len(tables)))
    check(network, whole)
    assert sum(loads(network, whole)) == sum(map(sum, network.distance))


@pytest.mark.parametrize("name", ["board", "ring7", "full5", "regular3x10"])
def test_links_prime_networks_have_no_factors(name: str) -> None:
    """What is no product is not taken for one."""
    assert product_of(named(name)) is None


@pytest.mark.parametrize("name", ["board", "ring6", "regular4x16", "mesh3x4", "torus5x5"])
def test_links_up_down_never_deadlocks(name: str) -> None:
    """From every root one channel is enough, and everything arrives."""
    network = named(name, minimal=False)
    for root in range(network.size):
        table = up_down(network, root)
        assert table is not None
        check(network, table)


def test_links_search_is_the_same_for_a_seed_and_only_improves() -> None:
    """Steps decide, not time; every step keeps the table free of deadlock."""
    network = named("regular4x16")
    start = layered(network, 2, 0, 5, lambda: False)
    assert start is not None
    first, again = (improved(network, start, 10, 1500, 3, lambda: False) for _ in range(2))
    assert first == again
    check(network, first)
    assert price(network, first) <= price(network, start)


def test_links_prices_of_a_cut_prove_its_capacity() -> None:
    """The middle of a 4 x 4 mesh: 8 x 8 pairs over 4 links are 16 on one of them."""
    network = named("mesh4x4")
    prices = [int(a % 4 == 1 and b % 4 == 2) for a, b in network.arcs]
    assert value_of(network, prices) == 16 == Fraction(8 * 8, 4)


@pytest.mark.parametrize("seed", range(12))
def test_links_cuts_are_the_same_with_numpy_and_without(seed: int) -> None:
    """Both ways yield the same cuts, the one that must carry most for its capacity first."""
    network = drawn(4000 + seed, most=9)
    few, many = list(_few_cuts(network)), list(_many_cuts(network))
    assert sorted(few) == sorted(many)
    assert value_of(network, few[0]) == value_of(network, many[0])


@pytest.mark.parametrize("done", [0, 30])
def test_links_trees_that_time_ends_get_channels_of_their_own(done: int) -> None:
    """A large network has a table whenever the time is over: with more channels, never wrong."""
    network = named("torus8x9")
    looks = iter(range(1000))
    table = grown(network, 0, False, lambda: next(looks) >= done)
    assert table is not None
    check(network, table)
    assert network.size - done <= table.channels <= network.size - done + 12
    assert all(len(way) == network.distance[s][d] + 1 for s, d, way in _ways(table))


def _ways(table: Table) -> Iterator[tuple[int, int, Path]]:
    for d, ahead in enumerate(table.ahead):
        for s in range(len(ahead)):
            way = _path(ahead, s, d)
            assert way is not None
            yield s, d, way
