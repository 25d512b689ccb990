"""NUMA nodes from `/sys/devices/system/node`: size, kind, distances, and what the HMAT claims.

Files: Linux `Documentation/admin-guide/mm/numaperf.rst`, `ABI/stable/sysfs-devices-node`.
Bandwidths are MiB/s, latencies ns; 0 is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_cpus import Nest, Place
from skb.sources.sysfs_tiers import NodeFigures, state_tiers
from skb.sources.sysfs_tree import FileTree, numbered, read_list, read_number, read_words

NODE = "sys/devices/system/node"
# Linux has 1,024 nodes at most
_NODES_LIMIT = 1024
_MATRIX_LIMIT = 512
_TOTAL = re.compile(r"MemTotal:\s+(\d{1,15}) kB")
_PAGES = re.compile(r"hugepages-([1-9]\d{0,9})kB")
# where a kmem DAX device lives in the tree tells what its memory is made of
_DAX_KINDS = (("cxl", "cxl"), ("ndbus", "pmem"), ("hmem", "special"))


@dataclass(slots=True)
class MemoryNode:
    """A NUMA node: its number, the PUs that are local to it, size, kind and distances."""

    number: int
    cpuset: int
    size_bytes: int | None
    own_pus: bool = True
    kind: str = ""
    distances: tuple[int, ...] = ()
    initiators: int = 0
    # folders of initiators with their PUs' nodes, the one that counts first
    accesses: list[tuple[str, int]] = field(default_factory=list)
    pages: list[tuple[int, int]] = field(default_factory=list)
    side_caches: list[tuple[int, int]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"numa:{self.number}"


def read_nodes(tree: FileTree, online: int) -> list[MemoryNode]:
    """Every online NUMA node; a machine that describes none has node 0 with all its memory."""
    numbers = numbered(tree, NODE, "node")[:_NODES_LIMIT]
    listed = read_list(tree, f"{NODE}/online")
    nodes = [
        _node(tree, number, online)
        for number in numbers
        if number < bitmap.NUMBER_LIMIT and (listed is None or listed >> number & 1)
    ]
    if not nodes:
        return [MemoryNode(0, online, _total(tree.read("proc/meminfo")))]
    kinds = _dax_kinds(tree)
    own = {node.number: node.cpuset for node in nodes}
    for node in nodes:
        node.kind = kinds.get(node.number, "")
        node.own_pus = node.cpuset != 0
        if not node.cpuset:
            node.cpuset = _local_cpus(node, nodes, own)
    return nodes


def _node(tree: FileTree, number: int, online: int) -> MemoryNode:
    base = f"{NODE}/node{number}"
    cpus = read_list(tree, f"{base}/cpulist")
    if cpus is None:
        cpus = read_words(tree, f"{base}/cpumap")
    node = MemoryNode(number, (cpus or 0) & online, _total(tree.read(f"{base}/meminfo")))
    words = (tree.read(f"{base}/distance") or "").split()
    if all(word.isascii() and word.isdigit() and len(word) < 8 for word in words):
        node.distances = tuple(int(word) for word in words)
    # access1 lists CPUs only and is newer; access0 may list other initiators
    for access in ("access1", "access0"):
        initiators = f"{base}/{access}/initiators"
        if found := numbered(tree, initiators, "node"):
            nodes = sum(1 << one for one in found if one < bitmap.NUMBER_LIMIT)
            node.accesses.append((initiators, nodes))
    node.initiators = node.accesses[0][1] if node.accesses else 0
    for index in numbered(tree, f"{base}/memory_side_cache", "index"):
        cache = f"{base}/memory_side_cache/index{index}"
        size = read_number(tree, f"{cache}/size") or 0
        node.side_caches.append((max(size, 0), read_number(tree, f"{cache}/line_size") or 0))
    for name in tree.names(f"{base}/hugepages"):
        if match := _PAGES.fullmatch(name):
            count = read_number(tree, f"{base}/hugepages/{name}/nr_hugepages") or 0
            node.pages.append((int(match[1]) * 1024, max(count, 0)))
    return node


def _total(text: str | None) -> int | None:
    match = _TOTAL.search(text or "")
    return int(match[1]) * 1024 if match else None


def _dax_kinds(tree: FileTree) -> dict[int, str]:
    """The kind of memory of the nodes that a DAX device was turned into, or a GPU brought along."""
    kinds: dict[int, str] = {}
    for name in tree.names("sys/bus/dax/drivers/kmem"):
        path = tree.resolve(f"sys/bus/dax/devices/{name}")
        number = read_number(tree, f"sys/bus/dax/devices/{name}/target_node")
        if path and number is not None:
            kinds[number] = next((kind for word, kind in _DAX_KINDS if word in path), "")
    for gpu in tree.names("proc/driver/nvidia/gpus"):
        status = tree.read(f"proc/driver/nvidia/gpus/{gpu}/numa_status") or ""
        if match := re.search(r"Node:\s+(\d{1,6})\b", status):
            kinds[int(match[1])] = "gpu"
    return kinds


def _local_cpus(node: MemoryNode, nodes: list[MemoryNode], own: dict[int, int]) -> int:
    """PUs near a node without PUs: those of its best initiators, else of the nearest nodes."""
    cpus = 0
    for number in bitmap.members(node.initiators):
        cpus |= own.get(number, 0)
    if cpus or len(node.distances) != len(nodes):
        return cpus
    near = [
        (distance, own[other.number])
        for distance, other in zip(node.distances, nodes, strict=True)
        if own[other.number]
    ]
    best = min((distance for distance, _ in near), default=0)
    for distance, cpuset in near:
        cpus |= cpuset if distance == best else 0
    return cpus


def groups_for(nodes: Iterable[MemoryNode], places: Iterable[Place], online: int) -> list[Place]:
    """A group for every set of PUs that is local to a node and that no other part has."""
    known = {place.cpuset for place in places if place.kind != "pu"} | {0, online}
    wanted = sorted({node.cpuset for node in nodes} - known)
    return [Place("group", cpuset) for cpuset in wanted]


def state_nodes(tree: FileTree, nodes: list[MemoryNode], nest: Nest, out: Collector) -> None:
    """State where every node hangs, its size, kind, distances and firmware figures."""
    caches = 0
    for node in nodes:
        parent = _holder(node, nest).id
        for size, line in node.side_caches:
            cache = f"memcache:{caches}"
            caches += 1
            out.say("contains", parent, cache)
            if size:
                out.say("cache_size", cache, size)
            if line > 0:
                out.say("cache_line", cache, line)
            parent = cache
        out.say("contains", parent, node.id)
        if node.size_bytes is not None:
            out.say("memory_size", node.id, node.size_bytes)
        for page, count in node.pages:
            out.say("page_count", node.id, page, count)
        _state_distances(node, nodes, out)
        _state_access(tree, node, nodes, nest, out)
    state_tiers(tree, [_figures(tree, node) for node in nodes], out)
    if len(nodes) > _MATRIX_LIMIT:
        out.notes.append(f"distances of more than {_MATRIX_LIMIT} nodes were left out")


def note_total(tree: FileTree, nodes: list[MemoryNode], out: Collector) -> None:
    """Note where the nodes' memory and the system's differ, as with ballooning in a guest."""
    whole = _total(tree.read("proc/meminfo"))
    parts = sum(node.size_bytes or 0 for node in nodes)
    if whole and parts and abs(whole - parts) > whole / 20:
        out.notes.append(
            f"the nodes have {parts >> 20} MiB together, but /proc/meminfo says {whole >> 20} MiB"
        )


def _holder(node: MemoryNode, nest: Nest) -> Place:
    if not node.cpuset:
        return nest.root
    return nest.exactly(node.cpuset) or nest.covering(node.cpuset)


def _state_distances(node: MemoryNode, nodes: list[MemoryNode], out: Collector) -> None:
    # a guest's node may list 0 or nothing; columns follow the order of the online nodes
    if not node.distances or len(nodes) > _MATRIX_LIMIT:
        return
    if len(node.distances) != len(nodes):
        out.notes.append(f"{node.id} has {len(node.distances)} distances for {len(nodes)} nodes")
        return
    for other, distance in zip(nodes, node.distances, strict=True):
        out.claim("numa_distance", node.id, other.id, distance)


def _state_access(
    tree: FileTree, node: MemoryNode, nodes: list[MemoryNode], nest: Nest, out: Collector
) -> None:
    """HMAT figures from the best initiators; `access` where reads and writes are alike.

    An initiator without PUs, such as a GPU with memory, stands for itself.
    """
    said: set[tuple[str, str, str]] = set()
    for folder, initiators in node.accesses:
        near = [other for other in nodes if initiators >> other.number & 1]
        places = {_holder(other, nest).id if other.own_pus else other.id for other in near}
        for quantity in ("bandwidth", "latency"):
            values = {
                word: read_number(tree, f"{folder}/{word}_{quantity}") or 0
                for word in ("read", "write")
            }
            if values["read"] == values["write"]:
                values["access"] = values["read"]
            for place in sorted(places):
                for word, value in values.items():
                    if value > 0 and (quantity, place, word) not in said:
                        said.add((quantity, place, word))
                        out.claim(f"memory_{quantity}", place, node.id, word, value)


def _figures(tree: FileTree, node: MemoryNode) -> NodeFigures:
    """What the firmware says of a node as its own PUs, or its best initiators, see it."""
    found = []
    for quantity in ("bandwidth", "latency"):
        for folder, _ in node.accesses:
            words = (read_number(tree, f"{folder}/{word}_{quantity}") for word in ("read", "write"))
            if known := [value for value in words if value and value > 0]:
                found.append(sum(known) / len(known))
                break
        else:
            found.append(0)
    return NodeFigures(node.number, node.kind, *found)
