"""Rules that seem to clash, found by counting and by narrowing down where each task may go.

It only proposes: the rules of `rules/placement` judge what it suggests (`placement_clash`), so it
may miss a clash, and a wrong suspicion costs time but is never told. Sets of PUs and sets of the
user's rules are whole numbers, one bit for each, because counting and cutting those is fast.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from skb.questions.placement_instance import Instance

LOAD = 10**6  # of a full PU


@dataclass(frozen=True, slots=True)
class _Group:
    rule: int
    level: str
    tasks: tuple[int, ...]


@dataclass(slots=True)
class _Gathered:
    """Tasks that share one object of a level, through the rules of `why`."""

    tasks: list[int]
    why: int


@dataclass(slots=True)
class _Domains:
    """Where each task may still go, and the rules that say so; `level` has the gathered tasks."""

    pus: dict[int, int]
    why: dict[int, int]
    gathered: dict[str, list[_Gathered]] = field(default_factory=dict)


class _Clash(Exception):
    def __init__(self, rules: int) -> None:
        self.rules = rules


class Suspects:
    """The rules of one instance as bits, and what can be counted of them."""

    def __init__(self, instance: Instance) -> None:
        self.ids = tuple(instance.rules)
        self.bit = {rule: 1 << index for index, rule in enumerate(self.ids)}
        self.everything = (1 << len(self.ids)) - 1
        self._pu = {pu: 1 << index for index, pu in enumerate(instance.pus)}
        self._all = (1 << len(instance.pus)) - 1
        self._masks: dict[frozenset[int], int] = {}
        self._read_levels(instance)
        self._read_tasks(instance)
        self._read_amounts(instance)
        self._caps: dict[int, tuple[int, int, int, int]] = {}

    # ------------------------------------------------------------ the instance as bits
    def _mask(self, pus: frozenset[int]) -> int:
        known = self._masks.get(pus)
        if known is None:
            bits = self._pu
            known = self._masks[pus] = sum(bits[pu] for pu in pus if pu in bits)
        return known

    def _objects(self, table: dict[int, str]) -> tuple[int, ...]:
        found: dict[str, int] = defaultdict(int)
        for pu, name in table.items():
            found[name] |= self._pu[pu]
        return tuple(found.values())

    def _read_levels(self, instance: Instance) -> None:
        names = sorted({group.level for group in instance.groups})
        self._level = {name: self._objects(instance.objects(name)) for name in names}
        self._finer = {
            large: [small for small in names if self._refines(small, large)] for large in names
        }
        self._together: list[_Group] = []
        self._apart: list[_Group] = []
        for group in instance.groups:
            kept = self._together if group.kind == "together" else self._apart
            kept.append(_Group(self.bit[group.id], group.level, group.tasks))
        usable = set(instance.pus)
        cores = {
            core: sum(self._pu[pu] for pu in pus if pu in usable)
            for core, pus in instance.core_pus.items()
        }
        self._cores = [(mask, core in instance.complete) for core, mask in cores.items() if mask]

    def _refines(self, small: str, large: str) -> bool:
        return all(
            any(part & ~whole == 0 for whole in self._level[large]) for part in self._level[small]
        )

    def _read_tasks(self, instance: Instance) -> None:
        self._narrow: dict[int, list[tuple[int, int]]] = defaultdict(list)
        concerns: dict[int, int] = defaultdict(int)
        self._starts: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for n in instance.narrowings:
            table = self._starts if n.kind == "start" else self._narrow
            table[n.task].append((self.bit[n.id], self._mask(n.pus)))
            concerns[n.task] |= self.bit[n.id]
        for group in (*self._together, *self._apart):
            for task in group.tasks:
                concerns[task] |= group.rule
        widths = [mask.bit_count() for mask, _complete in self._cores] or [1]
        self._need: dict[int, tuple[int, tuple[int, int, int, int]]] = {}
        for task in range(len(instance.tasks)):
            rule = self.bit[instance.need_id(task)]
            concerns[task] |= rule
            self._need[task] = (rule, _least(instance, task, min(widths), max(widths)))
        self._concerns = concerns

    def _read_amounts(self, instance: Instance) -> None:
        self._stored: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self._nodes: dict[str, tuple[int, ...]] = {}
        for demand in instance.demands:
            entry = (instance.amounts.of(demand), self.bit[demand.id], demand.task)
            self._stored[demand.resource].append(entry)
        for resource in ("memory", "bandwidth"):
            nodes = instance.amounts.nodes(resource)
            known = bool(nodes) and len(nodes) == len(instance.machine.usable_numa)
            self._nodes[resource] = tuple(nodes.values()) if known else ()
        self._caches: list[tuple[int, int]] = []
        around: dict[str, int] = defaultdict(int)
        if "cache" in self._stored:
            for pu, cache in instance.supplies.cache_of.items():
                around[cache] |= self._pu[pu]
            sizes = instance.amounts.caches()
            self._caches = [(mask, sizes[cache]) for cache, mask in around.items()]
            for _amount, rule, task in self._stored["cache"]:
                self._concerns[task] |= rule

    def rules(self, mask: int) -> tuple[str, ...]:
        """Return the identifiers of a set of rules, in the request's order."""
        return tuple(rule for rule in self.ids if self.bit[rule] & mask)

    # ------------------------------------------------------------ clashes
    def clash(self, active: int) -> int:
        """Return a subset of the rules that clash as far as counting can tell, 0 where none
        does.
        """
        try:
            for resource in ("memory", "bandwidth"):
                self._stored_clash(resource, active)
            domains = self._domains(active)
            self._settle(domains, active)
        except _Clash as found:
            return found.rules
        return 0

    def smallest(self, active: int, alike: Mapping[str, str], deadline: float) -> int:
        """Return a clash from which no rule can be left out, by this way of counting.

        Leaving out the first rules first or the last ones gives two; the smaller one is returned.
        Of rules that are `alike` one is tried for all; at the deadline what is left is returned.
        """
        found = self.clash(active)
        while found and (again := self.clash(found)) and again != found:
            found = again
        members = [1 << index for index in range(found.bit_length()) if found >> index & 1]
        names = {self.bit[rule]: alike.get(rule, rule) for rule in self.rules(found)}
        alone = self._of(found)
        first = alone._reduced(found, members, names, deadline)
        if first == found:
            return found
        second = alone._reduced(found, members[::-1], names, deadline)
        return min(first, second, key=lambda rules: (rules.bit_count(), rules))

    def _of(self, rules: int) -> Suspects:
        """Return the same without what other rules say, so that counting again costs little."""
        part = copy(self)
        part._concerns = {task: mine for task, mine in self._concerns.items() if mine & rules}
        part._together = [group for group in self._together if group.rule & rules]
        part._apart = [group for group in self._apart if group.rule & rules]
        levels = {group.level for group in (*part._together, *part._apart)}
        part._finer = {level: self._finer[level] for level in self._finer if level in levels}
        part._stored = defaultdict(list)
        for resource, entries in self._stored.items():
            part._stored[resource] = [entry for entry in entries if entry[1] & rules]
        return part

    def _reduced(
        self, found: int, order: Sequence[int], names: Mapping[int, str], deadline: float
    ) -> int:
        needed: set[str] = set()
        for bit in order:
            if not found & bit or names[bit] in needed:
                continue
            if time.monotonic() >= deadline:
                break
            if rest := self.clash(found & ~bit):
                found = rest
            else:
                needed.add(names[bit])
        return found

    def _stored_clash(self, resource: str, active: int) -> None:
        items = [entry for entry in self._stored[resource] if entry[1] & active]
        if self._nodes[resource]:
            _packed(items, self._nodes[resource])

    def _domains(self, active: int) -> _Domains:
        found = _Domains({}, {})
        for task, mine in self._concerns.items():
            if not mine & active:
                continue
            pus, why = self._all, 0
            for rule, mask in self._narrow[task]:
                if rule & active and pus & ~mask:
                    pus, why = pus & mask, why | rule
            for rule, mask in self._starts[task]:
                if rule & active and not pus & mask:
                    raise _Clash(why | rule)
                if rule & active and self._need[task][1][0] <= LOAD:
                    pus, why = pus & mask, why | rule
            if not pus:
                raise _Clash(why)
            found.pus[task], found.why[task] = pus, why
        for level, finer in self._finer.items():
            rows = [g for g in self._together if g.rule & active and g.level in finer]
            found.gathered[level] = _joined(rows)
        return found

    def _settle(self, domains: _Domains, active: int) -> None:
        apart = [group for group in self._apart if group.rule & active]
        changed = True
        while changed:
            changed = self._gather(domains, active) or self._part(domains, apart)
            if not changed:
                self._count(domains, active)
                self._pack(domains, active)
        self._cache_clash(domains, active)

    def _shrink(self, domains: _Domains, task: int, pus: int, why: int) -> bool:
        """Keep a task to some PUs; tell whether that changes anything."""
        if not domains.pus[task] & ~pus:
            return False
        domains.pus[task] &= pus
        domains.why[task] |= why
        if not domains.pus[task]:
            raise _Clash(domains.why[task])
        return True

    def _gather(self, domains: _Domains, active: int) -> bool:
        changed = False
        for level, rows in domains.gathered.items():
            for row in rows:
                why, needs, take = row.why, 0, [0, 0, 0, 0]
                union, common = 0, 0
                for task in row.tasks:
                    why |= domains.why[task]
                    rule, least = self._need[task]
                    union |= domains.pus[task]
                    if rule & active:
                        needs |= rule
                        take = [a + b for a, b in zip(take, least, strict=True)]
                fits = 0
                for part in self._level[level]:
                    if not part & union or not all(domains.pus[t] & part for t in row.tasks):
                        continue
                    common |= part
                    room = self._capacity(part)
                    fits |= part if all(a <= b for a, b in zip(take, room, strict=True)) else 0
                if fits != common:
                    why |= needs
                if not fits:
                    raise _Clash(why)
                for task in row.tasks:
                    changed |= self._shrink(domains, task, fits, why)
        return changed

    def _part(self, domains: _Domains, apart: Sequence[_Group]) -> bool:
        changed = False
        for group in apart:
            parts = self._level[group.level]
            for row in domains.gathered[group.level]:
                if sum(task in row.tasks for task in group.tasks) > 1:
                    raise _Clash(row.why | group.rule)
            union, why = 0, group.rule
            for task in group.tasks:
                union |= domains.pus[task]
                why |= domains.why[task]
            if sum(1 for part in parts if part & union) < len(group.tasks):
                raise _Clash(why)
            for task in group.tasks:
                mine = domains.pus[task]
                if only := next((part for part in parts if not mine & ~part), 0):
                    because = domains.why[task] | group.rule
                    for other in group.tasks:
                        if other != task:
                            changed |= self._shrink(domains, other, ~only, because)
        return changed

    # ------------------------------------------------------------ counting
    def _capacity(self, pus: int) -> tuple[int, int, int, int]:
        """Return what some PUs have: their loads, those of their cores, cores, whole cores."""
        known = self._caps.get(pus)
        if known is None:
            touched = [(mask, complete) for mask, complete in self._cores if mask & pus]
            known = self._caps[pus] = (
                pus.bit_count() * LOAD,
                sum(mask.bit_count() for mask, _complete in touched) * LOAD,
                len(touched),
                sum(1 for mask, complete in touched if complete and not mask & ~pus),
            )
        return known

    def _count(self, domains: _Domains, active: int) -> None:
        """Find PUs to which rules keep more than they hold."""
        takes: dict[int, list[int]] = {}
        why: dict[int, int] = defaultdict(int)
        for task, pus in domains.pus.items():
            rule, least = self._need[task]
            if rule & active:
                row = takes.setdefault(pus, [0, 0, 0, 0])
                for unit, amount in enumerate(least):
                    row[unit] += amount
                why[pus] |= domains.why[task] | rule
        wide = {part for parts in self._level.values() for part in parts}
        for region in sorted({*takes, *wide, self._all}, key=lambda pus: (pus.bit_count(), pus)):
            inside = [pus for pus in takes if not pus & ~region]
            room = self._capacity(region)
            for unit in range(4):
                if sum(takes[pus][unit] for pus in inside) > room[unit]:
                    self._overfull(domains, active, region, unit, room[unit])

    def _pack(self, domains: _Domains, active: int) -> None:
        """Find gathered tasks of which more share objects than those have room for."""
        for level, rows in domains.gathered.items():
            items: list[tuple[int, int, int]] = []
            for row in rows:
                amount, why, pus = 0, row.why, 0
                for task in row.tasks:
                    rule, least = self._need[task]
                    pus |= domains.pus[task]
                    if rule & active:
                        amount, why = amount + least[0], why | rule
                    why |= domains.why[task]
                items.append((amount, why, pus))
            for region in sorted({item[2] for item in items}):
                rooms = [self._capacity(part & region)[0] for part in self._level[level]]
                _packed([item for item in items if not item[2] & ~region], rooms)

    def _overfull(self, domains: _Domains, active: int, region: int, unit: int, room: int) -> None:
        """Name as few tasks as overfill a region: those that the fewest rules keep there."""
        rows = [
            (self._need[task][1][unit], domains.why[task] | self._need[task][0])
            for task, pus in domains.pus.items()
            if self._need[task][0] & active and not pus & ~region
        ]
        rows.sort(key=lambda row: (row[1].bit_count() / max(row[0], 1), row[1]))
        total = why = 0
        for amount, rules in rows:
            total += amount
            why |= rules if amount else 0
            if total > room:
                raise _Clash(why)

    def _cache_clash(self, domains: _Domains, active: int) -> None:
        items = [entry for entry in self._stored["cache"] if entry[1] & active]
        regions = {domains.pus[task] for _amount, _rule, task in items} if self._caches else set()
        for region in sorted(regions):
            sizes = [size for mask, size in self._caches if mask & region]
            inside = [
                (amount, rule | domains.why[task], task)
                for amount, rule, task in items
                if not domains.pus[task] & ~region
            ]
            _packed(inside, sizes)


def _least(instance: Instance, task: int, thin: int, thick: int) -> tuple[int, int, int, int]:
    """Return what a task takes at least: loads of PUs, loads of its cores, cores, whole cores."""
    wanted, count = instance.tasks[task].task, instance.count(task)
    load = round(wanted.load * LOAD)
    if instance.whole(task):
        full = LOAD if wanted.exclusive else load
        cores = count if full == LOAD else 0
        return count * thin * full, count * thin * full, cores, cores
    if wanted.exclusive:
        cores = -(-count // thick)
        return count * LOAD, max(count, cores * thin) * LOAD, cores, 0
    return count * load, count * load, 0, 0


def _joined(groups: Sequence[_Group]) -> list[_Gathered]:
    """Return the tasks that chains of groups bring together."""
    home: dict[int, _Gathered] = {}
    for group in groups:
        rows = {id(home[task]): home[task] for task in group.tasks if task in home}
        merged = _Gathered([], group.rule)
        for row in rows.values():
            merged.tasks += row.tasks
            merged.why |= row.why
        merged.tasks += [task for task in group.tasks if task not in home]
        for task in merged.tasks:
            home[task] = merged
    return list({id(row): row for row in home.values()}.values())


def _packed(items: Sequence[tuple[int, int, int]], bins: Sequence[int]) -> None:
    """Raise `_Clash` where amounts cannot lie in bins, by their sum or by counting the large
    ones.
    """
    total = number = why = 0
    room = sum(bins)
    for amount, rules, _task in sorted(items, reverse=True):
        total, number, why = total + amount, number + 1, why | rules
        if amount and (total > room or number > sum(size // amount for size in bins)):
            raise _Clash(why)
