"""What tasks need, as the seating engine takes it: the rules of their instances on one machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction

from msgspec.structs import replace as structs_replace

from skb.engines.placement_grid import Amount, Grid
from skb.engines.placement_seating import Company, Need
from skb.errors import RequestError
from skb.questions.placement_amounts import Demand
from skb.questions.placement_ground import Ground
from skb.questions.placement_instance import Instance, Narrowing
from skb.questions.placement_request import check, exact, expand, wishes
from skb.questions.placement_rows import Row

Toll = Callable[[int], int]
Rules = tuple[dict[int, list[Narrowing]], dict[int, list[Demand]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of one task: the instance that has its rules, and its number there."""

    name: str
    instance: Instance
    index: int


def with_busy(told: Mapping[str, Told], parts: Sequence[str]) -> dict[str, Told]:
    """Return the same with these busy parts and no others; loads count as before."""
    again = {id(one): _busy(one, parts) for one in _instances(told)}
    return {n: replace(one, instance=again[id(one.instance)]) for n, one in told.items()}


def _instances(told: Mapping[str, Told]) -> Iterable[Instance]:
    """Return the instances once each: tasks of one request share one."""
    return {id(one.instance): one.instance for one in told.values()}.values()


def _busy(instance: Instance, parts: Sequence[str]) -> Instance:
    found, keys = copy(instance), {"busy", "busy_above"}
    found.request = structs_replace(instance.request, busy=list(parts))
    found.rules = {rule: words for rule, words in instance.rules.items() if rule not in keys}
    found.narrowings = [n for n in instance.narrowings if n.id not in keys]
    found.bar_busy()
    return found


def told_on(told: Mapping[str, Told], ground: Ground) -> dict[str, Told]:
    """Return what was said of tasks as it is on another snapshot.

    Raises `RequestError` where it names what the snapshot does not have.
    """
    machine, again = ground.machine, {}
    for old in _instances(told):
        tasks = expand(machine, old.request)
        check(machine, old.request, tasks)
        if [wanted.name for wanted in tasks] != [wanted.name for wanted in old.tasks]:
            text = f"{machine.name} has other devices now, so other tasks are asked for"
            raise RequestError(text, place="task.per", mend="ask for a new placement")
        again[id(old)] = Instance(machine, old.request, tasks, ground)
    return {n: replace(one, instance=again[id(one.instance)]) for n, one in told.items()}


def grid_of(ground: Ground) -> Grid:
    """Return the usable PUs by class: alike in latency to all others, memory, cache and core."""
    machine, supplies, block = ground.machine, ground.supplies, ground.latency.block_of
    nodes = machine.usable_numa
    width = {c: len(ground.usable.intersection(pus)) for c, pus in ground.core_pus.items()}
    classes: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for pu in ground.pus:
        core = machine.core_of[pu]
        memory = tuple(supplies.memory_ps(pu, node) for node in nodes)
        cache = supplies.cache_of.get(pu)
        classes[block[pu], memory, cache, width[core], core in ground.complete].append(pu)
    sizes = {n: plain(size) for n in nodes if (size := supplies.memory(n)) is not None}
    return Grid(
        [tuple(pus) for pus in classes.values()],
        ground.latency.ps,
        machine.core_of,
        ground.core_pus,
        supplies.memory_ps,
        supplies.nearest,
        {"memory": sizes, "bandwidth": {n: plain(supplies.bandwidth(n)) for n in nodes}},
        supplies.cache_of,
        {cache: plain(size) for cache, size in supplies.caches.items()},
    )


def plain(amount: Fraction) -> Amount:
    """Return a whole amount as an int, which is added up ten times as fast."""
    return int(amount) if amount.denominator == 1 else amount


class Needs:
    """Makes needs; prices are whole numbers in the scale."""

    def __init__(self, ground: Ground, grid: Grid, scale: int) -> None:
        self.ground = ground
        self.grid = grid
        self.scale = scale
        self._near: dict[str, tuple[list[int], frozenset[int]]] = {}
        self._rules: dict[int, Rules] = {}

    def of(
        self, told: Told, groups: Sequence[tuple[str, Row]], without: Collection[str] = ()
    ) -> Need:
        """Return what a task needs; `without` leaves out rules by their names."""
        instance, task = told.instance, told.index
        wanted = instance.tasks[task].task
        allowed: frozenset[int] | None = None
        first: frozenset[int] | None = None
        narrowings, demands = self._of(instance)
        for n in narrowings[task]:
            if n.id not in without:
                if n.kind == "start":
                    first = n.pus if first is None else first & n.pus
                else:
                    allowed = n.pus if allowed is None else allowed & n.pus
        amounts: dict[str, Amount] = {
            d.resource: plain(d.amount) for d in demands[task] if d.id not in without
        }
        company: dict[str, list[Company]] = {"together": [], "apart": []}
        for kind, row in groups:
            if f"{kind} {row['within']}" not in without:
                table = self.ground.objects(row["within"])
                company[kind].append((tuple(row["tasks"]), table))
        nodes = self._nodes(told, without)
        wish = instance.wanted_memory.get(task)
        if not nodes and (amounts.keys() - {"cache"} or (wish and wish[0] not in without)):
            # no node has what it needs, so it has no place
            allowed = frozenset()
        tolls, uneven = self._tolls(wishes(wanted))
        return Need(
            count=instance.count(task),
            whole=instance.whole(task),
            exclusive=wanted.exclusive,
            load=round(wanted.load * 10**6),
            allowed=allowed,
            first=first,
            toll=self._toll(wishes(wanted)) if wanted.near else None,
            tolls=tolls,
            uneven=uneven,
            nodes=nodes,
            remembers=instance.remembers(task),
            cache=amounts.pop("cache", 0),
            amounts=amounts,
            together=tuple(company["together"]),
            apart=tuple(company["apart"]),
        )

    def forget(self) -> None:
        """Forget the rules of instances, because others take their place."""
        self._rules.clear()

    def _of(self, instance: Instance) -> Rules:
        """Return narrowings and demands by task; those of large instances are kept."""
        found = self._rules.get(id(instance))
        if found is None:
            found = defaultdict(list), defaultdict(list)
            for narrowing in instance.narrowings:
                found[0][narrowing.task].append(narrowing)
            for demand in instance.demands:
                found[1][demand.task].append(demand)
            if len(instance.tasks) > 1:
                self._rules[id(instance)] = found
        return found

    def _nodes(self, told: Told, without: Collection[str]) -> tuple[int, ...]:
        instance, task = told.instance, told.index
        if not instance.stores(task):
            return ()
        if instance.wanted_memory.get(task, ("",))[0] in without:
            return instance.machine.usable_numa
        return instance.nodes(task)

    # ------------------------------------------------------------ wishes
    def whole(self, weight: float | Fraction) -> int:
        return int(exact(float(weight)) * self.scale)

    def _toll(self, wanted: Sequence[tuple[str, float]]) -> Toll:
        latency = self.ground.latency
        rows = [(name, self.whole(weight)) for name, weight in wanted]
        return lambda pu: sum(weight * latency.near_ps(pu, name) for name, weight in rows)

    def _tolls(self, wanted: Sequence[tuple[str, float]]) -> tuple[list[int], frozenset[int]]:
        """Return the least toll of each class, and the classes in which it differs."""
        found: list[int] = []
        uneven: frozenset[int] = frozenset()
        for name, weight in wanted:
            row, mixed = self._row(name)
            rate = self.whole(weight)
            part = [rate * ps for ps in row]
            found = [a + b for a, b in zip(found, part, strict=True)] if found else part
            uneven |= mixed
        return found, uneven

    def _row(self, name: str) -> tuple[list[int], frozenset[int]]:
        if name not in self._near:
            latency, classes = self.ground.latency, self.grid.classes
            blocks = {latency.block_of[pu] for pu in self.ground.machine.pus_of(name)}
            row, mixed = [], set()
            for group, pus in enumerate(classes):
                if latency.block_of[pus[0]] in blocks:
                    values = {latency.near_ps(pu, name) for pu in pus}
                    if len(values) > 1:
                        mixed.add(group)
                    row.append(min(values))
                else:
                    row.append(latency.near_ps(pus[0], name))
            self._near[name] = row, frozenset(mixed)
        return self._near[name]
