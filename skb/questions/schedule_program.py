"""The programs of `schedule` in atoms, and what their answers mean.

The *packing* asks only whether the fewest threads fit into so many slots: it sees kinds of units
instead of places. The *schedule* sees the locality classes and what synchronisation costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from skb.engines.asp import INTEGER_MAX, Atom, Outcome, Program
from skb.engines.schedule_greedy import EVERY, Counts, Seats
from skb.questions.schedule_instance import Instance

_FOLDER = "schedule"
PACKING = tuple(f"{_FOLDER}/{name}.lp" for name in ("guess", "check", "explain", "show"))
SCHEDULE = tuple(
    f"{_FOLDER}/{name}.lp" for name in ("guess", "check", "decide", "optimise", "symmetry", "show")
)
# atoms above which the exact programme is left to the search and its bound
LARGEST_BUSY, LARGEST_PAIRS, MOST_LEVELS = 12_000, 60_000, 24


@dataclass(frozen=True, slots=True)
class Priced:
    """A program, the price that every schedule pays, and the unit of its weights (ps per s).

    Where `exact` is false the weights were rounded down, and its cost is only a bound; where
    `priced` is false no choice costs anything.
    """

    program: Program
    offset: Fraction
    unit: Fraction
    exact: bool
    priced: bool

    def price(self, cost: int) -> Fraction:
        return self.offset + cost * self.unit


def packing(instance: Instance, slots: int) -> Program:
    """Return the program that packs the fewest threads; `act` of each application is assumed."""
    sizes = [(one.least, one.least) for one in instance.applications]
    return Program(PACKING, (*_timing(instance, slots, sizes), *_kind_atoms(instance)))


def filling(instance: Instance, slots: int, fill: int) -> Program:
    """Return the program of any schedule with at least `fill` busy units, by kinds of units.

    Slots in which an application runs are one or all; so counts by kind can always be placed.
    """
    atoms = [*_timing(instance, slots, _sizes(instance)), *_kind_atoms(instance)]
    return Program(SCHEDULE, (*atoms, *_demand(slots, fill)))


def _sizes(instance: Instance) -> list[tuple[int, int]]:
    pairs = zip(instance.applications, instance.allowed, strict=True)
    return [(one.least, min(one.most, len(allowed))) for one, allowed in pairs]


def _timing(instance: Instance, slots: int, sizes: list[tuple[int, int]]) -> list[Atom]:
    atoms: list[Atom] = [("slot", (s,)) for s in range(1, slots + 1)]
    return [*atoms, *(("app", (a, *pair)) for a, pair in enumerate(sizes))]


def _demand(slots: int, fill: int) -> list[Atom]:
    return [("fill", (fill,)), *([("stay", ())] if slots > 1 else [])]


def _kind_atoms(instance: Instance) -> list[Atom]:
    atoms: list[Atom] = []
    for kind, (users, cells) in enumerate(_kinds(instance).items()):
        atoms.append(("cell", (kind, sum(len(instance.cells[c]) for c in cells))))
        atoms += [("ok", (a, kind)) for a in users]
    return atoms


def _kinds(instance: Instance) -> dict[tuple[int, ...], list[int]]:
    """Return the classes by the applications that may use them."""
    kinds: dict[tuple[int, ...], list[int]] = {}
    for cell in range(len(instance.cells)):
        users = tuple(a for a, may in enumerate(instance.may) if cell in may)
        kinds.setdefault(users, []).append(cell)
    return kinds


def countable(instance: Instance, slots: int) -> bool:
    """Say whether the filling programme is worth writing down."""
    return len(instance.applications) * len(instance.units) * (slots + 1) <= LARGEST_BUSY


def small_enough(instance: Instance, slots: int) -> bool:
    """Say whether the exact programme is worth writing down."""
    cells = len(instance.cells)
    return (
        countable(instance, slots)
        and len(instance.applications) * cells * cells <= LARGEST_PAIRS
        and len(_levels(instance)) <= MOST_LEVELS
    )


def schedule(instance: Instance, slots: int, fill: int) -> Priced:
    """Return the program of the cheapest schedule with at least `fill` busy units."""
    atoms = [*_timing(instance, slots, _sizes(instance)), *_demand(slots, fill)]
    for a, may in enumerate(instance.may):
        atoms += [("ok", (a, cell)) for cell in sorted(may)]
    atoms += [("cell", (c, len(cell))) for c, cell in enumerate(instance.cells)]
    atoms += [("next", pair) for pair in _alike(instance)]
    levels = _levels(instance)
    rank = {latency: level for level, latency in enumerate(levels, 1)}
    count = len(instance.cells)
    atoms += [
        ("far", (c, d, rank[instance.far[c][d]]))
        for d in range(count)
        for c in range(d)
        if instance.far[c][d] in rank
    ]
    atoms += [("inner", (c, rank[p])) for c, p in enumerate(instance.inner) if p in rank]
    return _priced(instance, atoms, levels)


def _levels(instance: Instance) -> list[int]:
    found = {latency for row in instance.far for latency in row} | set(instance.inner)
    return sorted(found - {0})


def _priced(instance: Instance, atoms: list[Atom], levels: list[int]) -> Priced:
    """Add what each level costs beyond the one below; what is paid anyway goes to the offset."""
    offset = Fraction(0)
    steps: list[tuple[int, int, Fraction]] = []
    for a, one in enumerate(instance.applications):
        paid = instance.least_spread_ps(a)
        offset += one.sync * paid
        for level, latency in enumerate(levels, 1):
            below = levels[level - 2] if level > 1 else 0
            if one.sync and one.most > 1 and latency > paid:
                steps.append((a, level, one.sync * (latency - max(below, paid))))
    unit = _divisor([weight for _, _, weight in steps])
    total = sum((weight for _, _, weight in steps), Fraction(0)) / unit
    coarse = max(1, -(-int(total) // (INTEGER_MAX // 4)))
    unit *= coarse
    atoms += [("step", (a, level, int(weight / unit))) for a, level, weight in steps]
    return Priced(Program(SCHEDULE, tuple(atoms)), offset, unit, coarse == 1, bool(steps))


def _divisor(amounts: Iterable[Fraction]) -> Fraction:
    found = list(amounts)
    if not found:
        return Fraction(1)
    denominator = lcm(*(amount.denominator for amount in found))
    return Fraction(gcd(*(int(amount * denominator) for amount in found)), denominator)


def _alike(instance: Instance) -> Iterable[tuple[int, int]]:
    """Return pairs of classes that may change places: alike in size, users and all distances."""
    count, far = range(len(instance.cells)), instance.far

    def same(a: int, b: int) -> bool:
        return (
            len(instance.cells[a]) == len(instance.cells[b])
            and instance.inner[a] == instance.inner[b]
            and all((a in may) == (b in may) for may in instance.may)
            and all(far[a][x] == far[b][x] for x in count if x not in (a, b))
        )

    for a in count:
        later = next((b for b in count if b > a and same(a, b)), None)
        if later is not None:
            yield a, later


def seats_of(outcome: Outcome, applications: int) -> Seats:
    """Return the schedule that a model of the schedule program stands for."""
    homes = [EVERY] * applications
    counts: list[Counts] = [{} for _ in range(applications)]
    for name, args in outcome.atoms:
        app, where = int(str(args[0])), args[1]
        if name == "home":
            homes[app] = EVERY if where == "every" else int(str(where))
        else:
            counts[app][int(str(where))] = counts[app].get(int(str(where)), 0) + 1
    return Seats(tuple(homes), tuple(counts))


def unpacked(instance: Instance, outcome: Outcome) -> Seats:
    """Return a schedule for a model of the packing: kinds of units are filled class by class."""
    cells = list(_kinds(instance).values())
    packed = seats_of(outcome, len(instance.applications))
    homes = packed.homes
    slots = range(1, max(homes, default=0) + 1)
    free = {
        (slot, cell): len(own)
        for slot in (EVERY, *slots)
        for cell, own in enumerate(instance.cells)
    }
    counts: list[Counts] = [{} for _ in homes]
    for app in sorted(range(len(homes)), key=lambda a: homes[a] != EVERY):
        of = (EVERY, *slots) if homes[app] == EVERY else (homes[app],)
        for kind, wanted in packed.counts[app].items():
            left = wanted
            for cell in cells[kind]:
                taken = min([left, *(free[slot, cell] for slot in of)])
                if taken:
                    counts[app][cell] = taken
                    left -= taken
                    for slot in of:
                        free[slot, cell] -= taken
    return Seats(homes, tuple(counts))
