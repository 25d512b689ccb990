"""hwloc XML, versions 1, 2 and 3: what lstopo writes.

Format: hwloc's `topology-xml.c` and `hwloc2.dtd`, which is never fetched. A version 1 tree is
brought into the shape of version 2 first. Contradictions in sets, numbers or structure are refused.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from skb.errors import DescriptionError
from skb.sources.description import Description
from skb.sources.hwloc_devices import state_bus_localities, state_devices
from skb.sources.hwloc_facts import Collector, normal_isa, state_allowed, state_objects
from skb.sources.hwloc_kinds import state_core_kinds, state_memory_tiers
from skb.sources.hwloc_matrices import Matrices, state_memory_attributes
from skb.sources.hwloc_objects import Tree, read_infos
from skb.sources.hwloc_v1 import Distances, convert, state_distances
from skb.sources.xml_limits import Node, parse
from skb.sources.xml_names import first_names

FORMAT = "hwloc XML"
_VERSION = re.compile(r"(\d{1,3})(\.\d{1,9})?")
# what the exporting process could do, or what repeats the tree
_SILENT = frozenset({"support", "info", "object", "page_type"})
_KNOWN = frozenset(
    {"distances2", "distances2hetero", "memattr", "cpukind", "memtier", "pci_locality"}
)


def recognises(head: bytes) -> bool:
    """Whether the first element is hwloc's `topology`, or the DOCTYPE of a file cut off there."""
    doctype, element = first_names(head)
    return element == "topology" or (not element and doctype == "topology")


def read(data: bytes, place: str) -> Description:
    """Read an hwloc XML file.

    Raises `DescriptionError` where it is malformed or contradicts itself, `TooLargeError` where a
    limit of `xml_limits` is exceeded.
    """
    top = parse(data, place)
    if top.tag != "topology":
        raise DescriptionError(
            f"the first element is {top.tag[:40]}, not topology",
            place=f"{place}:{top.line}",
            mend="give a file that lstopo wrote",
        )
    out = Collector(PurePath(place).name or place)
    major = _major(top, place)
    root = _root_object(top, place)
    old_matrices: list[Distances] = []
    if major == 1:
        root, old_matrices = convert(root, place, out)
    tree = Tree(root, place)
    if not tree.of_kind("pu"):
        raise DescriptionError("no PU is described", place=place, mend="export with all PUs")
    _state(tree, top, major, out)
    state_distances(tree, out, old_matrices)
    infos = {**read_infos(top.children), **tree.root.infos}
    return Description(
        name=infos.get("HostName", "")[:200],
        format=f"{FORMAT} v{major}",
        facts=tuple(out.facts),
        title=" ".join(infos[key] for key in ("DMISysVendor", "DMIProductName") if infos.get(key)),
        notes=out.all_notes(),
    )


def _major(top: Node, place: str) -> int:
    """The version of the format; a file without one is version 1."""
    text = top.attributes.get("version", "1")
    match = _VERSION.fullmatch(text)
    major = int(match[1]) if match else 0
    if major not in {1, 2, 3}:
        raise DescriptionError(
            f"hwloc XML version {text[:20]!r} is not read",
            place=f"{place}:{top.line}",
            mend="export with lstopo 2.x or 3.x, or with --export-xml-flags v2",
        )
    return major


def _root_object(top: Node, place: str) -> Node:
    objects = [child for child in top.children if child.tag == "object"]
    if len(objects) != 1:
        raise DescriptionError(
            f"{len(objects)} root objects instead of one",
            place=f"{place}:{top.line}",
            mend="export the whole topology of one machine with lstopo",
        )
    return objects[0]


def _state(tree: Tree, top: Node, major: int, out: Collector) -> None:
    """State everything that the file says, and note what has no relation."""
    by_tag: dict[str, list[Node]] = {}
    for child in top.children:
        by_tag.setdefault(child.tag, []).append(child)
    # v3 moved the words about the operating system from the machine to the topology
    for name, value in read_infos(top.children).items():
        tree.root.infos.setdefault(name, value)
    state_objects(tree, out, major)
    state_devices(tree, out, major)
    state_allowed(tree, out)
    if isa := tree.root.infos.get("Architecture", ""):
        out.say("isa", tree.root.id, normal_isa(isa)[:60])
    matrices = Matrices(tree, out)
    for node in by_tag.get("distances2", []) + by_tag.get("distances2hetero", []):
        matrices.read(node)
    state_memory_attributes(tree, out, by_tag.get("memattr", []))
    state_core_kinds(tree, out, by_tag.get("cpukind", []))
    state_memory_tiers(tree, out, by_tag.get("memtier", []))
    state_bus_localities(tree, out, by_tag.get("pci_locality", []))
    unknown = sorted(tag[:40] for tag in by_tag if tag not in _SILENT | _KNOWN)
    if unknown:
        out.notes.append(f"elements without a relation were left out: {', '.join(unknown)[:400]}")
