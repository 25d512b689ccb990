"""Links on the way of messages: waiting, order, and nothing without contention."""

import importlib
import sys
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs import MessageCosts
from simulator.errors import ScenarioError
from simulator.faults import Fault
from simulator.links import Links, Way
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.machines import shared
from tests.simulator.worlds import (
    STAR,
    even_costs,
    random_costs,
    random_trees,
    scenario,
)

ONE_BUS = Links(
    ("bus",), (50,), (10,), {(u, v): (0,) for u in range(7) for v in range(7) if u != v}
)

OVER_TREES = [
    *("single-phase-commit", "two-phase-commit", "atomic-broadcast", "barrier", "reduction")
]


def arrivals(broadcast: Scenario) -> dict[int, int]:
    """Return when each PU but the root begins to receive the first broadcast."""
    rows = run(replace(broadcast, trace=True)).trace
    return {pu: start for start, _, pu, _, _, source in rows if source != pu != 0}


def test_links_make_the_second_message_wait_until_the_first_is_off() -> None:
    """By hand: sends end at 60, 80 and 100; the bus takes 50 each; 10 across, 20 behind."""
    star = scenario("atomic-broadcast", STAR, links=ONE_BUS)
    assert arrivals(star) == {1: 60 + 30, 2: 110 + 30, 3: 160 + 30}
    result = run(star)
    (bus,) = result.links
    # three messages down and one acknowledgement, which is alone
    assert (bus.messages, bus.busy_ps, bus.waited_ps) == (4, 200, 30 + 60)
    document: Any = result.to_json()
    assert document["link_load"] == {"bus": 200 / result.elapsed_ps}
    assert document["links"]["bus"]["mean_wait_ns"] == 90 / 4 / 1000


def test_links_are_crossed_one_after_the_other() -> None:
    """By hand: two links of 30 and 40 that a second message finds busy only in the first."""
    links = Links(("a", "b"), (35, 15), (30, 40), {(0, 1): (0, 1), (0, 2): (0, 1)})
    costs = replace(even_costs(3), propagation_ps=None)
    star = Scenario(costs, Tree(0, {0: (1, 2)}), "by hand", "atomic-broadcast", links=links)
    # at a at 60 and 80; on a at 60 and 95; at b at 90 and 125
    assert arrivals(star) == {1: 130, 2: 165}


def test_links_carry_in_order_of_arrival_from_all_sides() -> None:
    """Two leaves answer at the same instant over one link: who sent first is first."""
    links = Links(("up",), (1000,), (0,), {(1, 0): (0,), (2, 0): (0,)})
    costs = replace(even_costs(3), propagation_ps=None, gap_ps=None)
    tree = Tree(0, {0: (1, 2)})
    rows = run(Scenario(costs, tree, "by hand", "reduction", links=links, trace=True)).trace
    assert [row[:2] + row[5:] for row in rows if row[2] == 0 != row[5]] == [
        (60, 160, 1),
        (1060, 1160, 2),
    ]


def test_links_go_on_carrying_what_a_fallen_sender_has_sent() -> None:
    """A crash takes the sends that are not complete, and nothing that is under way."""
    star = scenario("atomic-broadcast", STAR, links=ONE_BUS)
    rows = run(replace(star, trace=True, faults=(Fault(85, 0, "down"),))).trace
    assert [(start, pu) for start, _, pu, _, _, source in rows if source == 0 != pu] == [
        (90, 1),
        (140, 2),
    ]


@st.composite
def linked(draw: st.DrawFn, costs: MessageCosts, idle: bool) -> Links:
    """Draw ways over a few links; idle ones are kept by nobody."""
    count = draw(st.integers(1, 4))
    latency = tuple(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    occupancy = tuple(draw(st.lists(st.integers(0, 99), min_size=count, max_size=count)))
    ways: dict[tuple[int, int], Way] = {}
    for u in costs.members:
        for v in costs.members:
            way = tuple(draw(st.lists(st.integers(0, count - 1), max_size=3)))
            if u != v and sum(latency[link] for link in way) <= costs.propagation(u, v):
                ways[u, v] = way
    names = tuple(f"link {number}" for number in range(count))
    return Links(names, (0,) * count if idle else occupancy, latency, ways)


@settings(max_examples=60, deadline=None)
@given(st.data(), random_trees(), st.sampled_from(OVER_TREES))
def test_links_without_contention_change_nothing(
    data: st.DataObject, tree: Tree, name: str
) -> None:
    """Links that keep nobody waiting give the same latencies: they are part of the propagation.

    One operation at a time: whichever of the messages that come to a node at one instant it serves
    first, it is done with all of them at the same time.
    """
    costs = data.draw(random_costs(tree.members))
    links = data.draw(linked(costs, idle=True))
    plain = Scenario(costs, tree, "any", name, operations=3, event_limit=20_000)
    one, other = run(plain), run(replace(plain, links=links))
    assert other.latency_ps == one.latency_ps
    assert other.violations == one.violations == ()


@settings(max_examples=60, deadline=None)
@given(st.data(), random_trees(), st.sampled_from(OVER_TREES))
def test_links_lose_and_double_nothing(data: st.DataObject, tree: Tree, name: str) -> None:
    """With contention every handler still runs as often as without, only later."""
    costs = data.draw(random_costs(tree.members))
    links = data.draw(linked(costs, idle=False))
    plain = Scenario(costs, tree, "any", name, operations=4, outstanding=4, trace=True)
    one, other = run(plain), run(replace(plain, links=links))
    counts: list[dict[tuple[int, ...], int]] = []
    for result in (one, other):
        rows: dict[tuple[int, ...], int] = defaultdict(int)
        for _, _, *row in result.trace:
            rows[tuple(row)] += 1
        counts.append(rows)
    assert counts[0] == counts[1]
    assert other.completed == 4
    crossed = sum(use.messages for use in other.links)
    assert crossed == sum(
        count * len(links.way(source, pu)) for (pu, _, _, source), count in counts[1].items()
    )


@pytest.mark.parametrize("nodes", [(4, 3), (2, 2)])
def test_links_give_the_latencies_of_the_prototype(
    nodes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open load over a hypercube of packages: each operation's latency, to the picosecond."""
    home = shared("../prototypes/sim/eng_tuned.py").parent
    cores, dimension = nodes
    monkeypatch.setenv("WL_PER", str(cores))
    monkeypatch.setenv("WL_DIM", str(dimension))
    monkeypatch.syspath_prepend(str(home))
    for name in ("workload", "eng_tuned"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    theirs: Any = importlib.import_module("workload")
    engine: Any = importlib.import_module("eng_tuned")
    for name in ("workload", "eng_tuned"):
        monkeypatch.delitem(sys.modules, name)
    children, _, routes, latency = theirs.build()
    times = theirs.arrivals(150, 0.65)
    pairs = list(routes)
    costs = MessageCosts(
        tuple(range(theirs.N)), dict.fromkeys(pairs, theirs.O_S), dict.fromkeys(pairs, theirs.O_R)
    )
    result = run(
        Scenario(
            costs,
            Tree(0, {node: tuple(row) for node, row in enumerate(children)}),
            "by hand",
            "single-phase-commit",
            operations=len(times),
            arrivals_ps=tuple(times.tolist()),
            links=Links(
                tuple(map(str, range(theirs.NLINK))),
                (theirs.G,) * theirs.NLINK,
                tuple(latency),
                {pair: tuple(way) for pair, way in routes.items()},
            ),
        )
    )
    assert list(result.latency_ps) == engine.run(times)
    hops = result.events - 3 * len(times) - 2 * (theirs.N - 1) * len(times)
    assert hops == (theirs.events_per_op() - 1 - 2 * (theirs.N - 1)) * len(times) - len(times)


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (lambda: Links(("a", "a"), (1, 1), (1, 1)), "same name"),
        (lambda: Links(("a",), (1, 1), (1,)), "occupancy_ps has 2 numbers for 1"),
        (lambda: Links(("a",), (1,), (-1,)), "latency_ps of link a"),
        (lambda: Links(("a",), (0.5,), (1,)), "occupancy_ps of link a is 0.5"),  # type: ignore[arg-type]
        (lambda: Links(("a",), (1,), (1,), {(0, 1): (1,)}), "PU 0 to PU 1"),
    ],
)
def test_links_refuse_what_is_not_there(links: Any, words: str) -> None:
    """The error names the table, the link or the pair."""
    with pytest.raises(ScenarioError, match=words):
        links()
