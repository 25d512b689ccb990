"""Forwarding tables in force feed every other question: hops, latency, loads, capacities."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import NotFoundError
from skb.knowledge import KnowledgeBase, decide
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import grown
from tests.test_ways import ROUND, ring

# PU 0 and PU 1 on neighbouring packages, the NIC at the first; each link carries 1000 MiB/s
SPEEDS = [
    Fact("link_bandwidth", (f"package:{a}", f"package:{b}", 1000.0))
    for a, b in ((0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 0), (0, 3))
]
NIC = [
    Fact("contains", ("package:0", "device:nic")),
    Fact("device_kind", ("device:nic", "network")),
]
FLOW = {
    "name": "rx",
    "device": "nic",
    "consumer": 1,
    "numa_node": 1,
    "packets_per_s": 100_000,
    "pattern": "consume",
}
SLOW = [Fact("link_bandwidth", ("package:3", "package:2", 10.0), by="slow")]


def ask(question: str, machine: Machine, **request: Any) -> Decision:
    """Return a decision that its checker accepts."""
    return decide(question, machine, request, Limits(conflicts=2000))


def test_tables_in_force_route_congestion() -> None:
    """A message to the neighbour crosses three links, each is counted, and limits name them."""
    asked = {"root": 0, "members": [0, 1]}
    plain = ask("route", ring(), **asked).answer["link_load"]
    assert [(row["from"], row["to"]) for row in plain] == [("package:0", "package:1")]
    machine = ring(*ROUND)
    loads = ask("route", machine, **asked).answer["link_load"]
    assert {(row["from"], row["to"]) for row in loads} == {
        ("package:0", "package:3"),
        ("package:3", "package:2"),
        ("package:2", "package:1"),
    }
    tied = ask("route", machine, **asked, forbid_links=[["package:3", "package:2"]])
    assert tied.status is Status.INFEASIBLE
    assert ask("route", ring(), **asked, forbid_links=[["package:3", "package:2"]]).answer


def test_tables_in_force_a_request_may_bring_others() -> None:
    """The table of a request goes before that in force."""
    table = {"package:0": {"package:1": "package:1"}, "package:1": {"package:0": "package:0"}}
    asked = {"root": 0, "members": [0, 1], "next_hop": table}
    loads = ask("route", ring(*ROUND), **asked).answer["link_load"]
    assert [(row["from"], row["to"]) for row in loads] == [("package:0", "package:1")]


def test_tables_in_force_latency_of_routes() -> None:
    """The message to the neighbour takes as long as three hops, not one."""
    asked = {"root": 0, "members": [0, 1], "model": "postal"}
    plain, long = (ask("route", machine, **asked) for machine in (ring(), ring(*ROUND)))
    assert (plain.objective.value, long.objective.value) == (100, 300)


def test_tables_in_force_buffers_cross_their_links() -> None:
    """A slow link on the table's way refuses the flow and is named; on no other way it matters."""
    fast, slow = [*SPEEDS, *NIC], [*(f for f in SPEEDS if f.args[:2] != SLOW[0].args[:2]), *NIC]
    assert ask("buffers", ring(*fast, *ROUND), flow=[FLOW]).answer
    assert ask("buffers", ring(*slow, *SLOW), flow=[FLOW]).answer
    refused = ask("buffers", ring(*slow, *SLOW, *ROUND), flow=[FLOW])
    assert refused.status is Status.INFEASIBLE
    assert any("from package:3 to package:2" in row.text for row in refused.reasons)


def test_tables_in_force_placement_pays_their_hops() -> None:
    """Traffic from the first package to the second costs three hops; back it costs one."""
    tasks = [{"name": name, "at": f"package:{at}"} for at, name in enumerate("ab")]
    traffic = [{"from": "a", "to": "b", "messages_per_s": 1000}]
    values = [
        ask("placement", machine, task=tasks, traffic=traffic).objective.value
        for machine in (ring(), ring(*ROUND))
    ]
    assert values == [100_000, 300_000]


def test_tables_in_force_rules_see_them() -> None:
    """Rules have the entries, and hops over them."""
    rules = 'ways(N) :- hops("package:0","package:1",N). #show ways/1. #show next_hop/3.'
    atoms = ask("query", ring(*ROUND), rules=rules).answer["models"][0]["atoms"]
    assert {"predicate": "ways", "args": [3]} in atoms
    assert sum(atom["predicate"] == "next_hop" for atom in atoms) == 3


def test_tables_in_force_make_decisions_stale(tmp_path: Any) -> None:
    """A decision under tables is of those facts: without them its machine is another."""
    knowledge = KnowledgeBase.open(f"sqlite:///{tmp_path}/stale.sqlite3")
    board = knowledge.machine("tyan-s4985")
    tables = knowledge.ask("links", board, {}, Limits(conflicts=2000))
    machine, changes = knowledge.apply(tables.id)
    assert changes.entries == 56 and machine.ways.tables
    under = knowledge.ask("route", machine, {"root": 0, "members": [0, 12]}, ref="tyan-s4985")
    before = decide("route", board, {"root": 0, "members": [0, 12]})
    assert under.provenance["facts"] == machine.digest != before.provenance["facts"] == board.digest
    after = knowledge.write("tyan-s4985", (), [*machine.all("next_hop")])
    assert after.digest not in {machine.digest, board.digest}
    with pytest.raises(NotFoundError, match="no longer has the facts"):
        stale = {**under.to_json(), "revision": after.revision}
        knowledge.machine_of_decision(stale)
    again, same = knowledge.apply(tables.id)
    assert same.entries == 56 and len(same.asserted) == 56 and again.digest == machine.digest
    assert knowledge.apply(tables.id)[1].asserted == ()


def test_tables_in_force_that_are_broken_are_told_where_costs_do_not_ask_them() -> None:
    """Links join NUMA nodes of one package: costs need no hops, the loads of links do."""
    ends = [(f"numa:{at}", f"numa:{(at + 1) % 4}") for at in range(4)]
    links = [Fact("link", (*pair, "x")) for a, b in ends for pair in ((a, b), (b, a))]
    steps = [("numa:0", "numa:3"), ("numa:3", "numa:2"), ("numa:2", "numa:1")]
    tables = [Fact("next_hop", (a, "numa:1", n)) for a, n in steps]
    plain = grown("package:1 numa:4 core:1 pu:1", *links, *tables)
    cut = grown("package:1 numa:4 core:1 pu:1", *links, *tables, Fact("power", ("numa:3", "off")))
    for machine, crossed, told in ((plain, 3, []), (cut, 1, ["ways of 1 pair = shortest ones"])):
        found = ask("route", machine, root=0, members=[0, 1])
        assert len(found.answer["link_load"]) == crossed
        assert [row.fact for row in found.assumed if row.fact.startswith("ways of")] == told
