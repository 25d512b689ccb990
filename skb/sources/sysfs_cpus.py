"""PUs, cores, caches, dies and packages from `/sys/devices/system/cpu`, nested as by lstopo.

Files: Linux `Documentation/ABI/stable/sysfs-devices-system-cpu`, `admin-guide/cputopology.rst`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from skb.errors import TooLargeError
from skb.sources import bitmap
from skb.sources.sysfs_tree import FileTree, numbered, read_list, read_number, read_words

CPU = "sys/devices/system/cpu"
# from the outside to the inside, where the sets of PUs are equal
ORDER = (
    *("machine", "package", "die", "group", "l5", "l4", "l3", "l3i", "l2", "l2i", "l1d", "l1i"),
    *("core", "pu"),
)
_RANK = {kind: rank for rank, kind in enumerate(ORDER)}
_CACHES = {
    (1, "Data"): "l1d",
    (1, "Unified"): "l1d",
    (1, "Instruction"): "l1i",
    (2, "Instruction"): "l2i",
    (3, "Instruction"): "l3i",
}
# groups of cores below a package, and of packages on a mainframe: files and subtype
_GROUPS = (
    ("cluster", "cluster_id", "Cluster"),
    ("book", "book_id", "Book"),
    ("drawer", "drawer_id", "Drawer"),
)
# Linux is built for 8,192 PUs at most; the sets of its parts then have 16 times as many members
_PU_LIMIT = 8192
_MEMBER_LIMIT = 4_000_000
_SETS_LIMIT_BYTES = 128 * 1024 * 1024
_CACHES_PER_PU = 16
# what these parts cannot be inside of
_WHOLE = {
    "package": frozenset({"package", "die", "core"}),
    "die": frozenset({"die", "core"}),
    "core": frozenset({"core"}),
}
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(slots=True, eq=False)
class Place:
    """A part of the tree of PUs: kind, its PUs, the system's number for it, and what is inside."""

    kind: str
    cpuset: int
    os_index: int | None = None
    size: int = 0
    line: int = 0
    ways: int = 0
    subtype: str = ""
    id: str = ""
    around: frozenset[str] = frozenset()
    children: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class Nest:
    """All places of a machine, nested; and what did not nest."""

    root: Place
    places: list[Place] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def exactly(self, cpuset: int) -> Place | None:
        """The place with these PUs; lstopo hangs memory below the package, not the machine."""
        found = [place for place in self.places if place.cpuset == cpuset and place.kind != "pu"]
        inner = [place for place in found if place.kind != "machine"]
        return inner[0] if inner else (found[0] if found else None)

    def covering(self, cpuset: int) -> Place:
        """The outermost place with exactly these PUs, or else the smallest with at least them."""
        best = self.root
        for place in self.places:
            if place.kind == "pu" or cpuset & ~place.cpuset:
                continue
            if place.cpuset.bit_count() < best.cpuset.bit_count():
                best = place
        return best


def online_cpus(tree: FileTree) -> int:
    """The PUs that run: those that the system calls online, and that are there."""
    online = read_list(tree, f"{CPU}/online")
    present = 0
    for number in numbered(tree, CPU, "cpu"):
        if number < bitmap.NUMBER_LIMIT:
            present |= 1 << number
    if online is not None:
        return online & present
    for number in bitmap.members(present):
        if read_number(tree, f"{CPU}/cpu{number}/online") == 0:
            present &= ~(1 << number)
    return present


def offline_cpus(tree: FileTree, online: int) -> int:
    """The PUs that are present but do not run."""
    present = read_list(tree, f"{CPU}/present") or 0
    return present & ~online


def read_places(tree: FileTree, online: int, place: str) -> list[Place]:
    """Every package, die, group, core, PU and cache of the running PUs, each once.

    Raises `TooLargeError`, which names `place`, where they are more than Linux can have.
    """
    if online.bit_count() > _PU_LIMIT:
        raise _too_large(f"{online.bit_count()} CPUs", place)
    found = _Places(place)
    packages = _packages(tree, online)
    for number in bitmap.members(online):
        own = 1 << number
        base = f"{CPU}/cpu{number}"
        package_number, same = packages[number]
        package = _mask(tree, base, online, "package_cpus", "core_siblings") or same
        die = _mask(tree, base, online, "die_cpus")
        core = _mask(tree, base, online, "core_cpus", "thread_siblings") or own
        topology = f"{base}/topology"
        found.add(Place("package", package, package_number))
        if die and die != package:
            found.add(Place("die", die, read_number(tree, f"{topology}/die_id")))
        found.add(Place("core", core, read_number(tree, f"{topology}/core_id")))
        found.add(Place("pu", own))
        for group, file, subtype in _GROUPS:
            mask = _mask(tree, base, online, f"{group}_cpus", f"{group}_siblings")
            if mask & own:
                group_number = read_number(tree, f"{topology}/{file}")
                found.add(Place("group", mask, group_number, subtype=subtype))
        for index in numbered(tree, f"{base}/cache", "index")[:_CACHES_PER_PU]:
            cache = _cache(tree, f"{base}/cache/index{index}", online)
            if cache and cache.cpuset & own:
                found.add(cache)
    return found.distinct()


class _Places:
    """Parts by kind and PUs, the first of each kept, up to a limit of work and memory."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._found: dict[tuple[str, int], Place] = {}
        self._members = 0
        self._bytes = 0

    def add(self, part: Place) -> None:
        key = (part.kind, part.cpuset)
        if not part.cpuset or key in self._found:
            return
        if part.os_index is not None and part.os_index < 0:
            part.os_index = None
        self._found[key] = part
        self._members += part.cpuset.bit_count()
        self._bytes += part.cpuset.bit_length() // 8
        if self._members > _MEMBER_LIMIT or self._bytes > _SETS_LIMIT_BYTES:
            raise _too_large("parts that overlap", self._place)

    def distinct(self) -> list[Place]:
        """All parts; a group that is another part as well is none of its own."""
        parts = {one.cpuset for one in self._found.values() if one.kind != "group"}
        groups = {one.cpuset: one for one in self._found.values() if one.kind == "group"}
        return [
            one
            for one in self._found.values()
            if one.kind != "group" or (one.cpuset not in parts and groups[one.cpuset] is one)
        ]


def _too_large(what: str, place: str) -> TooLargeError:
    return TooLargeError(
        f"{what}: more than Linux can describe",
        place=place,
        mend="capture the tree again with hwloc-gather-topology",
    )


def _mask(tree: FileTree, base: str, online: int, *names: str) -> int:
    """The first of some masks that is there, without the PUs that do not run."""
    for name in names:
        mask = read_words(tree, f"{base}/topology/{name}")
        if mask is None:
            mask = read_list(tree, f"{base}/topology/{name}_list")
        if mask:
            return mask & online
    return 0


def _packages(tree: FileTree, online: int) -> dict[int, tuple[int | None, int]]:
    """The package number of every PU, and the PUs that share it: 0 where it is unknown."""
    numbers = {
        number: read_number(tree, f"{CPU}/cpu{number}/topology/physical_package_id")
        for number in bitmap.members(online)
    }
    same: dict[int | None, int] = {}
    for number, package in numbers.items():
        same[package] = same.get(package, 0) | 1 << number
    return {
        number: (package, same[package] if package is not None and package >= 0 else 0)
        for number, package in numbers.items()
    }


def _cache(tree: FileTree, path: str, online: int) -> Place | None:
    level = read_number(tree, f"{path}/level") or 0
    kind = _CACHES.get((level, tree.read(f"{path}/type") or ""), f"l{level}")
    shared = read_words(tree, f"{path}/shared_cpu_map")
    if shared is None:
        shared = read_list(tree, f"{path}/shared_cpu_list")
    if kind not in _RANK or not shared or not shared & online:
        return None
    sets = read_number(tree, f"{path}/number_of_sets") or 0
    ways = read_number(tree, f"{path}/ways_of_associativity") or 0
    if ways and sets == 1:
        # one set holds every line: fully associative, which hwloc writes as -1
        ways = -1
    line = read_number(tree, f"{path}/coherency_line_size") or 0
    size = _size(tree.read(f"{path}/size") or "")
    return Place(kind, shared & online, None, size, max(line, 0), ways)


def _size(text: str) -> int:
    """Bytes from a text such as 512K; 0 where it is unknown."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    if not (number.isascii() and number.isdigit() and len(number) < 12):
        return 0
    return int(number) * _UNITS.get(unit, 1)


def nest(places: Iterable[Place], online: int) -> Nest:
    """Nest places by their PUs, number them in hwloc's logical order, and note what crosses."""
    root = Place("machine", online)
    result = Nest(root)
    innermost = dict.fromkeys(bitmap.members(online), root)
    crossing: dict[str, int] = {}
    for place in sorted(places, key=lambda one: (-one.cpuset.bit_count(), _RANK[one.kind])):
        numbers = list(bitmap.members(place.cpuset))
        parent = innermost[numbers[0]]
        crosses = any(innermost[number] is not parent for number in numbers)
        if crosses or (place.kind in _WHOLE and _WHOLE[place.kind] & {*parent.around, parent.kind}):
            crossing[place.kind] = crossing.get(place.kind, 0) + 1
            continue
        place.around = parent.around | {parent.kind}
        parent.children.append(place)
        for number in numbers:
            innermost[number] = place
    for kind, count in crossing.items():
        result.notes.append(
            f"{count} {kind} objects cross others in their PUs, as the system reports them, "
            "and were left out"
        )
    _number(root, result, {})
    return result


def _number(place: Place, result: Nest, counts: dict[str, int]) -> None:
    if place.kind == "pu":
        place.id = f"pu:{place.cpuset.bit_length() - 1}"
    else:
        number = counts.get(place.kind, 0)
        counts[place.kind] = number + 1
        place.id = f"{place.kind}:{number}"
    result.places.append(place)
    place.children.sort(key=lambda one: one.cpuset & -one.cpuset)
    for child in place.children:
        _number(child, result, counts)
