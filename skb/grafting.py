"""A containment tree onto which another description's tree is laid.

The tree that was there keeps its names and its order. A part that only the other description has
is put where its PUs (of memory: its nodes, of I/O: its functions) belong: below the smallest part
that holds them all, above the parts that lie inside it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from skb.containment import (
    CPU_KINDS,
    IO_KINDS,
    MEMORY_KINDS,
    ROOT,
    check_containment,
    kind_of,
)
from skb.errors import ContradictionError
from skb.factset import FactSet
from skb.machine import Machine, object_order
from skb.relations import KINDS, Fact
from skb.wording import counted, listed

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
NAMED = 5
_BUS = re.compile(r"pci:([0-9a-f]{1,8}):([0-9a-f]{1,2}):[0-9a-f]{1,2}\.[0-9a-f]", re.I)
LEAVES = {"processor": {"pu"}, "memory": {"numa"}, "io": {"pci", "device"}}


def side_of(name: str) -> str:
    """Return processor, memory, io, or other."""
    kind = kind_of(name)
    if kind in CPU_KINDS:
        return "processor"
    return "memory" if kind in MEMORY_KINDS else "io" if kind in IO_KINDS else "other"


def leaves_below(machine: Machine, name: str) -> set[str]:
    """Return what tells where a part lies: the PUs, nodes or functions of its own side inside."""
    side = side_of(name)
    if side == "processor":
        return {f"pu:{pu}" for pu in machine.pus_of(name)}
    found, below = set[str](), list(machine.children(name))
    while below:
        at = below.pop()
        if kind_of(at) in LEAVES.get(side, ()):
            found.add(at)
        below += machine.children(at)
    return found


class Tree:
    """Parents and children, and for each part the leaves of each side inside it."""

    def __init__(self, machine: Machine) -> None:
        self.parent: dict[str, str] = {}
        self._children: dict[str, set[str]] = defaultdict(set)
        self._leaves: dict[str, set[str]] = defaultdict(set)
        for name in machine.objects:
            if name != ROOT:
                self.parent[name] = machine.parent(name) or ROOT
                self._children[self.parent[name]].add(name)
        for name in self.parent:
            self._spread(name)

    def has(self, name: str) -> bool:
        return name == ROOT or name in self.parent

    def ancestors(self, name: str) -> list[str]:
        """Return the parents of a part from the nearest to the machine."""
        chain = []
        while name != ROOT:
            name = self.parent[name]
            chain.append(name)
        return chain

    def _spread(self, name: str) -> None:
        if any(kind_of(name) in kinds for kinds in LEAVES.values()):
            for at in (name, *self.ancestors(name)):
                self._leaves[at].add(name)

    def _inside(self, name: str, side: str) -> set[str]:
        beginnings = tuple(f"{kind}:" for kind in LEAVES[side])
        return {leaf for leaf in self._leaves[name] if leaf.startswith(beginnings)}

    def put(self, name: str, parent: str) -> None:
        """Add a part that nothing is inside of yet."""
        self.parent[name] = parent
        self._children[parent].add(name)
        self._spread(name)

    def move(self, name: str, parent: str) -> None:
        """Hang a part with all that is inside it under another parent, which is not inside it."""
        if name in (parent, *self.ancestors(parent)):
            raise ContradictionError(f"{name} would contain itself", mend="mend contains")
        old, leaves = self.ancestors(name), self._leaves[name]
        self._children[self.parent[name]].discard(name)
        self.parent[name] = parent
        self._children[parent].add(name)
        new = self.ancestors(name)
        kept = set(new)
        for at in old:
            if at not in kept:
                self._leaves[at] -= leaves
        for at in new:
            self._leaves[at] |= leaves

    def insert(self, name: str, leaves: set[str], wish: str, around: Iterable[str]) -> str:
        """Put a part where these leaves lie; return the part that it crosses, or an empty string.

        `wish` is the parent that its description gives, `around` all parts that it has around
        it there.
        """
        if not leaves:
            self.put(name, wish)
            return ""
        side = side_of(name)
        outer = set(around)
        at = self.parent[min(leaves)]
        while not self._holds(at, name, side, leaves, outer):
            if side_of(at) == side and not self._inside(at, side) <= leaves:
                return at
            at = self.parent[at]
        taken = {self._chain(leaf, at)[-1] for leaf in leaves}
        for child in sorted(taken):
            # memory or functions of several packages have nothing around them but the machine
            if side_of(child) != side or not self._inside(child, side) <= leaves:
                return child
        parent = at
        if wish != at and wish not in self.ancestors(at):
            # a parent that says more precisely where the part is, but is no part of what moves
            if at not in self.ancestors(wish) or {wish, *self.ancestors(wish)} & taken:
                return wish
            parent = wish
        between = {part for leaf in leaves for part in self._chain(leaf, at)}
        odd = [part for part in (parent, *self.ancestors(parent)) if _excludes(part, name)]
        odd += sorted(part for part in between if _excludes(name, part))
        if odd:
            return odd[0]
        self.put(name, parent)
        for child in taken:
            self.move(child, name)
        return ""

    def _chain(self, leaf: str, at: str) -> list[str]:
        """Return a leaf and the parts around it up to the child of `at`."""
        chain = [leaf]
        while self.parent[chain[-1]] != at:
            chain.append(self.parent[chain[-1]])
        return chain

    def _holds(self, at: str, name: str, side: str, leaves: set[str], outer: set[str]) -> bool:
        if at == ROOT or side_of(at) != side:
            return at == ROOT or leaves <= self._leaves[at]
        inside = self._inside(at, side)
        if inside == leaves:
            return at in outer or (kind_of(at) != kind_of(name) and _before(at, name))
        return inside > leaves


def _excludes(outer: str, inner: str) -> bool:
    """Tell whether one part can never be around another: packages in dies, cores in cores."""
    around, inside = kind_of(outer), kind_of(inner)
    if around == inside:
        return around in CPU_KINDS - {"group"}
    return (around, inside) in {("core", "package"), ("core", "die"), ("die", "package")}


def _before(outer: str, inner: str) -> bool:
    return _RANK[kind_of(outer)] < _RANK[kind_of(inner)]


# ------------------------------------------------------------------ a description onto another
class Laying:
    """Lays the tree of one description onto that of another.

    `names` (the other's parts in the base's words, `skb.identity`) gains the new parts, `notes`
    what was left out or is disputed.
    """

    def __init__(
        self, base: Machine, other: Machine, names: dict[str, str], notes: list[str]
    ) -> None:
        self.base, self.other, self.names, self._notes = base, other, names, notes
        self.tree = Tree(base)
        self._disagree: list[str] = []
        self._added: list[str] = []
        self._wished: dict[str, str] = {}
        self._next: dict[str, int] = {}
        self._ours: dict[str, list[Fact]] = defaultdict(list)
        for fact in base.all("contains"):
            self._ours[str(fact.args[1])].append(fact)
        depth = {name: len(other.ancestors(name)) for name in other.objects}
        for name in sorted(depth, key=lambda name: (depth[name], object_order(name))):
            if name != ROOT:
                self._lay(name)
        self._find_buses()
        self._tell()

    def _lay(self, name: str) -> None:
        parent = next(at for at in self.other.ancestors(name) if at in self.names)
        wish = self.names[parent]
        if name in self.names:
            self._wished[self.names[name]] = wish
            self._reconcile(name, self.names[name], wish)
            return
        leaves = {
            self.names[leaf]
            for leaf in leaves_below(self.other, name) - {name}
            if leaf in self.names and self.base.has(self.names[leaf])
        }
        fresh = self._fresh(name)
        around = [self.names[at] for at in self.other.ancestors(name) if at in self.names]
        crossed = self.tree.insert(fresh, leaves, wish, around)
        if crossed and kind_of(name) in LEAVES["io"]:
            # a function has a number of its own: it is there, and what is behind it is disputed
            self.tree.put(fresh, wish)
        elif crossed:
            self._notes.append(f"{name} is left out: it crosses {crossed}")
            return
        self.names[name] = fresh
        self._wished[fresh] = wish
        self._added.append(fresh)

    def _find_buses(self) -> None:
        """Hang functions that one description puts nowhere in particular under the other's bridges.

        A bridge is the one with the smallest range that has the function's bus.
        """
        ranges = sorted(self._ranges())
        theirs = set(self.names.values())
        for name, parent in list(self.tree.parent.items()) if ranges else ():
            bus = _BUS.fullmatch(name)
            if bus is None or kind_of(parent) in IO_KINDS:
                continue
            domain, number = (int(part, 16) for part in bus.groups())
            for _size, bridge, where, first, last in ranges:
                apart = not (self.base.has(bridge) and self.base.has(name))
                apart = apart and not (bridge in theirs and name in theirs)
                around = self.tree.ancestors(bridge)
                has = where == domain and first <= number <= last
                if has and apart and parent in around and name not in around:
                    self.tree.move(name, bridge)
                    break

    def _ranges(self) -> Iterable[tuple[int, str, int, int, int]]:
        """Yield the bridges with their domain, first and last bus, by the size of the range."""
        known: tuple[tuple[Machine, dict[str, str]], ...]
        known = ((self.base, {}), (self.other, self.names))
        for machine, named in known:
            for fact in machine.facts_of("bridge_buses"):
                name = named.get(str(fact.args[0]), str(fact.args[0]))
                domain, first, last = (int(number) for number in fact.args[1:])
                if self.tree.has(name):
                    yield last - first, name, domain, first, last

    def _fresh(self, name: str) -> str:
        """Return the part's own name where it is free, else the next free number of its kind."""
        if not self.tree.has(name):
            return name
        kind, _, index = name.partition(":")
        if not (index.isascii() and index.isdigit()):
            return f"{name}-{sum(self.tree.has(f'{name}-{n}') for n in range(2, 99)) + 2}"
        if kind not in self._next:
            used = [at.partition(":")[2] for at in self.tree.parent if kind_of(at) == kind]
            numbers = [int(index) for index in used if index.isascii() and index.isdigit()]
            self._next[kind] = max(numbers) + 1
        while self.tree.has(f"{kind}:{self._next[kind]}"):
            self._next[kind] += 1
        return f"{kind}:{self._next[kind]}"

    def _reconcile(self, original: str, name: str, wish: str) -> None:
        """Take the finer of two parents; of two that exclude each other the stronger."""
        tree, parent = self.tree, self.tree.parent[name]
        if wish in (parent, name) or wish in tree.ancestors(parent):
            return
        around = tree.ancestors(wish)
        if name in around:
            # the same PUs, nested in another order
            return
        if parent in around:
            tree.move(name, wish)
            return
        theirs = self._claim(original)
        ours = [f for f in self._ours.get(name, ()) if f.args[0] == parent]
        kept = [f for f in ours if theirs is None or not _same_origin(f, theirs)]
        if kept or not ours:
            self._disagree.append(f"{name} is in {wish}, not in {parent}")
        if theirs is not None and FactSet((*kept, theirs)).fact("contains", name) == theirs:
            tree.move(name, wish)

    def _claim(self, original: str) -> Fact | None:
        """Return who says where a part of the other description is, in the names of the base."""
        fact, name = self.other.fact("contains", original), self.names[original]
        return None if fact is None else replace(fact, args=(self._wished[name], name))

    def claims(self) -> list[Fact]:
        """Return who says which parent of each part: the parent in the tree, and what excludes it.

        Where that parent follows only from both descriptions, a coarser statement is refined.
        """
        stated = {ours: self._claim(theirs) for theirs, ours in self.names.items()}
        plain, odd = [], []
        for name, parent in self.tree.parent.items():
            said = self._ours.get(name, [])
            if (theirs := stated.get(name)) is not None:
                # what the same file said before gives way
                said = [*(fact for fact in said if not _same_origin(fact, theirs)), theirs]
            around = set(self.tree.ancestors(name))
            agreeing = [fact for fact in said if fact.args[0] == parent]
            coarser = [fact for fact in said if fact.args[0] in around]
            agreeing = agreeing or [replace(f, args=(parent, name)) for f in coarser[:1]]
            plain += _one_of_each_source(agreeing)
            odd += [f for f in said if f.args[0] not in around and not self._inverse(f)]
        return plain + self._bearable(plain, odd)

    def _inverse(self, fact: Fact) -> bool:
        """Tell whether the stated parent lies inside the part: the same PUs in another order."""
        parent, name = str(fact.args[0]), str(fact.args[1])
        return name in self.tree.ancestors(parent)

    def _bearable(self, plain: list[Fact], odd: list[Fact]) -> list[Fact]:
        """Return the disagreeing statements, unless the tree that then holds is none."""
        if not odd:
            return odd
        holding = FactSet((*plain, *odd)).facts_of("contains")
        try:
            check_containment({str(f.args[1]): str(f.args[0]) for f in holding}, "merged")
        except ContradictionError as fault:
            number = counted(len(odd), "other parent")
            self._notes.append(f"left out, because no tree is left: {number} ({fault.message})")
            return []
        return odd

    def _tell(self) -> None:
        if self._disagree:
            more = f" and {len(self._disagree) - NAMED} more" * (len(self._disagree) > NAMED)
            said = "; ".join(self._disagree[:NAMED])
            number = counted(len(self._disagree), "parent")
            self._notes.append(f"disagrees about {number}: {said}{more}")
        for kind, noun in (("pu", "PU"), ("numa", "NUMA node")):
            new = sorted((n for n in self._added if kind_of(n) == kind), key=object_order)
            if new:
                under = sorted({self.tree.parent[name] for name in new}, key=object_order)
                self._notes.append(
                    f"{counted(len(new), noun)} that the others do not know: {listed(new, NAMED)}, "
                    f"under {listed(under, NAMED)}"
                )


def goes_before(fact: Fact, other: Fact) -> bool:
    """Tell which of two equal statements of one kind of source is kept: the one that would hold.

    So that who else agrees does not change what holds against a third (`skb.factset`).
    """
    return fact.when > other.when or (fact.when == other.when and fact.by < other.by)


def _same_origin(fact: Fact, other: Fact) -> bool:
    return (fact.source, fact.by) == (other.source, other.by)


def _one_of_each_source(facts: list[Fact]) -> list[Fact]:
    """Return one fact for each kind of source."""
    kept: dict[str, Fact] = {}
    for fact in facts:
        if fact.source not in kept or goes_before(fact, kept[fact.source]):
            kept[fact.source] = fact
    return list(kept.values())
