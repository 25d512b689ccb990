"""Places: classes of interchangeable cores, onto which the rules place tasks instead of onto PUs.

A place is N cores with W usable PUs each that no rule, price or distance tells apart. Where tasks
can share a core its cores are places of their own; where they can share a PU, or a rule names one,
its PUs are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from skb.questions.placement_instance import Instance
from skb.questions.placement_request import wishes


@dataclass(frozen=True, slots=True)
class Place:
    """Cores with their usable PUs, lowest first; `core` names the split core of which this is a
    PU.
    """

    cores: tuple[tuple[int, ...], ...]
    core: str = ""
    complete: bool = True

    @property
    def pus(self) -> tuple[int, ...]:
        return tuple(pu for core in self.cores for pu in core)

    @property
    def first(self) -> int:
        return self.cores[0][0]

    @property
    def width(self) -> int:
        return len(self.cores[0])


@dataclass(frozen=True, slots=True)
class Partition:
    """All places of an instance.

    `exact` says that the price of a placement onto places is the price on PUs; else it is a lower
    bound.
    """

    places: tuple[Place, ...]
    exact: bool


def partition(instance: Instance, coarse: bool = False, priced: bool = True) -> Partition:
    """Return the places; coarse ones are fewer and good for feasibility and bounds.

    Where nothing is `priced`, PUs that the rules cannot tell apart are alike however far apart.
    """
    signature = signatures(instance, priced=priced)
    block_of = instance.latency.block_of if priced else dict.fromkeys(instance.pus, 0)
    pairwise = instance.latency.pairwise and priced
    shared = any(wanted.task.load < 1 and not wanted.task.exclusive for wanted in instance.tasks)
    alone = _apart_cores(instance)
    by_core: dict[str, list[int]] = defaultdict(list)
    for pu in instance.pus:
        by_core[instance.machine.core_of[pu]].append(pu)
    singles = pairwise or any(g.level == "core" for g in instance.groups)
    classes: dict[tuple[object, ...], list[tuple[int, ...]]] = defaultdict(list)
    pieces: list[Place] = []
    for core, pus in by_core.items():
        split = shared or len({signature[pu] for pu in pus}) > 1
        if pairwise and not coarse:
            split = True
        complete = core in instance.complete
        if split and len(pus) > 1:
            pieces += [Place(((pu,),), core, complete) for pu in pus]
            continue
        one_by_one = singles or (not coarse and not alone and len(pus) > 1) or shared
        key = (
            block_of[pus[0]],
            signature[pus[0]],
            len(pus),
            complete,
            core if one_by_one else "",
        )
        classes[key].append(tuple(pus))
    places = [Place(tuple(cores), complete=bool(key[3])) for key, cores in classes.items()]
    places = sorted([*places, *pieces], key=lambda place: place.first)
    wide = any(len(p.cores) > 1 and p.width > 1 for p in places)
    return Partition(tuple(places), exact=not wide or alone)


def _apart_cores(instance: Instance) -> bool:
    """Whether no two tasks ever share a core, and none has several PUs on an unknown number of
    cores.
    """
    return all(
        (wanted.task.cores is not None and (wanted.task.load == 1 or wanted.task.exclusive))
        or (wanted.task.exclusive and instance.count(index) == 1)
        for index, wanted in enumerate(instance.tasks)
    )


def signatures(
    instance: Instance, levels: bool = True, priced: bool = True
) -> dict[int, tuple[object, ...]]:
    """Return what rules and prices say about each PU; PUs with one signature are alike in a block.

    With `levels` also the objects that together and apart speak of; only rules where not `priced`.
    """
    rules = [n.pus for n in instance.narrowings]
    rules = list(dict.fromkeys(pus for pus in rules if 0 < len(pus) < len(instance.pus)))
    caching = any(wanted.task.cache_mib for wanted in instance.tasks)
    named = sorted({group.level for group in instance.groups}) if levels else []
    parts = [instance.objects(level) for level in named]
    if not priced:
        return {
            pu: (
                tuple(pu in pus for pus in rules),
                tuple(objects[pu] for objects in parts),
                instance.supplies.cache_of.get(pu) if caching else None,
            )
            for pu in instance.pus
        }
    now = [instance.current(task) for task in range(len(instance.tasks))]
    choosing = any(instance.chooses(task) for task in range(len(instance.tasks)))
    remembering = any(instance.remembers(task) for task in range(len(instance.tasks)))
    kinds = sorted(instance.wanted_memory)
    # what wishes cost follows from the distances of the few objects that they name
    wished = dict.fromkeys(name for wanted in instance.tasks for name, _w in wishes(wanted.task))
    nodes = instance.machine.usable_numa
    found: dict[int, tuple[object, ...]] = {}
    for pu in instance.pus:
        nearest = instance.supplies.nearest[pu]
        found[pu] = (
            tuple(pu in pus for pus in rules),
            tuple(pu in pus for pus in now if pus),
            tuple(objects[pu] for objects in parts),
            tuple(instance.supplies.memory_ps(pu, node) for node in nodes)
            if choosing
            else (
                instance.supplies.memory_ps(pu, nearest)
                if remembering and nearest is not None
                else None
            ),
            tuple(
                instance.supplies.memory_ps(pu, node)
                for task in kinds
                if (node := instance.node_near(task, pu)) is not None
            ),
            tuple(instance.latency.near_ps(pu, name) for name in wished),
            instance.supplies.cache_of.get(pu) if caching else None,
        )
    return found


def alike(instance: Instance) -> dict[int, int]:
    """Number the PUs so that equal numbers mean: same block, same signature, same kind of core."""
    signature = signatures(instance)
    numbers: dict[tuple[object, ...], int] = {}
    usable = set(instance.pus)
    width = {c: sum(pu in usable for pu in pus) for c, pus in instance.core_pus.items()}
    core_of = instance.machine.core_of
    return {
        pu: numbers.setdefault(
            (
                instance.latency.block_of[pu],
                signature[pu],
                width[core_of[pu]],
                core_of[pu] in instance.complete,
            ),
            len(numbers),
        )
        for pu in instance.pus
    }
