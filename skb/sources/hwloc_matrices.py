"""Distance matrices and memory attributes of hwloc XML v2 and v3 (`distances2`, `memattr`).

Units are hwloc's: bandwidth MiB/s, latency ns; a NUMA latency matrix is the firmware's SLIT.
"""

from __future__ import annotations

from collections.abc import Sequence

from skb.errors import DescriptionError, TooLargeError
from skb.relations import Value
from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.hwloc_objects import KINDS, Part, Tree, read_bitmap, whole_number
from skb.sources.xml_limits import Node

_LATENCY, _BANDWIDTH, _HOPS = 4, 8, 32
# a fact's number has 63 bits; hwloc's values have 64, of which the largest means unknown
_VALUE_LIMIT = 1 << 63
# all values of a file together: two matrices of 512 PUs; a forged one would take the memory
VALUES_LIMIT = 500_000
_MATRICES_LIMIT = 256
_ATTRIBUTES = {
    "Bandwidth": ("memory_bandwidth", "access"),
    "ReadBandwidth": ("memory_bandwidth", "read"),
    "WriteBandwidth": ("memory_bandwidth", "write"),
    "Latency": ("memory_latency", "access"),
    "ReadLatency": ("memory_latency", "read"),
    "WriteLatency": ("memory_latency", "write"),
}
# what every node says about itself already
_SKIPPED_ATTRIBUTES = frozenset({"Capacity", "Locality"})


class Matrices:
    """States matrices one after the other; names them, and tells the SLIT from the others."""

    def __init__(self, tree: Tree, out: Collector) -> None:
        self.tree = tree
        self.out = out
        self._names: dict[str, int] = {}
        self._has_slit = False
        self._left = VALUES_LIMIT
        self._count = 0

    def read(self, node: Node) -> None:
        """State a `distances2` or `distances2hetero` element."""
        place = f"{self.tree.place}:{node.line}"
        count = whole_number(node.attributes.get("nbobjs", ""), "distances2: nbobjs", place)
        kind = whole_number(node.attributes.get("kind", "0"), "distances2: kind", place)
        indexes = _words(node, "indexes")
        if len(indexes) == count and not self._affords(count, place):
            return
        values = [
            whole_number(word, "distances2: a value", place, 64)
            for word in _words(node, "u64values")
        ]
        name = node.attributes.get("name", "")
        title = f"the matrix {name or node.attributes.get('type', 'of several types')}"
        if count <= 0 or len(indexes) != count or len(values) != count**2:
            raise DescriptionError(
                f"{title} has {len(indexes)} objects and {len(values)} values, not {count} and "
                f"{count}×{count}",
                place=place,
                mend="give every pair of objects one value",
            )
        found = [self._object(node, index) for index in indexes]
        parts = [part for part in found if part is not None]
        if len(parts) < count:
            missing = [index for index, part in zip(indexes, found, strict=True) if part is None]
            self.out.notes.append(
                f"{title} names objects that are not described: {', '.join(missing)[:200]}"
            )
        rows = [values[row * count : (row + 1) * count] for row in range(count)]
        keep = [index for index, part in enumerate(found) if part is not None]
        self.state(name, kind, parts, [[rows[a][b] for b in keep] for a in keep])

    def _affords(self, count: int, place: str) -> bool:
        """Whether a matrix of this many objects is still within the limits; else note it."""
        self._count += 1
        self._left -= max(count, 0) ** 2
        if self._left >= 0 and self._count <= _MATRICES_LIMIT:
            return True
        self.out.notes.append(
            f"the matrix of {count} objects at {place} is beyond the limit of {VALUES_LIMIT} "
            "values, and was left out"
        )
        self._left += max(count, 0) ** 2
        return False

    def state(
        self, name: str, kind: int, parts: Sequence[Part], rows: Sequence[Sequence[int | float]]
    ) -> None:
        """State one matrix; `rows[a][b]` is from `parts[a]` to `parts[b]`, `kind` hwloc's bits."""
        if len({part.id for part in parts}) < len(parts):
            raise DescriptionError(
                f"the matrix {name} names an object twice",
                place=self.tree.place,
                mend="name every object once",
            )
        numa = all(part.kind == "numa" for part in parts)
        slit = numa and kind & _LATENCY and not self._has_slit and name in {"", "NUMALatency"}
        if slit:
            self._has_slit = True
            name = "NUMALatency"
        else:
            name = self._name(name, kind, parts)
        self._note_coverage(name, parts)
        if not slit and (meaning := _meaning(name, kind)):
            self.out.say("matrix_meaning", name, meaning)
        unknown = 0
        for source, row in zip(parts, rows, strict=True):
            for target, value in zip(parts, row, strict=True):
                if value >= _VALUE_LIMIT:
                    unknown += 1
                elif slit:
                    self.out.claim("numa_distance", source.id, target.id, _plain(value))
                else:
                    self.out.say("object_distance", name, source.id, target.id, _plain(value))
        if unknown:
            self.out.notes.append(
                f"{unknown} values of matrix {name} need 64 bits, which means unknown; left out"
            )

    def _object(self, node: Node, index: str) -> Part | None:
        """Resolve an index: OS number, gp_index, or `Type:gp_index` in a mixed matrix."""
        type_name, _, number = index.rpartition(":")
        kind = KINDS.get(type_name or node.attributes.get("type", ""), "")
        by_os = not type_name and node.attributes.get("indexing", "gp") == "os"
        part = self.tree.find(kind, number, by_os=by_os)
        if part is None and kind == "group":
            # 2.0 wrote dies as groups
            part = self.tree.find("die", number, by_os=by_os)
        return part

    def _name(self, name: str, kind: int, parts: Sequence[Part]) -> str:
        """A name for a matrix without one, and a number for one that repeats."""
        if not name:
            what = next(
                (
                    word
                    for bit, word in (
                        (_HOPS, "Hops"),
                        (_BANDWIDTH, "Bandwidth"),
                        (_LATENCY, "Latency"),
                    )
                    if kind & bit
                ),
                "Distance",
            )
            kinds = sorted({part.kind for part in parts})
            name = "-".join(word.upper() if word == "pu" else word.title() for word in kinds) + what
        base = name = name[:200]
        while name in self._names:
            self._names[base] += 1
            name = f"{base}#{self._names[base]}"
        self._names[name] = 1
        return name

    def _note_coverage(self, name: str, parts: Sequence[Part]) -> None:
        kinds = {part.kind for part in parts}
        if len(kinds) != 1:
            return
        kind = kinds.pop()
        total = len(self.tree.of_kind(kind))
        # device matrices cover one back-end by nature
        if kind != "device" and len(parts) < total:
            self.out.notes.append(f"matrix {name} covers {len(parts)} of {total} {kind} objects")


def _meaning(name: str, kind: int) -> str:
    """What hwloc's bits say about the values; 2.x called the hops between AMD GPUs a latency."""
    if kind & _HOPS or name.startswith("XGMIHops"):
        return "hops"
    if kind & _BANDWIDTH:
        return "bandwidth"
    return "latency" if kind & _LATENCY else ""


def _words(node: Node, tag: str) -> list[str]:
    return [word for child in node.children if child.tag == tag for word in child.text.split()]


def _plain(value: int | float) -> Value:
    return int(value) if float(value).is_integer() else value


class _Attribute:
    """One `memattr`: what its values are called, and which of them are already stated."""

    def __init__(self, tree: Tree, out: Collector, name: str) -> None:
        self.tree = tree
        self.out = out
        self.name = name
        self._said: dict[tuple[Value, ...], int] = {}
        self._left_out = 0

    def state(self, target: Part, initiators: Sequence[Part], amount: int) -> None:
        """State a value for each initiator; 0 of the standard attributes is unknown."""
        known = _ATTRIBUTES.get(self.name)
        for initiator in initiators:
            key = (target.id, initiator.id)
            if self._said.setdefault(key, amount) != amount:
                self._left_out += 1
            elif known is None:
                self.out.say("memory_attribute", self.name[:200], target.id, initiator.id, amount)
            elif amount:
                predicate, access = known
                self.out.claim(predicate, initiator.id, target.id, access, amount)

    def end(self) -> None:
        if self._left_out:
            self.out.notes.append(
                f"{self._left_out} values of {self.name[:60]} contradict an earlier one for the "
                "same parts, and were left out"
            )


def state_memory_attributes(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State bandwidth, latency and other values per initiator and target from `memattr`."""
    with_cpuset = tree.with_cpuset()
    left = VALUES_LIMIT
    attributes: dict[str, _Attribute] = {}
    for node in nodes:
        name = node.attributes.get("name", "")
        if name in _SKIPPED_ATTRIBUTES or not name:
            continue
        attribute = attributes.setdefault(name, _Attribute(tree, out, name))
        for value in (child for child in node.children if child.tag == "memattr_value"):
            left -= _state_value(attribute, value, with_cpuset)
            if left < 0:
                raise TooLargeError(
                    f"memory attributes have more than {VALUES_LIMIT} values",
                    place=f"{tree.place}:{value.line}",
                    mend="name initiators by the sets of parts, not of single PUs",
                )
    for attribute in attributes.values():
        attribute.end()


def _state_value(attribute: _Attribute, value: Node, with_cpuset: dict[int, Part]) -> int:
    """State one `memattr_value`; return the number of its initiators."""
    tree, name = attribute.tree, attribute.name
    place = f"{tree.place}:{value.line}"
    amount = whole_number(value.attributes.get("value", ""), f"{name[:60]}: value", place, 64)
    if amount < 0:
        raise DescriptionError(
            f"{name[:60]} is {amount}", place=place, mend="write 0 where it is unknown"
        )
    target = _referred(tree, value, "target_obj", place)
    alone = not any(key.startswith("initiator") for key in value.attributes)
    if alone and target is not None and name not in _ATTRIBUTES:
        initiators: tuple[Part, ...] = (target,)
    else:
        initiators = _initiators(tree, value, with_cpuset, place)
    standard = name in _ATTRIBUTES
    if target is None or not initiators or (standard and target.kind != "numa"):
        attribute.out.notes.append(f"{name[:60]} at line {value.line} names no described object")
    elif amount >= _VALUE_LIMIT:
        attribute.out.notes.append(f"{name[:60]} at line {value.line} needs 64 bits; left out")
    else:
        attribute.state(target, initiators, amount)
    return len(initiators)


def _referred(tree: Tree, value: Node, prefix: str, place: str) -> Part | None:
    """The object that a value names by type and gp_index."""
    kind = KINDS.get(value.attributes.get(f"{prefix}_type", ""), "")
    number = value.attributes.get(f"{prefix}_gp_index", "")
    return tree.find(kind, number, by_os=False)


def _initiators(
    tree: Tree, value: Node, with_cpuset: dict[int, Part], place: str
) -> tuple[Part, ...]:
    """The object with exactly the initiator's PUs, or else each of these PUs."""
    text = value.attributes.get("initiator_cpuset", "")
    if not text:
        part = _referred(tree, value, "initiator_obj", place)
        return (part,) if part else ()
    cpuset = read_bitmap(text, "initiator_cpuset", place) & tree.root.cpuset
    if not cpuset:
        return ()
    if part := with_cpuset.get(cpuset):
        return (part,)
    return tuple(tree.parts[f"pu:{n}"] for n in bitmap.members(cpuset) if f"pu:{n}" in tree.parts)
