"""The resident placement against the placement question itself."""

from __future__ import annotations

import random

import pytest

from skb.checkers.placement import check
from skb.decision import Limits, Status
from skb.errors import NotFoundError, RequestError
from skb.questions.placement import decide
from skb.questions.placement_resident import Resident
from tests.questions.placement_machines import machine
from tests.questions.placement_states import MACHINES, company, talk, task


def _grown(draw: random.Random) -> Resident:
    """Return a resident with a few tasks; one may have left, and a part may be off."""
    small = draw.choice(MACHINES)
    found = Resident(small)
    for number in range(draw.randint(0, 4)):
        name, names = f"a{number}", list(found.told)
        groups = company(draw, name, names)
        found.arrive(task(draw, small, name), talk(draw, name, names), **groups)
    if found.told and draw.random() < 0.3:
        found.leave(draw.choice(list(found.told)))
    part = draw.choice([at for at in small.objects if at.partition(":")[0] in {"pu", "core", "l3"}])
    taken = {pu for seat in found.seating.seats.values() for pu in seat.pus}
    if draw.random() < 0.3 and not small.pus_of(part) & taken:
        assert found.off(part) == ()
    return found


@pytest.mark.parametrize("seed", range(40))
def test_resident_answer_is_the_optimum_while_all_others_stay(seed: int) -> None:
    """Status, price and bound are those of the question with the others kept, as the engines of
    the question find them; the whole decision passes the checker.
    """
    draw = random.Random(seed)
    found = _grown(draw)
    names = list(found.told)
    row, traffic = task(draw, found.base, "new"), talk(draw, "new", names)
    groups = company(draw, "new", names)
    place = found.ask(row, traffic, **groups)
    decision = found.decision(row, traffic, **groups)
    assert check(found.machine, decision) == []
    assert set(found.told) == set(names), "a question changes nothing"
    other = decide(found.machine, decision.request, Limits(seconds=5))
    assert other.status in {Status.OPTIMAL, Status.INFEASIBLE}
    assert decision.status is other.status
    assert bool(place.pus) is (other.status is Status.OPTIMAL)
    if place.pus:
        assert decision.objective.value == pytest.approx(other.objective.value)
        assert decision.answer["tasks"]["new"]["pus"] == list(place.pus)
    else:
        assert any("task:new" in reason.items for reason in place.reasons)


def test_resident_price_is_what_the_task_adds() -> None:
    """A task that talks to two neighbours pays the latency to both, in ns/s."""
    found = Resident(machine(2, 2, 1))
    found.arrive({"name": "a", "at": "pu:0"})
    found.arrive({"name": "b", "at": "pu:2"})
    rows = [
        {"from": "new", "to": "a", "messages_per_s": 10},
        {"from": "b", "to": "new", "messages_per_s": 1},
    ]
    place = found.ask({"name": "new"}, rows)
    assert place.pus == (1,) and place.proven
    # 10 messages inside the L3 at 25 ns, 1 between packages at 200 ns
    assert place.price == pytest.approx(10 * 25 + 1 * 200)


def test_resident_refusal_names_the_rules_that_leave_nothing() -> None:
    """A minimal set: the rule that pins, what is needed, and that the others stay."""
    found = Resident(machine(2, 2, 1))
    found.arrive({"name": "a", "at": "pu:3"})
    place = found.ask({"name": "new", "at": "pu:3", "not_at": "pu:0", "memory_mib": 1})
    assert place.pus == ()
    assert [reason.id for reason in place.reasons] == ["task[0].pus", "task[0].at", "current.keep"]
    assert "pu:3" in place.reasons[1].text
    alone = found.ask({"name": "new", "cores": 5})
    assert [reason.id for reason in alone.reasons] == ["task[0].cores"]


def test_resident_follows_what_comes_leaves_and_goes_off() -> None:
    """The same question has another answer once something has changed, and the old one again."""
    found = Resident(machine(2, 2, 1))
    talks = [{"from": "new", "to": "a", "messages_per_s": 5}]
    found.arrive({"name": "a", "at": "pu:0"})
    assert found.ask({"name": "new"}, talks).pus == (1,)
    assert found.off("core:1") == ()
    assert found.ask({"name": "new"}, talks).pus == (2,)
    assert found.on("core:1") == ()
    found.arrive({"name": "b", "at": "pu:1"})
    assert found.ask({"name": "new"}, talks).pus == (2,)
    found.leave("b")
    assert found.ask({"name": "new"}, talks).pus == (1,)
    assert found.off("package:0") == ("a",)
    assert found.machine.usable_pus == (2, 3)
    assert found.on("package:0") == ()


@pytest.mark.parametrize("part", ["pu:1", "core:3", "l3:1", "package:1", "numa:1"])
def test_resident_loses_the_pus_that_the_machine_loses(part: str) -> None:
    """What is off is derived in one place: the snapshot says the same."""
    for small in MACHINES[:4]:
        found = Resident(small)
        found.off(part)
        usable = set(found.grid.class_of) - found.seating.off
        assert usable == set(found.machine.usable_pus)


def test_resident_finer_rates_change_no_price() -> None:
    """A rate of a thousandth makes the scale finer for everybody."""
    found = Resident(machine(2, 2, 1))
    found.arrive({"name": "a", "at": "pu:0", "near": {"pu:2": 3}})
    rows = [{"from": "new", "to": "a", "messages_per_s": 2}]
    before = found.ask({"name": "new", "near": {"pu:3": 1}}, rows)
    fine = [{"from": "new", "to": "a", "messages_per_s": 0.001}]
    assert found.ask({"name": "new"}, fine).price == pytest.approx(0.025)
    found.off("core:1")
    found.on("core:1")
    assert found.ask({"name": "new", "near": {"pu:3": 1}}, rows) == before


def test_resident_refuses_what_it_cannot_read() -> None:
    """Unknown tasks, rows that are not about the task, and tasks that are here already."""
    found = Resident(machine(2, 2, 1))
    found.arrive({"name": "a"})
    with pytest.raises(RequestError, match="task a is here"):
        found.ask({"name": "a"})
    with pytest.raises(RequestError, match="there is no task 'x'"):
        found.ask({"name": "new"}, [{"from": "new", "to": "x", "messages_per_s": 1}])
    with pytest.raises(RequestError, match="does not name new"):
        found.ask({"name": "new"}, [{"from": "a", "to": "a", "messages_per_s": 1}])
    with pytest.raises(RequestError, match="not a number from 0"):
        found.ask({"name": "new"}, [{"from": "new", "to": "a", "messages_per_s": -1}])
    with pytest.raises(RequestError, match="has no core:9"):
        found.ask({"name": "new", "at": "core:9"})
    with pytest.raises(NotFoundError, match="no task 'x'"):
        found.leave("x")
    with pytest.raises(NotFoundError, match="has no l3:9"):
        found.off("l3:9")
