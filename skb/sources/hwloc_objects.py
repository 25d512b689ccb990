"""The object tree of an hwloc XML file: kinds, identifiers, sets, and whether it makes sense.

Types and attributes: hwloc's `hwloc.h` and `topology-xml.c`; sets of PUs: `skb.sources.bitmap`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skb.errors import DescriptionError, TooLargeError
from skb.sources import bitmap
from skb.sources.xml_limits import Node

KINDS = {
    "Machine": "machine",
    "Package": "package",
    "Die": "die",
    "Group": "group",
    # hwloc reads these as groups too
    "Tile": "group",
    "Module": "group",
    "Cluster": "group",
    "NUMANode": "numa",
    "MemCache": "memcache",
    "L5Cache": "l5",
    "L4Cache": "l4",
    "L3Cache": "l3",
    "L3iCache": "l3i",
    "L2Cache": "l2",
    "L2iCache": "l2i",
    "L1Cache": "l1d",
    "L1dCache": "l1d",
    "L1iCache": "l1i",
    "Core": "core",
    "PU": "pu",
    "Bridge": "bridge",
    "PCIDev": "pci",
    "OSDev": "device",
    "Misc": "misc",
}
MEMORY_KINDS = frozenset({"numa", "memcache"})
CACHE_KINDS = frozenset({"memcache", "l5", "l4", "l3", "l3i", "l2", "l2i", "l1d", "l1i"})
INPUT_OUTPUT_KINDS = frozenset({"bridge", "pci", "device", "misc"})
_NUMBER_BY_OS = frozenset({"pu", "numa"})
_BUSID = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_REFUSED = re.compile(r"[\s,()\"'<>&\x00-\x1f\x7f]")
NUMBER_DIGITS = 20
TEXT_LIMIT = 4096
# bytes of all sets of PUs together; those of 4,096 PUs in eight levels take 16 MiB
_SETS_LIMIT_BYTES = 128 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Part:
    """One object: identifier, what its element says, its present PUs, and its children in order."""

    id: str
    kind: str
    node: Node
    place: str
    parent: Part | None = None
    cpuset: int = 0
    infos: dict[str, str] = field(default_factory=dict)
    children: list[Part] = field(default_factory=list)

    @property
    def normal(self) -> bool:
        """Whether it is in the tree of PUs, not memory, input/output or a note."""
        return self.kind not in MEMORY_KINDS and self.kind not in INPUT_OUTPUT_KINDS

    def text(self, name: str) -> str:
        return self.node.attributes.get(name, "")

    def integer(self, name: str, *, least: int = 0) -> int | None:
        """An attribute as a whole number, None where it is absent; raises `DescriptionError`."""
        text = self.text(name)
        if not text:
            return None
        value = whole_number(text, f"{self.id}: {name}", self.place)
        if value < least:
            raise DescriptionError(
                f"{self.id}: {name} is {value}, less than {least}",
                place=self.place,
                mend=f"correct {name}, or leave it out where it is unknown",
            )
        return value


def whole_number(text: str, what: str, place: str, bits: int = 63) -> int:
    """Read a decimal or 0x number; raise `DescriptionError` that says what and where."""
    try:
        if len(text) > NUMBER_DIGITS or "_" in text:
            raise ValueError
        value = int(text, 16) if text.startswith("0x") else int(text)
        if abs(value) >= 1 << bits:
            raise ValueError
    except ValueError:
        raise DescriptionError(
            f"{what} is {text[:40]!r}, not a whole number of {bits} bits",
            place=place,
            mend="write a decimal number",
        ) from None
    return value


def read_bitmap(text: str, what: str, place: str) -> int:
    """Read an hwloc bitmap; raise `DescriptionError` that says what and where."""
    try:
        return bitmap.parse_words(text)
    except ValueError as fault:
        raise DescriptionError(
            f"{what} is no bitmap: {fault}", place=place, mend="write words such as 0x000000ff"
        ) from None


class Tree:
    """All objects of a file, by identifier, by hwloc's numbers, and in document order."""

    def __init__(self, root: Node, place: str) -> None:
        self.place = place
        self.parts: dict[str, Part] = {}
        self._by_gp: dict[tuple[str, str], Part] = {}
        self._counts: dict[str, int] = {}
        self._by_node: dict[int, Part] = {}
        self._by_kind: dict[str, list[Part]] = {}
        self._set_bytes = 0
        self.root = self._grow(root, None)
        if self.root.kind != "machine":
            raise DescriptionError(
                f"the first object is a {root.attributes.get('type')}, not a Machine",
                place=self.root.place,
                mend="export the whole topology with lstopo",
            )

    def of_kind(self, kind: str) -> list[Part]:
        return self._by_kind.get(kind, [])

    def find(self, kind: str, number: str, *, by_os: bool) -> Part | None:
        """The object with this os_index (PUs and NUMA nodes) or gp_index."""
        if by_os:
            return self.parts.get(f"{kind}:{number}")
        return self._by_gp.get((kind, number))

    def of_node(self, node: Node) -> Part | None:
        """The object that an element of this tree describes, None where it is part of another."""
        return self._by_node.get(id(node))

    def with_cpuset(self) -> dict[int, Part]:
        """The outermost object of every set of PUs."""
        found: dict[int, Part] = {}
        for part in self.parts.values():
            if part.normal:
                found.setdefault(part.cpuset, part)
        return found

    def _grow(self, node: Node, parent: Part | None) -> Part:
        part = self._part(node, parent)
        for child in node.children:
            if child.tag == "object":
                part.children.append(self._grow(child, part))
            elif child.tag == "info":
                _add_info(part.infos, child)
        if part.kind not in INPUT_OUTPUT_KINDS:
            self._check_sets(part)
        return part

    def _part(self, node: Node, parent: Part | None) -> Part:
        place = f"{self.place}:{node.line}"
        type_name = node.attributes.get("type", "")
        kind = KINDS.get(type_name, "")
        if not kind:
            raise DescriptionError(
                f"unknown object type {type_name[:40]!r}",
                place=place,
                mend="write the description again with lstopo 2.x or 3.x",
            )
        if kind == "machine" and parent is not None:
            kind = "group"
        if kind == "group" and _is_die(node):
            kind = "die"
        part = Part("", kind, node, place, parent)
        _refuse_misplaced(part)
        part.id = self._identify(part)
        if part.id in self.parts:
            raise DescriptionError(
                f"{part.id} is described twice, first at line {self.parts[part.id].node.line}",
                place=place,
                mend="give every object a number of its own",
            )
        self.parts[part.id] = part
        self._by_node[id(node)] = part
        self._by_kind.setdefault(kind, []).append(part)
        if number := node.attributes.get("gp_index"):
            self._by_gp[kind, number] = part
        return part

    def _identify(self, part: Part) -> str:
        if part.kind in _NUMBER_BY_OS:
            part.id = f"this {part.kind}"
            number = part.integer("os_index")
            if number is None or number >= bitmap.NUMBER_LIMIT:
                raise DescriptionError(
                    f"a {part.text('type')} without a usable os_index",
                    place=part.place,
                    mend="add os_index, the number that the operating system gives it",
                )
            return f"{part.kind}:{number}"
        if part.kind == "pci":
            return f"pci:{bus_id(part)}"
        if part.kind == "device" and (name := part.text("name")):
            return self._device(name)
        number = self._counts.get(part.kind, 0)
        self._counts[part.kind] = number + 1
        return f"{part.kind}:{number}"

    def _device(self, name: str) -> str:
        """Device names repeat across back-ends; the second becomes `#2`."""
        base = "device:" + _REFUSED.sub("_", name)[:180]
        known = base
        while known in self.parts:
            self._counts[base] = self._counts.get(base, 1) + 1
            known = f"{base}#{self._counts[base]}"
        return known

    def _check_sets(self, part: Part) -> None:
        """Take the PUs from the attribute or the children, and see that they nest."""
        inner = 0
        for child in part.children:
            if child.kind in INPUT_OUTPUT_KINDS:
                continue
            if child.normal and child.cpuset & inner:
                raise DescriptionError(
                    f"{child.id} shares PUs {_short(child.cpuset & inner)} with its siblings",
                    place=child.place,
                    mend="a PU is in one child only; correct the cpusets",
                )
            inner |= child.cpuset if child.normal else 0
        own = 1 << int(part.id[3:]) if part.kind == "pu" else inner
        if text := part.text("cpuset"):
            part.cpuset = read_bitmap(text, f"{part.id}: cpuset", part.place)
            _refuse_infinite(part)
        else:
            part.cpuset = own
        self._set_bytes += part.cpuset.bit_length() // 8
        if self._set_bytes > _SETS_LIMIT_BYTES:
            raise TooLargeError(
                f"the sets of PUs take more than {_SETS_LIMIT_BYTES} bytes",
                place=part.place,
                mend="describe one machine per file, with PUs numbered from 0",
            )
        if part.kind == "pu" and part.cpuset != own:
            raise _outside(part, part, "is not its os_index alone")
        for child in part.children:
            if child.kind not in INPUT_OUTPUT_KINDS and child.cpuset & ~part.cpuset:
                raise _outside(child, part, "goes beyond that of its parent")


def _refuse_misplaced(part: Part) -> None:
    """PUs, caches and memory do not hang below devices, nor PUs and caches below memory."""
    parent = part.parent
    if parent is None or part.kind in INPUT_OUTPUT_KINDS or parent.normal:
        return
    if parent.kind in INPUT_OUTPUT_KINDS or part.normal:
        raise DescriptionError(
            f"a {part.text('type')} inside {parent.id}",
            place=part.place,
            mend="move it below a package, cache, group or the machine",
        )


def _refuse_infinite(part: Part) -> None:
    if part.cpuset < 0:
        raise DescriptionError(
            f"{part.id}: cpuset is infinite", place=part.place, mend="list the PUs that are present"
        )


def _outside(part: Part, parent: Part, what: str) -> DescriptionError:
    return DescriptionError(
        f"{part.id}: cpuset {_short(part.cpuset)} {what} {parent.id} ({_short(parent.cpuset)})",
        place=part.place,
        mend="correct the cpusets: a child's PUs are part of its parent's",
    )


def _short(bits: int) -> str:
    text = bitmap.to_list(bits) or "empty"
    return text if len(text) <= 60 else text[:57] + "..."


def bus_id(part: Part) -> str:
    """The PCI address `domain:bus:device.function` of a device or bridge, in lower case."""
    text = part.text("pci_busid").lower()
    if not _BUSID.fullmatch(text):
        raise DescriptionError(
            f"a PCI object with the bus id {text[:40]!r}",
            place=part.place,
            mend="write pci_busid as 0000:81:00.0",
        )
    return text


def _is_die(node: Node) -> bool:
    """Whether a group is a die, as 1.x and 2.0 wrote it; 104 is the number of the kind."""
    words = (node.attributes.get("subtype"), _type_info(node))
    return "Die" in words or node.attributes.get("kind") == "104"


def _type_info(node: Node) -> str:
    """v1 keeps the subtype in an info called Type."""
    for child in node.children:
        if child.tag == "info" and child.attributes.get("name") == "Type":
            return child.attributes.get("value", "")
    return ""


def _add_info(infos: dict[str, str], node: Node) -> None:
    """Add a name and value; a repeated name keeps all its values."""
    name, value = node.attributes.get("name", ""), node.attributes.get("value", "").strip()
    known = infos.get(name, "")
    if name and value and len(known) < TEXT_LIMIT and value not in known.split(", "):
        infos[name] = f"{known}, {value}" if known else value


def read_infos(nodes: list[Node]) -> dict[str, str]:
    """The infos among some elements."""
    infos: dict[str, str] = {}
    for node in nodes:
        if node.tag == "info":
            _add_info(infos, node)
    return infos
