"""NCCL topology XML: what NCCL_TOPO_DUMP_FILE writes and cloud providers ship for GPU nodes.

Format: NVIDIA's NCCL, `src/graph/xml.cc` and `topo.cc`, and AMD's RCCL, which has the same elements
and `xgmi` for `nvlink`. The file gives NUMA nodes with their PUs, the PCI tree, GPUs, network
devices and the links between GPUs. It knows neither packages nor cores nor memory sizes: each
`cpu` element becomes a group of PUs with its NUMA node, to be merged with a description that has
the rest.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from skb.errors import DescriptionError, TooLargeError
from skb.sources.description import Description
from skb.sources.hwloc_facts import Collector
from skb.sources.nccl_cpus import read_cpus, state_cpus
from skb.sources.nccl_devices import Devices
from skb.sources.nccl_links import state_links
from skb.sources.xml_limits import Node, parse

FORMAT = "NCCL topology XML"
# NCCL itself reads 256
ELEMENT_LIMIT = 20_000
# each alternative is atomic: a head full of comments is passed once, not in every combination
_HEAD = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?><\?.*?\?>\s*|<!--.*?-->\s*)*+<system(?=[\s/>])(?![^>]*<)", re.S
)
# NCCL writes 1; AMD's RCCL wrote 1, and 2 since a GPU's `gcn` is a name such as gfx942
_VERSIONS = frozenset({"1", "2"})
_CHILD = re.compile(rb"<cpu[\s/>]|<system\s[^>]*version\s*=")
_KNOWN = {
    "system": {"cpu"},
    "cpu": {"pci", "nic"},
    "pci": {"pci", "gpu", "nic", "pcilink"},
    "gpu": {"nvlink", "xgmi", "c2c"},
    "nic": {"net", "gin", "rma", "coll"},
}


def recognises(head: bytes) -> bool:
    """Whether the first element is `system` with a version or a `cpu` inside."""
    return _HEAD.match(head) is not None and _CHILD.search(head) is not None


def read(data: bytes, place: str) -> Description:
    """Read an NCCL topology file.

    Raises `DescriptionError` where it is malformed or contradicts itself, `TooLargeError` where a
    limit of `xml_limits` is exceeded.
    """
    top = parse(data, place)
    _check_system(top, place)
    _check_size(top, place)
    out = Collector(PurePath(place).name or place)
    cpus = read_cpus(top, place)
    nest = state_cpus(cpus, out)
    devices = Devices(place, nest, out)
    for cpu in cpus:
        devices.state(cpu)
    devices.note()
    state_links(devices, out)
    _note_unknown(top, out)
    out.notes.append(
        "packages, cores, caches and memory sizes are not in an NCCL file: merge this with a "
        "description that has them, such as lstopo's"
    )
    return Description(
        name=top.attributes.get("name", "")[:200],
        format=FORMAT,
        facts=tuple(out.facts),
        notes=tuple(out.notes),
        partial=True,
    )


def _check_system(top: Node, place: str) -> None:
    where = f"{place}:{top.line}"
    if top.tag != "system":
        raise DescriptionError(
            f"the first element is {top.tag[:40]}, not system",
            place=where,
            mend="give a file that NCCL_TOPO_DUMP_FILE wrote",
        )
    version = top.attributes.get("version", "1")
    if version not in _VERSIONS:
        raise DescriptionError(
            f"NCCL topology version {version[:20]!r} is not read",
            place=where,
            mend="dump it with a NCCL of version 1 or an RCCL of version 2 of the format",
        )
    hosts = {
        child.attributes["host_hash"] for child in top.children if "host_hash" in child.attributes
    }
    if len(hosts) > 1:
        raise DescriptionError(
            f"the file describes {len(hosts)} hosts ({', '.join(sorted(hosts)[:4])[:100]})",
            place=where,
            mend="give one file for each host: keep the cpu elements of one host_hash",
        )


def _check_size(top: Node, place: str) -> None:
    count, waiting = 0, [top]
    while waiting:
        node = waiting.pop()
        count += len(node.children)
        waiting += node.children
    if count > ELEMENT_LIMIT:
        raise TooLargeError(
            f"the system has {count} elements, the limit is {ELEMENT_LIMIT}",
            place=f"{place}:{top.line}",
            mend="describe one machine per file",
        )


def _note_unknown(top: Node, out: Collector) -> None:
    """Count the elements that have no relation, as NCCL itself ignores what it does not know."""
    found: dict[str, int] = {}
    open_nodes = [top]
    while open_nodes:
        node = open_nodes.pop()
        for child in node.children:
            if child.tag in _KNOWN.get(node.tag, ()):
                open_nodes.append(child)
            else:
                name = f"{child.tag[:40]} in {node.tag[:40]}"
                found[name] = found.get(name, 0) + 1
    if found:
        listed = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
        out.notes.append(f"elements without a relation were left out: {listed[:400]}")
