"""Which parts can go while a load keeps running: the candidates, what they hold, and the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.decision import Assumption, Limits
from skb.engines.power_net import homes
from skb.engines.power_save import Problem, Resource, Saving, Search, lightest
from skb.errors import RequestError
from skb.machine import CPU_KINDS, Machine, kind_of
from skb.questions.power_instance import MILLI, Off, Power
from skb.questions.power_load import Load
from skb.questions.power_request import PowerRequest, Save
from skb.usability import stops_only_pus

DEFAULT_KINDS = ("package", "die", "core", "pu")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may go (`parts`, in order), what each saves, in which unit, and the least asked for."""

    kind: str
    parts: tuple[str, ...]
    weights: dict[str, int]
    unit: str
    target: int | None
    assumed: tuple[Assumption, ...] = ()

    def shown(self, amount: int) -> float:
        """Return an amount in the unit."""
        return amount / MILLI if self.unit == "W" else amount

    @property
    def total(self) -> int:
        """What all parts together would save."""
        return sum(self.weights.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """The parts that go, what they save, and what at most can be saved; None where nothing fits."""

    off: tuple[str, ...]
    saved: int
    bound: int
    nodes: int


def wanted(power: Power, request: PowerRequest) -> Wanted:
    """Return what may go; raise `RequestError` for a kind or an amount that cannot be."""
    machine, save = power.machine, request.save or Save()
    kind = save.kind or _default(machine)
    parts = [name for name in machine.of_kind(kind) if name not in power.now]
    if kind == "machine" or not parts:
        kinds = sorted({kind_of(name) for name in machine.objects} - {"machine"})
        raise RequestError(
            f"{machine.name} has no {kind} that is on"
            if kind != "machine"
            else "the machine itself is no part that can be saved",
            place="power request $.save.kind",
            mend=f"kinds are: {', '.join(kinds)}",
        )
    if save.parts is not None and save.watts is not None:
        raise RequestError(
            "parts and watts are both given", place="power request $.save", mend="give one of them"
        )
    weights, unit, assumed = power.watts(request, parts)
    if save.parts is not None:
        weights, unit, assumed = dict.fromkeys(parts, 1), "parts", ()
    target = save.parts
    if save.watts is not None:
        if unit != "W":
            raise RequestError(
                f"nobody stated the power of a {kind}",
                place="power request $.save.watts",
                mend=f"add [watts] {kind} = 80, or power_draw facts",
            )
        target = round(save.watts * MILLI)
    return Wanted(kind, tuple(parts), weights, unit, target, assumed)


def _default(machine: Machine) -> str:
    counts = machine.counts
    return next((kind for kind in DEFAULT_KINDS if counts[kind] > 1), "core")


def chosen(
    power: Power, load: Load, asked: Wanted, off: Off, limits: Limits, deadline: float
) -> Choice | None:
    """Return the largest saving with parts off in any case; None where the load does not run."""
    reached = power.reach(off)
    gone = [name for name in asked.parts if name in reached.lost or name in reached.still]
    done = sum(asked.weights[name] for name in gone)
    inner = stops_only_pus(f"{asked.kind}:")
    # of equal parts those without tasks go, so that few have to move, and those that are far from
    # what has to stay
    held = {name: _held(power, load, name) for name in asked.parts}
    left = sorted((n for n in asked.parts if n not in gone), key=held.__getitem__, reverse=inner)
    target = None if asked.target is None else max(0, asked.target - done)
    # in several pieces of an interconnect the PUs that are off decide which of them counts
    whole = len(homes(power.net, reached, off.links)) < 2
    if inner and whole and load.keep.placement is None:
        found = _inner(power, load, asked, off, left)
    else:
        found = _outer(power, load, asked, off, left, target, limits, deadline)
    if found is None:
        return None
    names = [name for at, name in enumerate(left) if found.off >> at & 1]
    if target is not None:
        names = _trimmed(names, asked, target, load, off, inner and whole)
    saved = done + sum(asked.weights[name] for name in names)
    bound = done + found.bound
    return Choice((*gone, *names), saved, max(bound, saved), found.nodes)


def _held(power: Power, load: Load, name: str) -> tuple[int, int]:
    """Return how many PUs of tasks a part holds, and how much around it holds what has to stay."""
    around = set(power.net.chain(name))
    near = (len(around.intersection(power.net.chain(part))) for part in load.required)
    return len(power.machine.pus_of(name) & load.occupied), max(near, default=0)


def _trimmed(
    names: list[str], asked: Wanted, target: int, load: Load, off: Off, plain: bool
) -> list[str]:
    """Return the least of the parts that reach what was asked for, the lightest left on first.

    Unless they are `plain`, which take nothing but PUs along and cut nothing, the load is looked at
    each time: with fewer parts off another piece of the interconnect may be the one that counts.
    """
    kept = dict.fromkeys(names)
    spare = sum(asked.weights[name] for name in names) - target
    for name in sorted(names, key=lambda name: asked.weights[name]):
        if asked.weights[name] > spare:
            break
        fewer = off.plus(other for other in kept if other != name)
        if not plain and name in (reached := load.power.reach(fewer)).lost:
            continue
        if load.power.net.links and not plain and load.fit(fewer, reached) is None:
            continue
        del kept[name]
        spare -= asked.weights[name]
    return list(kept)


# ------------------------------------------------------------------ parts that hold PUs alone
def _inner(power: Power, load: Load, asked: Wanted, off: Off, left: Sequence[str]) -> Saving | None:
    """Return the saving of parts that take nothing but PUs: the lightest that hold the load."""
    reached = power.reach(off)
    if load.fit(off, reached) is None:
        return None
    usable = {pu for pu in power.pus if f"pu:{pu}" not in reached}
    held = [power.machine.pus_of(name) & usable for name in left]
    outside = usable.difference(*held) if held else usable
    must = {at for at, name in enumerate(left) if _holds(power, name, load.required)}
    best: tuple[int, frozenset[int]] | None = None
    for group in load.groups(off, reached):
        base = len(outside & group) + sum(len(held[at] & group) for at in must)
        open_ = [at for at in range(len(left)) if at not in must and held[at] & group]
        items = [(len(held[at] & group), asked.weights[left[at]]) for at in open_]
        found = lightest(items, load.pus - base) if load.pus > base else (0, ())
        if found is not None and (best is None or found[0] < best[0]):
            best = found[0], frozenset(open_[at] for at in found[1])
    if best is None:
        return None
    stay = best[1] | must
    gone = [at for at in range(len(left)) if at not in stay]
    saved = sum(asked.weights[left[at]] for at in gone)
    bound = saved
    if load.loose:
        bound = sum(asked.weights[left[at]] for at in range(len(left)) if at not in must)
    return Saving(sum(1 << at for at in gone), saved, bound, len(load.groups(off, reached)))


def _holds(power: Power, name: str, required: Sequence[str]) -> bool:
    return any(name in power.net.chain(part) and kind_of(part) in CPU_KINDS for part in required)


# ------------------------------------------------------------------ parts that take others along
def _outer(
    power: Power,
    load: Load,
    asked: Wanted,
    off: Off,
    left: Sequence[str],
    target: int | None,
    limits: Limits,
    deadline: float,
) -> Saving | None:
    number = {name: at for at, name in enumerate(left)}
    takes = []
    for name in left:
        inside = [number[part] for part in power.net.below(name) if part in number]
        takes.append(sum(1 << at for at in inside))
    monotone = load.monotone
    views = _views(power, load, off, left, number, monotone)

    def off_with(mask: int) -> Off:
        return off.plus(name for at, name in enumerate(left) if mask >> at & 1)

    def fits(mask: int) -> bool:
        return load.fit(off_with(mask)) is not None

    def could(mask: int) -> bool:
        return not monotone or load.could(off_with(mask))

    weights = tuple(asked.weights[name] for name in left)
    alike = _alike(power, load, left, weights, takes, views)
    start = _unused(power, load, off, left, takes)
    problem = Problem(weights, tuple(takes), alike, views, fits, could, target, start)
    search = Search(problem, deadline)
    found = search.best(max(1, limits.conflicts), deadline)
    load.loose += not search.complete
    return found


def _unused(power: Power, load: Load, off: Off, left: Sequence[str], takes: Sequence[int]) -> int:
    """Return the parts in which the load uses nothing while all are on."""
    fit = load.fit(off)
    if fit is None:
        return 0
    used = {f"pu:{pu}" for pu in fit.pus} | {f"numa:{node}" for node in fit.numa}
    used.update(load.required)
    mask = 0
    for at, name in enumerate(left):
        if used.isdisjoint(power.net.below(name)):
            mask |= takes[at]
    return mask


def _views(
    power: Power,
    load: Load,
    off: Off,
    left: Sequence[str],
    number: dict[str, int],
    monotone: bool,
) -> tuple[tuple[Resource, ...], ...]:
    """Return for each group of PUs what of it, of memory and of bandwidth is in each part."""
    reached = power.reach(off)
    where: dict[str, int] = {}
    for name in left:
        for part in power.net.below(name):
            where[part] = number[name]  # outer parts come first, so that the innermost holds it
    groups = load.groups(off, reached) if load.keep.placement is None else ()
    if not monotone or not groups:
        groups = (frozenset(power.pus),)
    # what is cut off now may count again when more goes
    gone = reached.lost.keys() | reached.still.keys()
    nodes = [n for n in power.nodes if f"numa:{n}" not in gone]
    sizes = {n: power.size.get(f"numa:{n}", 0) for n in nodes}
    rates = {n: load.node_bandwidth(n) if load.bandwidth else 0 for n in nodes}

    def resource(amounts: dict[str, int], needed: int) -> Resource:
        rows = [0] * len(left)
        outside = 0
        for part, amount in amounts.items():
            if part in where:
                rows[where[part]] += amount
            else:
                outside += amount
        return Resource(tuple(rows), outside, needed)

    memory = resource({f"numa:{n}": size for n, size in sizes.items()}, load.memory)
    rate = resource({f"numa:{n}": size for n, size in rates.items()}, load.bandwidth)
    shared = tuple(one for one in (memory, rate) if one.needed)
    found = []
    for group in groups:
        pus = [f"pu:{pu}" for pu in group if f"pu:{pu}" not in gone]
        found.append((resource(dict.fromkeys(pus, 1), load.pus), *shared))
    return tuple(dict.fromkeys(found))


def _alike(
    power: Power,
    load: Load,
    left: Sequence[str],
    weights: Sequence[int],
    takes: Sequence[int],
    views: Sequence[Sequence[Resource]],
) -> tuple[int, ...]:
    """Return a number for each part; parts of one number can be exchanged for each other.

    They hold the same of every resource in every view, nothing that has to stay, no other part of
    the kind, and no end of a link: who is joined to whom tells even equal parts apart.
    """
    found: list[int] = []
    known: dict[object, int] = {}
    for at, name in enumerate(left):
        inside = set(power.net.below(name))
        alone = takes[at] == 1 << at and not any(
            takes[o] >> at & 1 for o in range(len(left)) if o != at
        )
        linked = inside & power.net.ends or set(power.net.chain(name)) & power.net.ends
        apart = linked or not alone or inside & set(load.required) or load.keep.placement
        hold = tuple(resource.amounts[at] for view in views for resource in view)
        key: object = (weights[at], hold) if not apart else name
        found.append(known.setdefault(key, len(known)))
    return tuple(found)
