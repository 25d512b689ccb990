"""Buffers beyond one ring: caches, descriptors, split headers, GPUs, disks, and free consumers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.decision import Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import CHAIN, bundled, grown
from tests.questions.buffers_asked import BUFFERS, ask, row

BOARD = "tyan-s4985"
# two packages, each with a GPU, a NIC and a disk on the first
HOST = """
[[link]]
from = "package:0"
to = "package:1"
kind = "x"
mib_s = 4000
[[device]]
name = "nic"
kind = "network"
at = "package:0"
[[device]]
name = "disk"
kind = "storage"
at = "package:0"
[[device]]
name = "gpu0"
kind = "gpu"
at = "package:0"
[[device]]
name = "gpu1"
kind = "gpu"
at = "package:1"
"""
TREE = "package:2 numa:1 core:4 pu:1"
HOSTED = grown(TREE, extra=HOST)
SQUARE = grown(
    "package:3 numa:1 core:2 pu:1",
    extra=CHAIN + '[[device]]\nname = "nic"\nkind = "network"\nat = "package:0"\n',
)


def flow(name: str = "rx", device: str = "nic", **more: Any) -> dict[str, Any]:
    return {"name": name, "device": device, **more}


# ---------------------------------------------------------------- the cache that DMA fills
def test_buffers_ring_that_fits_its_share_is_read_from_the_cache() -> None:
    """Rings go to the share of the cache near the NIC while it lasts; the next is in memory."""
    flows = [flow(f"f{n}", consumer=1, ring_bytes=100_000) for n in range(3)]
    share = [{"object": "numa:0", "cache_bytes": 250_000}]
    decision = ask(HOSTED, *flows, capacity=share)
    places = sorted(row(decision, f"f{n}")["place"] for n in range(3))
    assert places == ["cache of numa:0", "cache of numa:0", "numa:0"]
    assert any(reason.id == "capacity:0" for reason in decision.reasons)
    facts = " ".join(one.fact for one in decision.assumed)
    assert "cache_latency(l3)" in facts


def test_buffers_ring_size_where_the_cache_is_left_is_told() -> None:
    """`holds` names the ring size up to which the place stays, and the limit; beyond, it moves."""
    share = [{"object": "numa:0", "cache_bytes": 250_000}]
    held = row(ask(HOSTED, flow(consumer=1, ring_bytes=100_000), capacity=share))["holds"]
    assert held["ring_bytes"] == {"most": 250_000.0, "because": "capacity:0"}
    for size, place in ((250_000, "cache of numa:0"), (250_001, "numa:0")):
        found = row(ask(HOSTED, flow(consumer=1, ring_bytes=size), capacity=share))
        assert found["place"] == place


def test_buffers_packet_rate_where_a_node_is_left_is_told() -> None:
    """Just below the rate that is told the ring stays near the core, just above it moves."""
    wanted: dict[str, Any] = {"device": "eth0", "consumer": 20, "pattern": "consume"}
    capacity = [{"object": "numa:5", "mib_s": 200}]
    held = row(ask(bundled(BOARD), flow(**wanted), capacity=capacity))["holds"]["packets_per_s"]
    assert held["because"] == "capacity:0"
    for share, node in ((0.999, 5), (1.001, 1)):
        rate = {**wanted, "packets_per_s": held["most"] * share}
        assert row(ask(bundled(BOARD), flow(**rate), capacity=capacity))["numa_node"] == node


@pytest.mark.parametrize("vendor", ["GenuineIntel", "AuthenticAMD"])
def test_buffers_share_of_the_cache_is_assumed_of_intel_alone(vendor: str) -> None:
    """Two of twenty ways where the vendor is Intel, nothing elsewhere; both are listed."""
    facts = [Fact("info", (f"package:{n}", "CPUVendor", vendor)) for n in (0, 1)]
    machine = grown("package:2 numa:1 l3:1 core:2 pu:1", *facts, extra=HOST)
    sized = [Fact("cache_size", (name, 20 * 2**20)) for name in machine.of_kind("l3")]
    machine = Machine("m", [*machine.facts, *sized])
    decision = ask(machine, flow(consumer=1, ring_bytes=2 * 2**20))
    small = row(decision)["place"]
    assert small == ("cache of numa:0" if vendor == "GenuineIntel" else "numa:0")
    facts_ = " ".join(one.fact for one in decision.assumed)
    assert ("dma_cache(numa:0) = 2097152 bytes" in facts_) == (vendor == "GenuineIntel")
    assert ("no DMA into caches" in facts_) == (vendor != "GenuineIntel")


def test_buffers_stated_share_of_the_cache_is_used() -> None:
    """A fact `dma_cache` needs no assumption."""
    machine = Machine("m", [*HOSTED.facts, Fact("dma_cache", ("numa:0", 300_000))])
    found = ask(machine, flow(consumer=1))
    assert row(found)["place"] == "cache of numa:0"
    assert "dma_cache" not in " ".join(one.fact for one in found.assumed)


# ---------------------------------------------------------------- rings apart
def test_buffers_descriptors_lie_near_the_device_where_that_is_faster() -> None:
    """V20: descriptor memory local to the device, 240 against 560 ns: 2.3 times as fast."""
    dma = [Fact("dma_latency", ("device:nic", f"numa:{n}", (240, 560)[n])) for n in (0, 1)]
    machine = grown(TREE, *dma, extra=HOST)
    found = row(ask(machine, flow(consumer="none", descriptor_bytes=64)))["rings"]["descriptors"]
    values = {one["numa_node"]: one["value"] for one in found["alternatives"]}
    assert found["numa_node"] == 0
    assert values[1] / values[0] == pytest.approx(2.3, rel=0.05)


def test_buffers_descriptors_have_a_node_of_their_own() -> None:
    """Payload goes near the core that reads it, descriptors where both sides together are near."""
    wanted: dict[str, Any] = {"device": "eth0", "consumer": 20, "descriptor_bytes": 16}
    found = row(ask(bundled(BOARD), flow(**wanted, pattern="consume")))
    ring = found["rings"]["descriptors"]
    assert found["near"] == "core"
    assert found["total"] == pytest.approx(found["value"] + ring["value"])
    assert ring["value"] == min(one["value"] for one in ring["alternatives"])
    forced = {**wanted, "descriptors_numa_node": 3}
    assert row(ask(bundled(BOARD), flow(**forced)))["rings"]["descriptors"]["numa_node"] == 3


def test_buffers_split_headers_go_near_the_core_and_payload_stays_near_the_nic() -> None:
    """Of packets of which large headers are read and all is forwarded, each part has its place."""
    wanted: dict[str, Any] = {"device": "eth0", "consumer": 20, "packet_bytes": 9000}
    split: dict[str, Any] = {"pattern": "headers", "header_bytes": 4096, "header_split": True}
    wanted["forward"] = False
    found = row(ask(bundled(BOARD), flow(**wanted, **split)))
    headers = found["rings"]["headers"]
    assert found["near"] == "device"
    assert headers["numa_node"] == 5
    assert found["bytes"] + headers["bytes"] == 262144


# ---------------------------------------------------------------- devices that consume
def test_buffers_gpu_of_the_same_package_is_written_to_directly() -> None:
    """Payload lies in the GPU; the bounce through each node is priced beside it."""
    found = row(ask(HOSTED, flow(consumer="device:gpu0")))
    assert (found["place"], found["numa_node"], found["near"]) == ("device:gpu0", None, "core")
    prices = {one["place"]: one["value"] for one in found["alternatives"]}
    assert set(prices) == {"device:gpu0", "numa:0", "numa:1"}
    assert prices["numa:0"] == pytest.approx(2 * prices["device:gpu0"])


def test_buffers_gpu_behind_another_package_gets_a_bounce() -> None:
    """Without a direct path the packet goes through host memory; `direct` allows the other."""
    assert row(ask(HOSTED, flow(consumer="device:gpu1")))["place"] in {"numa:0", "numa:1"}
    assert row(ask(HOSTED, flow(consumer="device:gpu1", direct=True)))["place"] == "device:gpu1"
    assert row(ask(HOSTED, flow(consumer="device:gpu0", direct=False)))["place"] == "numa:0"
    told = Machine("m", [*HOSTED.facts, Fact("info", ("device:gpu0", "GPUDirectRDMA", "no"))])
    assert row(ask(told, flow(consumer="device:gpu0")))["place"] == "numa:0"


def test_buffers_memory_of_a_gpu_is_limited_where_the_user_says_so() -> None:
    """A GPU that gives less than the ring sends the packets through the host."""
    capacity = [{"object": "device:gpu0", "bytes": 300_000}]
    flows = [flow(name, consumer="device:gpu0") for name in ("a", "b")]
    decision = ask(HOSTED, *flows, capacity=capacity)
    assert sorted(row(decision, name)["place"] for name in ("a", "b")) == ["device:gpu0", "numa:0"]


def test_buffers_blocks_of_a_disk_have_a_ring_of_the_queues_depth() -> None:
    """A read fills queue depth times block bytes; a write costs the same."""
    wanted: dict[str, Any] = {"consumer": 5, "block_bytes": 4096, "queue_depth": 8}
    read = row(ask(HOSTED, flow(device="disk", direction="read", **wanted)))
    write = row(ask(HOSTED, flow(device="disk", direction="write", **wanted)))
    assert (read["bytes"], read["value"]) == (8 * 4096, write["value"])


def test_buffers_queue_too_short_for_its_rate_is_refused() -> None:
    """One block in flight takes its DMA's time, so a million blocks per second cannot be."""
    wanted: dict[str, Any] = {"device": "disk", "direction": "read", "consumer": 1}
    fast = ask(HOSTED, flow(**wanted, queue_depth=1, packets_per_s=3e6))
    assert fast.status is Status.INFEASIBLE
    assert any("in flight" in reason.text for reason in fast.reasons)
    assert ask(HOSTED, flow(**wanted, queue_depth=1, packets_per_s=1e5)).status is Status.OPTIMAL


# ---------------------------------------------------------------- consumers to be chosen
def test_buffers_free_consumer_is_placed_with_its_ring() -> None:
    """With any PU at hand, consumer and ring both lie near the device."""
    found = row(ask(bundled(BOARD), flow(device="eth0", consumer="any", pattern="consume")))
    assert (found["numa_node"], found["near"]) == (0, "device")
    assert 0 in bundled(BOARD).numa_of_pu[found["consumer_pu"]]
    assert len(found["consumers"]) == 32


def test_buffers_free_consumers_fill_no_pu_beyond_its_load() -> None:
    """Four PUs near the device take eight flows of half a load, and the ninth goes elsewhere."""
    flows = [flow(f"f{n}", consumer="any", load=0.5) for n in range(9)]
    decision = ask(HOSTED, *flows)
    pus = [row(decision, f"f{n}")["consumer_pu"] for n in range(9)]
    assert max(map(pus.count, pus)) == 2
    assert sum(pu < 4 for pu in pus) == 8
    assert any(reason.id.startswith("load:pu:") for reason in decision.reasons)


@pytest.mark.parametrize("load", [1.0, 0.5, 0.4])
def test_buffers_free_consumers_that_fill_every_pu_are_proven(load: float) -> None:
    """As many flows as PUs have seats are seated, with proof; one more is refused."""
    seats = 8 * int(1 / load)
    flows = [flow(f"f{n}", consumer="any", load=load, touched=n % 3 / 2) for n in range(seats)]
    decision = ask(HOSTED, *flows)
    assert decision.status is Status.OPTIMAL
    pus = [row(decision, f"f{n}")["consumer_pu"] for n in range(seats)]
    assert {pus.count(pu) for pu in HOSTED.pus} == {int(1 / load)}
    more = ask(HOSTED, *flows, flow("more", consumer="any", load=load))
    assert more.status is Status.INFEASIBLE


def test_buffers_flows_of_a_task_have_one_pu() -> None:
    """A task with candidates runs on one of them, and all its flows go there."""
    flows = [flow(name, consumer="worker") for name in ("a", "b")] + [flow("c", consumer=[4, 5])]
    task = [{"name": "worker", "at": ["package:1"], "load": 1}]
    decision = ask(HOSTED, *flows, task=task)
    a, b, c = (row(decision, name)["consumer_pu"] for name in "abc")
    assert a == b
    assert a in {4, 5, 6, 7}
    assert c in {4, 5}
    assert c != a


def test_buffers_too_many_free_consumers_are_refused_by_their_loads() -> None:
    """Three whole loads on two PUs: the flows and both PUs are named, and nothing else."""
    flows = [flow(f"f{n}", consumer=[0, 1]) for n in range(3)]
    decision = ask(HOSTED, *flows)
    assert decision.status is Status.INFEASIBLE
    names = {reason.id for reason in decision.reasons}
    assert names == {"flow:f0", "flow:f1", "flow:f2", "load:pu:0", "load:pu:1"}


def test_buffers_force_moves_consumer_and_rings() -> None:
    """`pu=` and `ring=` force what `numa=` does not."""
    raw = {"flow": [flow(consumer="any", descriptor_bytes=16)]}
    assert BUFFERS.force is not None
    for clause, key, value in (
        ({"flow": "rx", "pu": "5"}, "consumer_pu", 5),
        ({"flow": "rx", "numa": "1"}, "numa_node", 1),
    ):
        forced = BUFFERS.force(HOSTED, raw, clause)
        assert row(BUFFERS.decide(HOSTED, forced, Limits()))[key] == value
    forced = BUFFERS.force(HOSTED, raw, {"flow": "rx", "ring": "descriptors", "numa": "1"})
    rings = row(BUFFERS.decide(HOSTED, forced, Limits()))["rings"]
    assert rings["descriptors"]["numa_node"] == 1
    with pytest.raises(RequestError, match="no ring"):
        BUFFERS.force(HOSTED, raw, {"flow": "rx", "ring": "middle", "numa": "1"})


# ---------------------------------------------------------------- published behaviour
def test_buffers_crossfire_writers_share_what_the_link_delivers() -> None:
    """V8: of two writers that demand 4.4 GB/s across a link that delivers 3.5 one stays behind."""
    delivered = HOST.replace("mib_s = 4000", f"mib_s = {3.5e9 / 2**20}")
    machine = grown(TREE, extra=delivered)
    writers = [
        flow(
            name,
            device="gpu1",
            direction="rx",
            consumer="none",
            forward=False,
            packet_bytes=4096,
            packets_per_s=2.2e9 / 4096,
            numa_node=0,
        )
        for name in ("a", "b")
    ]
    both = ask(machine, *writers)
    assert both.status is Status.INFEASIBLE
    assert any("the link from package:1 to package:0" in reason.text for reason in both.reasons)
    one = row(ask(machine, writers[0]), "a")["holds"]["packets_per_s"]
    assert one["most"] * 4096 == pytest.approx(3.5e9, rel=0.01)
    freed = {key: value for key, value in writers[1].items() if key != "numa_node"}
    assert row(ask(machine, writers[0], freed), "b")["numa_node"] == 1


def test_buffers_second_writer_goes_one_hop_before_two() -> None:
    """V9: where one controller serves one writer the second buffer is one hop away, never two."""
    rate = 5e4 * 1500 / 2**20
    limits = [{"object": f"numa:{n}", "mib_s": rate} for n in SQUARE.numa]
    flows = [flow(name, consumer="none", forward=False) for name in ("a", "b", "c")]
    for count, nodes in ((1, [0]), (2, [0, 1]), (3, [0, 1, 2])):
        decision = ask(SQUARE, *flows[:count], capacity=limits)
        used = sorted(row(decision, name)["numa_node"] for name in "abc"[:count])
        assert used == nodes


# ---------------------------------------------------------------- everything at once
entries = st.lists(
    st.fixed_dictionaries(
        {
            "device": st.sampled_from(["nic", "gpu1"]),
            "consumer": st.sampled_from([1, 6, "any", "package:1", [2, 5], "w", "device:gpu0"]),
            "touched": st.sampled_from([0, 0.1, 0.5, 1]),
            "forward": st.booleans(),
            "direction": st.sampled_from(["rx", "tx"]),
            "header_split": st.booleans(),
            "descriptor_bytes": st.sampled_from([0, 16]),
            "ring_bytes": st.integers(1, 3).map(lambda n: n * 65536),
            "packets_per_s": st.sampled_from([1000, 250_000, 0.5]),
        }
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(entries, st.integers(0, 6), st.integers(0, 6), st.integers(0, 3))
def test_buffers_of_all_kinds_satisfy_the_judge(
    flows: list[dict[str, Any]], first: int, second: int, cache: int
) -> None:
    """Proven or refused, and the judge, which tries all where they are few, finds nothing."""
    rows = [{"name": f"f{n}", **entry} for n, entry in enumerate(flows)]
    capacity = [
        {"object": "numa:0", "bytes": first * 65536, "cache_bytes": cache * 65536},
        {"object": "numa:1", "bytes": second * 65536, "mib_s": 900},
    ]
    task = [{"name": "w", "at": [3, 4], "load": 0.5}]
    decision = ask(HOSTED, *rows, capacity=capacity, task=task)
    assert decision.status in (Status.OPTIMAL, Status.INFEASIBLE)
    if decision.status is Status.INFEASIBLE:
        assert any(reason.id.startswith("flow:") for reason in decision.reasons)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"consumer": "device:gpu7"}, "device:gpu7"),
        ({"consumer": []}, "empty"),
        ({"consumer": ["package:9"]}, "'package:9' is not a PU"),
        ({"consumer": 1, "header_split": True, "header_bytes": 1500}, "splits off headers"),
        ({"consumer": 1, "direction": "read"}, "no storage device"),
        ({"consumer": [1, 2], "pu": 5}, "pu:5"),
        ({"consumer": 1, "descriptor_bytes": -1}, ">= 0"),
        ({"consumer": 1, "load": 1.5}, "<= 1"),
    ],
)
def test_buffers_bad_path_names_what_was_typed(wanted: dict[str, Any], words: str) -> None:
    """What a flow cannot be is refused with the word that the user typed."""
    with pytest.raises(RequestError) as refused:
        BUFFERS.decide(HOSTED, {"flow": [flow(**wanted)]}, Limits())
    assert words in str(refused.value)
    assert "$.flow[0]" in refused.value.place
