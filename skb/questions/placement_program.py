"""The placement question as a program for clingo: one instance, one partition into places."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import gcd

from skb.engines.asp import Atom, Program
from skb.questions.placement_implied import Need, implied
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition
from skb.questions.placement_prices import Prices, Sets
from skb.questions.placement_symmetry import pairs

FILES = ("defined", "guess", "check")
DECIDE = tuple(
    f"placement/{name}.lp" for name in (*FILES, "decide", "symmetry", "optimise", "implied", "show")
)
EXPLAIN = tuple(f"placement/{name}.lp" for name in (*FILES, "explain", "silent"))


@dataclass(frozen=True, slots=True)
class Priced:
    """A program with what turns its cost into a price: `offset + factor * cost`, a lower bound if
    not `exact`.
    """

    program: Program
    offset: int
    factor: int
    exact: bool

    def price(self, cost: int) -> int:
        return self.offset + self.factor * cost

    def cost(self, price: int) -> int:
        """Return the least cost of a model that may stand for a placement of this price."""
        return -(-(price - self.offset) // self.factor)


class Encoder:
    """Writes the atoms; one per program."""

    def __init__(self, instance: Instance, cut: Partition) -> None:
        self.instance = instance
        self.cut = cut
        self.places = cut.places
        self.sets = Sets()
        self.full = self._full()
        self.storing = [t for t in range(len(instance.tasks)) if instance.chooses(t)]

    def explain(self) -> Program:
        """Return the program whose rules can be lifted, without prices."""
        self.storing = [t for t in range(len(self.instance.tasks)) if self.instance.stores(t)]
        rules: list[Atom] = [("rule", (rule,)) for rule in self.instance.rules]
        atoms = [*rules, *self._tasks(), *self._machine(), *self._rules(), *self._regions()]
        return Program(EXPLAIN, (*atoms, *self.sets.atoms()))

    def decide(self) -> Priced:
        """Return the program that minimises the price under all rules."""
        fixed: list[Atom] = [("fixed", (rule,)) for rule in self.instance.rules]
        prices = Prices(self.instance, self.cut, self.sets, self.storing)
        priced, offset, factor, exact = prices.atoms()
        atoms = [*fixed, *self._tasks(), *self._machine(), *self._rules(), *self._regions()]
        atoms += [*priced, *self._implied(prices), *self._symmetry(prices)]
        return Priced(Program(DECIDE, (*atoms, *self.sets.atoms())), offset, factor, exact)

    # ------------------------------------------------------------ tasks and machine
    def _full(self) -> int:
        """Return the load of a full PU, in the largest unit that all shares are whole multiples
        of.
        """
        shares = [round(wanted.task.load * 10**6) for wanted in self.instance.tasks]
        return 10**6 // gcd(10**6, *shares)

    def load(self, task: int) -> int:
        return round(self.instance.tasks[task].task.load * self.full)

    def _tasks(self) -> list[Atom]:
        instance = self.instance
        atoms: list[Atom] = [("full", (self.full,))]
        for task, wanted in enumerate(instance.tasks):
            atoms.append(("task", (task,)))
            atoms.append(("need", (instance.need_id(task), task, instance.count(task))))
            atoms.append(("load", (task, self.load(task))))
            if instance.whole(task):
                atoms.append(("whole", (task,)))
            if wanted.task.exclusive:
                atoms.append(("exclusive", (task,)))
            if task in self.storing:
                atoms.append(("stores", (task,)))
            if instance.remembers(task):
                atoms.append(("remembers", (task,)))
        return atoms

    def _machine(self) -> list[Atom]:
        instance = self.instance
        atoms: list[Atom] = []
        cores: dict[str, int] = defaultdict(int)
        for index, place in enumerate(self.places):
            atoms.append(("place", (index, len(place.cores), place.width)))
            if not place.complete:
                atoms.append(("partial", (index,)))
            if place.core:
                atoms.append(("piece", (index, place.core)))
                cores[place.core] += 1
            atoms.append(("isa", (index, instance.isa[place.first])))
            atoms.append(("core_kind", (index, instance.core_kind[place.first])))
        atoms += [("core", (core, width)) for core, width in cores.items()]
        if self.storing:
            atoms += self._nodes()
        return atoms

    def _nodes(self) -> list[Atom]:
        instance = self.instance
        atoms: list[Atom] = []
        for node in instance.machine.usable_numa:
            atoms.append(("node", (node,)))
            atoms.append(("memory_kind", (node, instance.supplies.memory_kind(node))))
        for resource in ("memory", "bandwidth"):
            atoms += self._supply(resource)
        return atoms

    def _supply(self, resource: str) -> list[Atom]:
        """Return what the nodes have, and together, where none is of unknown supply."""
        amounts = self.instance.amounts
        found = {
            node: amounts.coarse(resource, units) for node, units in amounts.nodes(resource).items()
        }
        atoms: list[Atom] = [("supply", (resource, node, units)) for node, units in found.items()]
        if found and len(found) == len(self.instance.machine.usable_numa):
            most = amounts.coarse(resource, amounts.total[resource])
            atoms.append(("total", (resource, min(most, sum(found.values())))))
        return atoms

    # ------------------------------------------------------------ rules
    def _within(self, pus: frozenset[int]) -> int:
        return self.sets(i for i, place in enumerate(self.places) if place.first in pus)

    def _rules(self) -> list[Atom]:
        instance = self.instance
        atoms: list[Atom] = []
        for n in instance.narrowings:
            if n.kind in {"isa", "kind"}:
                atoms.append((f"wants_{n.kind}", (n.id, n.task, n.value)))
            else:
                pus = n.barred if n.kind == "avoid" else n.pus
                atoms.append((n.kind, (n.id, n.task, self._within(pus))))
        for task, (rule, kind) in instance.wanted_memory.items():
            atoms.append(("wants_memory", (rule, task, kind)))
        for task, (rule, node) in instance.kept_memory.items():
            atoms.append(("keeps_memory", (rule, task, node)))
        for demand in instance.demands:
            amount = instance.amounts.coarse(demand.resource, instance.amounts.of(demand))
            if demand.resource == "cache":
                atoms.append(("hold", (demand.id, demand.task, amount)))
            else:
                atoms.append(("demand", (demand.id, demand.task, demand.resource, amount)))
        if any(demand.resource == "cache" for demand in instance.demands):
            atoms += self._caches()
        return atoms + self._groups()

    def _caches(self) -> list[Atom]:
        instance = self.instance
        sized = {
            cache: [
                i
                for i, place in enumerate(self.places)
                if instance.supplies.cache_of.get(place.first) == cache
            ]
            for cache in instance.amounts.caches()
        }
        bare = [
            i
            for i, place in enumerate(self.places)
            if place.first not in instance.supplies.cache_of
        ]
        atoms: list[Atom] = [
            ("cache", (self.sets(sized[cache]), instance.amounts.coarse("cache", units)))
            for cache, units in instance.amounts.caches().items()
        ]
        return [*atoms, ("cache", (self.sets(bare), 0))] if bare else atoms

    def _groups(self) -> list[Atom]:
        instance = self.instance
        atoms: list[Atom] = []
        for group in instance.groups:
            atoms.append((group.kind, (group.id, group.level)))
            atoms += [("member", (group.id, task)) for task in group.tasks]
        for level in sorted({group.level for group in instance.groups}):
            objects = instance.objects(level)
            atoms += [("part", (i, level, objects[p.first])) for i, p in enumerate(self.places)]
            atoms.append(("objects", (level, len(set(objects.values())))))
        return atoms

    # ------------------------------------------------------------ regions
    def _regions(self) -> list[Atom]:
        """Return the sets of PUs that rules keep tasks to, with capacities, and what each task
        takes.
        """
        instance = self.instance
        everything = frozenset(instance.pus)
        numbers: dict[frozenset[int], int] = {everything: 0}
        atoms: list[Atom] = []
        mine: dict[int, list[frozenset[int]]] = defaultdict(list)
        for n in instance.narrowings:
            region = numbers.setdefault(n.pus, len(numbers))
            if n.kind != "start":
                atoms.append(("narrow", (n.id, n.task, region)))
                atoms.append(("narrows", (n.id, n.task)))
                mine[n.task].append(n.pus)
        joint = {task: everything.intersection(*sets) for task, sets in mine.items()}
        for task in range(len(instance.tasks)):
            region = numbers.setdefault(joint.get(task, everything), len(numbers))
            atoms.append(("joint", (task, region)))
        atoms += [
            ("subset", (numbers[small], numbers[large]))
            for small in numbers
            for large in numbers
            if small < large
        ]
        for pus, region in numbers.items():
            atoms += self._capacities(pus, region)
            atoms += self._crowds(pus, region, joint)
        return atoms + self._least()

    def _crowds(
        self, region: frozenset[int], number: int, joint: dict[int, frozenset[int]]
    ) -> list[Atom]:
        """Return the apart rules that keep more tasks to a region than it has objects for."""
        found: list[Atom] = []
        for group in self.instance.groups:
            if group.kind == "apart":
                inside = sum(1 for task in group.tasks if task in joint and joint[task] <= region)
                table = self.instance.objects(group.level)
                if inside > 1 and inside > (room := len({table[pu] for pu in region})):
                    found.append(("crowd", (group.id, number, room)))
        return found

    def _capacities(self, region: frozenset[int], number: int) -> list[Atom]:
        instance = self.instance
        touched = {instance.machine.core_of[pu] for pu in region}
        room = sum(1 for pu in instance.pus if instance.machine.core_of[pu] in touched)
        whole = sum(
            1 for c in touched & instance.complete if region.issuperset(instance.core_pus[c])
        )
        return [
            ("region", (number, "pus", len(region) * self.full)),
            ("region", (number, "room", room * self.full)),
            ("region", (number, "cores", len(touched))),
            ("region", (number, "whole", whole)),
        ]

    def _least(self) -> list[Atom]:
        """Return what each task takes at least, in loads of PUs, in touched cores, in whole cores.

        `pus` counts the PUs of a region, `room` all PUs of its cores: who is exclusive takes those
        too.
        """
        instance = self.instance
        atoms: list[Atom] = []
        usable = frozenset(instance.pus)
        widths = [len(usable.intersection(pus)) for pus in instance.core_pus.values()]
        widths = [width for width in widths if width] or [1]
        for task, wanted in enumerate(instance.tasks):
            count = instance.count(task)
            if instance.whole(task):
                full = self.full if wanted.task.exclusive else self.load(task)
                pus = room = count * min(widths) * full
                cores = whole = count if full == self.full else 0
            elif wanted.task.exclusive:
                cores, whole, pus = -(-count // max(widths)), 0, count * self.full
                room = max(pus, cores * min(widths) * self.full)
            else:
                cores, whole, pus = 0, 0, count * self.load(task)
                room = pus
            least = {"pus": pus, "room": room, "cores": cores, "whole": whole}
            atoms += [("least", (task, unit, amount)) for unit, amount in least.items() if amount]
        return atoms

    # ------------------------------------------------------------ what follows
    def _implied(self, prices: Prices) -> list[Atom]:
        needs = [
            Need(self.load(task), self.instance.whole(task), wanted.task.exclusive)
            for task, wanted in enumerate(self.instance.tasks)
        ]
        return implied(self.instance.traffic, prices.zones, self.places, needs, self.full)

    # ------------------------------------------------------------ symmetry
    def _symmetry(self, prices: Prices) -> list[Atom]:
        return [
            ("next", (self.sets(first), self.sets(second)))
            for first, second in pairs(self.instance, self.places, prices.matrix)
        ]
