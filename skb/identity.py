"""Which parts of two descriptions of one machine are the same, however each numbers them.

PUs and NUMA nodes are known by their OS index, PCI functions by their bus id, devices by name or
by their PCI function and kind, bridges by bus numbers or by what is behind them, and packages,
dies, caches, cores and groups by the PUs inside. Pure functions of two snapshots.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping

from skb.machine import CPU_KINDS, ROOT, Machine, kind_of
from skb.relations import KINDS

PU_KINDS = tuple(kind for kind in KINDS if kind in CPU_KINDS - {"machine", "pu"})
Names = Mapping[str, str]


def matched(base: Machine, other: Machine) -> dict[str, str]:
    """Return, for each part of `other` that `base` has too, its name in `base`; one to one."""
    return _Matching(base, other).names


def bus_id(text: str) -> str:
    """Return a PCI bus id in one spelling: lower case, the domain with at least four digits."""
    text = text.lower()
    domain, _, rest = text.partition(":") if text.count(":") > 1 else ("", "", text)
    return f"{domain.lstrip('0').rjust(4, '0')}:{rest}"


class _Matching:
    """The pairs found so far; what is found first is not given away again."""

    def __init__(self, base: Machine, other: Machine) -> None:
        self.base, self.other = base, other
        self.names: dict[str, str] = {ROOT: ROOT}
        self._taken = {ROOT}
        self._mine, self._theirs = _by_kind(base), _by_kind(other)
        self._common = frozenset(base.pus) & frozenset(other.pus)
        for kind in ("pu", "numa", "misc"):
            self._pair_by(kind, lambda _machine, name: name)
        self._pair_by("pci", lambda _machine, name: bus_id(name.partition(":")[2]))
        for kind in PU_KINDS:
            self._pair_by_pus(kind)
        self._pair_memory_caches()
        self._pair_bridges()
        self._pair_devices()
        self._pair_rest()

    def _pair(self, name: str, found: str) -> None:
        self.names[name] = found
        self._taken.add(found)

    def _left(self, kind: str) -> tuple[list[str], list[str]]:
        """Parts of a kind that are not paired yet, in `base` and in `other`, outermost first."""
        mine = [name for name in self._mine[kind] if name not in self._taken]
        theirs = [name for name in self._theirs[kind] if name not in self.names]
        mine.sort(key=lambda name: len(self.base.ancestors(name)))
        theirs.sort(key=lambda name: len(self.other.ancestors(name)))
        return mine, theirs

    def _pair_by(self, kind: str, label: Callable[[Machine, str], Hashable]) -> None:
        """Pair parts with equal labels where each side has it once; None and empty are no label."""
        mine, theirs = self._left(kind)
        places = _once(mine, lambda name: label(self.base, name))
        for key, name in _once(theirs, lambda name: label(self.other, name)).items():
            if key in places:
                self._pair(name, places[key])

    # ------------------------------------------------------------ by the PUs inside
    def _pair_by_pus(self, kind: str) -> None:
        """Pair by equal PUs among those that both know; then by most of them, then by number."""
        mine, theirs = self._left(kind)
        places: dict[frozenset[int], list[str]] = defaultdict(list)
        for name in mine:
            places[self.base.pus_of(name) & self._common].append(name)
        for name in theirs:
            pus = self.other.pus_of(name) & self._common
            if pus and places.get(pus):
                self._pair(name, places[pus].pop(0))
        if kind == "group":
            # a group has no identity of its own beyond its PUs
            return
        owners = {pu: name for name in mine for pu in self.base.pus_of(name) & self._common}
        for name in theirs:
            if name not in self.names and (found := self._most(name, owners)):
                self._pair(name, found)
        self._pair_by_number(kind)

    def _most(self, name: str, owners: Mapping[int, str]) -> str:
        """Return the part that shares more than half of its PUs and of ours, or an empty string."""
        pus = self.other.pus_of(name) & self._common
        shared: dict[str, int] = defaultdict(int)
        for pu in pus:
            shared[owners.get(pu, "")] += 1
        for found, count in shared.items():
            size = max(len(pus), len(self.base.pus_of(found) & self._common) if found else 0)
            if found and found not in self._taken and 2 * count > size:
                return found
        return ""

    def _pair_by_number(self, kind: str) -> None:
        """Pair what the PUs do not tell: where one side does not know them, or both share some."""
        mine, theirs = self._left(kind)
        by_number = {self.base.value("os_index", name): name for name in mine}
        free = set(mine)
        for name in theirs:
            number = self.other.value("os_index", name)
            found = None if number is None else by_number.get(number)
            if found is None and name in free:
                stated = self.base.value("os_index", name)
                found = name if number is None or stated is None else None
            if found is not None and found not in self._taken and self._may_be(name, found):
                self._pair(name, found)

    def _may_be(self, name: str, found: str) -> bool:
        ours, theirs = self.base.pus_of(found), self.other.pus_of(name)
        return not ours or not theirs or bool(ours & theirs)

    # ------------------------------------------------------------ memory and I/O
    def _pair_memory_caches(self) -> None:
        self._pair_by("memcache", lambda machine, name: _inside(machine, name, ("numa",)))
        self._pair_by_name("memcache", lambda machine, name: _inside(machine, name, ("numa",)))

    def _pair_by_name(self, kind: str, known: Callable[[Machine, str], object]) -> None:
        """Pair equal names where one side does not know what would tell the parts apart."""
        mine, theirs = self._left(kind)
        for name in set(mine) & set(theirs):
            if not known(self.base, name) or not known(self.other, name):
                self._pair(name, name)

    def _pair_bridges(self) -> None:
        def buses(machine: Machine, name: str) -> Hashable:
            fact = machine.fact("bridge_buses", name)
            # the host bridge of a domain and a bridge on its first bus differ in being under PCI
            inner = kind_of(machine.parent(name) or ROOT) in {"bridge", "pci"}
            return None if fact is None else (inner, *fact.args[1:3])

        for label in (_own_bus_id, buses, lambda machine, name: _inside(machine, name, ("pci",))):
            self._pair_by("bridge", label)
        self._pair_by_name(
            "bridge",
            lambda machine, name: (
                _own_bus_id(machine, name)
                or buses(machine, name)
                or _inside(machine, name, ("pci",))
            ),
        )
        # what one description calls a bridge may be a plain PCI function to the other
        for kind, other_kind in (("bridge", "pci"), ("pci", "bridge")):
            places = _once(self._left(kind)[0], lambda name: _own_bus_id(self.base, name))
            theirs = self._left(other_kind)[1]
            for key, name in _once(theirs, lambda name: _own_bus_id(self.other, name)).items():
                if key in places:
                    self._pair(name, places[key])

    def _pair_rest(self) -> None:
        """Pair equal names of what is inside each other with nothing else to tell them apart."""

        def inside(machine: Machine, name: str) -> Hashable:
            if kind_of(name) in CPU_KINDS:
                return machine.pus_of(name) & self._common
            return _inside(machine, name, ("numa", "pci"))

        for kind in (*PU_KINDS, "memcache", "bridge"):
            mine, theirs = self._left(kind)
            for name in sorted(set(mine) & set(theirs)):
                if inside(self.base, name) == inside(self.other, name):
                    self._pair(name, name)

    def _pair_devices(self) -> None:
        self._pair_by("device", lambda _machine, name: name)
        kinds = {id(m): _device_kinds(m) for m in (self.base, self.other)}

        def function(machine: Machine, name: str) -> Hashable:
            parent = machine.parent(name) or ROOT
            if kind_of(parent) != "pci":
                return None
            return bus_id(parent.partition(":")[2]), kinds[id(machine)].get(name, frozenset())

        self._pair_by("device", function)


def _by_kind(machine: Machine) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in machine.objects:
        found[kind_of(name)].append(name)
    return found


def _once(names: Iterable[str], label: Callable[[str], Hashable]) -> dict[Hashable, str]:
    """Return parts by label, without the labels that several have."""
    found: dict[Hashable, str] = {}
    often: set[Hashable] = set()
    for name in names:
        key = label(name)
        if key is None or key == frozenset():
            continue
        if key in found:
            often.add(key)
        found[key] = name
    return {key: name for key, name in found.items() if key not in often}


def _own_bus_id(machine: Machine, name: str) -> Hashable:
    if kind_of(name) == "pci":
        return bus_id(name.partition(":")[2])
    text = machine.value("info", name, "PCIBusID")
    return bus_id(str(text)) if text else None


def _inside(machine: Machine, name: str, kinds: tuple[str, ...]) -> frozenset[str]:
    """Return the parts of these kinds at any depth below a part, PCI functions by bus id."""
    found, below = set(), list(machine.children(name))
    while below:
        at = below.pop()
        if kind_of(at) in kinds:
            found.add(f"pci:{bus_id(at.partition(':')[2])}" if kind_of(at) == "pci" else at)
        below += machine.children(at)
    return frozenset(found)


def _device_kinds(machine: Machine) -> dict[str, frozenset[str]]:
    rows: dict[str, set[str]] = defaultdict(set)
    for fact in machine.facts_of("device_kind"):
        rows[str(fact.args[0])].add(str(fact.args[1]))
    return {name: frozenset(kinds) for name, kinds in rows.items()}
