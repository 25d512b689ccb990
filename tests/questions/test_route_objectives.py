"""Routes by occupancy, the frontier of occupancy and completion, and one tree for each phase."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise, permutations, product
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from skb.costs import Costs
from skb.decision import Decision, Limits, Status
from skb.engines import route_busy
from skb.engines.route_busy import Busy, least_load
from skb.engines.route_busy_exact import programme
from skb.engines.route_tree import Broadcast, Task
from skb.errors import RequestError
from skb.machine import Machine
from skb.messages import MessagePairs
from skb.questions import question
from tests.engines.test_route_oracle import matrices, never, reduction_in_order_of_arrival, shapes
from tests.machines import bundled
from tests.questions.test_route import with_pairs

ROUTE = question("route")
QUICK = Limits(conflicts=3000)
FEW = settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
COSTS = st.lists(st.integers(1, 90), min_size=24, max_size=24)
OPERATIONS = ("broadcast", "broadcast-ack", "reduce", "barrier", "two-phase-commit")


def decide(machine: Machine, limits: Limits = QUICK, **request: Any) -> Decision:
    decision = ROUTE.decide(machine, request, limits)
    assert ROUTE.check(machine, decision) == []
    return decision


def ordered_trees(size: int) -> Iterator[tuple[int, list[list[int]]]]:
    """Every tree over the nodes in every order of sending."""
    for root in range(size):
        for kids in shapes(size, root):
            for rows in product(*(permutations(row) for row in kids)):
                yield root, [list(row) for row in rows]


def both(
    pairs: MessagePairs, operation: str, root: int, kids: list[list[int]], logp: bool
) -> tuple[int, int]:
    """Return occupancy and completion by docs/message-model.md, from single messages."""
    send, receive, size = pairs.send, pairs.receive, len(kids)
    times, downs, ups = {root: 0}, [0] * size, [0] * size
    order = [root]
    for node in order:
        now = times[node]
        for place, child in enumerate(kids[node]):
            took = pairs.gap[node, child] if place and logp else send[node, child]
            now += took
            times[child] = now + receive[node, child]
            downs[node] += took
            downs[child] += receive[node, child]
            ups[child] += send[child, node]
            ups[node] += receive[child, node]
            order.append(child)
    leaf = min((v for v in times if not kids[v]), key=lambda v: (-times[v], v))
    nodes = range(size)
    sends = tuple(tuple(send.get((u, v), 0) for v in nodes) for u in nodes)
    takes = tuple(tuple(receive.get((u, v), 0) for v in nodes) for u in nodes)
    gathered = reduction_in_order_of_arrival(sends, takes, root, kids)
    report = send[leaf, root] + receive[leaf, root] if leaf != root else 0
    often = {"broadcast": (1, 0, 0), "broadcast-ack": (1, 0, 1), "reduce": (0, 1, 0)}
    b, r, a = often.get(operation, (1, 1, 0) if operation == "barrier" else (2, 1, 1))
    loads = [b * down + r * up for down, up in zip(downs, ups, strict=True)]
    if a and leaf != root:
        loads[leaf] += send[leaf, root]
        loads[root] += receive[leaf, root]
    return max(loads), b * max(times.values()) + r * gathered + a * report


@FEW
@given(COSTS, st.sampled_from(OPERATIONS), st.booleans())
def test_the_least_occupancy_is_that_of_every_tree_tried(
    cost: list[int], operation: str, logp: bool
) -> None:
    """Over four PUs, in both models; where it is called proven it is the optimum."""
    machine = with_pairs(4, cost)
    pairs = Costs(machine).message_pairs((0, 1, 2, 3))
    best = min(both(pairs, operation, *tree, logp)[0] for tree in ordered_trees(4))
    model = "logp" if logp else "postal"
    decision = decide(machine, operation=operation, model=model, objective="occupancy")
    assert decision.bound is not None
    assert decision.bound * 1000 <= best <= decision.answer["occupancy_ps"]
    if "ack" not in operation and "commit" not in operation:
        assert decision.status == Status.OPTIMAL
    assert all(row["value"] >= (decision.objective.value or 0) for row in decision.alternatives)


def test_what_a_child_costs_its_parent_at_least() -> None:
    """Of all rows of children that hold it, in every order; barred pairs are no children."""
    for seed in range(20):
        dice = Random(seed)
        nodes = range(4)
        first, further, child = (
            tuple(tuple(dice.randint(0, 9) for _ in nodes) for _ in nodes) for _ in range(3)
        )
        allowed = tuple(tuple(u != v and dice.random() < 0.7 for v in nodes) for u in nodes)
        costs = Broadcast(first, further, child)
        task = Task(((costs, 1),), allowed, tuple(nodes), 4)
        busy = Busy(first, further, child, (0, 0, 0, 0))
        pays = route_busy._least_pay(task, busy)
        for u, v in product(nodes, nodes):
            rows = [
                first[u][row[0]] + sum(further[u][other] for other in row[1:])
                for count in range(1, 4)
                for row in permutations([w for w in nodes if allowed[u][w]], count)
                if v in row
            ]
            assert pays[u][v] == min(rows, default=route_busy.BEYOND)
        for v, least in enumerate(route_busy._cheapest_edges(task, busy)):
            into = [min(first[u][v], further[u][v]) + child[u][v] for u in nodes if allowed[u][v]]
            assert least == min(into, default=0)


@FEW
@given(COSTS, st.sampled_from(["broadcast", "reduce", "barrier"]), st.booleans())
def test_a_small_frontier_is_whole(cost: list[int], operation: str, logp: bool) -> None:
    """Over four PUs exactly the pairs that no tree in no order beats in both."""
    machine = with_pairs(4, cost)
    pairs = Costs(machine).message_pairs((0, 1, 2, 3))
    found = sorted({both(pairs, operation, *tree, logp) for tree in ordered_trees(4)})
    expected: list[tuple[int, int]] = []
    for load, end in found:
        if not expected or end < expected[-1][1]:
            expected.append((load, end))
    model = "logp" if logp else "postal"
    decision = decide(machine, operation=operation, model=model, objective="frontier")
    points = decision.answer["frontier"]
    assert [(p["occupancy_ps"], p["completion_ps"]) for p in points] == expected[::-1]
    assert all(point["proven"] for point in points)


@pytest.mark.parametrize("operation", ["broadcast", "reduce", "two-phase-commit"])
def test_a_large_frontier_lies_between_both_optima(operation: str) -> None:
    """No point is better than what is proven of either alone."""
    machine, members = bundled("tyan-s4985"), list(range(10))
    request: dict[str, Any] = {"operation": operation, "members": members}
    ends, busy, both_ = (
        decide(machine, Limits(seconds=0.6), **request, objective=objective)
        for objective in ("completion", "occupancy", "frontier")
    )
    points = both_.answer["frontier"]
    assert points[0]["completion_ps"] >= (ends.bound or 0) * 1000
    assert points[-1]["occupancy_ps"] >= (busy.bound or 0) * 1000
    assert all(p["completion_bound_ps"] <= q["completion_bound_ps"] for p, q in pairwise(points))
    assert len(points) >= 2


@FEW
@given(COSTS, st.sampled_from(["barrier", "two-phase-commit"]), st.booleans())
def test_two_trees_with_a_common_root_are_the_best_two(
    cost: list[int], operation: str, logp: bool
) -> None:
    """Over four PUs: for each root the best tree down and the best tree up, all tried."""
    machine = with_pairs(4, cost)
    pairs = Costs(machine).message_pairs((0, 1, 2, 3))
    down = "broadcast" if operation == "barrier" else "two-phase-commit"
    best: dict[int, list[int]] = {root: [10**12, 10**12] for root in range(4)}
    for root, kids in ordered_trees(4):
        up = both(pairs, "reduce", root, kids, logp)[1]
        ends = both(pairs, down, root, kids, logp)[1]
        ends -= up if down == "two-phase-commit" else 0
        best[root] = [min(best[root][0], ends), min(best[root][1], up)]
    request: dict[str, Any] = {"operation": operation, "model": "logp" if logp else "postal"}
    two = decide(machine, **request, trees="per-phase")
    assert two.answer["completion_ps"] == min(map(sum, best.values()))
    assert two.answer["completion_ps"] <= decide(machine, **request).answer["completion_ps"]


@pytest.mark.parametrize("operation", ["barrier", "two-phase-commit"])
def test_a_tree_for_each_phase_is_never_dearer(operation: str) -> None:
    """On the board of 2009 both trees have one root, and keep to what is forbidden."""
    request: dict[str, Any] = {
        "operation": operation,
        "members": list(range(8)),
        "forbid": [[0, 4], [4, 0]],
        "max_fan_out": 4,
    }
    one, two = (decide(bundled("tyan-s4985"), **request, trees=way) for way in ("one", "per-phase"))
    assert (two.objective.value or 0) <= (one.objective.value or 0)
    rows = two.answer["sends"], two.answer["reduction_sends"]
    assert rows[0][0]["from"] == rows[1][0]["from"] == two.answer["root"]
    assert two.status == Status.OPTIMAL or operation != "barrier"


def test_one_phase_has_one_tree() -> None:
    """A broadcast gathers nothing, so per-phase is the same as one."""
    decision = decide(bundled("tyan-s4985"), members=[0, 1, 2], trees="per-phase")
    assert "reduction_sends" not in decision.answer


@pytest.mark.parametrize("objective", ["occupancy", "frontier"])
def test_occupancy_is_decided_over_one_tree(objective: str) -> None:
    """The request says so, with the place and the mend."""
    request = {"operation": "barrier", "trees": "per-phase", "objective": objective}
    with pytest.raises(RequestError, match="over one tree") as caught:
        ROUTE.decide(bundled("tyan-s4985"), request, QUICK)
    assert "$.trees" in caught.value.place
    assert "completion" in caught.value.mend


@FEW
@given(st.integers(2, 6).flatmap(lambda n: st.tuples(matrices(n), matrices(n), matrices(n))))
def test_no_bound_of_the_load_lies_above_the_least(triple: tuple[Any, Any, Any]) -> None:
    """The edge argument and the programme over classes, against each other and every tree."""
    first, further, child = triple
    size = len(first)
    everybody = tuple(tuple(u != v for v in range(size)) for u in range(size))
    task = Task(((Broadcast(first, further, child), 1),), everybody, tuple(range(size)), 99)
    busy = Busy(first, further, child, (0,) * size)
    exact = programme(task, busy)
    assert exact is not None
    least, bound = exact.least(0, 10_000, never)
    assert least == bound >= least_load(task, busy)
    tree = exact.tree(least, never)
    assert tree is not None
    assert exact.tree(least - 1, never) is None
    if size < 5:
        assert least == min(
            busy.load(replace(tree, root=root, kids=tuple(map(tuple, kids))))
            for root, kids in ordered_trees(size)
        )


# ---------------------------------------------------------------- checker
MEMBERS = [0, 1, 2, 3, 4, 5]
JUDGED = {
    objective: ROUTE.decide(
        bundled("tyan-s4985"), {"members": MEMBERS, "objective": objective}, QUICK
    )
    for objective in ("occupancy", "frontier")
}
TWO = ROUTE.decide(
    bundled("tyan-s4985"),
    {"members": MEMBERS, "operation": "barrier", "trees": "per-phase"},
    QUICK,
)


def _mutations(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**answer, "occupancy_ps": answer["occupancy_ps"] + 1}
    yield {**answer, "busiest": -1}
    if "reduction_sends" in answer:
        rows = deepcopy(answer)
        rows["reduction_sends"][0]["to"].pop()
        yield rows
        yield {key: value for key, value in answer.items() if key != "reduction_sends"}
    if "frontier" in answer:
        yield {**answer, "frontier": []}
        yield {**answer, "frontier": answer["frontier"][::-1]}
        for key in ("occupancy_ps", "completion_ps"):
            points = deepcopy(answer["frontier"])
            points[-1][key] -= 1
            yield {**answer, "frontier": points}
        points = deepcopy(answer["frontier"])
        points[-1]["completion_bound_ps"] = points[-1]["completion_ps"] + 1
        yield {**answer, "frontier": points}
        points = deepcopy(answer["frontier"])
        points[-1]["sends"][0]["to"].append(points[-1]["root"])
        yield {**answer, "frontier": points}


@pytest.mark.parametrize("decision", [*JUDGED.values(), TWO], ids=[*JUDGED, "per-phase"])
def test_a_mutated_objective_is_found(decision: Decision) -> None:
    """Loads, the busiest PU, the second tree and every point are recomputed."""
    machine = bundled("tyan-s4985")
    assert ROUTE.check(machine, decision) == []
    for answer in _mutations(decision.answer):
        assert ROUTE.check(machine, replace(decision, answer=answer))
    other = {**decision.request, "trees": "one", "objective": "completion"}
    assert ROUTE.check(machine, replace(decision, request=other))
