"""Interrupts: near, even, as little moved as can be, and honest where that is not possible."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest

from skb.costs import Costs
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.questions.interrupts import QUESTION
from skb.questions.interrupts_masks import mask
from skb.questions.interrupts_queues import queue_named
from skb.relations import Fact
from skb.sources import read_path
from tests.machines import grown, shared

NIC = """
[[device]]
name = "eth0"
kind = "network"
at = "package:0"
[[device]]
name = "disk"
kind = "storage"
at = "package:1"
[[device]]
name = "lost"
kind = "network"
at = "machine:0"
"""
TREE = "package:2 numa:1 core:4 pu:2"


def box(*facts: Fact) -> Machine:
    """Two packages of four cores with two PUs each: PUs 0 to 7, and 8 to 15."""
    return grown(TREE, *facts, extra=NIC)


def fact(predicate: str, *args: Any) -> Fact:
    """Return a discovered fact."""
    return Fact(predicate, args, "discovered")


def ask(machine: Machine, **request: Any) -> Decision:
    """Decide, and have the answer judged."""
    decision = QUESTION.decide(machine, request, Limits())
    assert QUESTION.check(machine, decision) == []
    return decision


def device(name: str, queues: int, **more: Any) -> dict[str, Any]:
    """Return a device of a request."""
    return {"name": name, "queues": queues, **more}


def seats(decision: Decision, name: str) -> list[int]:
    """Return the PUs of a device's queues in order."""
    rows = decision.answer["queues"]
    return [row["pu"] for row in rows if row["device"] == f"device:{name}"]


def spread(decision: Decision) -> int:
    """Return by how many vectors cores differ that the same devices use."""
    groups: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    users: dict[str, set[str]] = defaultdict(set)
    for row in decision.answer["queues"]:
        users[row["core"]].add(row["device"])
    for row in decision.answer["queues"]:
        groups[frozenset(users[row["core"]])][row["core"]] += 1
    return max(max(count.values()) - min(count.values()) for count in groups.values())


# ------------------------------------------------------------ near and even
REAL = {
    "tioga": ("hwloc/tioga-ex235a.v2.xml", ["hsi0", "hsi1", "hsi2", "hsi3", "ens2"], [5, 16, 24]),
    "epyc": ("hwloc/epyc7401-corona.v2.xml", ["enp3s0f0", "hsi0", "nvme0n1"], [4, 8, 48]),
    "uv": ("hwloc/uv-24s384t.v3.xml", ["eth0", "eth1", "eth4", "ib0"], [3, 8, 33]),
}


@pytest.mark.parametrize("name", REAL)
def test_interrupts_of_real_machines_are_nearest_and_even(name: str) -> None:
    """No queue is further than its nearest admissible core; loads differ by one vector at most."""
    path, names, counts = REAL[name]
    machine = machine_of(read_path(shared(path)), name)
    costs = Costs(machine)
    for count in counts:
        decision = ask(machine, device=[device(one, count) for one in names])
        assert decision.status is Status.OPTIMAL and decision.answer["spill"] == []
        assert spread(decision) <= 1
        for row in decision.answer["queues"]:
            local = machine.pus_of(row["device"])
            away = [min(costs.latency_ps(at, pu) for at in local) for pu in machine.usable_pus]
            assert row["pu"] in local and min(away) == 0


def test_interrupts_of_one_device_are_spread_by_themselves() -> None:
    """Two devices on the same cores each use all of these, not half of them twice."""
    machine = grown("package:2 numa:1 core:4 pu:1", extra=NIC.replace("package:1", "package:0"))
    decision = ask(machine, device=[device("eth0", 4), device("disk", 4)])
    assert sorted(seats(decision, "eth0")) == sorted(seats(decision, "disk")) == [0, 1, 2, 3]


def test_interrupts_use_one_thread_of_a_core_first() -> None:
    """With "one" a core's second PU stays free; with "all" it takes the fifth queue."""
    one = ask(box(), device=[device("eth0", 6)])
    assert set(seats(one, "eth0")) == {0, 2, 4, 6}
    every = seats(ask(box(), device=[device("eth0", 6)], smt="all"), "eth0")
    assert len(set(every)) == 6 and {pu // 2 for pu in every} == {0, 1, 2, 3}


def test_interrupts_of_a_device_without_locality_go_anywhere() -> None:
    """A device that hangs under the machine has every core as its nearest, and that is said."""
    decision = ask(box(), device=[device("lost", 8)])
    assert len(set(seats(decision, "lost"))) == 8
    assert "locality:device:lost" in {reason.id for reason in decision.reasons}


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"exclude": ["core:0", 2]}, {0, 1, 2}),
        ({"spare": [0, 1]}, {0, 1}),
        ({"facts": [("isolated", "pu:4", "scheduler")]}, {4}),
        ({"facts": [("power", "core:1", "off")]}, {2, 3}),
        ({"facts": [("disallowed", "pu:6", "outside the cpuset of the cgroup")]}, {6}),
    ],
    ids=["exclude", "spare", "isolated", "off", "cgroup"],
)
def test_interrupts_avoid_what_is_closed(change: dict[str, Any], gone: set[int]) -> None:
    """Excluded, spare, isolated, absent and forbidden PUs get no queue, and the reason is named."""
    facts = [fact(*row) for row in change.pop("facts", [])]
    decision = ask(box(*facts), device=[device("eth0", 16)], smt="all", **change)
    assert not gone & set(seats(decision, "eth0"))
    assert set(seats(decision, "eth0")) == set(range(8)) - gone
    assert decision.reasons


def test_interrupts_take_tasks_and_parts_as_workers() -> None:
    """Workers are PUs, parts, or tasks with the places that a placement gave them."""
    tasks = {"rx": {"pus": [9, 11], "numa_node": 1}}
    row = device("eth0", 4, workers=["rx", "core:1"])
    decision = ask(box(), device=[row], tasks=tasks, spill="next-nearest")
    assert sorted(seats(decision, "eth0")) == [2, 2, 9, 11]


def test_interrupts_level_different_loads() -> None:
    """The largest load of a core is the least that there is: 5 and 5, not 6 and 4."""
    row = device("eth0", 5, workers=[0, 2], load=[3, 3, 2, 1, 1])
    decision = ask(box(), device=[row])
    assert decision.answer["max_load"] == 5
    assert decision.status is Status.OPTIMAL


# ------------------------------------------------------------ spill
def test_interrupts_spill_by_the_rule() -> None:
    """Six queues on four near cores share, go on, change the package, or are refused."""
    asked = {"device": [device("eth0", 6)]}
    shared_ = ask(box(), **asked)
    assert shared_.answer["spill"] == [] and shared_.answer["max_load"] == 2
    further = ask(box(), **asked, spill="next-nearest")
    assert further.answer["max_load"] == 1
    assert {row["rule"] for row in further.answer["spill"]} == {"next-nearest"}
    assert sorted(pu > 7 for pu in seats(further, "eth0")) == [False] * 4 + [True] * 2
    refused = ask(box(), **asked, spill="refuse")
    assert refused.status is Status.INFEASIBLE
    assert [reason.id for reason in refused.reasons] == ["queues:device:eth0", "spill:refuse"]


def test_interrupts_skip_the_rest_of_the_package_where_asked() -> None:
    """With "other-package" queues leave the package, though its other cores are nearer."""
    tree = "package:2 numa:1 l3:2 core:2 pu:1"
    machine = grown(tree, extra=NIC.replace('at = "package:0"', 'at = "l3:0"'))
    asked = {"device": [device("eth0", 3)]}
    assert seats(ask(machine, **asked, spill="next-nearest"), "eth0") == [0, 1, 2]
    assert seats(ask(machine, **asked, spill="other-package"), "eth0") == [0, 1, 4]
    single = grown("package:1 numa:1 l3:2 core:2 pu:1", extra=_only_nic("l3:0"))
    nowhere = ask(single, **asked, spill="other-package")
    assert nowhere.status is Status.INFEASIBLE
    assert "no other package" in nowhere.reasons[-1].text


def _only_nic(at: str) -> str:
    return f'[[device]]\nname = "eth0"\nkind = "network"\nat = "{at}"\n'


def test_interrupts_share_evenly_where_all_cores_are_full() -> None:
    """More queues than cores: each takes the least number with which all have room."""
    decision = ask(box(), device=[device("eth0", 20)], spill="next-nearest")
    assert decision.answer["fill"] == 3
    assert decision.answer["max_load"] == 3
    assert "fill" in {reason.id for reason in decision.reasons}


def test_interrupts_keep_the_vectors_of_a_pu() -> None:
    """A PU holds no more vectors than its limit; the rest goes on, or is refused by name."""
    facts = [fact("interrupt_pu", irq, "pu:0") for irq in (90, 91)]
    limits = {"vectors_per_pu": 3}
    row = device("eth0", 10)
    decision = ask(box(*facts), device=[row], limits=limits)
    assert set(Counter(seats(decision, "eth0")).values()) == {2, 3}
    assert 0 not in seats(decision, "eth0")
    decision = ask(box(*facts), device=[device("eth0", 10)], exclude=[1], limits=limits)
    assert Counter(seats(decision, "eth0")) == {0: 1, 2: 3, 4: 3, 6: 3}
    decision = ask(box(*facts), device=[device("eth0", 11)], exclude=[1], limits=limits)
    assert {row["rule"] for row in decision.answer["spill"]} == {"limit"}
    none = ask(box(), device=[device("eth0", 9)], limits={"vectors_per_pu": 1})
    assert none.status is Status.INFEASIBLE
    assert none.reasons[-1].id == "limits.vectors_per_pu"


def test_interrupts_name_who_lacks_room() -> None:
    """Only the devices that together lack room are named, not one with cores of its own."""
    rows = [device("eth0", 4), device("disk", 3), device("lost", 2)]
    rows[0]["workers"] = [0, 2]
    decision = ask(box(), device=rows, limits={"vectors_per_pu": 1})
    assert decision.status is Status.INFEASIBLE
    named = [reason.id for reason in decision.reasons if reason.id.startswith("queues:")]
    assert named == ["queues:device:eth0"]


def test_interrupts_without_any_pu_say_why() -> None:
    """A minimal set of constraints is given: what is not needed for the refusal is left out."""
    row = device("eth0", 1, workers=[0, 1])
    decision = ask(box(), device=[row], exclude=["core:0"], spare=[14])
    ids = [reason.id for reason in decision.reasons]
    assert ids == ["workers:device:eth0", "exclude"]


# ------------------------------------------------------------ what is there
def vectors(name: str, irqs: dict[int, tuple[str, int]]) -> list[Fact]:
    """Return interrupts of a device with their names and PUs."""
    rows = [fact("interrupt", f"device:{name}", irq) for irq in irqs]
    rows += [fact("interrupt_name", irq, title) for irq, (title, _pu) in irqs.items()]
    return rows + [fact("interrupt_pu", irq, f"pu:{pu}") for irq, (_title, pu) in irqs.items()]


def test_interrupts_move_only_what_must() -> None:
    """Vectors that sit well stay, whatever their order; those too far or doubled move."""
    irqs = {30 + at: (f"eth0-TxRx-{at}", pu) for at, pu in enumerate([6, 2, 2, 9])}
    machine = box(*vectors("eth0", irqs), fact("device_queues", "device:eth0", "combined", 4))
    decision = ask(machine)
    assert seats(decision, "eth0")[:2] == [6, 2]
    assert sorted(seats(decision, "eth0")) == [0, 2, 4, 6]
    assert [row["irq"] for row in decision.answer["moves"]] == [32, 33]
    assert "current" in {row["name"] for row in decision.alternatives}


def test_interrupts_of_administration_are_no_queues() -> None:
    """Vectors that are named for something else than a queue are left alone."""
    irqs = {40: ("nvme0q0", 0), 41: ("nvme0q1", 0), 42: ("nvme0q2", 8)}
    machine = box(*vectors("disk", irqs), fact("device_queues", "device:disk", "combined", 2))
    decision = ask(machine)
    assert [row["irq"] for row in decision.answer["queues"]] == [41, 42]


def test_interrupts_without_names_say_what_they_took() -> None:
    """Of a disk the first vector administers, and that is an assumption."""
    rows = [fact("interrupt", "device:disk", irq) for irq in (50, 51, 52)]
    machine = box(*rows, fact("device_queues", "device:disk", "combined", 2))
    decision = ask(machine)
    assert [row["irq"] for row in decision.answer["queues"]] == [51, 52]
    assert any("no names" in one.because for one in decision.assumed)


@pytest.mark.parametrize(
    ("name", "queue", "way"),
    [
        ("eth0-TxRx-3", 3, "combined"),
        ("i40e-enp1s0f0-TxRx-11", 11, "combined"),
        ("mlx5_comp7@pci:0000:81:00.0", 7, "combined"),
        ("mlx5_async0@pci:0000:81:00.0", None, "combined"),
        ("nvme3q0", None, "combined"),
        ("nvme3q12", 11, "combined"),
        ("virtio0-input.2", 2, "rx"),
        ("virtio0-output.2", 2, "tx"),
        ("virtio0-config", None, "combined"),
        ("eth0-rx-1", 1, "rx"),
        ("eth0-tx-1", 1, "tx"),
        ("ena-mgmnt@pci:0000:00:05.0", None, "combined"),
        ("eth0-Tx-Rx-4", 4, "combined"),
        ("eth0", None, "combined"),
    ],
)
def test_interrupt_names_of_drivers_tell_queues(name: str, queue: int | None, way: str) -> None:
    """Names as Linux drivers give them are understood."""
    assert queue_named(name) == (queue, way)


def test_interrupts_that_the_kernel_manages_stay() -> None:
    """A managed vector keeps its PU, and the others make room for it."""
    row = {"name": "eth0", "vectors": [60, 61, 62, 63]}
    current = {"affinity": {"60": "2", "61": [0], "62": 9, "63": "0-3"}}
    decision = ask(box(), device=[row], managed=[60, 62], current=current)
    assert seats(decision, "eth0")[0] == 2 and seats(decision, "eth0")[2] == 9
    assert 2 not in {row["pu"] for row in decision.answer["queues"] if not row["managed"]}
    assert [row["irq"] for row in decision.answer["managed"]] == [60, 62]
    assert "managed" in {reason.id for reason in decision.reasons}


def test_interrupts_why_not_has_a_price() -> None:
    """Forcing a queue to the other package costs what that way is longer."""
    asked = {"device": [device("eth0", 2)]}
    assert QUESTION.force is not None
    clause = {"device": "eth0", "queue": "1", "pu": "8"}
    forced = ask(box(), **QUESTION.force(box(), asked, clause))
    base = ask(box(), **asked)
    step = Costs(box()).latency_ps(0, 8) / 1000
    assert seats(forced, "eth0")[1] == 8
    assert forced.objective.value == pytest.approx((base.objective.value or 0) + step)


# ------------------------------------------------------------ steering and multicast
@pytest.mark.parametrize(
    ("pus", "width", "text"),
    [
        ([0], 4, "1"),
        ([0, 5], 6, "21"),
        ([31], 32, "80000000"),
        ([32, 0], 48, "0001,00000001"),
        ([127], 128, "80000000,00000000,00000000,00000000"),
        ([], 40, "00,00000000"),
    ],
)
def test_masks_are_written_as_linux_does(pus: list[int], width: int, text: str) -> None:
    """Words of 32 bits, the first as short as the machine needs."""
    assert mask(pus, width) == text


def test_interrupts_steer_packets() -> None:
    """Two queues on four near cores hand packets to all of these; each PU sends by one queue."""
    decision = ask(box(), device=[device("eth0", 2)])
    row = decision.answer["steering"]["device:eth0"]
    helped = [int(text, 16) for text in row["rps"].values()]
    assert helped[0] & helped[1] == 0 and helped[0] | helped[1] == 0b01010101
    senders = [int(text, 16) for text in row["xps"].values()]
    assert senders[0] & senders[1] == 0 and senders[0] | senders[1] == 0xFFFF
    assert row["rss"]["equal"]


def test_interrupts_weigh_queues_of_shared_cores() -> None:
    """Six queues on four cores: those that share one get half the packets each."""
    decision = ask(box(), device=[device("eth0", 6)])
    weights = decision.answer["steering"]["device:eth0"]["rss"]["weights"]
    share: Counter[int] = Counter()
    for pu, weight in zip(seats(decision, "eth0"), weights, strict=True):
        share[pu] += weight
    assert set(share.values()) == {2}


def test_interrupts_steer_flows_to_a_pinned_consumer() -> None:
    """Packets for a consumer on a PU get the queue of the core next to it."""
    rule = {"device": "eth0", "dst_port": 80, "consumer": 5}
    decision = ask(box(), device=[device("eth0", 4)], steer=[rule])
    queue = decision.answer["steer"][0]["queue"]
    assert seats(decision, "eth0")[queue] == 4


def test_interrupts_compare_masks_with_those_in_force() -> None:
    """Masks that are right already are no change; the others say from what to what."""
    asked = {"device": [device("eth0", 1)]}
    right = ask(box(), **asked).answer["steering"]["device:eth0"]["xps"]["0"]
    current = {"xps": {"eth0": {"0": right}}, "rps": {"eth0": {"0": "0000"}}}
    changes = ask(box(), **asked, current=current).answer["changes"]
    assert changes == [
        {"device": "device:eth0", "mask": "rps", "queue": 0, "from": "", "to": "0,2,4,6"}
    ]


def test_interrupts_group_pus_for_multicast() -> None:
    """An x2APIC cluster has sixteen IDs; IDs of cores count in powers of two."""
    machine = grown("package:2 numa:1 core:6 pu:2", extra=NIC)
    groups = [["machine:0"], [0, 1], ["package:1"]]
    decision = ask(machine, device=[device("eth0", 1)], ipi_groups=groups)
    told = decision.answer["ipi_groups"]
    assert [group["writes"] for group in told] == [2, 1, 1]
    assert told[1]["clusters"] == [{"cluster": 0, "pus": [0, 1], "mask": "0003"}]
    assert any("APIC" in one.fact for one in decision.assumed)


# ------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "no queues"),
        ({"device": [{"name": "eth9", "queues": 1}]}, "no device eth9"),
        ({"device": [{"name": "eth0"}]}, "how many queues"),
        ({"device": [device("eth0", 0)]}, ">= 1"),
        ({"device": [device("eth0", 1), device("eth0", 1)]}, "twice"),
        ({"device": [device("eth0", 2, load=[1])]}, "1 loads for 2"),
        ({"device": [device("eth0", 2, load=1, packets_per_s=3)]}, "say the same"),
        ({"device": [device("eth0", 2, vectors=[4])]}, "2 queues have 1 vectors"),
        ({"device": [device("eth0", 2, vectors=[4, 4])]}, "interrupt 4"),
        ({"device": [device("eth0", 1, workers=["pu:99"])]}, "pu:99"),
        ({"device": [device("eth0", 1, workers="rx")]}, "rx"),
        ({"device": [device("eth0", 1)], "exclude": [99]}, "pu:99"),
        ({"device": [device("eth0", 1)], "colour": 1}, "colour"),
        ({"device": [device("eth0", 1)], "spill": "drop"}, "drop"),
        ({"device": [device("eth0", 1, vectors=[4])], "managed": [4]}, "unknown PU"),
        ({"device": [device("eth0", 1)], "current": {"affinity": {"x": "0"}}}, "no interrupt"),
        ({"device": [device("eth0", 1)], "current": {"affinity": {"4": "0-"}}}, "no list"),
        ({"device": [device("eth0", 1)], "current": {"rps": {"eth0": {"0": "zz"}}}}, "no mask"),
        (
            {"device": [device("eth0", 1)], "require": [{"device": "eth0", "queue": 1, "pu": 0}]},
            "1",
        ),
        ({"device": [device("eth0", 1)], "ipi_groups": [["package:7"]]}, "package:7"),
    ],
)
def test_interrupts_refuse_bad_requests(request_: dict[str, Any], words: str) -> None:
    """Each error names what was typed, where it stands, and what to do."""
    with pytest.raises(RequestError) as fault:
        QUESTION.decide(box(), request_, Limits())
    assert words in fault.value.message
    assert fault.value.place and fault.value.mend
