"""hwloc XML v1 brought into the shape of v2: memory beside the PUs, not above them.

In v1 a NUMANode is an ancestor of its cores, a node without cores has an empty cpuset, a machine
with one memory has no NUMANode at all, caches are `Cache` with depth and type, and matrices hang
below objects as floats times `latency_base` in logical order at a relative depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.errors import DescriptionError
from skb.sources.hwloc_facts import Collector
from skb.sources.hwloc_matrices import Matrices
from skb.sources.hwloc_objects import Tree, read_bitmap
from skb.sources.xml_limits import Node

_RENAMED = {"Socket": "Package", "System": "Machine"}
# cache_type: unified, data, instruction
_CACHE_SUFFIX = {"0": "", "1": "", "2": "i"}
_NOT_PLACED = frozenset({"Bridge", "PCIDev", "OSDev", "Misc"})
_SETS = ("cpuset", "complete_cpuset", "allowed_cpuset", "online_cpuset", "nodeset")
_ROOT_SETS = (*_SETS, "complete_nodeset", "allowed_nodeset")
_LATENCY_FROM_OS = 5
_MATRICES_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Distances:
    """A v1 matrix: its element, and the elements of its objects in order."""

    node: Node
    objects: tuple[Node, ...]


def convert(root: Node, place: str, out: Collector) -> tuple[Node, list[Distances]]:
    """Bring the objects below `root` into the shape of v2; return the new root and the matrices."""
    _rename(root)
    found = _resolve_distances(root, out)
    if _type(root) == "NUMANode":
        root = _wrap(root, "Machine", _ROOT_SETS)
    _move_memory(root, place)
    _merge_groups(root, place)
    if not _contains(root, "NUMANode"):
        _add_memory(root)
    return root, found


def state_distances(tree: Tree, out: Collector, found: Sequence[Distances]) -> None:
    """State the matrices of a converted tree; a matrix between NUMA nodes is the firmware's."""
    matrices = Matrices(tree, out)
    # Linux' SLIT has the base 10, as its diagonal; matrices that users added mostly have the base 1
    ordered = sorted(found, key=lambda one: one.node.attributes.get("latency_base") == "1.000000")
    for distances in ordered:
        place = f"{tree.place}:{distances.node.line}"
        base = _decimal(distances.node.attributes.get("latency_base", "1"), place)
        values = [
            round(_decimal(child.attributes.get("value", ""), place) * base, 6)
            for child in distances.node.children
            if child.tag == "latency"
        ]
        count = len(distances.objects)
        if len(values) != count**2:
            raise DescriptionError(
                f"a matrix of {count} objects has {len(values)} values",
                place=place,
                mend="give every pair of objects one value",
            )
        rows = [values[row * count : (row + 1) * count] for row in range(count)]
        parts = [part for node in distances.objects if (part := tree.of_node(node))]
        if len(parts) == count:
            matrices.state("", _LATENCY_FROM_OS, parts, rows)
        else:
            out.notes.append(f"a matrix at line {distances.node.line} is between merged groups")


def _decimal(text: str, place: str) -> float:
    try:
        value = float(text)
        if not 0 <= value < 1e18:
            raise ValueError
    except ValueError:
        raise DescriptionError(
            f"a latency is {text[:40]!r}", place=place, mend="write a positive decimal number"
        ) from None
    return value


def _type(node: Node) -> str:
    return node.attributes.get("type", "")


def _objects(node: Node) -> list[Node]:
    return [child for child in node.children if child.tag == "object"]


def _placed(node: Node) -> list[Node]:
    """The children that have PUs or memory."""
    return [child for child in _objects(node) if _type(child) not in _NOT_PLACED]


def _contains(node: Node, type_name: str) -> bool:
    return any(_type(child) == type_name or _contains(child, type_name) for child in _objects(node))


def _rename(node: Node) -> None:
    name = _type(node)
    if name == "Cache":
        attributes = node.attributes
        suffix = _CACHE_SUFFIX.get(attributes.get("cache_type", "0"), "")
        name = f"L{attributes.get('depth', '')[:2]}{suffix}Cache"
    node.attributes["type"] = _RENAMED.get(name, name)
    for child in _objects(node):
        _rename(child)


def _collect_distances(node: Node, found: list[tuple[Node, Node]]) -> None:
    """Every matrix with the object that it hangs below."""
    for child in node.children:
        if child.tag == "object":
            _collect_distances(child, found)
        elif child.tag == "distances":
            found.append((node, child))


def _resolve_distances(root: Node, out: Collector) -> list[Distances]:
    """The matrices that fit a level; each one looks at the whole tree, so not endlessly many."""
    pairs: list[tuple[Node, Node]] = []
    _collect_distances(root, pairs)
    found = []
    for number, (node, child) in enumerate(pairs):
        objects = _at_depth(node, child) if number < _MATRICES_LIMIT else ()
        if objects:
            found.append(Distances(child, objects))
        else:
            out.notes.append(f"a matrix at line {child.line} fits no level and was left out")
    return found


def _at_depth(node: Node, distances: Node) -> tuple[Node, ...]:
    """The objects at the relative depth of a matrix, none where their number does not fit."""
    depth = distances.attributes.get("relative_depth", "")
    count = distances.attributes.get("nbobjs", "")
    level = [node]
    for _ in range(int(depth) if depth.isascii() and depth.isdigit() and len(depth) < 3 else 0):
        level = [child for one in level for child in _placed(one)]
    fits = str(len(level)) == count and len({_type(one) for one in level}) == 1
    return tuple(level) if fits else ()


def _move_memory(node: Node, place: str) -> None:
    """Take the PUs out of every NUMANode below; the node stays as memory beside them."""
    children: list[Node] = []
    for child in node.children:
        if child.tag == "object":
            _move_memory(child, place)
        if child.tag == "object" and _type(child) == "NUMANode":
            children += _beside(child, node, place)
        else:
            children.append(child)
    node.children = children


def _beside(child: Node, node: Node, place: str) -> list[Node]:
    """What stands in a node for its child, a NUMANode, whose PUs are taken out."""
    inner = _placed(child)
    moved = _objects(child)
    child.children = [one for one in child.children if one.tag != "object"]
    if not inner:
        child.attributes["cpuset"] = node.attributes.get("cpuset", "")
    if not inner or _cpuset(child, place) == _cpuset(node, place):
        return [child, *moved]
    if len(inner) == 1 and _cpuset(inner[0], place) == _cpuset(child, place):
        rest = [one for one in moved if one is not inner[0]]
        inner[0].children = [child, *inner[0].children, *rest]
        return [inner[0]]
    group = _wrap(child, "Group", _SETS)
    group.children = [child, *moved]
    return [group]


def _merge_groups(node: Node, place: str) -> None:
    """Merge a group into the one around it where both have the same PUs.

    2.x wrote such a pair to hold several memories of one set of PUs.
    """
    for child in _objects(node):
        _merge_groups(child, place)
    inner = [one for one in _objects(node) if _type(one) == "Group"]
    if _type(node) != "Group" or len(inner) != 1 or not _cpuset(inner[0], place):
        return
    if _cpuset(inner[0], place) == _cpuset(node, place):
        position = next(index for index, one in enumerate(node.children) if one is inner[0])
        node.children[position : position + 1] = inner[0].children


def _wrap(node: Node, type_name: str, sets: Sequence[str]) -> Node:
    """A new object of the same sets around a node."""
    attributes = {name: node.attributes[name] for name in sets if name in node.attributes}
    infos = [one for one in node.children if one.tag == "info"] if type_name == "Machine" else []
    return Node("object", {"type": type_name, **attributes}, node.line, children=[*infos, node])


def _add_memory(root: Node) -> None:
    attributes = {"type": "NUMANode", "os_index": "0"}
    attributes["cpuset"] = root.attributes.get("cpuset", "")
    if size := root.attributes.get("local_memory"):
        attributes["local_memory"] = size
    root.children.insert(0, Node("object", attributes, root.line))


def _cpuset(node: Node, place: str) -> int:
    text = node.attributes.get("cpuset", "0x0")
    return read_bitmap(text, f"{_type(node)}: cpuset", f"{place}:{node.line}")
