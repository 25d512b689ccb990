"""DPDK: arguments of the environment abstraction layer, and a memory pool for each ring.

Socket ids of DPDK on Linux are numbers of NUMA nodes (DPDK Getting Started Guide for Linux, EAL
parameters; pools: `rte_pktmbuf_pool_create` and `rte_eth_rx_queue_setup` take one).
"""

from __future__ import annotations

from skb.bindings.flows import Held, Lane, Lanes
from skb.bindings.placement import Written
from skb.bindings.writing import comment, shown, slug
from skb.errors import RequestError

DOES = "Gives a DPDK program its cores, memory by NUMA node and devices, and each queue its pool."
NEEDS = "huge pages on the nodes named, devices bound to vfio-pci, a program with EAL options."
# what a pool needs beside the packets: headroom and the mbuf's own header, bytes (rte_mbuf.h)
_HEADROOM, _MBUF = 128, 128
_PAGE = 2 * 2**20
# buffers that a core keeps for itself at most
_CACHE = 256


def write(lanes: Lanes) -> Written:
    """Write the EAL arguments as one line, and the pools as comments for the program's author."""
    if not lanes.pus:
        raise RequestError(
            f"decision {lanes.id} has no flow that a PU consumes: DPDK needs a core",
            mend="give a flow a consumer",
        )
    notes = _notes(lanes)
    head = lanes.heading(DOES, NEEDS, notes)
    text = "".join(comment(line) for line in head) + "\n" + _eal(lanes) + "\n"
    rows = {lane.name: tuple(_pool(lane, ring) for ring in lane.rings) for lane in lanes.lanes}
    for lane in lanes.lanes:
        where = "no PU" if lane.pu is None else f"lcore {lane.pu}"
        text += "\n" + comment(f"flow {shown(lane.name)}: {lane.device}, {where}")
        text += "".join(f"#   {line}\n" for line in rows[lane.name])
    return Written(text, rows, notes=notes)


def _eal(lanes: Lanes) -> str:
    cores = ",".join(str(pu) for pu in lanes.pus)
    words = ["PROGRAM", f"--lcores={cores}", f"--socket-mem={_memory(lanes)}"]
    words.append(f"--file-prefix=skb-{lanes.short}")
    addresses = {lane.address for lane in lanes.lanes if lane.address and lane.depth is None}
    words += [f"-a {address}" for address in sorted(addresses)]
    return " ".join([*words, "--"])


def _memory(lanes: Lanes) -> str:
    """Return MiB by node from 0 on, in whole huge pages, mbufs' own bytes included."""
    need: dict[int, int] = {}
    for lane in lanes.lanes:
        for ring in lane.rings:
            if ring.numa is not None:
                size = _count(lane) * _element(lane, ring)
                need[ring.numa] = need.get(ring.numa, 0) + size
    last = max(lanes.machine.numa)
    return ",".join(str(-(-need.get(node, 0) // _PAGE) * 2) for node in range(last + 1))


def _count(lane: Lane) -> int:
    """Return the packets that a flow's rings hold, headers and payload together."""
    size = sum(ring.size_bytes for ring in lane.rings if ring.kind != "descriptors")
    return max(1, -(-size // lane.packet_bytes))


def _element(lane: Lane, ring: Held) -> int:
    if ring.kind == "descriptors":
        return -(-ring.size_bytes // _count(lane))
    return _room(lane, ring) + _HEADROOM + _MBUF


def _room(lane: Lane, ring: Held) -> int:
    """Return the bytes of a packet that a buffer of a ring must hold."""
    if ring.kind == "headers":
        return -(-ring.size_bytes // _count(lane))
    return lane.packet_bytes


def _pool(lane: Lane, ring: Held) -> str:
    count = _count(lane)
    if ring.kind == "descriptors":
        if lane.outgoing:
            return f"rte_eth_tx_queue_setup(port, queue, {count}, {ring.numa}, &conf);"
        return f"rte_eth_rx_queue_setup(port, queue, {count}, {ring.numa}, &conf, pool);"
    name = slug(f"{lane.name}_{ring.kind}")[:25]
    if ring.numa is None:
        return f"rte_pktmbuf_pool_create_extbuf(...): {ring.place}, see rte_gpudev"
    room = _room(lane, ring) + _HEADROOM
    cache = min(_CACHE, count // 2)
    return f'rte_pktmbuf_pool_create("{name}", {count}, {cache}, 0, {room}, {ring.numa});'


def _notes(lanes: Lanes) -> tuple[str, ...]:
    found = [
        "the first lcore is the main one; a core that only polls should not be it",
        "pools hold what the rings hold; add what the program keeps in its hands, and round the"
        " descriptors as the driver asks",
    ]
    if missing := [lane.device for lane in lanes.lanes if not lane.address]:
        found.append(f"no PCI address is known of {', '.join(sorted(set(missing)))}: no -a for it")
    if any("cache" in ring.place for lane in lanes.lanes for ring in lane.rings):
        found.append("that a ring stays in the cache is the device's doing: no option demands it")
    if any(ring.numa is None for lane in lanes.lanes for ring in lane.rings):
        found.append("a ring in a GPU is registered with rte_gpudev")
    return tuple(found)
