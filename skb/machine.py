"""The snapshot: an immutable set of facts about one machine at one revision, with typed views.

Views are computed on first use and kept. Objects are `kind:index`; PUs and NUMA nodes are also
named by their OS index where a plain number is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from functools import cached_property

from skb.containment import (
    CPU_KINDS,
    IO_KINDS,
    MEMORY_KINDS,
    ROOT,
    check_containment,
    kind_of,
)
from skb.errors import NotFoundError
from skb.factset import FactSet
from skb.relations import KINDS, Fact, Value, check_set
from skb.usability import Usability, usability
from skb.ways import Ways

__all__ = [
    "COUNTED",
    "CPU_KINDS",
    "IO_KINDS",
    "MEMORY_KINDS",
    "ROOT",
    "Machine",
    "index_of",
    "kind_of",
    "natural_order",
    "object_order",
]
COUNTED = (
    *("pu", "core", "package", "die", "numa", "l1d", "l1i", "l2", "l3"),
    *("memcache", "pci", "bridge", "device", "misc"),
)
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
_DEVICE_WORDS = {"nic": "network", "accelerator": "coprocessor"}
_LEVELS = {"l1d": "l1", "l1i": "l1", "l3i": "l3", "l2i": "l2", "l5": "l4"}


def index_of(name: str) -> int:
    """Return the number of a numbered object."""
    return int(name.partition(":")[2])


def object_order(name: str) -> tuple[int, int, str]:
    """Sort key: by kind from the machine inwards, then by index."""
    kind, _, index = name.partition(":")
    number = int(index) if index.isascii() and index.isdigit() else -1
    return (_RANK.get(kind, len(_RANK)), number, index)


class Machine(FactSet):
    """One machine at one revision; see the module's docstring.

    Raises `FactError` or `ContradictionError` where the facts do not fit together.
    """

    def __init__(
        self,
        name: str,
        facts: Iterable[Fact],
        *,
        revision: int = 0,
        title: str = "",
        notes: tuple[str, ...] = (),
        checked: bool = False,
    ) -> None:
        self.name = name
        self.title = title
        self.revision = revision
        self.notes = notes
        super().__init__(tuple(facts) if checked else check_set(facts, name))
        check_containment(self._parents, name)

    def at(self, revision: int) -> Machine:
        """Return the same facts at another revision; the views that were computed are kept."""
        other = copy(self)
        other.revision = revision
        return other

    # ------------------------------------------------------------ containment
    @cached_property
    def _parents(self) -> Mapping[str, str]:
        return {str(f.args[1]): str(f.args[0]) for f in self.facts_of("contains")}

    @cached_property
    def _children(self) -> Mapping[str, tuple[str, ...]]:
        rows: dict[str, list[str]] = defaultdict(list)
        for child, parent in self._parents.items():
            rows[parent].append(child)
        return {parent: tuple(sorted(rows[parent], key=object_order)) for parent in rows}

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """Every part, from the machine inwards, then by index."""
        return tuple(sorted({ROOT, *self._parents}, key=object_order))

    @cached_property
    def _object_set(self) -> frozenset[str]:
        return frozenset({ROOT, *self._parents})

    def has(self, name: str) -> bool:
        return name in self._object_set

    def require(self, name: str) -> str:
        """Return the object's name; raise `NotFoundError` with near names where there is none."""
        if name in self._object_set:
            return name
        kind = kind_of(name)
        have = [other for other in self.objects if kind_of(other) == kind]
        kinds = ", ".join(dict.fromkeys(map(kind_of, self.objects)))
        mend = f"it has {_span(have)}" if have else f"its kinds of parts are: {kinds}"
        raise NotFoundError(f"{self.name} has no {name}", mend=mend)

    def parent(self, name: str) -> str | None:
        return self._parents.get(name)

    def children(self, name: str) -> tuple[str, ...]:
        return self._children.get(name, ())

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return the parents of an object from the nearest to the machine."""
        chain = []
        at = self._parents.get(name)
        while at is not None:
            chain.append(at)
            at = self._parents.get(at)
        return tuple(chain)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(name for name in self.objects if kind_of(name) == kind)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of objects by kind, in the fixed order of the contract."""
        found = dict.fromkeys(COUNTED, 0)
        for name in self.objects:
            if (kind := kind_of(name)) in found:
                found[kind] += 1
        return found

    # ------------------------------------------------------------ PUs and memory
    @cached_property
    def pus(self) -> tuple[int, ...]:
        """OS indexes of the PUs."""
        return tuple(sorted(index_of(name) for name in self.of_kind("pu")))

    @cached_property
    def numa(self) -> tuple[int, ...]:
        """OS indexes of the NUMA nodes."""
        return tuple(sorted(index_of(name) for name in self.of_kind("numa")))

    @cached_property
    def _cpusets(self) -> Mapping[str, frozenset[int]]:
        sets: dict[str, set[int]] = defaultdict(set)
        for pu in self.of_kind("pu"):
            for name in (pu, *self.ancestors(pu)):
                sets[name].add(index_of(pu))
        return {name: frozenset(pus) for name, pus in sets.items()}

    def pus_of(self, name: str) -> frozenset[int]:
        """Return the PUs inside a part or, of memory and devices, those it is local to."""
        if kind_of(name) in CPU_KINDS:
            return self._cpusets.get(name, frozenset())
        return self._cpusets.get(self.anchor(name), frozenset())

    def anchor(self, name: str) -> str:
        """Return the nearest part of the processor side that an object hangs under."""
        at = name
        while kind_of(at) not in CPU_KINDS:
            at = self._parents[at]
        return at

    def package_around(self, name: str) -> str:
        """Return the package that a part is in or near; its own anchor where there is none."""
        anchor = self.anchor(name)
        around = (anchor, *self.ancestors(anchor))
        return next((at for at in around if kind_of(at) == "package"), anchor)

    @cached_property
    def _numa_at(self) -> Mapping[str, tuple[int, ...]]:
        rows: dict[str, list[int]] = defaultdict(list)
        for node in self.of_kind("numa"):
            rows[self.anchor(node)].append(index_of(node))
        return {anchor: tuple(sorted(nodes)) for anchor, nodes in rows.items()}

    def numa_of(self, name: str) -> tuple[int, ...]:
        """Return the NUMA nodes local to a part: those inside it, else the nearest around it."""
        anchor = self.anchor(name)
        inside = [
            node
            for at, nodes in self._numa_at.items()
            if at == anchor or anchor in self.ancestors(at)
            for node in nodes
        ]
        if inside:
            return tuple(sorted(inside))
        around = (self._numa_at[at] for at in self.ancestors(anchor) if at in self._numa_at)
        return next(around, ())

    @cached_property
    def numa_of_pu(self) -> Mapping[int, tuple[int, ...]]:
        """The NUMA nodes nearest to each PU (several where kinds of memory share a place)."""
        return {pu: self.numa_of(f"pu:{pu}") for pu in self.pus}

    @cached_property
    def core_of(self) -> Mapping[int, str]:
        """The core of each PU; a PU without one stands for itself."""
        return {pu: self._around(pu, "core") or f"pu:{pu}" for pu in self.pus}

    @cached_property
    def package_of(self) -> Mapping[int, str]:
        """The package of each PU; the machine where there are no packages."""
        return {pu: self._around(pu, "package") or ROOT for pu in self.pus}

    def _around(self, pu: int, kind: str) -> str | None:
        return next((at for at in self.ancestors(f"pu:{pu}") if kind_of(at) == kind), None)

    @cached_property
    def memory_bytes(self) -> int:
        return sum(int(str(fact.args[-1])) for fact in self.facts_of("memory_size"))

    def inherited(self, predicate: str, name: str) -> Value | None:
        """Return an attribute of a part or of the nearest part around it that states one."""
        for at in (name, *self.ancestors(name)):
            if (value := self.value(predicate, at)) is not None:
                return value
        return None

    # ------------------------------------------------------------ what may be used
    @cached_property
    def usability(self) -> Usability:
        """What power and presence make unusable; `skb.dependence` derives it with all reasons."""
        states: dict[str, set[str]] = defaultdict(set)
        for predicate, fine in (("power", "on"), ("presence", "present")):
            for fact in self.facts_of(predicate):
                if fact.args[1] != fine:
                    states[str(fact.args[0])].add(str(fact.args[1]))
        if not states:
            return Usability({}, frozenset())
        return usability(self._children, states, self.links)

    def unusable(self, name: str) -> str:
        """Return why a part cannot be used (power, presence, allowed set), or an empty string."""
        if why := self.usability.because.get(name):
            return why
        reason = self.value("disallowed", name)
        return f"{name} is not allowed: {reason}" if reason is not None else ""

    @cached_property
    def usable_pus(self) -> tuple[int, ...]:
        """PUs that are on, present and allowed."""
        return tuple(pu for pu in self.pus if not self.unusable(f"pu:{pu}"))

    @cached_property
    def usable_numa(self) -> tuple[int, ...]:
        return tuple(node for node in self.numa if not self.unusable(f"numa:{node}"))

    @cached_property
    def allowed_pus(self) -> tuple[int, ...]:
        return tuple(pu for pu in self.pus if self.fact("disallowed", f"pu:{pu}") is None)

    # ------------------------------------------------------------ nearness
    @cached_property
    def _chains(self) -> Mapping[int, tuple[str, ...]]:
        """For each PU the parts around it from the machine inwards, the PU last."""
        return {pu: (*reversed(self.ancestors(f"pu:{pu}")), f"pu:{pu}") for pu in self.pus}

    def common_ancestor(self, first: int, second: int) -> str:
        """Return the smallest part that holds both PUs."""
        common = ROOT
        for a, b in zip(self._chains[first], self._chains[second], strict=False):
            if a != b:
                break
            common = a
        return common

    @cached_property
    def _levels_of(self) -> Mapping[str, tuple[str, ...]]:
        words: dict[str, tuple[str, ...]] = {}
        for name in self._cpusets:
            chain = [name]
            for at in self.ancestors(name):
                if self._cpusets[at] != self._cpusets[name]:
                    break
                chain.append(at)
            found = [self._level(at) for at in chain]
            if any(at in self._numa_at for at in chain):
                found.append("numa")
            words[name] = tuple(dict.fromkeys(word for word in found if word))
        return words

    def _level(self, name: str) -> str:
        kind = kind_of(name)
        if kind == "group":
            return ""
        return _LEVELS.get(kind, kind)

    def levels(self, name: str) -> tuple[str, ...]:
        """Return the level words of a part, and of the parts around it with the same PUs."""
        return self._levels_of.get(name, ())

    @cached_property
    def links(self) -> Mapping[str, tuple[str, ...]]:
        """Links by origin, both ends sorted."""
        rows: dict[str, list[str]] = defaultdict(list)
        for fact in self.facts_of("link"):
            rows[str(fact.args[0])].append(str(fact.args[1]))
        return {at: tuple(sorted(rows[at], key=object_order)) for at in sorted(rows)}

    @cached_property
    def ways(self) -> Ways:
        """How messages travel over the links: by the tables in force, else shortest ways."""
        silent, parts = self.usability.silent, self._object_set
        rows = ((str(f.args[0]), str(f.args[1]), str(f.args[2])) for f in self.facts_of("next_hop"))
        return Ways(self.links, lambda name: name in parts and name not in silent, rows)

    def hops(self, first: str, second: str) -> int | None:
        """Return the number of links on the way to another part, None where none lead there."""
        return self.ways.hops(first, second)

    # ------------------------------------------------------------ devices
    def devices(self) -> tuple[dict[str, object], ...]:
        """Return the devices as `skb show --json` prints them."""
        rows: list[dict[str, object]] = []
        for name in self.of_kind("device"):
            pci = next((a for a in self.ancestors(name) if kind_of(a) == "pci"), None)
            kinds = [str(f.args[1]) for f in self.facts_of("device_kind") if f.args[0] == name]
            rows.append(
                {
                    "id": name,
                    "kinds": sorted(kinds),
                    "pci": pci.partition(":")[2] if pci else None,
                    "pus": sorted(self.pus_of(name)),
                    "numa": list(self.numa_of(name)),
                    "link_gbytes_per_s": self.value("pci_link_speed", pci) if pci else None,
                }
            )
        return tuple(rows)

    def of_device_kind(self, kind: str) -> tuple[str, ...]:
        """Return one device of a kind for each PCI function, in the order of the names.

        `nic` and `accelerator` are other words for `network` and `coprocessor`.
        """
        kind = _DEVICE_WORDS.get(kind, kind)
        found: dict[str, str] = {}
        for fact in self.facts_of("device_kind"):
            if fact.args[1] == kind:
                device = str(fact.args[0])
                found.setdefault(self._parents[device], device)
                if kind_of(self._parents[device]) != "pci":
                    found[device] = device
        return tuple(sorted(dict.fromkeys(found.values()), key=natural_order))

    # ------------------------------------------------------------ output
    def summary(self) -> dict[str, object]:
        """Return what `skb show --json` prints (a fixed contract)."""
        return {
            "name": self.name,
            "title": self.title,
            "revision": self.revision,
            "digest": self.digest,
            "counts": self.counts,
            "memory_bytes": self.memory_bytes,
            "pus": list(self.pus),
            "numa": list(self.numa),
            "allowed_pus": list(self.allowed_pus),
            "devices": list(self.devices()),
            "distances": self.distances(),
            "notes": list(self.notes),
        }

    def distances(self) -> list[dict[str, object]]:
        """Return the matrices between parts: name, source, and entries as [from, to, value]."""
        rows: dict[tuple[str, str], list[list[Value]]] = defaultdict(list)
        for fact in self.all("numa_distance"):
            rows["NUMALatency", fact.source].append(list(fact.args))
        for fact in self.all("object_distance"):
            rows[str(fact.args[0]), fact.source].append(list(fact.args[1:]))
        return [
            {"name": name, "source": source, "entries": entries}
            for (name, source), entries in sorted(rows.items())
        ]


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts `gpu10` behind `gpu9`."""
    import re

    return tuple(
        (0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part)
        for part in re.findall(r"\d+|\D+", name)
    )


def _span(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
