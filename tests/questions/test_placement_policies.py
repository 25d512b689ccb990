"""Known placement policies: placements worked out by hand, prices by the checker, and reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.checkers.placement import check, faults, price
from skb.decision import Decision, Limits, Status
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import board_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_policies import POLICIES, Policies
from skb.questions.placement_request import Request, expand, resolved
from skb.questions.question import read_request
from tests.machines import bundled
from tests.questions.placement_machines import machine
from tests.questions.test_placement_oracle import MACHINES, requests

# two packages of two cores of two threads: core n has the PUs n and n + 4
SMT = machine(2, 2, 2)
# reads in MiB/s: package 1 is the faster one, and two cores of package 0 or four of 1 saturate it
SERVED = machine(
    2,
    2,
    2,
    extra=(
        ("memory_bandwidth", ("package:0", "numa:0", "read", 1000)),
        ("memory_bandwidth", ("package:1", "numa:1", "read", 2000)),
        ("memory_bandwidth", ("package:0", "numa:1", "read", 600)),
        ("memory_bandwidth", ("package:1", "numa:0", "read", 600)),
        ("memory_bandwidth", ("core:0", "numa:0", "read", 500)),
        ("memory_bandwidth", ("core:2", "numa:1", "read", 500)),
    ),
)


def ask(small: Machine, request: dict[str, Any], limits: Limits | None = None) -> Decision:
    asked = {**request, "compare": True}
    decision = replace(decide(small, asked, limits or Limits()), request=asked)
    assert check(small, decision) == []
    return decision


def weighed(small: Machine, request: dict[str, Any]) -> Policies:
    """Return the policies alone, without an engine's answer."""
    asked = resolved(small, read_request(request, Request, "placement"))
    instance = Instance(small, asked, expand(small, asked))
    return Policies(instance, board_of(instance))


def laid(small: Machine, request: dict[str, Any], policy: str) -> list[list[int]]:
    """Return the PUs of each task by a policy; the checker admits and prices what it places."""
    row = next(row for row in weighed(small, request).rows(0.0) if row["name"] == policy)
    assert faults(small, request, row["tasks"]) == []
    assert row["value"] == pytest.approx(sum(price(small, request, row["tasks"]).values()))
    return [seat["pus"] for seat in row["tasks"].values()]


def rows(decision: Decision) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in decision.alternatives if "name" in row}


def some(count: int, **needs: Any) -> dict[str, Any]:
    return {"task": [{"name": f"t{index}", **needs} for index in range(count)]}


def placed(decision: Decision, policy: str) -> list[list[int]]:
    return [seat["pus"] for seat in rows(decision)[policy]["tasks"].values()]


def singles(small: Machine, count: int, policy: str) -> list[int]:
    return [pus[0] for pus in laid(small, some(count), policy)]


# policy, tasks of one PU, their PUs on SMT
ON_SMT = [
    ("compact", 4, [0, 4, 1, 5]),
    ("scatter", 6, [0, 2, 1, 3, 4, 6]),
    ("spread", 3, [0, 5, 3]),  # eight places in runs of 3, 3 and 2
    ("spread", 4, [0, 1, 2, 3]),
    ("balanced", 4, [0, 1, 2, 3]),
    ("balanced", 6, [0, 4, 1, 5, 2, 3]),
    ("map-by slot", 6, [0, 1, 2, 3, 4, 5]),
    ("map-by core", 6, [0, 1, 2, 3, 4, 5]),
    ("map-by node", 6, [0, 1, 2, 3, 4, 5]),
    ("map-by hwthread", 6, [0, 4, 1, 5, 2, 6]),
    ("map-by l3cache", 6, [0, 2, 1, 3, 4, 6]),
    ("map-by numa", 6, [0, 2, 1, 3, 4, 6]),
    ("map-by package", 6, [0, 2, 1, 3, 4, 6]),
    ("slurm block", 3, [0, 4, 1]),
    ("slurm cyclic", 3, [0, 2, 1]),
    ("slurm fcyclic", 3, [0, 2, 1]),
    ("mctop SEQUENTIAL", 6, [0, 1, 2, 3, 4, 5]),
    ("mctop MIN_LAT_HWCS", 6, [0, 4, 1, 5, 2, 6]),
    ("mctop MIN_LAT_CORES_HWCS", 6, [0, 1, 4, 5, 2, 3]),
    ("mctop MIN_LAT_CORES", 2, [0, 1]),
    ("mctop MIN_LAT_CORES", 6, [0, 1, 2, 3, 4, 5]),
    ("mctop MIN_LAT_HWCS_BALANCE", 6, [0, 4, 1, 2, 6, 3]),
    ("mctop MIN_LAT_CORES_HWCS_BALANCE", 6, [0, 1, 4, 2, 3, 6]),
    ("mctop MIN_LAT_CORES_BALANCE", 3, [0, 1, 2]),
    ("mctop MIN_LAT_CORES_BALANCE", 6, [0, 1, 2, 3, 4, 5]),
    ("mctop BW_ROUND_ROBIN_HWCS", 5, [0, 2, 4, 6, 1]),
    ("mctop BW_ROUND_ROBIN_CORES", 5, [0, 2, 1, 3, 4]),
]


@pytest.mark.parametrize(("policy", "count", "pus"), ON_SMT)
def test_policies_place_as_worked_out_by_hand(policy: str, count: int, pus: list[int]) -> None:
    """Each policy hands out the PUs of a small SMT machine in its own order."""
    assert singles(SMT, count, policy) == pus


@pytest.mark.parametrize(
    ("policy", "count", "pus"),
    [
        ("mctop MIN_LAT_HWCS", 6, [2, 6, 3, 7, 0, 4]),
        ("mctop MIN_LAT_CORES_HWCS_BALANCE", 6, [2, 3, 6, 0, 1, 4]),
        ("mctop BW_ROUND_ROBIN_CORES", 4, [2, 0, 3, 1]),
        ("mctop BW_BOUND", 6, [2, 3, 6, 7, 0, 1]),
    ],
)
def test_policies_of_mctop_start_where_memory_is_fastest(
    policy: str, count: int, pus: list[int]
) -> None:
    """Stated bandwidths order the sockets and bound what BW_BOUND gives to each."""
    assert singles(SERVED, count, policy) == pus
    assert "note" not in rows(ask(SERVED, some(count)))[policy]


def test_policies_say_what_they_lack() -> None:
    """Without bandwidths, with none to bind or without an L3, a row says why it has no price."""
    plain = machine(2, 2, 1, within={"core": 8.0})
    found = rows(ask(plain, some(2)))
    assert set(found) == set(POLICIES)
    assert found["mctop NONE"]["value"] is None
    assert "operating system" in found["mctop NONE"]["lacks"]
    assert "memory_bandwidth of numa:0 for all cores" in found["mctop BW_BOUND"]["lacks"]
    assert "latency" in found["mctop MIN_LAT_CORES"]["note"]
    bare = {row["name"]: row for row in weighed(bundled("odroid-n2"), some(2)).rows(0.0)}
    assert "states no l3" in bare["map-by l3cache"]["lacks"]
    full = rows(ask(SERVED, some(7)))["mctop BW_BOUND"]
    assert full["value"] is None and "no place left: task t6" in full["lacks"]


# machine, needs of each task, policy, tasks, the first PU of each (packages of tyan have 4 PUs;
# L3s of ex235a 8 cores with the PUs n and n + 64, two L3s a NUMA node)
ON_BOARDS = [
    ("tyan-s4985", {}, "compact", 5, [0, 1, 2, 3, 4]),
    ("tyan-s4985", {}, "scatter", 9, [0, 4, 8, 12, 16, 20, 24, 28, 1]),
    ("tyan-s4985", {}, "spread", 5, [0, 7, 14, 20, 26]),
    ("tyan-s4985", {}, "map-by l3cache", 3, [0, 4, 8]),
    ("tyan-s4985", {}, "mctop MIN_LAT_HWCS", 9, [0, 1, 2, 3, 4, 5, 6, 7, 28]),
    ("tyan-s4985", {}, "mctop MIN_LAT_HWCS_BALANCE", 5, [0, 1, 2, 4, 5]),
    ("tyan-s4985", {"pus": 3}, "map-by package", 2, [0, 4]),
    ("tyan-s4985", {"pus": 3}, "compact", 2, [0, 3]),
    ("ex235a", {}, "compact", 3, [0, 64, 1]),
    ("ex235a", {}, "balanced", 3, [0, 1, 2]),
    ("ex235a", {}, "scatter", 5, [0, 16, 32, 48, 8]),
    ("ex235a", {}, "spread", 3, [0, 85, 43]),  # runs of 43, 43 and 42 places
    ("ex235a", {}, "map-by l3cache", 3, [0, 8, 16]),
    ("ex235a", {}, "map-by numa", 5, [0, 16, 32, 48, 1]),
    ("ex235a", {}, "mctop MIN_LAT_CORES", 17, list(range(17))),
    ("ex235a", {"cores": 8}, "compact", 3, [0, 8, 16]),
    ("ex235a", {"cores": 8}, "map-by numa", 5, [0, 16, 32, 48, 8]),
]


@pytest.mark.parametrize(("name", "needs", "policy", "count", "first"), ON_BOARDS)
def test_policies_place_on_real_boards(
    name: str, needs: dict[str, Any], policy: str, count: int, first: list[int]
) -> None:
    """On the eight packages of a Tyan and the eight L3s of an EX235A the orders are the known."""
    assert [pus[0] for pus in laid(bundled(name), some(count, **needs), policy)] == first


def test_policies_keep_wide_tasks_as_their_launchers_do() -> None:
    """Cyclic keeps the PUs of a task in one package, fcyclic deals them out; cores stay whole."""
    wide = ask(SMT, some(2, pus=2))
    assert placed(wide, "slurm cyclic") == [[0, 1], [2, 3]]
    assert placed(wide, "slurm fcyclic") == [[0, 2], [1, 3]]
    assert placed(wide, "compact") == [[0, 4], [1, 5]]
    assert placed(ask(SMT, some(2, cores=1)), "scatter") == [[0, 4], [2, 6]]
    wider = ask(SMT, some(2, pus=3))
    assert placed(wider, "map-by numa") == [[0, 1, 4], [2, 3, 6]]
    widest = ask(SMT, some(1, pus=5))
    assert "no place left" in rows(widest)["map-by numa"]["lacks"]
    assert placed(widest, "slurm cyclic") == [[0, 1, 2, 4, 5]]


def test_policies_share_and_leave_alone_as_asked() -> None:
    """Half loads come round again when the PUs are used up; exclusive tasks get their cores."""
    pair = machine(1, 2, 1)
    assert singles(pair, 2, "compact") == [0, 1]
    halves = ask(pair, some(4, load=0.5))
    assert placed(halves, "map-by core") == [[0], [1], [0], [1]]
    assert placed(halves, "spread") == [[0], [0], [1], [1]]
    alone = ask(SMT, some(3, exclusive=True))
    assert placed(alone, "compact") == [[0], [1], [2]]


def test_policies_use_only_what_may_be_used() -> None:
    """PUs that are off or not in the allowed set are no places."""
    off = machine(2, 2, 1, extra=(("power", ("core:0", "off")),))
    assert singles(off, 2, "compact") == [1, 2]
    allowed = ask(SMT, {**some(2), "allowed": [5, 2, 7]})
    assert placed(allowed, "compact") == [[5], [2]]
    assert placed(allowed, "scatter") == [[5], [2]]


def test_policies_take_the_nearest_memory_with_room() -> None:
    """The node of the first PU, and the other one where it is full."""
    request = some(3, memory_mib=600)
    request["task"][2]["memory_mib"] = 300
    seats = rows(ask(machine(2, 2, 1), request))["compact"]["tasks"]
    assert [seat["numa_node"] for seat in seats.values()] == [0, 1, 1]


REASONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("at", {"task": [{"name": "a", "at": "package:1"}]}, ["task[0].at"]),
    ("not at", {"task": [{"name": "a", "not_at": "core:0"}]}, ["task[0].not_at"]),
    (
        "together",
        {**some(6), "together": [{"tasks": ["t0", "t4"], "within": "package"}]},
        ["together[0]"],
    ),
    ("apart", {**some(2), "apart": [{"tasks": ["t0", "t1"], "within": "core"}]}, ["apart[0]"]),
    (
        "memory",
        {
            "task": [
                {"name": n, "memory_mib": m} for n, m in zip("abc", (600, 400, 1000), strict=True)
            ]
        }
        | {"forced": [{"task": "b", "at": "package:1"}]},
        ["forced[0]"],
    ),
    ("cache", some(2, cache_mib=3), ["task[1].cache_mib"]),
    (
        "two",
        {"task": [{"name": "a", "at": "package:1"}, {"name": "b", "at": "package:1"}]},
        ["task[0].at", "task[1].at"],
    ),
]


@pytest.mark.parametrize(
    ("request_", "rules"), [r[1:] for r in REASONS], ids=[r[0] for r in REASONS]
)
def test_policies_name_the_rules_that_they_break(
    request_: dict[str, Any], rules: list[str]
) -> None:
    """Where compact does not fit the request, it has no price but the user's own rules in words."""
    decision = ask(SMT, request_)
    row = rows(decision)["compact"]
    assert row["value"] is None and "tasks" not in row
    assert row["rules"] == rules
    assert all(words in row["breaks"] for words in ("task",))


def test_policies_are_listed_cheapest_first_and_only_when_asked_for() -> None:
    """Prices ascend, those without a price come last; without `compare` there is none."""
    request = {**some(2), "traffic": [{"from": "t0", "to": "t1", "messages_per_s": 10}]}
    decision = ask(SMT, request)
    values = [row["value"] for row in rows(decision).values()]
    prices = [value for value in values if value is not None]
    assert prices == sorted(prices) and values[: len(prices)] == prices
    found = rows(decision)
    assert found["compact"]["value"] == 80 and found["compact"]["costs_more"] == 0
    assert found["scatter"]["value"] == 2000 and found["scatter"]["costs_more"] == 1920
    assert rows(decide(SMT, request, Limits())) == {}
    assert decide(SMT, request, Limits()).answer == decision.answer


def test_policies_are_none_where_nothing_fits() -> None:
    """An infeasible request has reasons, not alternatives; so has a machine that is off."""
    assert rows(ask(SMT, some(9))) == {}
    dark = machine(extra=(("power", ("machine:0", "off")),))
    assert ask(dark, some(1)).status is Status.INFEASIBLE


def test_policies_improve_an_answer_that_is_not_proven() -> None:
    """What a policy places cheaper than the search is the answer; what is proven stays."""
    raw = {**some(2), "traffic": [{"from": "t0", "to": "t1", "messages_per_s": 10}]}
    policies = weighed(SMT, raw)
    seats = {one.name: one.seats for one in policies.outcomes}
    assert policies.improve(seats["scatter"], 0) == seats["compact"]
    assert policies.improve(None, 0) == seats["compact"]
    bound = next(one.price for one in policies.outcomes if one.name == "scatter")
    assert policies.improve(seats["scatter"], bound) == seats["scatter"]


def test_policies_never_beat_an_answer_that_was_cut_short() -> None:
    """With hardly any search the answer is still as good as the best policy."""
    count = 24
    request = some(count)
    request["traffic"] = [
        {"from": f"t{i}", "to": f"t{i + 1}", "messages_per_s": 100} for i in range(count - 1)
    ]
    first, second = (ask(machine(4, 4, 2), request, Limits(conflicts=1)) for _ in range(2))
    assert first.id == second.id and first.alternatives == second.alternatives


def test_policies_above_their_deadline_are_left_out() -> None:
    """A fuse that has burnt leaves rows that say so, and one placement to answer with."""
    policies = weighed(SMT, some(1))
    policies.deadline = 0.0
    first, *found = policies.rows(0.0)
    assert first["name"] == next(iter(POLICIES)) and first["value"] is not None
    assert len(found) == len(POLICIES) - 1
    assert all("time limit" in row["lacks"] for row in found)
    assert policies.improve(None, 0) is not None


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(small=st.sampled_from(MACHINES), request=requests(), short=st.booleans())
def test_policies_are_admissible_priced_right_and_never_below_the_answer(
    small: Machine, request: dict[str, Any], short: bool
) -> None:
    """The checker's own rules and prices agree with every row, also where the search was short."""
    for task in request["task"]:
        for key in ("at", "not_at", "near"):
            names = task.get(key, [])
            if not all(small.has(n) for n in ([names] if isinstance(names, str) else names)):
                del task[key]
    decision = ask(small, request, Limits(conflicts=1) if short else None)
    value = decision.objective.value
    found = rows(decision)
    assert value is None or set(found) == set(POLICIES)
    for row in found.values():
        if row["value"] is not None:
            assert faults(small, request, row["tasks"]) == []
            assert row["value"] == pytest.approx(sum(price(small, request, row["tasks"]).values()))
            assert value is not None and row["value"] >= value
        else:
            assert row.get("lacks") or (row["breaks"] and row["rules"])


def test_checker_refuses_a_policy_that_is_wrong() -> None:
    """A row that breaks a rule, claims another price or undercuts the answer does not pass."""
    request = {**some(2), "traffic": [{"from": "t0", "to": "t1", "messages_per_s": 10}]}
    decision = ask(SMT, request)
    row = rows(decision)["scatter"]
    for changes, text in (
        ({"value": 1999.0}, "scatter costs 2000.0 ns/s, not 1999.0"),
        ({"value": 79.0}, "costs less than the answer"),
        ({"tasks": {**row["tasks"], "t1": row["tasks"]["t0"]}}, "scatter: pu:0 is loaded to 2"),
    ):
        wrong = replace(decision, alternatives=({**row, **changes},))
        assert any(text in found for found in check(SMT, wrong))
