"""Ways over links: by the tables in force, else shortest; engine and judge walk the same."""

from __future__ import annotations

import pickle
import random
from itertools import pairwise, permutations

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.bandwidth import Bandwidths
from skb.checkers.ways import Walker
from skb.costs import Costs
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import grown
from tests.tables import fabric, walked

SEEDS = st.integers(0, 10**6)
RING = [
    Fact("link", (f"package:{a}", f"package:{b}", "x"))
    for at in range(4)
    for a, b in ((at, (at + 1) % 4), ((at + 1) % 4, at))
]
STATED = [Fact("latency_hops", (hops, 100.0 * hops)) for hops in (1, 2, 3)]
ROUND = [  # from package:0 to its neighbour 1 the long way round, and nothing else
    Fact("next_hop", ("package:0", "package:1", "package:3")),
    Fact("next_hop", ("package:3", "package:1", "package:2")),
    Fact("next_hop", ("package:2", "package:1", "package:1")),
]


def ring(*facts: Fact) -> Machine:
    """Four packages of one PU in a ring, latencies stated by hops."""
    return grown("package:4 numa:1 core:1 pu:1", *RING, *STATED, *facts)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ways_follow_tables(seed: int) -> None:
    """Hops and paths are those of the tables, however long, and the judge walks them too."""
    made = fabric(seed)
    machine = made.with_tables()
    walker = Walker(machine)
    for a, b in permutations(made.links, 2):
        way = walked(made.next_hop, a, b)
        assert machine.hops(a, b) == len(way) - 1
        assert machine.ways.path(a, b) == tuple(way)
        assert walker.links(a, b) == list(pairwise(way))
    assert machine.ways.broken == () and machine.ways.tables


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ways_without_tables_are_shortest(seed: int) -> None:
    """Nothing changes for a machine without tables."""
    made = fabric(seed)
    machine, walker = made.machine, Walker(made.machine)
    graph = networkx.DiGraph((a, b) for a, ends in made.links.items() for b in ends)
    for a, b in permutations(made.links, 2):
        far = networkx.shortest_path_length(graph, a, b)
        path = machine.ways.path(a, b)
        assert machine.hops(a, b) == far == len(path) - 1
        assert all(y in made.links[x] for x, y in pairwise(path))
        assert walker.links(a, b) == list(pairwise(path))
    assert not machine.ways.tables


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS)
def test_ways_of_broken_tables_are_shortest(seed: int, other: int) -> None:
    """Where entries are missing, wrong, in a circle, or a part is off, a shortest way is taken."""
    made, draw = fabric(seed), random.Random(other)
    table = {a: dict(row) for a, row in made.next_hop.items()}
    for row in table.values():
        for d in list(row):
            if draw.random() < 0.25:
                row[d] = draw.choice(list(made.links))
            elif draw.random() < 0.1:
                del row[d]
    off = Fact("power", (draw.choice(list(made.links)), "off"))
    machine = made.with_tables(table, *([off] if draw.random() < 0.5 else []))
    walker = Walker(machine)
    silent = machine.usability.silent
    graph = networkx.DiGraph((a, b) for a, ends in made.links.items() for b in ends)
    graph.remove_nodes_from(silent)
    for a, b in permutations(made.links, 2):
        way = [a]
        while way[-1] != b and len(way) <= len(table):
            step = table[way[-1]].get(b, "")
            if not graph.has_edge(way[-1], step):
                break
            way.append(step)
        there = a in graph and b in graph and networkx.has_path(graph, a, b)
        if way[-1] == b:
            assert machine.ways.path(a, b) == tuple(way)
        elif there:
            assert machine.hops(a, b) == networkx.shortest_path_length(graph, a, b)
            assert ((a, b) in machine.ways.broken) is (b in table[a])
        else:
            assert machine.hops(a, b) is None and machine.ways.path(a, b) == ()
        links = walker.links(a, b)
        assert (links is None) == (machine.hops(a, b) is None)
        assert links is None or [a, *(end for _start, end in links)] == list(
            machine.ways.path(a, b)
        )


def test_ways_of_tables_change_hops_latency_and_links() -> None:
    """One hop becomes three: dearer, over other links, and only for this pair in this direction."""
    plain, machine = ring(), ring(*ROUND)
    assert (plain.hops("package:0", "package:1"), machine.hops("package:0", "package:1")) == (1, 3)
    assert machine.hops("package:1", "package:0") == 1
    assert Costs(plain).latency_ps(0, 1) == 100_000
    assert Costs(machine).latency_ps(0, 1) == 300_000
    assert Costs(machine).latency_ps(1, 0) == 100_000
    assert Costs(machine).node_hops("numa:0", "numa:1") == 3
    assert Bandwidths(machine).route("numa:0", "pu:1") == (
        ("package:0", "package:3"),
        ("package:3", "package:2"),
        ("package:2", "package:1"),
    )
    assert Bandwidths(plain).route("numa:0", "pu:1") == (("package:0", "package:1"),)


def test_ways_of_dead_tables_are_assumed() -> None:
    """A part on the way is off: the shortest way is taken, and answers say that they assume it."""
    machine = ring(*ROUND, Fact("power", ("package:3", "off")))
    costs, rates = Costs(machine), Bandwidths(machine)
    assert costs.latency_ps(0, 1) == 100_000
    assert rates.route("numa:0", "pu:1") == (("package:0", "package:1"),)
    for assumed in (costs.assumed, rates.assumed):
        told = [row for row in assumed if row.fact.startswith("ways of")]
        assert [row.fact for row in told] == ["ways of 1 pair = shortest ones"]
        assert "do not deliver" in told[0].because
    whole = Costs(ring(*ROUND))
    whole.latency_ps(0, 1)
    assert not [row for row in whole.assumed if row.fact.startswith("ways of")]


def test_ways_of_parts_that_are_off_or_cut_off_are_no_shortest_ones() -> None:
    """What cannot send is not counted; where no way is left, none is assumed."""
    machine = ring(*ROUND, Fact("power", ("package:3", "off")))
    assert machine.ways.broken == machine.ways.detours == (("package:0", "package:1"),)
    bare = grown("package:4 numa:1 core:1 pu:1", *STATED, *ROUND)
    assert len(bare.ways.broken) == 3 and bare.ways.detours == ()
    assert bare.ways.broken_assumption("package:0", "package:1") is None


def test_ways_go_to_other_processes_with_their_machine() -> None:
    """A service decides in processes of its own: what was found out so far may go with it."""
    machine = ring(*ROUND, Fact("power", ("package:3", "off")))
    assert machine.hops("package:0", "package:1") == 1 and machine.ways.broken
    again = pickle.loads(pickle.dumps(machine))
    assert again.hops("package:0", "package:1") == 1
    assert pickle.loads(pickle.dumps(machine.ways)).broken == machine.ways.broken
