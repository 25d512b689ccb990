"""Who else has to move where those that cannot stay find no room among the others.

First one task (or all that share a core) is tried at a time: where its going makes room and it
finds a place itself, one more move is enough, hence the fewest where none was proven too few.
Else the whole placement is asked for again with a price on moves above all other prices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from skb.decision import Decision, Limits, Status
from skb.engines.placement_board import Seat
from skb.engines.placement_guests import Guest
from skb.engines.placement_seating import Seating
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_resident import Resident


def making_room(resident: Resident, guests: Sequence[Guest]) -> tuple[str, ...]:
    """Return few tasks without which the guests find seats, and find some themselves.

    Empty where no task, or all tasks of one core, are enough. The seating is as before afterwards.
    """
    seating = resident.seating
    stuck = _seated(seating, guests)
    best: tuple[int, int, tuple[str, ...]] | None = None
    if len(stuck) == 1:
        for names in _sets(seating, {guest.name for guest in guests}):
            if best is not None and len(names) > best[0]:
                break
            price = _without(resident, stuck[0], names)
            if price is not None and (best is None or (len(names), price) < best[:2]):
                best = (len(names), price, names)
    for guest in guests:
        if guest.name in seating.seats:
            seating.stand(guest.name)
    return () if best is None else best[2]


def _seated(seating: Seating, guests: Sequence[Guest]) -> list[Guest]:
    """Seat the guests that find a seat; return the others."""
    stuck = []
    for guest in sorted(guests, key=lambda g: (-g.need.count, not g.need.exclusive)):
        found = seating.best(guest.name, guest.need, guest.peers)
        if found is None:
            stuck.append(guest)
        else:
            seating.sit(guest.name, guest.need, found[1])
    return stuck


def _sets(seating: Seating, guests: Collection[str]) -> Iterable[tuple[str, ...]]:
    """Yield the others one by one, then those of each core, the small sets first."""
    cores: dict[str, dict[str, None]] = defaultdict(dict)
    singles = [name for name in seating.seats if name not in guests]
    for name in singles:
        for pu in seating.seats[name].pus:
            cores[seating.grid.core_of[pu]][name] = None
    sets = {tuple(names) for names in cores.values() if len(names) > 1}
    return [*((name,) for name in singles), *sorted(sets, key=lambda names: (len(names), names))]


def _without(resident: Resident, guest: Guest, names: Sequence[str]) -> int | None:
    """Return what it costs that a guest sits down and these others move; None where they cannot."""
    seating = resident.seating
    needs = {name: seating.needs[name] for name in names}
    seats = {name: seating.stand(name) for name in names}
    total = None
    mine = seating.best(guest.name, guest.need, guest.peers)
    if mine is not None:
        seating.sit(guest.name, guest.need, mine[1])
        total = mine[0]
        moved: dict[str, Seat] = {}
        for name in names:
            peers = resident.rows.peers(name, resident.needs.scale)
            found = seating.best(name, needs[name], peers)
            if found is None:
                total = None
                break
            seating.sit(name, needs[name], found[1])
            moved[name] = found[1]
            total += found[0]
        for name in (*moved, guest.name):
            seating.stand(name)
    for name, seat in seats.items():
        seating.sit(name, needs[name], seat)
    return total


def fewest_moves(
    machine: Machine, request: Mapping[str, Any], above: float, limits: Limits
) -> tuple[Decision, tuple[str, ...], bool]:
    """Return a placement with few moves, who moves, and whether that is proven to be the fewest.

    `above` is a price that no placement reaches without moves; the request has the placement that
    is in force. An infeasible decision names the rules that clash.

    Raises `LimitError` where nothing was found in time.
    """
    current = {**request["current"], "migration_cost": above}
    found = decide(machine, {**request, "current": current}, limits)
    before, after = current["placement"], found.answer.get("tasks", {})
    after = {name: place for name, place in after.items() if name in before}
    away = {name for name in after if set(after[name]["pus"]) != set(before[name]["pus"])}
    # another order of the PUs, or other memory, is a move too, but has no price
    moved = tuple(
        name
        for name, place in after.items()
        if name in away
        or place["pus"][0] != before[name]["pus"][0]
        or place["numa_node"] != before[name]["numa_node"]
    )
    return found, moved, found.status is Status.OPTIMAL and away.issuperset(moved)
