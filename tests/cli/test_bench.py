"""`skb bench placement`: the product and its peers on the same requests, judged by one program."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from skb.benching import kahypar, scotch
from skb.benching.peers import OURS, PEERS, Answer, asked
from skb.benching.placement import Case, Row, rows_of
from skb.benching.random_requests import machine_of, request_of
from skb.benching.rank_requests import PATTERNS, rank_request
from skb.benching.sites import sites_of
from skb.benching.standing import Figure, placed, repairs, resident
from skb.benching.swaps import swapped
from skb.benching.verdicts import verdicts
from skb.checkers.placement import faults, price
from skb.cli.main import main
from tests.machines import bundled


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip what is compiled before times are taken: no time counts here."""
    monkeypatch.setattr("skb.cli.benching_placement._warm", lambda: None)


SMALL = ("bench", "placement", "m32/6", "--engines", "skb,2-swap,policies", "--limit", "1")


def test_bench_prints_a_row_for_each_request_and_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """The table names the request, ours is proven, and what each engine is stands below."""
    assert main([*SMALL]) == 0
    shown = capsys.readouterr().out
    assert "m32/6:0" in shown
    assert "proven" in shown
    assert "swaps from many random starts" in shown


def test_bench_json_holds_rows_whose_prices_agree(capsys: pytest.CaptureFixture[str]) -> None:
    """Swaps find no less than the proven optimum, and the second program finds no fault."""
    assert main([*SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by = {row["engine"]: row for row in found["rows"]}
    assert by["skb"]["status"] == "optimal"
    assert by["skb"]["faults"] == []
    assert by["2-swap"]["breaks"] == 0
    assert by["2-swap"]["value"] >= by["skb"]["value"]


def test_bench_names_absent_peers_with_their_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that is not installed is no fault, and the command that installs it is shown."""
    gone = replace(PEERS["scotch"], present=lambda: False)
    monkeypatch.setitem(PEERS, "scotch", gone)
    words = [*SMALL[:-4], "--engines", "skb,scotch", "--limit", "1"]
    assert main(words) == 0
    assert "apt-get install scotch" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "placement", "m33/4"],
        ["bench", "placement", "tyan-s4985/ring"],
        ["bench", "placement", "--suite", "all-of-it"],
        ["bench", "placement", "--engines", "skb,gurobi"],
    ],
)
def test_bench_refuses_what_it_does_not_know(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the mistake, and the exit code of bad input."""
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("skb: error: ")


def test_bench_ends_with_1_where_a_checker_disagrees(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An admissible answer below our bound shows that the bound is wrong."""
    machine, request = machine_of("m32"), request_of("m32", 6)
    true = asked(OURS, machine, request, 1.0, 0)
    assert true.decision is not None
    assert true.decision.objective.value is not None
    high = replace(true.decision, bound=true.decision.objective.value * 2)

    def lying(engine: str, *rest: object) -> Answer:
        return Answer(true.tasks, 0.1, decision=high if engine == OURS else None)

    monkeypatch.setattr("skb.benching.placement.asked", lying)
    case = Case("random", "m32/6", 0, 1.0, "m32")
    rows = rows_of(case, machine, request, [OURS, "2-swap"], lambda _name: None)
    assert any("below the bound" in text for text in rows[0].faults)
    assert main([*SMALL]) == 1
    assert "wrong: m32/6:0 skb: " in capsys.readouterr().err


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bench_ranks_speak_as_their_pattern_says(pattern: str) -> None:
    """Every rank has partners; in a torus and the random graph exactly four; a seed repeats."""
    request = rank_request(pattern, 48, 3)
    assert request == rank_request(pattern, 48, 3)
    assert request != rank_request(pattern, 48, 4)
    partners: dict[str, set[str]] = {task["name"]: set() for task in request["task"]}
    for row in request["traffic"]:
        partners[row["from"]].add(row["to"])
        partners[row["to"]].add(row["from"])
    assert len(partners) == 48
    if pattern != "clusters":
        assert {len(others) for others in partners.values()} == {4}


@pytest.mark.parametrize("name", ["m32", "m128"])
def test_bench_sites_price_as_the_checker_does(name: str) -> None:
    """What peers minimise is what the checker counts, and swaps keep every rule."""
    machine, request = machine_of(name), request_of(name, 20)
    sites = sites_of(machine, request)
    assert not isinstance(sites, str)
    places, _note = swapped(sites, 0.3, 0)
    answer = sites.answer(places)
    assert faults(machine, request, answer) == []
    assert sites.price(places) / 1000 == pytest.approx(
        sum(price(machine, request, answer).values())
    )


def test_bench_tells_peers_only_what_they_understand() -> None:
    """A request that needs more than sites and rates is not given to them in part."""
    request = {"task": [{"name": "a", "memory_mib": 5}, {"name": "b", "pus": 2}]}
    assert sites_of(machine_of("m32"), request) == "memory_mib, pus"


@pytest.mark.parametrize("peer", ["scotch", "mtkahypar"])
def test_bench_peers_place_each_rank_on_a_core_of_its_own(peer: str) -> None:
    """What a peer answers, where it is installed, is admissible, and cheaper than by chance."""
    _skip_without(peer)
    machine = bundled("epyc-7401-2p")
    request = rank_request("torus", machine.counts["core"], 0)
    (row,) = rows_of(Case("ranks", "", 0, 0.2), machine, request, [peer], lambda _name: None)
    assert row.breaks == 0
    assert row.value is not None
    assert row.value < 2 * 8_600_000  # in the order of the ranks it is 8,592,384


def test_bench_cpsat_proves_what_we_prove() -> None:
    """On a small request its optimum is ours, rules and all."""
    _skip_without("cpsat")
    machine, request = machine_of("m32"), request_of("m32", 5)
    ours, theirs = rows_of(
        Case("random", "", 0, 20.0, "m32"), machine, request, [OURS, "cpsat"], lambda _name: None
    )
    assert theirs.note == "proven"
    assert theirs.breaks == 0
    assert ours.status == "optimal"
    assert ours.value == theirs.value


def _skip_without(peer: str) -> None:
    if not PEERS[peer].present():
        pytest.skip(f"{peer} is not installed: {PEERS[peer].install}")


def test_bench_scotch_files_hold_the_traffic_and_the_machine() -> None:
    """As many vertices as sites, arcs in both directions, and the distances of all pairs."""
    machine = bundled("epyc-7401-2p")
    sites = sites_of(machine, rank_request("torus", 48, 0))
    assert not isinstance(sites, str)
    graph = scotch.source_graph(sites).splitlines()
    assert graph[1] == f"48 {2 * 96}"
    assert len(graph) == 3 + 48
    target = scotch.target(sites, sites.group).splitlines()
    assert target[1].split()[0] == "16"
    assert [len(line.split()) for line in target[2 + 16 :]] == list(range(1, 16))


def test_bench_verdict_is_missed_where_a_peer_is_cheaper() -> None:
    """The figure names the instance that was lost, and by how much."""
    case = ("ranks", "epyc-7401-2p/torus", 1)
    ours = Row(*case, OURS, 110.0, 4.0, status="feasible", bound=50.0)
    others = [Row(*case, name, 100.0, 4.0) for name in ("scotch", "mtkahypar", "2-swap")]
    (lost,) = verdicts([ours, *others])
    assert not lost.met
    assert "epyc-7401-2p/torus:1" in lost.figure
    assert "10.0%" in lost.figure
    (won,) = verdicts([replace(ours, value=100.0), *others])
    assert won.met
    (alone,) = verdicts([replace(ours, value=100.0)])
    assert not alone.met


def test_bench_kahypar_refuses_machines_of_too_many_groups() -> None:
    """It says why it was left out instead of running for minutes."""
    sites = sites_of(machine_of("m32"), request_of("m32", 4))
    assert not isinstance(sites, str)
    many = replace(sites, cache_size=np.zeros(65, dtype=np.int64))
    assert isinstance(kahypar.mapped(many, 0.1, 0), str)


def test_bench_counts_what_a_standing_placement_takes() -> None:
    """One more task, and repairs that move evicted tasks alone; the checker finds no fault."""
    machine, decision = placed("m32/10")
    figures = [
        resident(machine, decision, "m32/10", asks=20),
        *repairs(machine, decision, "m32/10", events=3),
    ]
    assert [one.count for one in figures] == [20, 3, 3]
    for one in figures:
        assert one.faults == ()
        assert one.breaches == 0
        assert 0 < one.p50_ms <= one.p99_ms <= one.worst_ms


def test_bench_figure_is_missed_by_one_breach() -> None:
    """Fast enough is not enough where an answer lacks what it must hold."""
    good = Figure("x", 9, 1.0, 2.0, 3.0, 1.0, ((0.5, 1.0), (0.99, 2.0)), "each proven")
    assert good.met
    assert good.target == "x: p50 at most 1 ms, p99 at most 2 ms, each proven"
    assert not replace(good, breaches=1).met
    assert not replace(good, p99_ms=2.1).met
