"""Repair after parts went away: who moves, that it is the fewest, and that the best is the best."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits, Status
from skb.dependence import hypothetical
from skb.engines.placement_rescue import rescued
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_repair import Repair
from skb.questions.placement_repaired import Repaired, repaired
from skb.relations import Fact
from skb.repairing import mended
from tests.questions.placement_machines import machine
from tests.questions.placement_states import MACHINES, request

LIMITS = Limits(seconds=5)
KINDS = ("pu", "core", "l3", "package", "numa")


def _placed(small: Machine, **asked: Any) -> dict[str, Any]:
    found = decide(small, asked, LIMITS)
    assert found.status is Status.OPTIMAL
    return found.to_json()


def _moved(before: dict[str, Any], after: Decision) -> set[str]:
    """Return the tasks that are on other PUs."""
    old = before["answer"]["tasks"]
    new = after.answer["tasks"]
    return {name for name in new if set(new[name]["pus"]) != set(old[name]["pus"])}


@pytest.mark.parametrize("seed", range(16))
def test_repair_is_the_best_of_those_that_move_fewest(seed: int) -> None:
    """Both answers pass the checker; the best one has the price that the question itself proves
    for its request, and no placement moves fewer tasks.
    """
    draw = random.Random(seed)
    small = draw.choice(MACHINES[:4])
    before = decide(small, asked := request(draw, small), LIMITS).to_json()
    part = draw.choice([at for at in small.objects if at.partition(":")[0] in KINDS])
    after = hypothetical(small, part, "off")
    if not before["answer"]:
        return
    found = mended(small, before, after if seed % 2 else None, () if seed % 2 else (part,), LIMITS)
    assert found.best.provenance["facts"] == after.digest
    plain = {key: value for key, value in asked.items() if key != "current"}
    above = {"placement": before["answer"]["tasks"], "migration_cost": 1e6}
    fewest = decide(after, {**plain, "current": above}, LIMITS)
    if found.best.status is Status.INFEASIBLE:
        assert fewest.status is Status.INFEASIBLE
        return
    other = decide(after, found.best.request, LIMITS)
    assert found.best.objective.value == pytest.approx(other.objective.value)
    if not part.startswith("numa"):  # whose memory is gone may as well run elsewhere
        assert len(_moved(before, found.best)) == len(_moved(before, fewest))
    kept = set(found.best.request["current"]["keep"])
    assert kept.isdisjoint(move["task"] for move in found.moves)


def _three(small: Machine) -> dict[str, Any]:
    rows = [{"name": "a", "at": "pu:0"}, {"name": "b", "at": "l3:0"}, {"name": "c", "at": "l3:1"}]
    talk = [{"from": "b", "to": "a", "messages_per_s": 9}]
    return _placed(small, task=rows, traffic=talk)


def test_repair_moves_only_who_cannot_stay() -> None:
    """A part without tasks moves nobody; the part of one task moves that task, and says why."""
    small = machine(2, 3, 1)
    before = _three(small)
    free = set(small.pus) - {row["pus"][0] for row in before["answer"]["tasks"].values()}
    found = mended(small, before, off=[f"pu:{max(free)}"], limits=LIMITS)
    assert found.moves == () and found.best.answer["tasks"] == before["answer"]["tasks"]
    gone = before["answer"]["tasks"]["b"]["pus"][0]
    found = mended(small, before, off=[f"core:{gone}"], limits=LIMITS)
    [move] = found.moves
    assert (move["task"], move["from"]) == ("b", [gone])
    assert move["why"] == f"it runs on PU {gone}, and core:{gone} is powered off"
    assert found.best.status is Status.OPTIMAL
    assert found.best.request["current"]["keep"] == ["a", "c"]


def test_repair_widens_to_one_more_where_there_is_no_room() -> None:
    """`b` may run in one L3 only, which is full: `c` makes room, `a` stays."""
    small = machine(2, 2, 1)
    rows = [{"name": "b", "at": ["pu:0", "pu:1"]}, {"name": "c", "at": ["pu:1", "pu:2"]}]
    talk = [{"from": "b", "to": "c", "messages_per_s": 9}]
    before = _placed(small, task=rows, traffic=talk)
    b, c = (before["answer"]["tasks"][name]["pus"][0] for name in "bc")
    assert {b, c} == {0, 1}
    found = mended(small, before, off=["pu:0"], limits=LIMITS)
    assert [move["task"] for move in found.moves] == ["b", "c"]
    assert "room" in found.moves[1]["why"]
    assert found.best.status is Status.OPTIMAL and found.best.warnings == ()


def test_repair_names_the_rules_where_nothing_helps() -> None:
    """An impossible repair is infeasible with the user's own rule."""
    small = machine(2, 2, 1)
    before = _placed(small, task=[{"name": "a", "at": "pu:0"}, {"name": "b"}])
    found = mended(small, before, off=["pu:0"], limits=LIMITS)
    assert found.best.status is Status.INFEASIBLE and found.safe is None
    assert any("pu:0" in reason.text for reason in found.best.reasons)
    assert found.moves[0]["to"] is None


def _changed(small: Machine, predicate: str, args: tuple[Any, ...]) -> Machine:
    kept = [f for f in small.facts if f.predicate != predicate or f.args[0] != args[0]]
    return Machine(small.name, [*kept, Fact(predicate, args)], revision=small.revision + 1)


def test_repair_follows_any_fact_not_only_power() -> None:
    """Memory that shrank, and an instruction set that is another one, move who needs them."""
    small = machine(2, 3, 1, extra=(("isa", ("package:0", "v4")), ("isa", ("package:1", "v4"))))
    before = _placed(
        small,
        task=[
            {"name": "large", "memory_mib": 600, "at": "package:0"},
            {"name": "tiny", "memory_mib": 300, "at": "package:0"},
            {"name": "wide", "isa": "v4", "near": "package:1"},
        ],
    )
    found = mended(small, before, _changed(small, "memory_size", ("numa:0", 512 * 2**20)))
    assert [move["task"] for move in found.moves] == ["large"]
    assert found.moves[0]["numa_to"] == 1
    found = mended(small, before, _changed(small, "isa", ("package:1", "v3")))
    assert [move["task"] for move in found.moves] == ["wide"]
    assert found.best.status is Status.OPTIMAL


def test_repair_keeps_memory_where_it_is() -> None:
    """A kept task keeps its node, also where the price would be lower with another one."""
    small = machine(2, 2, 1)
    rows = [{"name": "a", "at": "pu:0", "memory_mib": 700}]
    before = {"a": {"pus": [0], "numa_node": 1}}
    asked = {"task": rows, "current": {"placement": before, "keep": ["a"]}}
    found = decide(small, asked, LIMITS)
    assert found.answer["tasks"] == before and check(small, found) == []
    full = [*rows, {"name": "b", "memory_mib": 700, "at": "package:1"}]
    found = decide(small, {**asked, "task": full}, LIMITS)
    assert found.answer["tasks"]["b"]["numa_node"] == 0
    clash = [*rows, {"name": "b", "at": "pu:0"}]
    found = decide(small, {**asked, "task": clash}, LIMITS)
    assert found.status is Status.INFEASIBLE


def test_repair_can_be_asked_about_many_events() -> None:
    """A repair waits for events: undone, the next one starts from the same placement; adopted,
    from the new one.
    """
    small = machine(2, 3, 1)
    repair = Repair(small, _three(small))
    seats = dict(repair.resident.seating.seats)
    event = repair.off("l3:1")
    assert event.evicted == ("c",)
    event.undo()
    assert repair.on("l3:1").evicted == () and repair.resident.seating.seats == seats
    event = repair.off(f"core:{seats['b'].first}")
    stage = event.safe()
    assert stage is not None
    event.adopt(stage)
    assert repair.resident.stranded() == ()
    assert repair.off("core:0").evicted == ("a",)


def _crowd(count: int) -> tuple[Machine, dict[str, Any]]:
    """Return tasks that fill a package, in a ring of talk with the next and the third next."""
    large = machine(4, count, 1)
    rows = [{"name": f"t{n}"} for n in range(count)]
    talk = [
        {"from": f"t{n}", "to": f"t{(n + step) % count}", "messages_per_s": 3 * step + n % 4}
        for n in range(count)
        for step in (1, 3)
    ]
    tasks = {f"t{n}": {"pus": [n], "numa_node": 0} for n in range(count)}
    asked = {"task": rows, "traffic": talk}
    objective = {"name": "communication", "value": 0.0, "unit": "ns/s"}
    decision = {"id": "d", "question": "placement", "request": asked, "objective": objective}
    return large, {**decision, "answer": {"tasks": tasks}}


def _found(count: int, off: list[str], limits: Limits) -> tuple[Machine, Repaired]:
    large, before = _crowd(count)
    return large, repaired(large, before, off=off, limits=limits)


def test_repair_of_many_is_in_parts_with_a_bound() -> None:
    """More than fit one search: the answer is no worse than the safe one, and has a bound."""
    _large, found = _found(20, [f"pu:{n}" for n in range(18)], Limits(conflicts=400))
    assert len(found.moves) == 18 and found.safe is not None
    assert check(found.machine, found.best) == [] and check(found.machine, found.safe) == []
    assert found.best.objective.value is not None and found.best.bound is not None
    assert found.best.bound <= found.best.objective.value <= (found.safe.objective.value or 0)


def test_repair_is_the_same_for_the_same_limit() -> None:
    """Work is counted, so that a decision can be replayed; less work gives no lower bound."""
    off = [f"pu:{n}" for n in range(9)]
    first, again = (_found(10, off, Limits(conflicts=40))[1].best for _ in range(2))
    assert first.answer == again.answer and first.bound == again.bound
    best = _found(10, off, Limits())[1].best
    assert best.status is Status.OPTIMAL
    assert (first.bound or 0) <= (best.objective.value or 0) <= (first.objective.value or 0)


def test_rescue_of_huge_prices_is_exact() -> None:
    """Rates beyond 64 bits are rounded down in bounds only."""
    large, before = _crowd(6)
    for row in before["request"]["traffic"]:
        row["messages_per_s"] *= 10**15
    repair = Repair(large, before)
    event = repair.off(*(f"pu:{n}" for n in range(5)))
    found = rescued(event.resident.seating, event.guests, None, 10**5, float("inf"))
    small, plain = _crowd(6)
    other = repaired(small, plain, off=[f"pu:{n}" for n in range(5)])
    assert found.complete and found.seats is not None
    stage = event.best(LIMITS)
    assert stage is not None
    value = event.decision(stage).objective.value
    assert value == pytest.approx((other.best.objective.value or 0) * 1e15)


def test_repair_after_parts_were_unplugged_and_discovered_anew() -> None:
    """PUs and memory that the snapshot no longer describes: who was there moves, and is told so."""
    small, less = machine(3, 2, 1), machine(2, 2, 1)
    rows = [{"name": "a", "at": "pu:0"}, {"name": "b", "memory_mib": 200}, {"name": "c"}]
    tasks = {
        name: {"pus": [pu], "numa_node": pu // 2} for name, pu in (("a", 0), ("b", 4), ("c", 5))
    }
    talk = [{"from": "b", "to": "c", "messages_per_s": 9}]
    objective = {"name": "communication", "value": 225.0, "unit": "ns/s"}
    before = {
        "id": "d",
        "question": "placement",
        "objective": objective,
        "request": {"task": rows, "traffic": talk},
        "answer": {"tasks": tasks},
    }
    found = mended(small, before, less, limits=LIMITS)
    assert [move["task"] for move in found.moves] == ["b", "c"]
    assert found.moves[0]["why"] == "it runs on PU 4, which the machine no longer has"
    assert found.best.status is Status.OPTIMAL and check(less, found.best) == []
    assert set(found.best.request["current"]["placement"]) == {"a"}
    repair = Repair(small, before)
    assert repair.onto(less).evicted == ("b", "c")
    assert repair.onto(small).evicted == (), "they are back, nobody has moved yet"


def test_repair_of_events_one_after_the_other() -> None:
    """Who has not moved yet is evicted again with the next event."""
    repair = Repair(small := machine(2, 3, 1), _three(small))
    seats = {name: seat.first for name, seat in repair.resident.seating.seats.items()}
    assert repair.off(f"core:{seats['c']}").evicted == ("c",)
    assert set(repair.off(f"core:{seats['b']}").evicted) == {"b", "c"}
    assert repair.on(f"core:{seats['b']}").evicted == ("c",)
