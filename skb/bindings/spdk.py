"""SPDK: the core mask of a target and a configuration with its NVMe controllers.

Each reactor of the mask opens a queue pair of its own on each controller that it uses; the number
of requests of a queue pair is `io_queue_requests` (SPDK JSON-RPC documentation, bdev_nvme).
"""

from __future__ import annotations

import json
from typing import Any

from skb.bindings.flows import Lane, Lanes
from skb.bindings.placement import Written
from skb.bindings.writing import comment, shown
from skb.errors import RequestError

DOES = "Runs an SPDK target on the consumers' cores, with the NVMe controllers of its flows."
NEEDS = "SPDK, huge pages on the nodes named, the controllers bound to vfio-pci or uio (setup.sh)."
_PAGE = 2 * 2**20


def write(lanes: Lanes) -> Written:
    """Write a script: the configuration, then the command."""
    stored = [lane for lane in lanes.lanes if lane.depth is not None]
    if not stored or not lanes.pus:
        raise RequestError(
            f"decision {lanes.id} has no flow of an NVMe device that a PU consumes",
            mend='give a flow direction = "read" or "write", and a consumer',
        )
    unknown = sorted({lane.device for lane in stored if not lane.address})
    if unknown:
        raise RequestError(
            f"no PCI address is known of {', '.join(unknown)}",
            mend="SPDK attaches controllers by address: describe the device below its pci function",
        )
    by_node = lanes.bytes_by_node()
    nodes = ", ".join(f"node {n}: {-(-by_node[n] // _PAGE)} pages" for n in sorted(by_node))
    notes = (
        f"huge pages of 2 MiB that the rings fill: {nodes} (HUGENODE of setup.sh asks by node)",
        "every core of the mask has a queue pair on every controller that it uses",
    )
    head = lanes.heading(DOES, NEEDS, notes)
    text = "#!/bin/sh\n" + "".join(comment(line) for line in head)
    rows = {lane.name: (_line(lane),) for lane in stored}
    text += "\n" + "".join(comment(line) for (line,) in rows.values())
    text += "cat > skb-spdk.json <<'END'\n" + json.dumps(_config(stored), indent=2) + "\nEND\n"
    text += f"exec spdk_tgt --cpumask {mask(lanes.pus)} --json skb-spdk.json\n"
    return Written(text, rows, undo="rm -f skb-spdk.json", notes=notes)


def mask(pus: tuple[int, ...]) -> str:
    """Return PUs as a hexadecimal mask."""
    return hex(sum(1 << pu for pu in pus))


def _line(lane: Lane) -> str:
    where = "no PU" if lane.pu is None else f"core {lane.pu}, mask {mask((lane.pu,))}"
    depth = f"queue pair of {lane.depth} requests of {lane.packet_bytes} bytes"
    return f"flow {shown(lane.name)}: {lane.address}, {where}, {depth}, {lane.payload.place}"


def _config(stored: list[Lane]) -> dict[str, Any]:
    addresses = sorted({lane.address for lane in stored})
    depth = max(int(lane.depth or 0) for lane in stored)
    calls: list[dict[str, Any]] = [
        {"method": "bdev_nvme_set_options", "params": {"io_queue_requests": depth}}
    ]
    calls += [
        {
            "method": "bdev_nvme_attach_controller",
            "params": {"name": f"nvme{number}", "trtype": "PCIe", "traddr": address},
        }
        for number, address in enumerate(addresses)
    ]
    return {"subsystems": [{"subsystem": "bdev", "config": calls}]}
