"""Busy parts: what facts and requests say about them, who may run there, and who moves away."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.checkers.placement import check, faults
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.knowledge import explain_alternative, explain_more
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_load import loads
from skb.questions.placement_repair import Repair
from skb.questions.placement_resident import Resident
from skb.relations import Fact
from skb.repairing import mended
from tests.questions.placement_machines import machine
from tests.questions.placement_states import MACHINES, request

LIMITS = Limits(seconds=5)


def loaded(small: Machine, **percents: int) -> Machine:
    """Return the machine with these loads and no others; `pu_3=80` is the load of pu:3."""
    kept = [fact for fact in small.facts if fact.predicate != "load"]
    more = [Fact("load", (at.replace("_", ":"), load)) for at, load in percents.items()]
    return Machine(small.name, [*kept, *more], revision=small.revision + 1)


def pair(**more: Any) -> dict[str, Any]:
    """Return two tasks that talk."""
    talk = [{"from": "a", "to": "b", "messages_per_s": 9}]
    return {"task": [{"name": "a"}, {"name": "b"}], "traffic": talk, **more}


def used(found: Decision) -> set[int]:
    return {pu for place in found.answer["tasks"].values() for pu in place["pus"]}


def test_load_of_a_core_counts_for_its_pus_and_wider_ones_where_nothing_nearer_is_stated() -> None:
    """PU and core: the larger one; L3, NUMA node, package: the nearest, where both are silent."""
    small = loaded(machine(2, 2, 2), pu_0=5, core_0=30, pu_1=70, core_1=10, l3_1=40, pu_2=0)
    at = {pu: load for pu, (_part, load) in loads(small).items()}
    assert at == {0: 30, 4: 30, 1: 70, 5: 10, 2: 0, 3: 40, 6: 40, 7: 40}
    nodes = loaded(machine(2, 1, 1), numa_1=60, machine_0=20)
    assert loads(nodes) == {0: ("machine:0", 20), 1: ("numa:1", 60)}
    assert loads(machine(2, 1, 1)) == {}


def test_placement_leaves_busy_pus_alone() -> None:
    """A load above the limit bars a PU, one at the limit does not, an unknown one is assumed."""
    small = loaded(machine(2, 2, 1), pu_0=26, pu_1=25)
    assert used(decide(small, pair(busy_above=25), LIMITS)) == {2, 3}
    assert used(decide(small, pair(busy_above=26), LIMITS)) == {0, 1}
    free = decide(small, pair(), LIMITS)
    assert used(free) == {0, 1} and not any("load" in one.fact for one in free.assumed)
    found = decide(small, pair(busy_above=0), LIMITS)
    assert used(found) == {2, 3}
    assert "load(pu:2-3) = 0" in {one.fact for one in found.assumed}


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"busy_above": 25}, "a: pu:0 is 80 % busy, more than 25 %"),
        ({"busy_above": 79.5}, "a: pu:0 is 80 % busy, more than 79.5 %"),
        ({"busy_above": 80}, ""),
        ({"busy": ["core:0"]}, "a: pu:0 is in core:0, which is busy"),
        ({"busy": ["numa:0"]}, "a: pu:0 is in numa:0, which is busy"),
        ({"busy": ["pu:1", "numa:1"]}, ""),
    ],
)
def test_checker_catches_a_task_on_a_busy_pu(said: dict[str, Any], word: str) -> None:
    """The planted use of a busy PU is told, whatever the question would say."""
    small = loaded(machine(2, 2, 1), core_0=80, pu_0=3)
    answer = {"a": {"pus": [0], "numa_node": 0}}
    assert faults(small, {"task": [{"name": "a"}], **said}, answer) == ([word] if word else [])


@pytest.mark.parametrize("seed", range(20))
def test_checker_and_question_agree_on_every_pu(seed: int) -> None:
    """Loads anywhere, busy parts anywhere: each PU that one refuses the other refuses as well."""
    draw = random.Random(seed)
    plain = draw.choice(MACHINES)
    parts = [at for at in plain.objects if draw.random() < 0.3]
    small = loaded(plain, **{at.replace(":", "_"): draw.choice([0, 30, 60]) for at in parts})
    asked: dict[str, Any] = {"task": [{"name": "a"}], "busy_above": draw.choice([0, 29.5, 30])}
    if draw.random() < 0.5:
        asked["busy"] = draw.sample(small.objects, 1)
    for pu in small.pus:
        found = decide(small, {**asked, "task": [{"name": "a", "at": f"pu:{pu}"}]}, LIMITS)
        wrong = faults(small, asked, {"a": {"pus": [pu], "numa_node": small.numa_of_pu[pu][0]}})
        assert bool(wrong) == (found.status is Status.INFEASIBLE)


@pytest.mark.parametrize("seed", range(12))
def test_busy_pus_are_as_those_that_are_not_allowed(seed: int) -> None:
    """Loads, busy parts and the equivalent allowed set give the same price and bound, or clash."""
    draw = random.Random(seed)
    plain = machine(2, 3, draw.choice([1, 2]))
    small = loaded(plain, **{f"pu_{pu}": draw.choice([0, 20, 50, 90]) for pu in plain.pus})
    most = draw.choice([0, 20, 49])
    free = [pu for pu, (_part, load) in loads(small).items() if load <= most]
    asked = request(draw, small)
    busy = [f"pu:{pu}" for pu in small.pus if pu not in free]
    same: list[dict[str, Any]] = [{"allowed": free}, {"busy_above": most}, {"busy": busy}]
    one, *others = [decide(small, {**asked, **said}, LIMITS) for said in same]
    for other in others:
        assert check(small, other) == []
        assert other.status == one.status
        assert (other.objective.value, other.bound) == (one.objective.value, one.bound)


def test_infeasible_for_loads_names_them_and_how_to_mend() -> None:
    """The clash has the load in words; dropping the limit is a mend; an alternative is refused."""
    small = loaded(machine(1, 2, 2), pu_3=80)
    asked = {"task": [{"name": "a", "at": "pu:3"}], "busy_above": 25}
    found = decide(small, asked, LIMITS)
    assert found.status is Status.INFEASIBLE
    [text] = [reason.text for reason in found.reasons if reason.id == "busy_above"]
    assert text.startswith("pu:3 is 80 % busy, the request asks for at most 25 % (leaves 1 usable")
    told = explain_more(small, found.to_json(), {"mends": 2})
    assert "drop busy_above" in str(told["mends"])
    full = loaded(machine(1, 6, 1), **{f"pu_{pu}": 50 + pu for pu in range(6)})
    [reason] = decide(full, {"task": [{"name": "a"}], "busy_above": 49.5}, LIMITS).reasons
    assert "pu:3 53 % and 2 more parts, the request asks for at most 49.5 %" in reason.text
    placed = decide(small, {"task": [{"name": "a"}], "busy": ["core:1"]}, LIMITS).to_json()
    forced = explain_alternative(small, placed, {"task": "a", "pu": "1"})
    assert forced["status"] == "infeasible"
    assert any("core:1 is busy with other work" in row["text"] for row in forced["reasons"])


@pytest.mark.parametrize(
    "said", [{"busy_above": 101}, {"busy_above": float("nan")}, {"busy": ["l3:9"]}, {"busy": ["x"]}]
)
def test_busy_parts_that_make_no_sense_are_refused(said: dict[str, Any]) -> None:
    """A load is a percentage, and a busy part is one that the machine has."""
    with pytest.raises(RequestError) as fault:
        decide(machine(2, 2, 1), pair(**said), LIMITS)
    assert fault.value.place.startswith("busy") and fault.value.mend


def test_busy_device_is_refused() -> None:
    """Nothing runs on a device, so that it is no busy part."""
    device = (
        ("contains", ("machine:0", "device:eth0")),
        ("device_kind", ("device:eth0", "network")),
    )
    with pytest.raises(RequestError, match="nothing runs on device:eth0"):
        decide(machine(2, 2, 1, extra=device), pair(busy=["device:eth0"]), LIMITS)


def test_decision_is_stale_by_a_changed_load() -> None:
    """Another load is another digest, and the checker refuses the old answer on the new facts."""
    small = loaded(machine(2, 2, 1), pu_0=10)
    found = decide(small, pair(busy_above=25), LIMITS)
    assert found.provenance["facts"] == small.digest and used(found) == {0, 1}
    changed = loaded(small, pu_0=60)
    assert changed.digest != small.digest
    assert faults(changed, found.request, found.answer["tasks"])


# ------------------------------------------------------------ repair
def test_repair_of_busy_parts_moves_only_who_runs_there() -> None:
    """The task on the busy PU moves, its memory node can be used, and nobody else moves."""
    small = machine(2, 3, 1)
    rows = [{"name": name, "memory_mib": 100, "at": "package:0"} for name in "ab"]
    talk = [{"from": "a", "to": "b", "messages_per_s": 9}]
    before = decide(small, {"task": rows, "traffic": talk}, LIMITS).to_json()
    tasks = before["answer"]["tasks"]
    busy = tasks["b"]["pus"][0]
    found = mended(small, before, small, busy=[f"pu:{busy}"], limits=LIMITS)
    [move] = found.moves
    assert (move["task"], move["from"], move["numa_to"]) == ("b", [busy], 0)
    assert move["why"] == f"it runs on PU {busy}, and pu:{busy} is busy with other work"
    assert found.best.status is Status.OPTIMAL and found.best.request["busy"] == [f"pu:{busy}"]
    assert found.best.answer["tasks"]["a"] == tasks["a"]
    [other] = {0, 1, 2} - {tasks[name]["pus"][0] for name in "ab"}
    assert found.best.answer["tasks"]["b"]["pus"] == [other]
    clash = mended(small, before, small, busy=["l3:0"], limits=LIMITS).best
    assert clash.status is Status.INFEASIBLE
    assert any("l3:0 is busy with other work" in reason.text for reason in clash.reasons)


@pytest.mark.parametrize("seed", range(8))
def test_repair_of_busy_parts_is_that_of_parts_not_allowed(seed: int) -> None:
    """The best answer has the price that the question proves for its request with `allowed`."""
    draw = random.Random(seed)
    small = machine(2, 3, draw.choice([1, 2]))
    before = decide(small, request(draw, small), LIMITS).to_json()
    part = draw.choice([at for at in small.objects if at.partition(":")[0] in {"pu", "core", "l3"}])
    if not before["answer"]:
        return
    found = mended(small, before, small, busy=[part], limits=LIMITS).best
    asked = {key: value for key, value in found.request.items() if key != "busy"}
    free = [pu for pu in small.pus if pu not in small.pus_of(part)]
    other = decide(small, {**asked, "allowed": free}, LIMITS)
    assert (found.objective.value is None) == (other.objective.value is None)
    if found.objective.value is not None:
        assert found.objective.value == pytest.approx(other.objective.value)
        there = {n for n, at in before["answer"]["tasks"].items() if set(at["pus"]) - set(free)}
        kept = set(found.request["current"]["keep"])
        assert there.isdisjoint(kept)


def test_repair_reads_loads_as_they_are_now() -> None:
    """A request with `busy_above` meets the new loads, also where busy parts are named."""
    small = loaded(machine(2, 2, 1), pu_2=90)
    before = decide(small, pair(busy_above=25), LIMITS).to_json()
    assert used(decide(small, pair(busy_above=25), LIMITS)) == {0, 1}
    now = loaded(small, pu_0=60, pu_2=90)
    found = mended(small, before, now, limits=LIMITS)
    [move] = found.moves
    assert move["from"] == [0] and move["to"] == [3]
    assert move["why"].endswith("pu:0 is 60 % busy, the request asks for at most 25 %")
    full = mended(small, before, now, busy=["pu:1"], limits=LIMITS)
    assert full.best.status is Status.INFEASIBLE
    assert {"busy", "busy_above"} <= {reason.id for reason in full.best.reasons}
    free = loaded(small, pu_2=20)
    found = mended(small, before, free, busy=["pu:1"], limits=LIMITS)
    [move] = found.moves
    assert move["from"] == [1] and move["to"] != [1]
    said = found.best.request
    assert (said["busy_above"], said["busy"]) == (25, ["pu:1"])
    again = mended(small, found.best.to_json(), free, busy=["core:0"], limits=LIMITS)
    assert again.best.request["busy"] == ["pu:1", "core:0"]


def test_busy_events_one_after_the_other() -> None:
    """Busy parts add up until they are idle; power is apart; unknown parts change nothing."""
    small = machine(2, 2, 1)
    repair = Repair(small, decide(small, pair(), LIMITS).to_json())
    assert repair.busy("pu:0").evicted == ("a",)
    assert repair.busy("pu:1", "pu:1").evicted == ("a", "b")
    assert repair.idle("pu:0").evicted == ("b",)
    assert repair.off("core:0").evicted == ("a", "b")
    with pytest.raises(RequestError):
        repair.busy("l3:9")
    assert repair.idle("pu:1").evicted == ("a",)
    event = repair.busy("l3:1")
    best = event.best(LIMITS)
    assert event.evicted == ("a",) and best is None
    assert repair.on("core:0").evicted == ()
    assert event.resident.rows.request()["busy"] == ["l3:1"]
    assert repair.idle("l3:1").evicted == () and "busy" not in event.resident.rows.request()


def test_resident_keeps_arriving_tasks_off_busy_parts() -> None:
    """A new task goes elsewhere, and is told of the busy part where nothing else is left."""
    small = loaded(machine(1, 3, 1), pu_1=70)
    placed = decide(small, {"task": [{"name": "a"}], "busy_above": 50}, LIMITS)
    resident = Resident.of(small, placed.to_json())
    assert resident.ask({"name": "new"}).pus == (2,)
    assert resident.busy("pu:2") == ()
    reasons = resident.ask({"name": "new", "at": "pu:2"}).reasons
    assert any("pu:2 is busy with other work" in reason.text for reason in reasons)
    reasons = resident.ask({"name": "new", "at": "pu:1"}).reasons
    assert any("pu:1 is 70 % busy" in reason.text for reason in reasons)
    assert resident.busy("pu:0") == ("a",)
    assert resident.idle("pu:0", "pu:2") == () and resident.ask({"name": "new"}).pus == (2,)
