"""Who cannot stay where it sits, once parts went away or facts changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from skb.engines.placement_board import Seat
from skb.engines.placement_grid import Amount
from skb.engines.placement_seating import Company, Need, Seating, Table

Share = tuple[Amount, str]


def stranded(seating: Seating) -> tuple[str, ...]:
    """Return the tasks that sit where they cannot be: on PUs or at memory that are gone, or that
    their rules forbid now.
    """
    return tuple(
        name for name, need in seating.needs.items() if _stuck(seating, need, seating.seats[name])
    )


def _stuck(seating: Seating, need: Need, seat: Seat) -> bool:
    off, known = seating.off, seating.grid.class_of
    return bool(
        any(pu in off or pu not in known for pu in seat.pus)
        or not (need.allowed is None or need.allowed.issuperset(seat.pus))
        or not (need.first is None or seat.first in need.first)
        or (need.nodes and seat.node not in need.nodes)
        or (need.whole and not _covers(seating, need, seat))
    )


def _covers(seating: Seating, need: Need, seat: Seat) -> bool:
    """Tell whether a seat is as many whole cores as a task needs."""
    grid = seating.grid
    cores = {grid.core_of[pu] for pu in seat.pus}
    inside = sum(len(grid.core_pus[core]) for core in cores)
    return len(cores) == need.count and inside == len(seat.pus)


def crowding(seating: Seating, gone: Collection[str]) -> tuple[str, ...]:
    """Return tasks that have to go besides those that are gone, so that the rest is admissible.

    Memory, bandwidth, caches and cores hold what stays, and groups are kept: the largest go first,
    hence few.
    """
    grid = seating.grid
    left = {
        name: seat
        for name, seat in seating.seats.items()
        if name not in gone and seat.first in grid.class_of
    }
    found: dict[str, None] = {}
    for most, takers in _shares(seating, left):
        takers = sorted((a, name) for a, name in takers if name not in found)
        while sum(amount for amount, _name in takers) > most:
            found[takers.pop()[1]] = None
    for going in (_mixed, _scattered):
        left = {name: seat for name, seat in left.items() if name not in found}
        found |= dict.fromkeys(going(seating, left))
    return tuple(found)


def _shares(seating: Seating, left: dict[str, Seat]) -> Iterable[tuple[Amount, list[Share]]]:
    """Return for each node and cache that has a limit what it holds, and who takes how much."""
    grid = seating.grid
    shares: dict[tuple[str, int | str], list[Share]] = defaultdict(list)
    room: dict[tuple[str, int | str], Amount | None] = {}
    for name, seat in left.items():
        need = seating.needs[name]
        if seat.node is not None:
            for resource, amount in need.amounts.items():
                shares[resource, seat.node].append((amount, name))
                room[resource, seat.node] = grid.supply[resource].get(seat.node)
        if need.cache:
            cache = grid.cache_of.get(seat.first, "")
            shares["cache", cache].append((need.cache, name))
            room["cache", cache] = grid.cache_size.get(cache)
    return [(most, shares[key]) for key, most in room.items() if most is not None]


def _mixed(seating: Seating, left: dict[str, Seat]) -> Iterable[str]:
    """Yield who shares a core with one that wants it alone, because cores are others now."""
    cores: dict[str, dict[str, None]] = defaultdict(dict)
    for name, seat in left.items():
        for pu in seat.pus:
            cores[seating.grid.core_of[pu]][name] = None
    gone: set[str] = set()
    for names in cores.values():
        here = [name for name in names if name not in gone]
        alone = [name for name in here if seating.needs[name].exclusive]
        if alone and len(here) > 1:
            others = [name for name in here if name not in alone]
            # fewer go where the one that wants to be alone does
            going = alone if len(alone) <= len(others) else [*others, *alone[1:]]
            gone.update(going)
            yield from going


def _scattered(seating: Seating, left: dict[str, Seat]) -> Iterable[str]:
    """Yield who is not where its group is: not in the object of most, or in that of another one."""
    gone: set[str] = set()
    groups: list[tuple[Callable[..., Iterable[str]], Company]] = []
    for need in (seating.needs[name] for name in left):
        groups += [(_outside, group) for group in need.together]
        groups += [(_doubled, group) for group in need.apart]
    seen: set[tuple[object, ...]] = set()
    for judge, (members, table) in groups:
        key = (judge, members, id(table))
        if key in seen:
            continue
        seen.add(key)
        here = [name for name in members if name in left and name not in gone]
        parts = {name: {table.get(pu, "") for pu in left[name].pus} for name in here}
        for name in judge(here, parts, table):
            gone.add(name)
            yield name


def _outside(names: Sequence[str], parts: dict[str, set[str]], table: Table) -> Iterable[str]:
    """Return who is not wholly in the object where most are, of equals in the largest."""
    count: dict[str, int] = defaultdict(int)
    for name in names:
        if len(parts[name]) == 1:
            count[next(iter(parts[name]))] += 1
    size = Counter(table.values())
    chosen = max(count, key=lambda part: (count[part], size[part]), default="")
    return [name for name in names if parts[name] != {chosen}]


def _doubled(names: Sequence[str], parts: dict[str, set[str]], _table: Table) -> Iterable[str]:
    """Return who is in an object in which one before it is."""
    taken: set[str] = set()
    found = []
    for name in names:
        if taken & parts[name]:
            found.append(name)
        else:
            taken |= parts[name]
    return found
