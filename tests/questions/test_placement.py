"""Placement: named cases, refusals with place and mend, impossible requests."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question
from skb.questions.placement import EXAMPLE, decide
from skb.questions.placement_request import force
from skb.sources import read_path
from tests.machines import bundled, shared
from tests.questions.placement_machines import machine

SMT = machine(2, 2, 2)
PLAIN = machine(2, 2, 1)


def ask(small: Machine, **request: Any) -> Decision:
    decision = decide(small, request, Limits())
    assert check(small, decision) == []
    return decision


def pus(decision: Decision, task: str) -> list[int]:
    found: list[int] = decision.answer["tasks"][task]["pus"]
    return found


def message(rate: float, a: str = "a", b: str = "b") -> dict[str, Any]:
    return {"from": a, "to": b, "messages_per_s": rate}


A, B, C = {"name": "a"}, {"name": "b"}, {"name": "c"}

# name, machine, request, price in ns/s: 90 per task for its local memory, then the messages
CASES: list[tuple[str, Machine, dict[str, Any], float]] = [
    ("two talkers share a core", SMT, {"task": [A, B], "traffic": [message(10)]}, 180 + 80),
    ("without threads they share an L3", PLAIN, {"task": [A, B], "traffic": [message(10)]}, 430),
    (
        "exclusive ones do not share a core",
        SMT,
        {"task": [{**A, "exclusive": True}, B], "traffic": [message(10)]},
        180 + 250,
    ),
    (
        "half loads share a PU",
        PLAIN,
        {"task": [{**A, "load": 0.5}, {**B, "load": 0.5}], "traffic": [message(10)]},
        180,
    ),
    (
        "loads above one do not",
        PLAIN,
        {"task": [{**A, "load": 0.6}, {**B, "load": 0.5}], "traffic": [message(10)]},
        430,
    ),
    (
        "apart in packages pays the way",
        PLAIN,
        {
            "task": [A, B],
            "traffic": [message(10)],
            "apart": [{"tasks": ["a", "b"], "within": "package"}],
        },
        180 + 2000,
    ),
    (
        "together beats a wish",
        PLAIN,
        {
            "task": [{**A, "at": "package:0"}, {**B, "near": "package:1"}],
            "together": [{"tasks": ["a", "b"], "within": "l3"}],
        },
        180 + 200,
    ),
    ("near is a price", PLAIN, {"task": [{**A, "near": {"numa:1": 3}, "not_at": "numa:1"}]}, 690),
    ("two PUs spread over a core", SMT, {"task": [{**A, "pus": 2}]}, 90 + 8),
    ("two cores spread over an L3", SMT, {"task": [{**A, "cores": 2}]}, 90 + 8 + 25 + 25),
    (
        "memory overflows to the other node",
        PLAIN,
        {
            "task": [
                {**A, "memory_mib": 600},
                {**B, "memory_mib": 600, "at": "package:0"},
                {**C, "memory_mib": 100},
            ],
            "together": [{"tasks": ["a", "b"], "within": "package"}],
        },
        90 + 140 + 90,
    ),
    (
        "a full cache sends a task away",
        PLAIN,
        {"task": [{**A, "cache_mib": 3}, {**B, "cache_mib": 3}], "traffic": [message(1)]},
        180 + 200,
    ),
    (
        "moving costs once",
        PLAIN,
        {
            "task": [A, {**B, "at": "pu:3"}],
            "traffic": [message(10)],
            "current": {"placement": {"a": {"pus": [0]}}, "migration_cost": 1000},
        },
        180 + 250 + 1000,
    ),
    (
        "staying is cheaper than moving",
        PLAIN,
        {
            "task": [A, {**B, "at": "pu:3"}],
            "traffic": [message(10)],
            "current": {"placement": {"a": {"pus": [0]}}, "migration_cost": 2000},
        },
        180 + 2000,
    ),
    (
        "an exclusive half load still has two PUs of its own",
        SMT,
        {"task": [{**A, "pus": 2, "load": 0.5, "exclusive": True}]},
        90 + 8,
    ),
    (
        "half loads share a whole core",
        machine(1, 1, 1),
        {"task": [{**A, "cores": 1, "load": 0.5}, {**B, "load": 0.5}], "traffic": [message(10)]},
        180,
    ),
    ("rates may be fractions", PLAIN, {"task": [A, B], "traffic": [message(0.1)]}, 182.5),
]


@pytest.mark.parametrize(
    ("small", "request_", "value"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_placement_reaches_the_price_worked_out_by_hand(
    small: Machine, request_: dict[str, Any], value: float
) -> None:
    """The optimum of a small case is the sum that one can do in the head, and it is proven."""
    decision = ask(small, **request_)
    assert decision.status is Status.OPTIMAL
    assert decision.objective.value == pytest.approx(value, rel=1e-12)
    assert decision.bound == decision.objective.value
    assert sum(cost.value for cost in decision.costs) == pytest.approx(value, rel=1e-12)


IMPOSSIBLE: list[tuple[str, Machine, dict[str, Any], dict[str, str]]] = [
    (
        "one task too large",
        PLAIN,
        {"task": [{**A, "cores": 5}]},
        {"task[0].cores": "needs 5 cores; the machine has 4 usable cores"},
    ),
    (
        "one task too many",
        PLAIN,
        {"task": [{"name": f"t{i}", "cores": 1, "exclusive": True} for i in range(5)]},
        {
            f"task[{i}].cores": f"task t{i} needs 1 exclusive core; the machine has 4"
            for i in range(5)
        },
    ),
    (
        "no such instruction set",
        machine(extra=(("isa", ("machine:0", "x86_64")),)),
        {"task": [A, {**B, "isa": "riscv64"}]},
        {"task[1].isa": "task b needs isa riscv64; the machine has x86_64"},
    ),
    (
        "pinned and apart",
        PLAIN,
        {
            "task": [{**A, "at": "package:0"}, {**B, "at": "numa:0"}, C],
            "apart": [{"tasks": ["a", "b"], "within": "package"}],
        },
        {"task[0].at": "package:0", "task[1].at": "numa:0", "apart[0]": "share no package"},
    ),
    (
        "apart more than there are",
        PLAIN,
        {"task": [A, B, C], "apart": [{"tasks": ["a", "b", "c"], "within": "package"}]},
        {"apart[0]": "tasks a, b, c must share no package; the machine has 2"},
    ),
    (
        "too much memory",
        PLAIN,
        {"task": [{**A, "memory_mib": 1025}, B]},
        {"task[0].memory_mib": "needs 1025 MiB"},
    ),
    (
        "memory of a kind that is not there",
        PLAIN,
        {"task": [{**A, "memory_kind": "hbm"}]},
        {"task[0].memory_kind": "needs hbm memory; the machine has dram"},
    ),
    (
        "too much bandwidth",
        PLAIN,
        {"task": [{**A, "bandwidth_mbps": 30000}]},
        {"task[0].bandwidth_mbps": "30000 MB/s"},
    ),
    (
        "too much cache",
        PLAIN,
        {"task": [{**A, "cache_mib": 5}]},
        {"task[0].cache_mib": "at most 4 MiB"},
    ),
    (
        "an allowed set too small",
        PLAIN,
        {"task": [{**A, "pus": 2}], "allowed": [3]},
        {"task[0].pus": "needs 2 PUs", "allowed": "1 usable PU"},
    ),
]


@pytest.mark.parametrize(
    ("small", "request_", "reasons"), [c[1:] for c in IMPOSSIBLE], ids=[c[0] for c in IMPOSSIBLE]
)
def test_placement_names_exactly_the_rules_that_clash(
    small: Machine, request_: dict[str, Any], reasons: dict[str, str]
) -> None:
    """The reasons are the user's own rules, with the user's names and the machine's limits."""
    decision = ask(small, **request_)
    assert decision.status is Status.INFEASIBLE
    assert {reason.id for reason in decision.reasons} == set(reasons)
    for reason in decision.reasons:
        assert reasons[reason.id] in reason.text


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown object", {"task": [A, {**B, "at": "numa:7"}]}, "task[1].at", "numa:0 to numa:1"),
    ("no object at all", {"task": [{**A, "near": "somewhere"}]}, "task[0].near", ""),
    ("same name", {"task": [A, A]}, "task[1]", "rename"),
    (
        "unknown sender",
        {"task": [A], "traffic": [message(1, "aa", "a")]},
        "traffic[0].from",
        "did you mean a?",
    ),
    (
        "negative rate",
        {"task": [A, B], "traffic": [message(-1)]},
        "traffic[0].messages_per_s",
        "0 or more",
    ),
    (
        "endless rate",
        {"task": [A, B], "traffic": [message(float("inf"))]},
        "traffic[0].messages_per_s",
        "",
    ),
    ("unknown PU", {"task": [A], "allowed": [0, 99]}, "allowed", "0 to 3"),
    ("unknown key", {"task": [{**A, "colour": "red"}]}, "placement request", ""),
    ("two sizes", {"task": [{**A, "pus": 1, "cores": 1}]}, "task[0]", "one of them"),
    ("no cores", {"task": [{**A, "cores": 0}]}, "task[0].cores", "1 or more"),
    ("load of nothing", {"task": [{**A, "load": 0}]}, "task[0].load", "0 < load"),
    ("no such device", {"task": [{**A, "per": "gpu"}]}, "task[0].per", ""),
    (
        "no such level",
        {"task": [A, B], "apart": [{"tasks": ["a", "b"], "within": "l2"}]},
        "apart[0].within",
        "",
    ),
    ("no task", {"task": []}, "task", "add a"),
]


@pytest.mark.parametrize(
    ("request_", "place", "mend"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_placement_refuses_a_bad_request_with_place_and_mend(
    request_: dict[str, Any], place: str, mend: str
) -> None:
    """A bad request is an error of the user that says where and what to do."""
    with pytest.raises(RequestError) as refused:
        decide(PLAIN, request_, Limits())
    assert refused.value.place.startswith(place)
    assert mend in refused.value.mend and refused.value.mend


def test_placement_makes_one_task_per_device_next_to_it() -> None:
    """`per` names tasks by the natural order of the devices, each local to its own."""
    extra: list[Any] = []
    for index, package in enumerate((1, 0)):
        name = f"device:gpu{index}"
        extra += [("contains", (f"package:{package}", name)), ("device_kind", (name, "gpu"))]
    decision = ask(machine(extra=tuple(extra)), task=[{"name": "rank", "per": "gpu"}])
    assert pus(decision, "rank0") == [2] and pus(decision, "rank1") == [0]


def test_placement_skips_what_is_off_absent_or_not_allowed() -> None:
    """Unusable PUs are no alternatives, and too few of them are a reason."""
    small = machine(extra=(("power", ("package:0", "off")), ("disallowed", ("pu:2", "isolated"))))
    assert pus(ask(small, task=[A]), "a") == [3]
    assert ask(small, task=[A, B]).status is Status.INFEASIBLE


def test_placement_of_nothing_usable_names_the_machine() -> None:
    """Where no PU is left, the reason is the machine's."""
    decision = ask(machine(extra=(("power", ("machine:0", "off")),)), task=[A])
    assert decision.status is Status.INFEASIBLE
    assert [reason.id for reason in decision.reasons] == ["machine"]


def test_placement_keeps_rates_that_31_bits_do_not_hold_as_a_true_bound() -> None:
    """Prices beyond 31 bits are rounded down for the solver: the bound stays below the price."""
    rates = [message(1e9 + 7), message(0.000001, "b", "c"), message(3e8 + 1, "c", "a")]
    decision = ask(SMT, task=[A, B, C], traffic=rates)
    assert decision.status in {Status.OPTIMAL, Status.FEASIBLE}
    assert decision.bound is not None and decision.objective.value is not None
    assert decision.bound <= decision.objective.value
    assert decision.gap is not None and decision.gap < 1e-6


def test_placement_repeats_itself() -> None:
    """Same snapshot, request, seed and limits: same decision, also where nothing is proven."""
    request = _random_request(24)
    limits = Limits(seed=3, conflicts=200)
    first, second = (decide(machine(4, 4, 2), request, limits) for _ in range(2))
    assert first.id == second.id and first.answer == second.answer
    assert first.bound == second.bound


def test_placement_beyond_the_proof_reports_bound_and_gap() -> None:
    """Where the limit comes first, the answer is feasible with a bound, never called optimal."""
    small = machine(4, 4, 2)
    decision = ask(small, **_random_request(24))
    loose = decide(small, _random_request(24), Limits(conflicts=1))
    assert loose.status is Status.FEASIBLE and check(small, loose) == []
    assert loose.gap is not None and 0 < loose.gap < 1
    assert loose.objective.value is not None and decision.objective.value is not None
    assert decision.bound is not None and decision.bound <= loose.objective.value


def _random_request(count: int) -> dict[str, Any]:
    tasks = [{"name": f"t{i}"} for i in range(count)]
    rows = [
        message(100 + 37 * i % 90, f"t{i}", f"t{(i * i + step) % count}")
        for i in range(count)
        for step in (1, 5)
        if (i * i + step) % count != i
    ]
    return {"task": tasks, "traffic": rows}


def test_placement_names_what_binds() -> None:
    """A hard place that costs, and one that is taken, are reasons of a feasible answer."""
    decision = ask(
        SMT,
        task=[{**A, "at": "package:1"}, {**B, "at": "pu:0"}, {**C, "near": "pu:0"}],
        traffic=[message(10)],
    )
    texts = {reason.id: reason.text for reason in decision.reasons}
    assert "without it 1750 ns/s less" in texts["task[0].at"]
    assert "no choice" in texts["task[1].at"]
    assert "there run b" in texts["capacity(c)"]


def test_placement_puts_the_rank_of_each_gpu_on_its_own_l3() -> None:
    """On the EX235A GPU and core order disagree; the pairing is unique (flux-core issue 4622)."""
    description = read_path(shared("hwloc/tioga-ex235a.v2.xml"))
    node = Machine(description.name, description.facts)
    own = {0: 48, 1: 56, 2: 16, 3: 24, 4: 0, 5: 8, 6: 32, 7: 40}
    nodes = {0: 3, 1: 3, 2: 1, 3: 1, 4: 0, 5: 0, 6: 2, 7: 2}
    hard = ask(node, task=[{"name": "rank", "per": "gpu", "cores": 8}])
    soft = ask(
        node,
        task=[{"name": f"rank{i}", "cores": 8, "near": f"device:rsmi{i}"} for i in range(8)],
    )
    for decision in (hard, soft):
        assert decision.status is Status.OPTIMAL
        for gpu, first in own.items():
            cores = range(first, first + 8)
            assert sorted(pus(decision, f"rank{gpu}")) == sorted([*cores, *(c + 64 for c in cores)])
            assert decision.answer["tasks"][f"rank{gpu}"]["numa_node"] == nodes[gpu]


@pytest.mark.parametrize("one", [True, False], ids=["one task", "one task each"])
def test_placement_refuses_33_exclusive_cores_of_32_at_once(one: bool) -> None:
    """Too many for too few is counted, not tried out."""
    board = bundled("tyan-s4985")
    if one:
        tasks: list[dict[str, Any]] = [{"name": "big", "cores": 33}]
    else:
        tasks = [{"name": f"t{i}", "cores": 1, "exclusive": True} for i in range(33)]
    decision = ask(board, task=tasks)
    assert decision.status is Status.INFEASIBLE
    assert [r.id for r in decision.reasons] == [f"task[{i}].cores" for i in range(len(tasks))]
    assert all("32 usable cores" in reason.text for reason in decision.reasons)
    assert decision.provenance["seconds"] < 2


def test_placement_forces_an_alternative_and_prices_it() -> None:
    """Forcing a PU gives the price of the alternative, or the rule that forbids it."""
    request: dict[str, Any] = {"task": [A, {**B, "at": "pu:0"}], "traffic": [message(10)]}
    forced = force(PLAIN, request, {"task": "a", "pu": "3"})
    decision = ask(PLAIN, **forced)
    assert pus(decision, "a") == [3]
    assert decision.objective.value == 180 + 2000
    clash = ask(PLAIN, **force(PLAIN, request, {"task": "b", "numa": "1"}))
    assert clash.status is Status.INFEASIBLE
    assert {reason.id for reason in clash.reasons} == {"task[1].at", "forced[0]"}
    with pytest.raises(RequestError):
        force(PLAIN, request, {"task": "a", "pu": "77"})


def test_placement_example_is_a_request() -> None:
    """The example in the registry parses as the request that the question takes."""
    assert question("placement").example == EXAMPLE
    extra = (("contains", ("package:0", "pci:0000:02:00.0")),)
    assert ask(machine(extra=extra), **tomllib.loads(EXAMPLE)).status is Status.OPTIMAL
