"""From a report to facts: who is stated, by which method, and what replaces what."""

from __future__ import annotations

import numpy as np
import pytest

from skb.costs import Costs
from skb.errors import RequestError
from skb.machine import Machine
from skb.probe.host import require_host
from skb.probe.measure import Key, Options, Report, settled_costs, shares
from skb.probe.memory import MemoryResult, line_bytes
from skb.probe.plan import Reach, plan_memory, plan_pairs
from skb.probe.reporting import facts_of, replaced
from skb.probe.statistics import Settled, settle
from skb.relations import Fact, check_set
from tests.machines import grown

WHEN = "2026-01-02T03:04:05+00:00"
COSTS = {"round_trip": 200.0, "send": 10.0, "receive": 60.0, "gap": 20.0, "message": 8.0}


def settled(centre: float, seed: int = 0, other: float | None = None) -> Settled:
    """Return two visits around a centre; with `other` the second was around that."""
    draw = np.random.default_rng(seed)
    return settle([draw.normal(at, 0.02 * at, 200) for at in (centre, other or centre)])


def report_of(machine: Machine, mode: str, **disturb: float) -> Report:
    """Return what a run on a machine would find if every pair cost the same."""
    plan = plan_pairs(machine, machine.pus, mode, 0)
    costs: dict[Key, Settled] = {}
    for a, b in plan.pairs:
        for what, value in COSTS.items():
            for first, second in ((a, b),) if what == "round_trip" else ((a, b), (b, a)):
                costs[what, first, second] = settled(value, first, disturb.get(what))
    return Report(WHEN, 1.0, 20.0, machine.pus, plan, costs, ())


def test_reporting_pairs_are_stated_in_both_directions() -> None:
    """Half a round trip is the latency; what is left beyond send and receive was in flight."""
    machine = grown("core:2 pu:1")
    facts = facts_of(report_of(machine, "all"))
    known = Machine("measured", [*machine.facts, *facts])
    for a, b in (("pu:0", "pu:1"), ("pu:1", "pu:0")):
        assert known.number("latency", a, b) == pytest.approx(100, rel=0.02)
        cost = {role: known.number("message_cost", a, b, "cache_line", role) for role in
                ("round_trip", "send", "receive", "propagation", "gap")}  # fmt: skip
        assert cost["round_trip"] == pytest.approx(200, rel=0.02)
        assert cost["send"] == pytest.approx(10, rel=0.02)
        assert cost["propagation"] == pytest.approx(30, abs=2)
        assert cost["gap"] == pytest.approx(20, rel=0.02)
        rate = known.number("message_throughput", a, b, "cache_line")
        assert rate == pytest.approx(1e9 / 8, rel=0.02)
    assert {fact.predicate for fact in facts} == {"latency", "message_cost", "message_throughput"}


def test_reporting_every_fact_says_how_and_when() -> None:
    """Source, method, date, samples and spread are there, and the facts pass validation."""
    machine = grown("package:2 core:2 pu:2")
    facts = facts_of(report_of(machine, "sampled"))
    assert check_set(facts)
    for fact in facts:
        assert (fact.source, fact.when) == ("measured", WHEN)
        assert fact.by.startswith("skb measure: ")
        assert fact.samples and fact.spread is not None
    # a spread of 2 percent: half of the 5 to 95 percent range is 1.64 deviations
    trip = next(f for f in facts if f.predicate == "message_cost" and f.args[3] == "round_trip")
    assert trip.spread == pytest.approx(1.645 * 4, rel=0.2)


def test_reporting_decisions_use_the_measured_costs() -> None:
    """The cost model takes the facts as they are, and assumes no gap."""
    machine = grown("core:2 pu:1")
    costs = Costs(Machine("measured", [*machine.facts, *facts_of(report_of(machine, "all"))]))
    pairs = costs.message_pairs((0, 1))
    assert pairs.gap[0, 1] == pytest.approx(20_000, rel=0.02)
    assert costs.assumed == ()
    total = pairs.send[0, 1] + pairs.propagation[0, 1] + pairs.receive[0, 1]
    assert total == pytest.approx(costs.latency_ps(0, 1), rel=0.01)


def test_reporting_samples_become_class_medians_and_no_pair_facts_of_others() -> None:
    """Of a sampled machine the measured pairs are pair facts, the rest is told by class."""
    machine = grown("package:2 l3:2 core:8 pu:2")
    report = report_of(machine, "sampled")
    facts = facts_of(report)
    pairs = {fact.args[:2] for fact in facts if fact.predicate == "latency"}
    assert len(pairs) == 2 * len(report.plan.pairs) < 64 * 63
    within = {fact.args[0]: fact for fact in facts if fact.predicate == "latency_within"}
    assert set(within) == {"core", "l3", "package", "machine"}
    assert "median of 8 pairs" in within["l3"].by
    roles = {fact.args[2] for fact in facts if fact.predicate == "message_cost_within"}
    assert roles == {"round_trip", "send", "receive", "gap"}


def test_reporting_disturbed_results_are_marked() -> None:
    """What two visits do not agree on says so in its method; the rest does not."""
    facts = facts_of(report_of(grown("core:2 pu:1"), "all", receive=90.0))
    marked = {fact.args[3] for fact in facts if fact.by.endswith("; disturbed")}
    assert marked == {"receive", "propagation"}


def test_reporting_disturbed_pairs_are_left_out_of_class_medians() -> None:
    """A class is told by its sound pairs."""
    machine = grown("core:40 pu:1")
    report = report_of(machine, "sampled")
    first = report.plan.groups[0].sampled[0]
    report.costs["round_trip", *first] = settled(900.0, 1, 1800.0)  # type: ignore[index]
    [latency] = [fact for fact in facts_of(report) if fact.predicate == "latency_within"]
    assert latency.args[1] == pytest.approx(100, rel=0.02)
    assert "median of 7 pairs" in latency.by and "disturbed" not in latency.by


def test_reporting_replaces_earlier_facts_of_ours_only() -> None:
    """The same pair by our earlier run goes; asserted, imported and other pairs' facts stay."""
    machine = grown("core:3 pu:1")
    mine = Fact("latency", ("pu:0", "pu:1", 99.0), "measured", by="skb measure: ping-pong")
    old = Fact(
        *("message_cost", ("pu:1", "pu:0", "cache_line", "propagation", 3.0), "measured"),
        by="skb measure: something older",
    )
    rest = [
        Fact("latency", ("pu:0", "pu:1", 98.0), "measured", by="table.csv"),
        Fact("latency", ("pu:0", "pu:1", 97.0), "asserted"),
        Fact("latency", ("pu:0", "pu:2", 96.0), "measured", by="skb measure: ping-pong"),
    ]
    known = Machine("known", [*machine.facts, mine, old, *rest])
    report = report_of(grown("core:2 pu:1"), "all")
    gone = replaced(known, facts_of(report))
    assert {fact.text for fact in gone} == {mine.text, old.text}
    assert replaced(known, []) == ()


def test_reporting_memory_names_its_initiator_precisely() -> None:
    """One PU alone is that PU, all PUs of a node are the node; half a node is nobody."""

    def facts(whole: bool, pus: tuple[int, ...]) -> dict[str, set[object]]:
        reach = Reach(0, (0, 1), 1, whole)
        rows = tuple(
            MemoryResult(kind, reach, pus if kind != "latency" else (0,), settled(100.0))
            for kind in ("latency", "read", "write")
        )
        machine = grown("core:2 pu:1")
        plan = plan_pairs(machine, (0,), None, 0)
        found = facts_of(Report(WHEN, 1.0, 20.0, (0,), plan, {}, rows))
        return {p: {f.args[0] for f in found if f.predicate == p} for p in
                ("memory_latency", "memory_bandwidth")}  # fmt: skip

    assert facts(True, (0,)) == {"memory_latency": {"numa:0"}, "memory_bandwidth": {"pu:0"}}
    assert facts(True, (0, 1))["memory_bandwidth"] == {"numa:0"}
    assert facts(False, (0, 1))["memory_bandwidth"] == set()


def test_reporting_bandwidth_is_the_inverse_of_the_pace() -> None:
    """100 microseconds for a MiB are 10000 MiB/s."""
    result = MemoryResult("read", Reach(0, (0,), 0), (0,), settled(100_000.0))
    plan = plan_pairs(grown("core:2 pu:1"), (0,), None, 0)
    found = facts_of(Report(WHEN, 1.0, 20.0, (0,), plan, {}, (result,)))
    assert [fact.args[0] for fact in found] == ["pu:0", "numa:0"]
    assert found[0].args[-1] == pytest.approx(10_000, rel=0.01)
    assert found[0].spread == pytest.approx(10_000 * 0.02 * 1.645, rel=0.2)


def test_measure_visits_join_by_direction() -> None:
    """Two visits to a pair settle each cost of each direction apart."""
    one, two = np.full(20, 10.0), np.full(20, 30.0)
    told = settled_costs([{("send", 0, 1): one, ("send", 1, 0): two}] * 2)
    assert told["send", 0, 1].summary.median == 10
    assert told["send", 1, 0].summary.median == 30


def test_measure_budget_is_kept_and_shared() -> None:
    """The seconds that a user gives are all there are, whatever is measured."""
    machine = grown("package:2 numa:1 core:8 pu:1", extra="[[memory]]\nsize_mib = 1024\n")
    plan, reaches = plan_pairs(machine, machine.pus, None, 0), plan_memory(machine, machine.pus)
    assert sum(shares(plan, reaches, Options(seconds=3.0))) == pytest.approx(3)
    assert min(shares(plan, reaches, Options(seconds=3.0))) > 0
    assert shares(plan, (), Options(seconds=3.0)) == (3.0, 0.0)
    assert sum(shares(plan, reaches, Options())) <= 240


def test_measure_line_is_the_largest_stated() -> None:
    """A machine of 128-byte lines gets messages of 128 bytes apart."""
    extra = '[[cache]]\nlevel = "l2"\nsize_kib = 256\nline = 128\n'
    assert line_bytes(grown("l2:2 core:1 pu:1")) == 64
    facts = (Fact("cache_line", ("l2:0", 128), "discovered"),)
    assert line_bytes(grown("l2:2 core:1 pu:1", *facts)) == 128
    assert extra


@pytest.mark.parametrize(
    ("tree", "facts", "words"),
    [
        ("core:3 pu:1", (), "it has 3 PUs"),
        ("core:2 pu:2", (), "lie in other cores"),
        ("numa:2 core:2 pu:1", (), "lie in other NUMA nodes"),
        ("core:4 pu:1", (("info", ("package:0", "CPUModel", "Z80")),), "CPUModel"),
    ],
)
def test_measure_refuses_a_machine_that_is_not_this_host(
    tree: str, facts: tuple[tuple[str, tuple[str, ...]], ...], words: str
) -> None:
    """Other PUs, other cores, other nodes or another model: nothing would be true of it."""
    model = Fact("info", ("machine:0", "CPUModel", "Xeon"), "discovered")
    host = grown("core:4 pu:1", model)
    require_host(grown("core:4 pu:1"), host)
    with pytest.raises(RequestError, match=words):
        extra = [Fact(name, args, "discovered") for name, args in facts]
        if facts:
            extra.append(Fact("contains", ("machine:0", "package:0"), "discovered"))
        require_host(grown(tree, *extra), host)
