"""Routes: trees with proof and price, what refuses a request, and what makes one impossible."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question
from skb.relations import Fact
from tests.machines import bundled, grown

ROUTE = question("route")
BOARD = "tyan-s4985"
OPERATIONS = ("broadcast", "broadcast-ack", "reduce", "barrier", "two-phase-commit")
QUICK = Limits(conflicts=3000)


def decide(machine: Machine, limits: Limits = QUICK, **request: Any) -> Decision:
    decision = ROUTE.decide(machine, request, limits)
    assert ROUTE.check(machine, decision) == []
    return decision


def with_pairs(count: int, cost: list[int], *facts: Fact) -> Machine:
    """A machine of two packages with a send and a receive cost for each ordered pair, in ns."""
    rows = iter(cost)
    stated = [
        Fact("message_cost", (f"pu:{u}", f"pu:{v}", "cache_line", role, next(rows)))
        for u in range(count)
        for v in range(count)
        for role in ("send", "receive")
        if u != v
    ]
    return grown(f"package:2 numa:1 core:{count // 2} pu:1", *stated, *facts)


SMALL = grown("package:1 numa:1 core:4 pu:1")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("model", ["postal", "logp"])
def test_every_operation_is_answered_and_passes_the_judge(operation: str, model: str) -> None:
    """On the board of 2009, over two of its packages, with a bound that is no joke."""
    decision = decide(bundled(BOARD), operation=operation, model=model, members=list(range(8)))
    assert decision.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert decision.answer["model"] == model
    assert decision.answer["completion_ps"] == round((decision.objective.value or 0) * 1000)
    assert sum(len(row["to"]) for row in decision.answer["sends"]) == 7


@pytest.mark.parametrize("model", ["postal", "logp"])
def test_the_board_of_2009_has_a_tree_within_a_tenth_of_the_bound(model: str) -> None:
    """All 32 PUs from PU 0, within seconds."""
    begin = time.monotonic()
    decision = decide(bundled(BOARD), Limits(), root=0, model=model)
    assert time.monotonic() - begin < 8
    assert decision.answer["root"] == 0
    assert set(decision.answer["arrivals"]) == {str(pu) for pu in range(32)}
    assert decision.gap is not None
    assert decision.gap < 0.10


def test_the_tree_beats_every_classic_tree() -> None:
    """With the decided root and, as the root is free, with the best root of each."""
    decision = decide(bundled(BOARD))
    names = {row["name"] for row in decision.alternatives}
    static = {"sequential", "binary", "fibonacci", "mst", "cluster", "numa-aware"}
    assert names == {*static, "adaptive", "ecef"}
    assert all(row["value"] >= decision.objective.value for row in decision.alternatives)
    assert all(row["completion_ns"] == row["value"] for row in decision.alternatives)
    assert all(row["occupancy_ns"] > 0 for row in decision.alternatives)


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.integers(1, 90), min_size=60, max_size=60),
    st.sampled_from(OPERATIONS),
    st.sampled_from(["postal", "logp"]),
)
def test_no_classic_tree_is_better_whatever_the_costs(
    cost: list[int], operation: str, model: str
) -> None:
    """Also where costs have no pattern: the bound, the value and the classics stand in order."""
    decision = decide(with_pairs(6, cost), operation=operation, model=model)
    value = decision.objective.value
    assert value is not None
    assert decision.bound is not None
    assert decision.bound <= value
    assert all(row["value"] >= value for row in decision.alternatives)
    assert sum(row.value for row in decision.costs) == pytest.approx(value)


def test_ten_unlike_cores_are_proven() -> None:
    """The exact programme proves a group of ten whose pairs all differ."""
    cost = [(u * 37 + 11) % 83 + 5 for u in range(180)]
    for model in ("postal", "logp"):
        assert decide(with_pairs(10, cost), Limits(), model=model).status == Status.OPTIMAL


def test_assumed_gaps_are_listed_only_where_they_count() -> None:
    """LogP without a stated gap derives it and says so; the postal model needs none."""
    stated = [
        [row.fact for row in decide(bundled(BOARD), model=model, members=[0, 1]).assumed]
        for model in ("logp", "postal")
    ]
    assert any("gap" in fact for fact in stated[0])
    assert not any("gap" in fact for fact in stated[1])


def test_one_member_needs_no_message() -> None:
    """A tree of one PU is proven and takes no time, in every operation."""
    for operation in OPERATIONS:
        decision = decide(SMALL, members=[2], operation=operation)
        assert decision.status == Status.OPTIMAL
        assert decision.objective.value == 0
        assert decision.answer["sends"] == []


def test_a_root_outside_the_members_joins_them() -> None:
    """And the decision says so."""
    decision = decide(SMALL, root=0, members=[1, 2])
    assert set(decision.answer["arrivals"]) == {"0", "1", "2"}
    assert "pu:0 was added" in decision.warnings[0]


@pytest.mark.parametrize(
    ("request_", "place", "text"),
    [
        ({"members": [0, 9]}, "$.members[1]", "no pu:9"),
        ({"root": 12}, "$.root", "no pu:12"),
        ({"members": [0, 1, 0]}, "$.members[2]", "twice"),
        ({"members": []}, "$.members", "no members"),
        ({"objective": "bottleneck"}, "$.objective", "bottleneck"),
        ({"forbid": [[0, 0]]}, "$.forbid[0]", "itself"),
        ({"forbid": [[0, 77]]}, "$.forbid[0]", "no pu:77"),
        ({"members": [0, 1], "require": [[0, 3]]}, "$.require[0]", "not a member"),
        ({"max_fan_out": 0}, "$.max_fan_out", ">= 1"),
        ({"operation": "gossip"}, "$.operation", "gossip"),
        ({"memberz": [1]}, "route request", "memberz"),
    ],
)
def test_a_bad_request_names_place_and_mend(
    request_: dict[str, Any], place: str, text: str
) -> None:
    """Every error says where it is, what is wrong and what to do."""
    with pytest.raises(RequestError) as caught:
        ROUTE.decide(SMALL, request_, QUICK)
    assert place in caught.value.place
    assert text in caught.value.message
    assert caught.value.mend


def test_a_member_that_is_off_is_refused_by_name() -> None:
    """Powered off parts take no messages; without a list of members they are left out."""
    machine = grown("package:1 core:4 pu:1", Fact("power", ("core:3", "off")))
    with pytest.raises(RequestError, match="core:3 is powered off"):
        ROUTE.decide(machine, {"members": [0, 3]}, QUICK)
    assert set(decide(machine).answer["arrivals"]) == {"0", "1", "2"}


# ---------------------------------------------------------------- constraints
def test_constraints_are_kept() -> None:
    """Forbidden pairs are not used, required ones are, nobody sends to too many."""
    decision = decide(
        bundled(BOARD), root=0, forbid=[[0, 4], [0, 8]], require=[[3, 20]], max_fan_out=2
    )
    used = {(row["from"], to) for row in decision.answer["sends"] for to in row["to"]}
    assert (3, 20) in used
    assert not used & {(0, 4), (0, 8)}
    assert max(len(row["to"]) for row in decision.answer["sends"]) <= 2


def test_a_member_that_is_cut_off_is_explained_by_the_pairs() -> None:
    """The reason is exactly the user's own pairs around the member, and the root."""
    into = [[u, 2] for u in (0, 1, 3)]
    decision = decide(SMALL, root=0, forbid=[*into, [0, 3]])
    assert decision.status == Status.INFEASIBLE
    assert {row.text for row in decision.reasons} == {
        "forbidden 0->2",
        "forbidden 1->2",
        "forbidden 3->2",
        "the root is pu:0",
    }


@pytest.mark.parametrize(
    ("request_", "texts"),
    [
        ({"require": [[0, 1]], "forbid": [[0, 1]]}, {"required 0->1", "forbidden 0->1"}),
        ({"require": [[0, 1], [2, 1]]}, {"required 0->1", "required 2->1"}),
        ({"require": [[0, 1]], "root": 1}, {"required 0->1", "the root is pu:1"}),
        ({"require": [[0, 1], [1, 0]]}, {"required 0->1", "required 1->0"}),
        (
            {"require": [[0, 1], [0, 2]], "max_fan_out": 1},
            {"required 0->1", "required 0->2", "max_fan_out 1"},
        ),
    ],
)
def test_constraints_that_clash_are_named_and_no_others(
    request_: dict[str, Any], texts: set[str]
) -> None:
    """A minimal set in the user's words."""
    decision = decide(SMALL, **{"forbid": [[3, 2]], **request_})
    assert decision.status == Status.INFEASIBLE
    assert {row.text for row in decision.reasons} == texts


def test_a_chain_through_forbidden_pairs_is_found() -> None:
    """Where only one path is left, the rules or the programme find it."""
    members = list(range(12))
    path = [0, 7, 3, 11, 5, 1, 9, 2, 8, 4, 10, 6]
    kept = set(pairwise(path))
    forbid = [[u, v] for u in members for v in members if u != v and (u, v) not in kept]
    decision = decide(bundled(BOARD), members=members, forbid=forbid)
    assert decision.answer["root"] == 0
    assert [row["from"] for row in decision.answer["sends"]] == [0, *sorted(path[1:-1])]


def test_forcing_a_send_costs_what_it_costs() -> None:
    """`from=0 to=5` becomes a required pair; the price is never below the free one."""
    assert ROUTE.force is not None
    machine = bundled(BOARD)
    raw: dict[str, Any] = {"root": 0, "members": list(range(12))}
    forced = ROUTE.force(machine, raw, {"from": "0", "to": "5"})
    assert forced["require"] == [[0, 5]]
    assert "require" not in raw
    free, tied = decide(machine, **raw), decide(machine, **forced)
    assert [row["from"] for row in tied.answer["sends"] if 5 in row["to"]] == [0]
    assert (tied.objective.value or 0) >= (free.bound or 0)
    assert ROUTE.force(machine, raw, {"root": "3"})["root"] == 3
    for clause in ({"task": "rx"}, {"from": "0"}, {"from": "x", "to": "1"}):
        with pytest.raises(RequestError):
            ROUTE.force(machine, raw, clause)


# ---------------------------------------------------------------- limits
def test_the_same_request_gives_the_same_decision() -> None:
    """Everything but the seconds spent is equal, the content address included."""
    one, two = (decide(bundled(BOARD), operation="barrier") for _ in range(2))
    assert one.id == two.id
    assert one.answer == two.answer


def test_the_fuse_is_kept() -> None:
    """A limit far below the work still gives an honest answer, in time."""
    machine = bundled(BOARD)
    decide(machine, members=[0, 1])
    for limit in (0.3, 0.6):
        begin = time.monotonic()
        decision = ROUTE.decide(machine, {}, Limits(seconds=limit))
        assert time.monotonic() - begin < limit + 0.5
        assert decision.status == Status.FEASIBLE
        assert ROUTE.check(machine, decision) == []
