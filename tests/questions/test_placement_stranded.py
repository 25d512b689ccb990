"""Who cannot stay: facts that shrank, objects that are others now, memory that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Limits, Status
from skb.dependence import hypothetical
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_repair import Repair
from skb.relations import Fact
from skb.repairing import mended
from tests.questions.placement_machines import machine

LIMITS = Limits(seconds=5)
Row = dict[str, Any]


def _placed(asked: Row, seats: dict[str, tuple[list[int], int]]) -> Row:
    """Return a placement that somebody decided, not always the best one."""
    tasks = {name: {"pus": pus, "numa_node": node} for name, (pus, node) in seats.items()}
    objective = {"name": "communication", "value": 0.0, "unit": "ns/s"}
    decision = {"id": "d", "question": "placement", "request": asked, "objective": objective}
    return {**decision, "answer": {"tasks": tasks}}


def _with(small: Machine, *facts: Fact) -> Machine:
    """Return a machine with these facts in place of others about the same."""
    keys = {fact.key for fact in facts}
    return Machine(small.name, [f for f in small.facts if f.key not in keys] + list(facts))


def test_repair_lets_a_task_stay_on_far_pus_where_a_move_costs_more() -> None:
    """Its memory is gone, its PUs are not the nearest: to move them costs 5000 ns/s."""
    small = machine(2, 3, 1)
    rows = [{"name": "a", "pus": 2, "memory_mib": 100}, {"name": "b", "at": "l3:1"}]
    asked = {"task": rows, "current": {"placement": {}, "migration_cost": 5000}}
    before = _placed(asked, {"a": ([0, 3], 0), "b": ([4], 1)})
    found = mended(small, before, off=["numa:0"], limits=LIMITS).best
    assert set(found.answer["tasks"]["a"]["pus"]) == {0, 3}
    other = decide(hypothetical(small, "numa:0", "off"), found.request, LIMITS)
    assert found.status is other.status is Status.OPTIMAL
    assert found.objective.value == other.objective.value


def test_repair_gives_the_nearest_memory_to_who_needs_it_most() -> None:
    """Node 0 has room for one of two: the small one finds room at node 1, which is near too."""
    near = {(0, 1): 100.0}
    small = _with(
        machine(4, 3, 1, memory_mib=1000),
        *(
            Fact("memory_latency", (f"package:{a}", f"numa:{b}", "access", ns))
            for a in range(4)
            for b in range(4)
            for ns in [90.0 if a == b else near.get((a, b), 300.0)]
        ),
    )
    rows = [
        {"name": "a", "memory_mib": 300, "at": "package:0"},
        {"name": "b", "memory_mib": 700, "at": "package:0"},
        {"name": "c", "memory_mib": 200, "at": "pu:2"},
        {"name": "d", "memory_mib": 600, "at": "package:1"},
    ]
    seats = {"a": ([0], 3), "b": ([1], 3), "c": ([2], 0), "d": ([3], 1)}
    found = mended(small, _placed({"task": rows}, seats), off=["numa:3"], limits=LIMITS).best
    nodes = {name: row["numa_node"] for name, row in found.answer["tasks"].items()}
    assert found.status is Status.OPTIMAL and nodes == {"a": 1, "b": 0, "c": 0, "d": 1}


def test_repair_without_any_memory_is_impossible() -> None:
    """A task that asks for memory has no place where no node is on, and the rule says so."""
    small = machine(1, 3, 1)
    for need in ({"memory_mib": 100}, {"bandwidth_mbps": 10}, {"memory_kind": "dram"}):
        rows: list[Row] = [{"name": "a", **need}, {"name": "b"}]
        before = _placed({"task": rows}, {"a": ([0], 0), "b": ([1], 0)})
        found = mended(small, before, off=["numa:0"], limits=LIMITS).best
        asked = decide(hypothetical(small, "numa:0", "off"), {"task": rows}, LIMITS)
        assert found.status is asked.status is Status.INFEASIBLE
        [key] = need
        assert [reason.id for reason in asked.reasons] == [f"task[0].{key}"]
    plain = _placed({"task": [{"name": "b"}]}, {"b": ([1], 0)})
    assert mended(small, plain, off=["numa:0"], limits=LIMITS).best.status is Status.OPTIMAL


def test_placement_checker_refuses_a_task_without_the_memory_it_asks_for() -> None:
    """No node at all is no excuse for who asks for memory."""
    small = hypothetical(machine(1, 3, 1), "numa:0", "off")
    found = decide(small, {"task": [{"name": "a"}]}, LIMITS)
    assert check(small, found) == []
    found.request["task"][0]["memory_mib"] = 1
    assert any("no memory node" in fault for fault in check(small, found))


def test_repair_parts_who_no_longer_share_an_object() -> None:
    """Cores that are below other caches now: who was together or apart moves until it is again."""
    small = machine(2, 2, 1)
    kept = [f for f in small.facts if f.args != ("l3:0", "core:1")]
    other = Machine(small.name, [*kept, Fact("contains", ("l3:1", "core:1"))])
    rows = [{"name": "a"}, {"name": "b"}]
    for kind, seats in (("together", (0, 1)), ("apart", (1, 2))):
        asked = {"task": rows, kind: [{"tasks": ["a", "b"], "within": "l3"}]}
        where = {name: ([pu], pu // 2) for name, pu in zip("ab", seats, strict=True)}
        found = mended(small, _placed(asked, where), other, limits=LIMITS)
        assert len(found.moves) == 1 and found.best.status is Status.OPTIMAL


def test_repair_of_a_core_that_is_shared_now() -> None:
    """Two PUs turn out to be of one core, of which one task wants all."""
    small = machine(1, 3, 1)
    kept = [f for f in small.facts if f.args[-1] not in ("core:1", "pu:1")]
    other = Machine(small.name, [*kept, Fact("contains", ("core:0", "pu:1"))])
    asked = {"task": [{"name": "a", "exclusive": True}, {"name": "b"}]}
    found = mended(small, _placed(asked, {"a": ([0], 0), "b": ([1], 0)}), other, limits=LIMITS)
    assert len(found.moves) == 1 and found.best.status is Status.OPTIMAL


def test_repair_evicts_who_has_too_little_memory_again_with_the_next_event() -> None:
    """Memory shrank, nobody moved, and then a core went off: both events have their movers."""
    small = machine(2, 3, 1)
    rows = [{"name": "large", "memory_mib": 600}, {"name": "tiny", "memory_mib": 300}]
    asked = {"task": [*rows, {"name": "c"}]}
    seats = {"large": ([0], 0), "tiny": ([1], 0), "c": ([4], 1)}
    repair = Repair(small, _placed(asked, seats))
    less = _with(small, Fact("memory_size", ("numa:0", 512 * 2**20)))
    assert repair.onto(less).evicted == ("large",)
    event = repair.off("pu:4")
    assert event.evicted == ("c", "large")
    stage = event.best(LIMITS, event.safe())
    assert stage is not None
    assert check(event.resident.machine, event.decision(stage)) == []


def test_resident_forgets_its_answers_when_a_repair_is_adopted() -> None:
    """A question between the event and its end is asked again afterwards, at any scale."""
    small = machine(2, 3, 1)
    rows = [{"name": "a", "at": "pu:0"}, {"name": "b", "at": "l3:0", "near": "pu:0"}]
    repair = Repair(small, _placed({"task": rows}, {"a": ([0], 0), "b": ([1], 0)}))
    whole = repair.resident.whole()
    price = whole.ns(sum(whole.terms().values()))
    task = {"name": "x", "near": {"pu:0": 0.001}}
    event = repair.off("core:1")
    assert repair.resident.ask(task).pus == (2,)
    event.undo()
    whole = repair.resident.whole()
    assert whole.ns(sum(whole.terms().values())) == price
    event = repair.off("core:1")
    assert repair.resident.ask(task).pus == (2,)
    stage = event.safe()
    assert stage is not None
    event.adopt(stage)
    [taken] = stage.seats["b"].pus
    assert taken == 2 and repair.resident.ask(task).pus != (2,)


def test_resident_refuses_that_a_task_leaves_which_is_about_to_move() -> None:
    """Who has no seat between an event and its end is named, not a fault of ours."""
    small = machine(2, 3, 1)
    repair = Repair(small, _placed({"task": [{"name": "a"}]}, {"a": ([0], 0)}))
    event = repair.off("core:0")
    with pytest.raises(RequestError, match="about to move"):
        repair.resident.leave("a")
    event.undo()
    repair.resident.leave("a")
