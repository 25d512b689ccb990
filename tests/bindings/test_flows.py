"""Buffers written for DPDK, SPDK and numactl: what stands in the text is what was decided."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from skb.bindings import bind
from skb.decision import Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question
from tests.machines import bundled, grown

BUFFERS = question("buffers")
SERVER = bundled("epyc-7773x-2p")
DISKS = """
[[device]]
name = "nvme0n1"
kind = "storage"
at = "package:1"
pci = "0000:81:00.0"
"""


def stored(machine: Machine, *flows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a decision as the store gives it."""
    decision = BUFFERS.decide(machine, {"flow": list(flows), **more}, Limits())
    found: dict[str, Any] = json.loads(msgspec.json.encode(decision.to_json()))
    return found


def rx(name: str = "rx", **more: Any) -> dict[str, Any]:
    return {"name": name, "device": "eth0", "consumer": 5, **more}


def test_dpdk_names_cores_memory_prefix_and_devices() -> None:
    """The EAL line has the consumers' PUs, MiB for each node, a prefix and the PCI address."""
    decision = stored(SERVER, rx(), rx("tx", direction="tx", consumer=70, numa_node=1))
    made = bind(SERVER, decision, "dpdk")
    line = next(text for text in made.text.splitlines() if text.startswith("PROGRAM"))
    memory = re.search(r"--socket-mem=(\d+),(\d+) ", line)
    assert "--lcores=5,70 " in line
    assert memory is not None
    assert min(map(int, memory.groups())) >= 2
    assert f"--file-prefix=skb-{decision['id'][:8]} " in line
    assert "-a 0000:21:00.0 " in line


def test_dpdk_pools_lie_at_the_nodes_that_were_decided() -> None:
    """Each ring has a call with its socket, and room for a packet and the headroom."""
    decision = stored(SERVER, rx(header_split=True, descriptor_bytes=16, pattern="headers"))
    lines = bind(SERVER, decision, "dpdk").tasks["rx"]
    row = decision["answer"]["flows"]["rx"]
    assert lines[0].endswith(f", {row['numa_node']});")
    assert f", {row['rings']['descriptors']['numa_node']}, &conf" in lines[2]
    rooms = [int(line.split(", ")[4]) for line in lines[:2]]
    assert rooms[0] >= 1500 - 64 + 128
    assert rooms[1] == 64 + 128
    whole = bind(SERVER, stored(SERVER, rx()), "dpdk").tasks["rx"][0]
    assert int(whole.split(", ")[4]) == 1500 + 128


def test_spdk_masks_are_the_consumers_and_controllers_have_addresses() -> None:
    """The mask holds the consumers' bits, the configuration the disk's address and depth."""
    machine = grown("package:2 numa:1 core:4 pu:1", extra=DISKS)
    flow = {"device": "nvme0n1", "direction": "read", "queue_depth": 64}
    decision = stored(
        machine, {"name": "a", "consumer": 4, **flow}, {"name": "b", "consumer": 6, **flow}
    )
    made = bind(machine, decision, "spdk")
    config = json.loads(made.text.split("<<'END'\n")[1].split("\nEND\n")[0])
    calls = config["subsystems"][0]["config"]
    assert "--cpumask 0x50 " in made.text
    assert calls[0]["params"]["io_queue_requests"] == 64
    assert calls[1]["params"]["traddr"] == "0000:81:00.0"


def test_numactl_has_pu_and_node_of_each_flow() -> None:
    """One line for each flow, with what was decided."""
    decision = stored(SERVER, rx("a", numa_node=1), rx("b", consumer="none"))
    made = bind(SERVER, decision, "numactl")
    assert made.tasks["a"] == ("numactl --physcpubind=5 --membind=1 -- COMMAND",)
    assert made.tasks["b"] == ("numactl --membind=0 -- COMMAND",)


def test_bindings_of_flows_quote_hostile_names() -> None:
    """A name with a newline stays inside its comment."""
    hostile = "x\nrm -rf /\n"
    for target in ("dpdk", "numactl"):
        text = bind(SERVER, stored(SERVER, rx(hostile)), target).text
        assert not any(line.startswith("rm") for line in text.splitlines())


def test_bindings_of_flows_refuse_what_they_cannot_say() -> None:
    """No core for DPDK, no disk for SPDK, no answer, another target: each has its sentence."""
    with pytest.raises(RequestError, match="needs a core"):
        bind(SERVER, stored(SERVER, rx(consumer="none")), "dpdk")
    with pytest.raises(RequestError, match="NVMe"):
        bind(SERVER, stored(SERVER, rx()), "spdk")
    with pytest.raises(RequestError, match="places nothing"):
        bind(SERVER, stored(SERVER, rx(numa_node=1, not_numa_node=1)), "dpdk")
    with pytest.raises(RequestError, match="did you mean dpdk"):
        bind(SERVER, stored(SERVER, rx()), "dpkd")
