"""Buffers: where rings go, what they cost, where the choice flips, and what refuses a request."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skb.decision import Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown
from tests.questions.buffers_asked import BUFFERS, ask, row

BOARD = "tyan-s4985"
# two packages joined by one link, a NIC on the first
PAIR = """
[[link]]
from = "package:0"
to = "package:1"
kind = "x"
mib_s = 1000
[[device]]
name = "nic"
kind = "network"
at = "package:0"
"""
NIC = """
[[device]]
name = "nic"
kind = "network"
at = "package:0"
"""
# dearer for the NIC the farther a node lies, cheaper for package 3 the nearer
DMA = [Fact("dma_latency", ("device:nic", f"numa:{n}", 500 + 90 * n * n)) for n in range(4)] + [
    Fact("memory_latency", ("package:3", f"numa:{n}", "read", 330 - 80 * n)) for n in range(4)
]


def flow(name: str = "rx", device: str = "eth0", **more: Any) -> dict[str, Any]:
    """Return a flow of a request; the board's eth0 and PU 20 where nothing else is said."""
    return {"name": name, "device": device, "consumer": 20, **more}


def test_buffers_forwarded_lie_near_the_nic_and_consumed_near_the_core() -> None:
    """V20: the two classic answers are derived on the 2009 machine, with a crossover between."""
    decision = ask(
        bundled(BOARD), flow("router", pattern="forward"), flow("sink", pattern="consume")
    )
    router, sink = row(decision, "router"), row(decision, "sink")
    assert (router["numa_node"], router["near"], router["touched"]) == (0, "device", 0.0)
    assert (sink["numa_node"], sink["near"], sink["touched"]) == (5, "core", 1.0)
    assert 0 < sink["crossover"] < 1
    assert 0 < router["crossover"] < 1
    assert decision.status is Status.OPTIMAL


def test_buffers_price_follows_the_stated_model() -> None:
    """The price at the NIC is DMA latency and 24 lines at the wire's speed, there and back."""
    decision = ask(bundled(BOARD), flow(pattern="forward"))
    wire_ns = 24 * 64 / (1e9 / 8) * 1e9
    assert row(decision)["value"] == pytest.approx(2 * (500 + wire_ns) * 5e4)
    terms = {cost.term: cost.value for cost in decision.costs}
    assert terms == {
        "dma": pytest.approx((500 + wire_ns) * 5e4),
        "read": 0.0,
        "forward": pytest.approx((500 + wire_ns) * 5e4),
    }


def test_buffers_read_costs_a_latency_shared_by_the_lines_in_flight() -> None:
    """A consumed packet adds 24 loads from the own node, ten at a time."""
    decision = ask(bundled(BOARD), flow(pattern="consume", numa_node=5))
    terms = {cost.term: cost.value for cost in decision.costs}
    assert terms["read"] == pytest.approx(24 * 90 / 10 * 5e4)


@pytest.mark.parametrize("forward", [True, False])
def test_buffers_crossover_is_where_the_choice_flips(forward: bool) -> None:
    """Just below the crossover the ring lies at the device, just above it does not."""
    machine = bundled(BOARD)
    crossover = row(ask(machine, flow(touched=0.5, forward=forward)))["crossover"]
    below = row(ask(machine, flow(touched=crossover - 1e-4, forward=forward)))
    above = row(ask(machine, flow(touched=crossover + 1e-4, forward=forward)))
    assert below["near"] == "device"
    assert above["near"] != "device"
    assert below["crossover"] == above["crossover"] == crossover


def test_buffers_flips_list_every_corner_of_the_envelope() -> None:
    """Between two corners the node named there is the cheapest."""
    machine = grown("package:4 numa:1 core:1 pu:1", *DMA, extra=NIC)
    wanted: dict[str, Any] = {"device": "nic", "consumer": 3, "packet_bytes": 9000}
    flips = row(ask(machine, flow(touched=0, **wanted)))["flips"]
    assert len(flips) > 1
    for corner in flips:
        for step, node in ((-1e-3, corner["from"]), (1e-3, corner["to"])):
            near = row(ask(machine, flow(touched=corner["touched"] + step, **wanted)))
            assert near["numa_node"] == node


def test_buffers_without_a_reader_or_next_to_it_never_flip() -> None:
    """The crossover is null where nobody reads, and where device and core share a node."""
    machine = bundled(BOARD)
    nobody = row(ask(machine, flow(consumer="none")))
    assert (nobody["crossover"], nobody["near"]) == (None, "device")
    beside = row(ask(machine, flow(consumer=1, pattern="consume")))
    assert (beside["crossover"], beside["near"]) == (None, "device")


def test_buffers_headers_touch_their_share_and_stay_near_the_nic() -> None:
    """A pattern of headers touches header bytes over packet bytes and forwards."""
    found = row(ask(bundled(BOARD), flow(pattern="headers", packet_bytes=1280)))
    assert (found["touched"], found["forwarded"], found["near"]) == (0.05, True, "device")


def test_buffers_sending_costs_what_receiving_costs() -> None:
    """A produced packet of tx costs the same as a consumed packet of rx."""
    machine = bundled(BOARD)
    received = row(ask(machine, flow(pattern="consume")))
    sent = row(ask(machine, flow(pattern="consume", direction="tx")))
    assert (sent["numa_node"], sent["value"]) == (received["numa_node"], received["value"])


def test_buffers_alternatives_price_every_node_and_the_best_is_chosen() -> None:
    """Every node has its price, in order, and the first is the answer."""
    found = row(ask(bundled(BOARD), flow(pattern="consume")))
    values = [one["value"] for one in found["alternatives"]]
    assert found["alternatives"][0]["numa_node"] == found["numa_node"]
    assert values == sorted(values)
    assert len(values) == 8
    assert values[0] == found["value"]


def test_buffers_second_ring_goes_one_hop_before_two() -> None:
    """V9: where each node holds one ring, rings fill the nodes in the order of their hops."""
    machine = bundled(BOARD)
    full = [{"object": f"numa:{node}", "bytes": 262144} for node in machine.numa]
    hops = [machine.hops("package:0", f"package:{node}") or 0 for node in machine.numa]
    for count in range(1, 9):
        flows = [flow(f"f{n}", consumer="none") for n in range(count)]
        decision = ask(machine, *flows, capacity=full)
        used = sorted(hops[row(decision, f"f{n}")["numa_node"]] for n in range(count))
        assert decision.status is Status.OPTIMAL
        assert used == sorted(hops)[:count]
    assert {reason.id for reason in decision.reasons} >= {"capacity:0"}


def test_buffers_gain_of_the_right_node_stays_within_what_was_measured() -> None:
    """V20: the worst node costs at most 2.7 times the best, for any pattern."""
    for pattern in ("forward", "consume", "headers"):
        found = row(ask(bundled(BOARD), flow(pattern=pattern)))["alternatives"]
        assert 1 < found[-1]["value"] / found[0]["value"] <= 2.7


def test_buffers_clash_is_a_minimal_set_in_words() -> None:
    """Two rings that must share a node too small for both: exactly these constraints, named."""
    flows = [flow("a", numa_node=3), flow("b", numa_node="numa:3"), flow("c")]
    capacity = [{"object": "numa:3", "bytes": 300000}, {"object": "numa:1", "bytes": 1 << 30}]
    decision = ask(bundled(BOARD), *flows, capacity=capacity)
    assert decision.status is Status.INFEASIBLE
    assert {reason.id for reason in decision.reasons} == {
        "flow:a",
        "flow:b",
        "at:a",
        "at:b",
        "capacity:0",
    }
    text = " ".join(reason.text for reason in decision.reasons)
    assert "flow a wants numa:3" in text
    assert "numa:3 gives at most 300000 bytes to rings" in text
    for left_out in (
        {"flow": flows[1:], "capacity": capacity},
        {"flow": flows, "capacity": capacity[1:]},
        {"flow": [flow("a"), *flows[1:]], "capacity": capacity},
    ):
        assert BUFFERS.decide(bundled(BOARD), left_out, Limits()).status is Status.OPTIMAL


def test_buffers_wanted_and_refused_node_clash() -> None:
    """A flow that wants and refuses one node is told so."""
    decision = ask(bundled(BOARD), flow(numa_node=1, not_numa_node=[1, 2]))
    assert decision.status is Status.INFEASIBLE
    assert {reason.id for reason in decision.reasons} == {"flow:rx", "at:rx", "not_at:1:rx"}


def test_buffers_avoid_a_node_that_is_off() -> None:
    """A powered-off package takes its memory along; wanting it is infeasible, with the reason."""
    board = bundled(BOARD)
    machine = Machine("off", [*board.facts, Fact("power", ("package:0", "off"))])
    moved = ask(machine, flow(device="eth1", pattern="forward", not_numa_node=7))
    assert row(moved)["numa_node"] != 0
    refused = ask(machine, flow(device="eth1", numa_node=0))
    assert "package:0 is off" in " ".join(r.text for r in refused.reasons).replace("powered ", "")
    gone = ask(machine, flow())
    assert gone.status is Status.INFEASIBLE
    assert any("flow rx ends there" in reason.text for reason in gone.reasons)


def test_buffers_share_the_link_between_packages() -> None:
    """Where a link carries one of two flows, both may not cross it, and it is named."""
    machine = grown("package:2 numa:1 core:2 pu:1", extra=PAIR)
    load = {"device": "nic", "consumer": 3, "touched": 0.5, "packet_bytes": 4096}
    flows = [
        {"name": name, "packets_per_s": 150_000, "forward": True, **load} for name in ("a", "b")
    ]
    decision = ask(machine, *flows)
    assert {row(decision, name)["numa_node"] for name in ("a", "b")} <= {0, 1}
    both = ask(machine, *({**one, "numa_node": 1} for one in flows))
    assert both.status is Status.INFEASIBLE
    assert any("the link from package:0 to package:1" in r.text for r in both.reasons)


def test_buffers_share_the_pci_link_whatever_their_nodes() -> None:
    """More bytes than the PCI link carries are refused, and the link is named."""
    machine = bundled("epyc-7773x-2p")
    many = [flow(f"f{n}", packets_per_s=6e6) for n in range(4)]
    decision = ask(machine, *many)
    assert decision.status is Status.INFEASIBLE
    assert any("the PCI link of pci:0000:21:00.0" in r.text for r in decision.reasons)
    assert ask(machine, *many[:3]).status is Status.OPTIMAL


def test_buffers_limits_of_the_user_on_bandwidth_hold() -> None:
    """A node's stated bandwidth moves the second consumer to the next best node."""
    rate = 2 * 5e4 * 1500 / 2**20
    capacity = [{"object": "numa:5", "mib_s": rate + 1}]
    decision = ask(bundled(BOARD), flow("a"), flow("b"), capacity=capacity)
    assert sorted(row(decision, name)["numa_node"] for name in ("a", "b")) == [1, 5]
    assert [reason.id for reason in decision.reasons] == ["capacity:0"]


def test_buffers_assumptions_are_listed() -> None:
    """Whatever nobody stated stands in `assumed`: facts, reads in flight, the request."""
    facts = " ".join(one.fact for one in ask(bundled(BOARD), flow()).assumed)
    for word in ("dma_latency", "memory_latency", "lines in flight", "packet_bytes", "ring_bytes"):
        assert word in facts
    said = flow(packet_bytes=100, packets_per_s=10, ring_bytes=4096)
    assert "packet_bytes" not in " ".join(one.fact for one in ask(bundled(BOARD), said).assumed)


def test_buffers_force_gives_the_price_of_another_node() -> None:
    """`flow=rx node=1` moves the flow there; its price is the alternative's."""
    machine = bundled(BOARD)
    raw = {"flow": [flow()]}
    assert BUFFERS.force is not None
    forced = BUFFERS.force(machine, raw, {"flow": "rx", "node": "1"})
    moved = row(BUFFERS.decide(machine, forced, Limits()))
    listed = {
        one["numa_node"]: one["value"] for one in row(ask(machine, *raw["flow"]))["alternatives"]
    }
    assert (moved["numa_node"], moved["value"]) == (1, listed[1])
    with pytest.raises(RequestError, match="no flow 'tx'"):
        BUFFERS.force(machine, raw, {"flow": "tx", "node": "1"})
    with pytest.raises(RequestError, match="which flow"):
        BUFFERS.force(machine, raw, {"task": "rx"})


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "flow"),
        ({"flow": []}, "length"),
        ({"flow": [flow(color="red")]}, "color"),
        ({"flow": [flow(device="eth9")]}, "device:eth9"),
        ({"flow": [flow(consumer=99)]}, "pu:99"),
        ({"flow": [flow(consumer="worker")]}, "'worker' is not a PU"),
        ({"flow": [flow(consumer=None, pattern="consume")]}, "has no consumer"),
        ({"flow": [flow(numa_node=8)]}, "numa:8"),
        ({"flow": [flow(numa_node="near")]}, "'near' is not a NUMA node"),
        ({"flow": [flow(touched=1.5)]}, "<= 1"),
        ({"flow": [flow(packets_per_s=0)]}, "> 0"),
        ({"flow": [flow(), flow()]}, "two flows are named 'rx'"),
        ({"flow": [flow()], "capacity": [{"object": "core:1", "bytes": 1}]}, "core:1"),
        ({"flow": [flow()], "capacity": [{"object": "numa:1"}]}, "no value"),
        ({"flow": [flow()], "capacity": [{"object": "device:eth0", "bytes": 1}]}, "no rings"),
        ({"flow": [flow()], "capacity": [{"object": "numa:77", "bytes": 1}]}, "numa:77"),
    ],
)
def test_buffers_bad_request_names_what_was_typed(request_: dict[str, Any], words: str) -> None:
    """Each bad request is refused with the word that the user typed, and where."""
    with pytest.raises(RequestError) as refused:
        BUFFERS.decide(bundled(BOARD), request_, Limits())
    assert words in str(refused.value)
    assert "buffers request" in refused.value.place


def test_buffers_machine_without_memory_is_refused() -> None:
    """A machine without NUMA nodes has no place for rings."""
    machine = Machine("bare", [Fact("contains", ("machine:0", "device:nic"))])
    with pytest.raises(RequestError, match="no NUMA node"):
        BUFFERS.decide(machine, {"flow": [{"name": "a", "device": "nic"}]}, Limits())


def test_buffers_same_request_gives_the_same_decision() -> None:
    """Two runs agree in everything but the seconds."""
    flows = [flow("a"), flow("b", pattern="forward"), flow("c", touched=0.5)]
    first, second = (ask(bundled(BOARD), *flows) for _ in range(2))
    assert (first.id, first.answer) == (second.id, second.answer)


def test_buffers_answer_in_a_second_on_many_pus() -> None:
    """A few flows on 256 PUs, and on 1024, take less than a second."""
    machine = bundled("epyc-7773x-2p")
    flows = [flow(f"f{n}", consumer=n * 13 % 256, touched=n / 8) for n in range(8)]
    ask(machine, flow())
    start = time.perf_counter()
    assert ask(machine, *flows).status is Status.OPTIMAL
    assert time.perf_counter() - start < 1


def _large(rates: list[int]) -> tuple[list[dict[str, Any]], list[int]]:
    """Return flows whose rings share no divisor and do not fit 31 bits, and the rings."""
    rings = [2**36 + 2 * i + 1 for i in range(len(rates))]
    flows = [
        {"name": f"f{i}", "device": "nic", "ring_bytes": ring, "packets_per_s": rate}
        for i, (ring, rate) in enumerate(zip(rings, rates, strict=True))
    ]
    return flows, rings


@pytest.mark.parametrize("both", [False, True])
def test_buffers_rings_beyond_31_bits_are_counted_to_the_byte(both: bool) -> None:
    """The first eleven rings fill node 0 to the byte; the twelfth goes to the other node."""
    machine = grown("package:2 numa:1 core:1 pu:1", extra=NIC)
    flows, rings = _large([1000 - i for i in range(12)])
    capacity = [{"object": "numa:0", "bytes": sum(rings[:11])}]
    capacity += [{"object": "numa:1", "bytes": rings[11]}] * both
    decision = ask(machine, *flows, capacity=capacity)
    assert [row(decision, f"f{i}")["numa_node"] for i in range(12)] == [0] * 11 + [1]
    assert decision.bound is not None
    assert decision.objective.value is not None
    assert decision.bound <= decision.objective.value
    capacity[0]["bytes"] = sum(rings[:11]) - 1
    less = ask(machine, *flows, capacity=capacity)
    if both:
        assert less.status in (Status.UNKNOWN, Status.INFEASIBLE)
        return
    assert [row(less, f"f{i}")["numa_node"] for i in range(12)].count(1) == 2
    assert less.bound is not None
    assert less.objective.value is not None
    assert less.bound <= less.objective.value


def test_buffers_rates_below_a_byte_are_summed_exactly() -> None:
    """Ten flows of 0.1 bytes per second fit into two bytes per second, and not into 0.9."""
    machine = grown("package:2 numa:1 core:1 pu:1", extra=NIC)
    slow = {"device": "nic", "packet_bytes": 1, "packets_per_s": 0.1, "forward": False}
    flows = [{"name": f"f{i}", "numa_node": 0, **slow} for i in range(10)]
    for rate, status in ((2, Status.OPTIMAL), (1, Status.OPTIMAL), (0.9, Status.INFEASIBLE)):
        capacity = [{"object": "numa:0", "mib_s": rate / 2**20}]
        assert ask(machine, *flows, capacity=capacity).status is status


def test_buffers_assume_only_what_the_answer_uses() -> None:
    """Reads are assumed where someone reads; links and nodes without a stated limit are listed."""
    machine = grown("package:2 numa:1 core:2 pu:1", extra=PAIR.replace("mib_s = 1000\n", ""))
    pinned = flow(device="nic", consumer=3, pattern="forward", numa_node=0)
    facts = " ".join(one.fact for one in ask(machine, pinned).assumed)
    assert "lines in flight" not in facts
    assert "memory_latency" not in facts
    assert "memory for rings at numa:0 = unlimited" in facts
    free = ask(machine, flow(device="nic", consumer=3, pattern="forward")).assumed
    listed = {one.fact: one.because for one in free}
    assert any("package:0 to package:1" in fact and "unlimited" in fact for fact in listed)
    reads = [why for fact, why in listed.items() if "lines in flight" in fact]
    assert all("only the crossover" in why for why in reads)
    room = [{"object": f"numa:{n}", "bytes": 1 << 30} for n in (0, 1)]
    capped = ask(machine, pinned, capacity=room).assumed
    assert "memory for rings" not in " ".join(one.fact for one in capped)
