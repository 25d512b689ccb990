"""Placement: named cases, devices, defaults, proofs and limits."""

from __future__ import annotations

import time
import tomllib
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits, Status
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions import question
from skb.questions.placement import EXAMPLE, decide
from skb.questions.placement_whynot import force
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

# name, machine, request, price in ns/s: the messages, the wishes, and 90 for the memory that a task
# asks for
CASES: list[tuple[str, Machine, dict[str, Any], float]] = [
    ("two talkers share a core", SMT, {"task": [A, B], "traffic": [message(10)]}, 80),
    ("without threads they share an L3", PLAIN, {"task": [A, B], "traffic": [message(10)]}, 250),
    (
        "exclusive ones do not share a core",
        SMT,
        {"task": [{**A, "exclusive": True}, B], "traffic": [message(10)]},
        250,
    ),
    (
        "half loads share a PU",
        PLAIN,
        {"task": [{**A, "load": 0.5}, {**B, "load": 0.5}], "traffic": [message(10)]},
        0,
    ),
    (
        "loads above one do not",
        PLAIN,
        {"task": [{**A, "load": 0.6}, {**B, "load": 0.5}], "traffic": [message(10)]},
        250,
    ),
    (
        "apart in packages pays the way",
        PLAIN,
        {
            "task": [A, B],
            "traffic": [message(10)],
            "apart": [{"tasks": ["a", "b"], "within": "package"}],
        },
        2000,
    ),
    (
        "together beats a wish",
        PLAIN,
        {
            "task": [{**A, "at": "package:0"}, {**B, "near": "package:1"}],
            "together": [{"tasks": ["a", "b"], "within": "l3"}],
        },
        200,
    ),
    ("near is a price", PLAIN, {"task": [{**A, "near": {"numa:1": 3}, "not_at": "numa:1"}]}, 600),
    ("two PUs spread over a core", SMT, {"task": [{**A, "pus": 2}]}, 8),
    ("two cores spread over an L3", SMT, {"task": [{**A, "cores": 2}]}, 8 + 25 + 25),
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
        200,
    ),
    (
        "moving costs once",
        PLAIN,
        {
            "task": [A, {**B, "at": "pu:3"}],
            "traffic": [message(10)],
            "current": {"placement": {"a": {"pus": [0]}}, "migration_cost": 1000},
        },
        250 + 1000,
    ),
    (
        "staying is cheaper than moving",
        PLAIN,
        {
            "task": [A, {**B, "at": "pu:3"}],
            "traffic": [message(10)],
            "current": {"placement": {"a": {"pus": [0]}}, "migration_cost": 2000},
        },
        2000,
    ),
    (
        "an exclusive half load still has two PUs of its own",
        SMT,
        {"task": [{**A, "pus": 2, "load": 0.5, "exclusive": True}]},
        8,
    ),
    (
        "half loads share a whole core",
        machine(1, 1, 1),
        {"task": [{**A, "cores": 1, "load": 0.5}, {**B, "load": 0.5}], "traffic": [message(10)]},
        0,
    ),
    ("rates may be fractions", PLAIN, {"task": [A, B], "traffic": [message(0.1)]}, 2.5),
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


DEVICES = machine(extra=tuple(("contains", (f"package:{i}", f"device:gpu{i}")) for i in (0, 1)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("at", "gpu1"),
        ("at", ["gpu1"]),
        ("not_at", "gpu0"),
        ("near", "gpu1"),
        ("near", ["gpu1"]),
        ("near", {"gpu1": 2}),
        ("near", [{"object": "gpu1", "weight": 2}]),
    ],
)
def test_placement_takes_the_bare_name_of_a_device(key: str, value: Any) -> None:
    """A device needs no `device:` in front of its name, wherever an object is named."""
    decision = ask(DEVICES, task=[{**A, key: value}])
    assert pus(decision, "a")[0] in {2, 3}
    assert decision.objective.value == 0
    forced = ask(DEVICES, **force(DEVICES, {"task": [A]}, {"task": "a", "at": "gpu1"}))
    assert pus(forced, "a") == [2]
    assert pus(ask(DEVICES, task=[A], forced=[{"task": "a", "at": "gpu1"}]), "a") == [2]


def test_placement_names_near_devices_for_an_unknown_one() -> None:
    """A mistyped device is answered with the devices that the user may have meant."""
    for name in ("gpu7", "device:gpu7"):
        with pytest.raises(RequestError) as refused:
            decide(DEVICES, {"task": [{**A, "at": name}]}, Limits())
        assert refused.value.message == f"small has no {name}"
        assert "device:gpu1" in refused.value.mend and "device:gpu0" in refused.value.mend


def test_placement_prices_nothing_that_nobody_asked_for() -> None:
    """Without traffic and wishes the price is 0 and rests on no default."""
    bare = machine(within={"core": 8.0})
    decision = ask(bare, task=[A, B])
    assert decision.objective.value == decision.bound == 0
    assert [cost.term for cost in decision.costs] == ["communication"]
    assert decision.assumed == ()
    talking = ask(bare, task=[A, B], traffic=[message(10)])
    assert talking.assumed and all("memory" not in found.fact for found in talking.assumed)


@pytest.mark.parametrize("amount", [100, 30000], ids=["feasible", "infeasible"])
def test_placement_lists_an_assumed_bandwidth(amount: int) -> None:
    """A bandwidth that nobody stated limits the answer, so it is assumed, fit or not."""
    decision = ask(PLAIN, task=[{**A, "bandwidth_mbps": amount}])
    facts = [found.fact for found in decision.assumed]
    assert facts == [f"memory_bandwidth(numa:{n}) = 20000 MiB/s" for n in (0, 1)]


def test_placement_lists_an_assumed_memory_kind() -> None:
    """A kind of memory that nobody stated is assumed where a task asks for one."""
    for kind in ("dram", "hbm"):
        decision = ask(PLAIN, task=[{**A, "memory_kind": kind}])
        assert [found.fact for found in decision.assumed] == [
            f"memory_kind(numa:{n}) = dram" for n in (0, 1)
        ]


def test_placement_gives_the_nearest_node_with_room_for_bandwidth() -> None:
    """Bandwidth has no price of its own; the nearest node that can deliver it is taken."""
    tasks = [{**A, "bandwidth_mbps": 15000}, {**B, "bandwidth_mbps": 15000}]
    decision = ask(PLAIN, task=tasks, traffic=[message(10)])
    assert decision.objective.value == 250
    assert {decision.answer["tasks"][name]["numa_node"] for name in "ab"} == {0, 1}


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
    decision = decide(small, _random_request(24), Limits(seconds=2))
    assert check(small, decision) == []
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


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_placement_keeps_the_time_limit_on_a_large_mesh(seconds: float) -> None:
    """The fuse holds while a large program is grounded; the answer is the best found so far."""
    tasks = [{"name": f"t{i}", "exclusive": True} for i in range(150)]
    rows = [message(1 + i % 97, f"t{i % 150}", f"t{(i * 7 + 1) % 150}") for i in range(400)]
    mesh = bundled("mesh-1024")
    request = {"task": tasks, "traffic": [row for row in rows if row["from"] != row["to"]]}
    try:
        decision = decide(mesh, request, Limits(seconds=seconds))
    except LimitError:  # a busy host; the fuse itself held
        return
    assert check(mesh, decision) == []
    assert decision.status is Status.FEASIBLE and decision.bound is not None
    assert decision.provenance["seconds"] < seconds + 0.3
    assert any("left out" in text for text in decision.warnings)


def test_placement_says_that_the_time_limit_left_no_placement() -> None:
    """Where not even a first placement was found in time, that is an error of its own."""
    tasks = [{"name": f"t{i}", "exclusive": True} for i in range(150)]
    over = Limits(seconds=0.01, begun=time.monotonic() - 0.01)
    with pytest.raises(LimitError, match="no admissible placement"):
        decide(bundled("mesh-1024"), {"task": tasks}, over)
    late = Limits(seconds=5.0, begun=time.monotonic() - 5.0)  # a command counts its own start-up
    with pytest.raises(LimitError, match="in 5 s"):
        decide(bundled("tyan-s4985"), {"task": [{"name": "a"}]}, late)


def test_placement_forces_an_alternative_and_prices_it() -> None:
    """Forcing a PU gives the price of the alternative, or the rule that forbids it."""
    request: dict[str, Any] = {"task": [A, {**B, "at": "pu:0"}], "traffic": [message(10)]}
    forced = force(PLAIN, request, {"task": "a", "pu": "3"})
    decision = ask(PLAIN, **forced)
    assert pus(decision, "a") == [3]
    assert decision.objective.value == 2000
    clash = ask(PLAIN, **force(PLAIN, request, {"task": "b", "numa": "1"}))
    assert clash.status is Status.INFEASIBLE
    assert {reason.id for reason in clash.reasons} == {"task[1].at", "forced[0]"}
    with pytest.raises(RequestError):
        force(PLAIN, request, {"task": "a", "pu": "77"})


def test_placement_example_is_a_request() -> None:
    """The example in the registry parses as the request that the question takes."""
    assert question("placement").example == EXAMPLE
    extra = (("contains", ("package:0", "device:eth0")),)
    assert ask(machine(extra=extra), **tomllib.loads(EXAMPLE)).status is Status.OPTIMAL
