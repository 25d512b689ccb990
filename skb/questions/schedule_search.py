"""How `schedule` is decided: fewest slots, then fewest idle units, then least synchronisation.

A search gives a schedule of any size; a packing programme proves the number of slots; where the
machine has few enough classes the exact programme proves the rest, one number of idle units after
the other. Without it counting arguments bound both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from skb.decision import Limits
from skb.engines.asp import Model, minimal_core
from skb.engines.schedule_greedy import Seats, price, search
from skb.questions.schedule_instance import Instance
from skb.questions.schedule_program import (
    countable,
    filling,
    packing,
    schedule,
    seats_of,
    small_enough,
    unpacked,
)

PACKING_OPTIONS = ("--configuration=trendy",)
# cores of equal weight prove in a thirtieth of the conflicts where weights are few, but stratified
# ones where they are many
OPTIONS = ("--configuration=tweety", "--opt-strategy=usc,disjoint")
STRATIFIED = ("--configuration=tweety", "--opt-strategy=usc,pmres,disjoint,stratify")
# seconds kept for writing the answer down
RESERVE = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """A schedule with what is proven: the fewest slots, idle units, and price (ps per second).

    `seats` is None where the applications of `clash` do not fit (`minimal` says whether all of
    them are needed for that), or where the limit came first and `clash` is empty.
    """

    slots: int
    seats: Seats | None
    least_slots: int
    least_idle: int = 0
    least_price: Fraction = Fraction(0)
    proven: bool = False
    clash: tuple[int, ...] = ()
    minimal: bool = True


def decided(instance: Instance, slots: int, limits: Limits) -> Found:
    """Return the best schedule in so many slots, or in as few as possible where that is 0."""
    deadline = time.monotonic() + limits.seconds - RESERVE
    least = fewest_slots(instance)
    if slots:
        seats, sure, clash = _fitted(instance, slots, limits, deadline)
        if seats is None:
            core, minimal = clash or ((), True)
            return Found(slots, None, least, clash=core, minimal=minimal)
        return _improved(instance, slots, seats, min(slots, least), limits, deadline)
    proven, count = least, least
    while count <= len(instance.applications):
        seats, sure, _clash = _fitted(instance, count, limits, deadline, explain=False)
        if seats is not None:
            return _improved(instance, count, seats, proven, limits, deadline)
        if sure and proven == count:
            proven = count + 1
        # what nobody can exclude is passed over, up to what packing one by one needs
        count = count + 1 if sure else max(count + 1, first_fit(instance))
    return Found(0, None, proven)


def fewest_slots(instance: Instance) -> int:
    """Return a number of slots that counting alone shows to be needed.

    Applications whose units all lie within a set share its units, slot by slot.
    """
    needed = 1
    for region in set(instance.allowed):
        least = sum(
            one.least
            for one, allowed in zip(instance.applications, instance.allowed, strict=True)
            if allowed <= region
        )
        needed = max(needed, -(-least // len(region)))
    return needed


def first_fit(instance: Instance) -> int:
    """Return the slots that packing the largest first needs, by counts alone."""
    left: list[int] = []
    for least in sorted((one.least for one in instance.applications), reverse=True):
        slot = next((s for s, room in enumerate(left) if room >= least), None)
        if slot is None:
            left.append(len(instance.units) - least)
        else:
            left[slot] -= least
    return len(left)


def _counted(instance: Instance, slots: int) -> tuple[int, ...]:
    """Return applications that counting alone shows not to fit; empty where it cannot."""
    for region in sorted(set(instance.allowed), key=sorted):
        inside = [a for a, allowed in enumerate(instance.allowed) if allowed <= region]
        sizes = [instance.applications[a].least for a in inside]
        if clash := clashing_sizes(sizes, slots * len(region)):
            return tuple(inside[index] for index in clash)
    return ()


def _fitted(
    instance: Instance, slots: int, limits: Limits, deadline: float, explain: bool = True
) -> tuple[Seats | None, bool, tuple[tuple[int, ...], bool] | None]:
    """Return a first schedule; else whether none exists, and a minimal set that clashes."""
    seats = search(instance.board, slots, limits.seed, deadline)
    left = deadline - time.monotonic()
    if seats is not None:
        return seats, False, None
    if left <= 0 or not countable(instance, slots):
        clash = _counted(instance, slots)
        return None, bool(clash), (clash, False)
    model = Model(packing(instance, slots), PACKING_OPTIONS, limits.seed)
    named = [("act", (app,)) for app in range(len(instance.applications))]
    spent = replace(limits, seconds=max(0.01, deadline - time.monotonic()))
    outcome = model.solve([(atom, True) for atom in named], spent, models=1)
    if outcome.satisfiable:
        return unpacked(instance, outcome), False, None
    if outcome.satisfiable is None:
        return None, False, None
    if not explain:
        return None, True, None
    core, minimal = minimal_core(model, named, spent, outcome.core)
    return None, True, (tuple(sorted(int(str(args[0])) for _, args in core)), minimal)


def least_idle(instance: Instance, slots: int) -> int:
    """Return units that idle in any schedule: in each slot some sum of threads has to fit."""
    room = len(instance.units)
    sums, mask = 1, (1 << (room + 1)) - 1
    for one, allowed in zip(instance.applications, instance.allowed, strict=True):
        reached = sums
        for threads in range(one.least, min(one.most, len(allowed)) + 1):
            reached |= sums << threads
        sums = reached & mask
    usable = len(frozenset().union(*instance.allowed))
    busiest = (sums & ((1 << (usable + 1)) - 1)).bit_length() - 1
    most = sum(
        min(one.most, len(own))
        for one, own in zip(instance.applications, instance.allowed, strict=True)
    )
    return slots * (room - min(busiest, most))


def _improved(
    instance: Instance, slots: int, seats: Seats, least: int, limits: Limits, deadline: float
) -> Found:
    """Return the cheapest schedule that the exact programmes find from a first one, with bounds."""
    board = instance.board
    bound = sum(
        (one.sync * instance.least_spread_ps(a) for a, one in enumerate(instance.applications)),
        Fraction(0),
    )
    idle, seats = _filled(instance, slots, seats, limits, deadline)
    found = Found(slots, seats, least, idle, bound)
    now = (seats.idle(board, slots), price(board, seats))
    left = deadline - time.monotonic()
    if now == (idle, bound) or left <= 0 or not small_enough(instance, slots):
        return replace(found, proven=now == (idle, bound))
    priced = schedule(instance, slots, slots * board.units - min(idle, now[0]))
    outcome = None
    for options, conflicts in _efforts(limits):
        left = deadline - time.monotonic()
        if left <= 0 or (outcome is not None and outcome.proven):
            break
        model = Model(priced.program, options, limits.seed)
        spent = replace(limits, seconds=left, conflicts=conflicts)
        outcome = model.solve(limits=spent, models=0 if priced.priced else 1)
        if outcome.satisfiable:
            best = seats_of(outcome, len(board.least))
            now = (seats.idle(board, slots), price(board, seats))
            if (best.idle(board, slots), price(board, best)) < now:
                seats = best
        # one with more idle units pays at least as much for one of them (`idle_price_ps`)
        bound = max(bound, priced.price(outcome.bound[0]) if outcome.bound else priced.offset)
    reached = (seats.idle(board, slots), price(board, seats)) == (idle, bound)
    proven = outcome is not None and outcome.proven and priced.exact
    done = reached or (proven and seats.idle(board, slots) == idle)
    return replace(found, seats=seats, least_price=bound, proven=done)


def _efforts(limits: Limits) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Return ways to prove, with the conflicts that each may have: the quick ones first."""
    few = max(1, limits.conflicts // 10)
    return (STRATIFIED, few), (OPTIONS, few), (STRATIFIED, 3 * limits.conflicts)


def _filled(
    instance: Instance, slots: int, seats: Seats, limits: Limits, deadline: float
) -> tuple[int, Seats]:
    """Return the fewest idle units that are not excluded, and a schedule with as few as found."""
    board = instance.board
    low, high = least_idle(instance, slots), seats.idle(board, slots)
    while low < high and countable(instance, slots):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        middle = (low + high) // 2
        model = Model(filling(instance, slots, slots * board.units - middle), OPTIONS, limits.seed)
        spent = replace(limits, seconds=max(0.01, min(left / 2, deadline - time.monotonic())))
        outcome = model.solve(limits=spent, models=1)
        if outcome.satisfiable is None:
            break
        if outcome.satisfiable:
            seats = unpacked(instance, outcome)
            high = seats.idle(board, slots)
        else:
            low = middle + 1
    return low, seats


def clashing_sizes(sizes: Sequence[int], room: int) -> tuple[int, ...]:
    """Return a minimal set of demands whose sum exceeds the room; empty where all fit."""
    chosen = list(range(len(sizes)))
    if sum(sizes) <= room:
        return ()
    for index in sorted(chosen, key=lambda i: sizes[i]):
        rest = [i for i in chosen if i != index]
        if sum(sizes[i] for i in rest) > room:
            chosen = rest
    return tuple(chosen)
