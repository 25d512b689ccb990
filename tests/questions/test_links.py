"""Links: the figures of known interconnects, what is off, traffic, speeds, failures, refusals."""

from __future__ import annotations

import json
import random
from typing import Any

import networkx
import pytest

from skb.decision import Limits, Status
from skb.errors import RequestError
from skb.knowledge import decide, explain_alternative
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown
from tests.questions.interconnects import interconnect, joined

BOARD = bundled("tyan-s4985")


def asked(machine: Machine, conflicts: int = 4000, **request: Any) -> dict[str, Any]:
    """Return the decision on a request as JSON; the checker has accepted it."""
    limits = Limits(seconds=60, conflicts=conflicts)
    return decide("links", machine, request, limits).to_json()


# ------------------------------------------------------------------ known figures
@pytest.mark.parametrize(
    ("name", "links", "diameter", "mean", "pairs", "load"),
    [
        ("board", 11, 3, 1.594, (22, 22, 12, 0), 8),
        ("twisted-ladder", 10, 3, 1.625, (20, 24, 12, 0), 8),
        ("ladder", 10, 4, 1.750, (20, 20, 12, 4), 8),
        ("board12", 12, 3, 1.563, (24, 20, 12, 0), 8),
        ("square", 4, 2, 1.0, (8, 4, 0, 0), 2),
        ("full4", 6, 1, 0.75, (12, 0, 0, 0), 1),
    ],
)
def test_links_of_known_interconnects(
    name: str, links: int, diameter: int, mean: float, pairs: tuple[int, ...], load: int
) -> None:
    """Diameter, mean hops with self, hop classes and least largest load, each proven."""
    machine = interconnect(name)
    answer = asked(machine, virtual_channels=2)
    assert answer["status"] == "optimal"
    assert answer["objective"]["value"] == answer["bound"] == load
    hops = answer["answer"]["hops"]
    assert sum(map(len, machine.links.values())) == 2 * links
    assert hops["max"] == diameter and abs(hops["mean"] - mean) < 0.0006
    assert [hops["pairs"].get(str(k), 0) for k in (1, 2, 3, 4)] == list(pairs)
    assert answer["answer"]["deadlock_free"] is True


@pytest.mark.parametrize("name", ["board", "twisted-ladder"])
def test_links_one_channel_cannot_hold_the_board(name: str) -> None:
    """Every minimal table has a cycle; two channels, longer ways or one more link would help."""
    answer = asked(interconnect(name), virtual_channels=1)
    assert answer["status"] == "infeasible"
    assert [reason["id"] for reason in answer["reasons"]] == [
        *("cycle", "virtual_channels", "minimal")
    ]
    assert "wait for each other in a circle: package:" in answer["reasons"][0]["text"]
    names = [row["name"] for row in answer["alternatives"]]
    assert names[:2] == ["2 virtual channels", "ways longer than the shortest"]
    assert names[2].startswith("a link package:")
    longer = asked(interconnect(name), virtual_channels=1, minimal=False)
    assert longer["answer"]["virtual_channels"] == 1 and longer["objective"]["value"] == 8


@pytest.mark.parametrize("name", ["ladder", "square", "full4", "board12", "mesh4x4", "torus4x4"])
def test_links_one_channel_is_enough_elsewhere(name: str) -> None:
    """Where tables without cycles exist, one channel is found to be enough without being given."""
    answer = asked(interconnect(name))
    assert answer["answer"]["virtual_channels"] == answer["answer"]["least_channels"] == 1
    assert answer["status"] == "optimal"


@pytest.mark.parametrize(
    ("name", "load"), [("torus4x4", 8), ("mesh4x4", 16), ("mesh6x6", 54), ("mesh8x8", 128)]
)
def test_links_grids_meet_their_bound(name: str, load: int) -> None:
    """Dimension order, with even rings shared fairly, reaches the cut or the mean of hops."""
    answer = asked(interconnect(name), virtual_channels=1)
    assert answer["status"] == "optimal" and answer["objective"]["value"] == load
    assert answer["provenance"]["found_by"].startswith("dimension order")


@pytest.mark.parametrize("seed", range(3))
def test_links_random_regular_networks_need_few_channels(seed: int) -> None:
    """Of 16 nodes the least number of channels is proven."""
    answer = asked(interconnect("regular4x16", seed=seed))
    told = answer["answer"]
    assert told["virtual_channels"] == told["least_channels"] == 2


def test_links_of_32_random_nodes_get_a_table() -> None:
    """Three channels; two are excluded, the bound is stated."""
    answer = asked(interconnect("regular4x32"), conflicts=20_000)
    told = answer["answer"]
    assert told["virtual_channels"] == told["least_channels"] == 3
    assert answer["bound"] <= answer["objective"]["value"]


# ------------------------------------------------------------------ what is off
def test_links_without_power_are_not_used() -> None:
    """A package that is off forwards nothing; the table is that of the seven others."""
    machine = Machine("b", [*BOARD.facts, Fact("power", ("package:3", "off"), "asserted")])
    answer = asked(machine)
    assert "package:3" not in answer["answer"]["nodes"] and len(answer["answer"]["nodes"]) == 7
    assert answer["warnings"] == ["package:3 is left out: package:3 is powered off"]
    same = asked(BOARD, off=["package:3"])["answer"]
    assert same == answer["answer"]


def test_links_that_power_cuts_off_are_left_out() -> None:
    """In a chain, what stands behind a package that is off is no node any more."""
    machine = joined(
        "chain", 4, [(0, 1), (1, 2), (2, 3)], Fact("power", ("package:2", "off"), "asserted")
    )
    answer = asked(machine)
    assert answer["answer"]["nodes"] == ["package:0", "package:1"]
    assert len(answer["warnings"]) == 2


def test_links_that_are_off_are_named_where_they_cut() -> None:
    """Only what is needed to cut stands in the reasons: 0 needs 1, or 7 over 6."""
    off = [["package:2", "package:3"], "package:1", ["package:7", "package:6"]]
    answer = asked(BOARD, off=off)
    assert answer["status"] == "infeasible"
    assert [reason["id"] for reason in answer["reasons"]] == [
        *("unreachable", "off:package:1", "off:package:7 - package:6")
    ]


def test_links_of_one_direction_are_kept_to() -> None:
    """A ring of one direction needs two channels, and every pair goes round."""
    tree = 'tree = "package:4 numa:1 core:1 pu:1"'
    rows = "".join(
        f'[[link]]\nfrom = "package:{s}"\nto = "package:{(s + 1) % 4}"\none_way = true\n'
        for s in range(4)
    )
    answer = asked(grown(tree[8:-1], extra=rows))
    assert answer["answer"]["virtual_channels"] == 2 and answer["answer"]["hops"]["max"] == 3
    assert answer["objective"]["value"] == answer["bound"] == 6


# ------------------------------------------------------------------ traffic and speed
def test_links_traffic_inside_a_node_crosses_no_link() -> None:
    """PUs stand for their package; weights are decimal fractions and add up."""
    rows = [
        {"from": "pu:0", "to": "pu:4", "weight": 0.1},
        {"from": "package:0", "to": "numa:1", "weight": 0.2},
        {"from": "pu:8", "to": "pu:9", "weight": 100},
    ]
    answer = asked(BOARD, traffic=rows)
    assert answer["objective"] == {"name": "maximum link load", "value": 0.3, "unit": "traffic"}
    assert answer["answer"]["fullest"] == [["package:0", "package:1"]]


def test_links_traffic_may_be_a_matrix() -> None:
    """A line for each sender in the order of the nodes; the diagonal does not count."""
    matrix = [[9 if s == d else int((s, d) == (0, 3)) * 2.5 for d in range(4)] for s in range(4)]
    rows = [{"from": "package:0", "to": "package:3", "weight": 2.5}]
    square = interconnect("square")
    assert asked(square, traffic=matrix)["answer"] == asked(square, traffic=rows)["answer"]
    for wrong in (matrix[:3], [line[:3] for line in matrix], [*matrix[:3], rows[0]]):
        with pytest.raises(RequestError, match="not 4 x 4"):
            asked(square, traffic=wrong)


def test_links_slow_ones_count_their_load_more() -> None:
    """Of two ways round a square the one over a slow link is left to those who have no other."""
    square = [(0, 1), (1, 3), (3, 2), (2, 0)]
    slow = [
        Fact("link_bandwidth", (f"package:{a}", f"package:{b}"[:9], rate), "datasheet")
        for a, b in [*square, *((b, a) for a, b in square)]
        for rate in [100.0 if {a, b} == {0, 1} else 200.0]
    ]
    answer = asked(joined("uneven", 4, square, *slow))
    told = answer["answer"]
    assert told["load"]["package:0"]["package:1"] == 1 and answer["objective"]["value"] == 3
    assert answer["status"] == "optimal"


def test_links_queues_hold_a_round_trip() -> None:
    """1000 MiB/s for 30 + 70 ns are 104.9 bytes, rounded up; nothing is assumed."""
    facts: list[Fact] = []
    rows = (("link_latency", 30.0, 70.0), ("link_bandwidth", 1000.0, 1000.0))
    for name, there, back in rows:
        facts.append(Fact(name, ("package:0", "package:1", there), "datasheet"))
        facts.append(Fact(name, ("package:1", "package:0", back), "datasheet"))
    answer = asked(joined("pair", 2, [(0, 1)], *facts))
    assert answer["answer"]["queue_depth"]["package:0"] == {"package:1": 105}
    assert not answer["assumed"]
    bare = asked(interconnect("square"))
    assert len(bare["assumed"]) == 2 and "link_latency" in bare["assumed"][1]["fact"]


def test_links_of_a_piece_join_parts_of_several_kinds() -> None:
    """GPUs on two switches, one twice as fast, are a piece of their own beside the packages."""
    rows = '[[link]]\nfrom = "package:0"\nto = "package:1"\n'
    for k in range(4):
        rows += f'[[device]]\nname = "gpu{k}"\nkind = "gpu"\nat = "package:{k // 2}"\n'
    for s in (1, 2):
        bus = f"0000:0{s}:00.0"
        rows += f'[[device]]\nname = "sw{s}"\nkind = "other"\nat = "machine:0"\npci = "{bus}"\n'
        for k in range(4):
            rows += f'[[link]]\nfrom = "device:gpu{k}"\nto = "pci:{bus}"\nmib_s = {1000 * s}\n'
    machine = grown("package:2 numa:1 core:2 pu:1", extra=rows)
    told = asked(machine, level="pci:0000:01:00.0")
    assert len(told["answer"]["nodes"]) == 6 and told["status"] == "optimal"
    assert asked(machine)["answer"]["nodes"] == ["package:0", "package:1"]
    assert asked(machine, level="all")["reasons"][0]["id"] == "unreachable"


# ------------------------------------------------------------------ failures and alternatives
def test_links_failures_have_a_table_each() -> None:
    """Any link of the board may break; a table on as many channels is ready for each."""
    answer = asked(BOARD, failures=True)
    rows = answer["answer"]["failures"]
    assert len(rows) == 11 and {row["status"] for row in rows} == {"optimal"}
    [far] = [row for row in rows if row["link"] == ["package:3", "package:4"]]
    assert far["max_load"] == 8 and far["hops"]["mean"] == 1.625


def test_links_failures_that_cut_are_told() -> None:
    """Two squares and a bridge: the bridge cuts; a broken 6-ring needs one channel only."""
    squares = [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 5), (5, 6), (6, 7), (7, 4)]
    rows = asked(joined("squares", 8, squares), failures=True)["answer"]["failures"]
    [bridge] = [row for row in rows if row["status"] == "disconnects"]
    assert bridge["link"] == ["package:3", "package:4"] and len(bridge["cut_off"]) == 4
    ring = asked(interconnect("ring6"), failures=True)["answer"]["failures"]
    assert {row["virtual_channels"] for row in ring} == {1}


def test_links_of_an_existing_table_are_judged() -> None:
    """With every entry given, the answer says what the table carries, or that it can deadlock."""
    ring = interconnect("ring5")

    def judged(turn: int, **request: Any) -> dict[str, Any]:
        entries = [
            {"from": f"package:{s}", "to": f"package:{d}", "next": f"package:{(s + turn) % 5}"}
            for s in range(5)
            for d in range(5)
            if s != d
        ]
        return asked(ring, require=entries, minimal=False, **request)

    for turn in (1, -1):
        one_way = judged(turn)
        # everybody the same way round: 1 + 2 + 3 + 4 pairs over each link; a channel holds two
        # destinations at most, neighbours, because the ways to three close the circle
        assert one_way["objective"]["value"] == 10 and one_way["answer"]["virtual_channels"] == 3
        refused = judged(turn, virtual_channels=1)
        assert refused["status"] == "infeasible" and refused["reasons"][0]["id"] == "cycle"


def test_links_alternatives_force_an_entry() -> None:
    """`why not over package:7?` has a price, or the reason that forbids it."""
    decision = asked(BOARD)
    clause = {"from": "package:0", "to": "package:5", "next": "package:1"}
    told = explain_alternative(BOARD, decision, clause, Limits())
    assert told["answer"]["next_hop"]["package:0"]["package:5"] == "package:1" or (
        told["status"] == "infeasible"
    )
    off = {"from": "package:0", "to": "package:1", "next": "package:7"}
    told = explain_alternative(BOARD, decision, off, Limits())
    assert told["status"] == "infeasible"
    assert {reason["id"] for reason in told["reasons"]} == {"require", "minimal"}


# ------------------------------------------------------------------ requests and limits
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"level": "core"}, "no links join two parts"),
        ({"virtual_channels": -1}, ">= 0"),
        ({"traffic": [{"from": "package:0", "to": "package:9"}]}, "package:9 is no node"),
        ({"traffic": [{"from": "pu:0", "to": "pu:1"}]}, "no traffic crosses a link"),
        ({"off": ["package:9"]}, "no node of this interconnect"),
        ({"off": [["package:0", "package:5"]]}, "no link between"),
        ({"off": [f"package:{k}" for k in range(7)]}, "nothing to route"),
        ({"require": [{"from": "pu:0", "to": "pu:1", "next": "package:1"}]}, "to itself"),
        ({"color": 3}, "unknown field"),
    ],
)
def test_links_bad_requests_name_place_and_mend(request_: dict[str, Any], words: str) -> None:
    """What the machine does not have is refused with what it has."""
    with pytest.raises(RequestError, match=words) as fault:
        asked(BOARD, **request_)
    assert fault.value.place and fault.value.mend


def test_links_of_a_machine_without_links_are_refused() -> None:
    """There is nothing to decide, and the mend says what to add."""
    with pytest.raises(RequestError, match="states no links"):
        asked(bundled("odroid-n2"))


def test_links_are_the_same_whatever_the_time() -> None:
    """Same facts, request, seed and work: the same decision, whoever numbers the clock."""
    machine = interconnect("regular4x16")
    first, second = (
        decide("links", machine, {}, Limits(seconds=s, conflicts=3000)) for s in (30, 60)
    )
    assert json.dumps(first.answer) == json.dumps(second.answer)


def test_links_of_a_large_network_are_answered_within_a_second() -> None:
    """Whatever the limit allowed is said as it is: no claim without its proof."""
    edges = networkx.random_regular_graph(4, 120, seed=5).edges
    machine = joined("large", 120, [(a, b) for a, b in edges])
    decision = decide("links", machine, {}, Limits(seconds=1.0))
    assert decision.status in {Status.FEASIBLE, Status.UNKNOWN}
    if decision.status == Status.FEASIBLE:
        assert decision.answer["least_channels"] == 2 and decision.warnings


@pytest.mark.parametrize("seed", range(12))
def test_links_random_networks_pass_the_checker(seed: int) -> None:
    """Up to ten nodes, any request: what leaves has been walked pair by pair."""
    draw = random.Random(seed)
    size = draw.randrange(4, 11)
    graph = networkx.gnp_random_graph(size, 0.35, seed=seed)
    graph.add_edges_from((node, node + 1) for node in range(size - 1))
    machine = joined("random", size, list(graph.edges))
    request: dict[str, Any] = {"minimal": draw.random() < 0.7, "failures": draw.random() < 0.4}
    if draw.random() < 0.5:
        request["virtual_channels"] = draw.randrange(1, 4)
    if draw.random() < 0.5:
        request["traffic"] = [
            {"from": f"package:{a}", "to": f"package:{b}", "weight": draw.randrange(1, 9)}
            for a, b in (draw.sample(range(size), 2) for _row in range(6))
        ]
    answer = asked(machine, conflicts=400, **request)
    assert answer["status"] in {"optimal", "feasible", "infeasible"}
