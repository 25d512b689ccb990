"""The best seats for a few tasks, all others staying where they are.

The others fold into a price of each class of PUs, and what the few say among themselves into tables
of pairs, which give, for every class of the next task, what the rest costs at least
(`placement_messages`). The search goes on only where that is below the best that is known. Work is
counted in nodes, so that a run can be repeated; the clock is a fuse.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from skb.engines.placement_board import Seat
from skb.engines.placement_grid import Amount, Grid
from skb.engines.placement_guests import Guest, price_of, tied
from skb.engines.placement_messages import LARGEST, NEVER, Tables
from skb.engines.placement_seating import FULL, Seating

if TYPE_CHECKING:
    from numpy.typing import NDArray

# so many classes of who talks to none before are tried to find something good at first
DIVES = 4


@dataclass(frozen=True, slots=True)
class Rescue:
    """Seats of all guests, and a lower bound of what any seats of theirs cost.

    `seats` is None where none were found; `complete` says that everything was tried, so that the
    seats are the cheapest, or that there are none.
    """

    seats: Mapping[str, Seat] | None
    price: int
    bound: int
    complete: bool
    nodes: int = 0


def rescued(
    seating: Seating,
    guests: Sequence[Guest],
    start: Mapping[str, Seat] | None,
    most: int,
    deadline: float,
) -> Rescue:
    """Return the cheapest seats of the guests; `start` is a placement to improve on."""
    if guests and not seating.grid.classes:
        return Rescue(None, 0, 0, True)
    search = _Search(seating, tied(guests), most, deadline)
    if start is not None:
        search.value = price_of(seating, guests, start)
        search.found = dict(start)
    return search.run()


class _Search:
    """Depth first over the guests in order, with the bound of the tree at each node."""

    def __init__(
        self, seating: Seating, guests: Sequence[Guest], most: int, deadline: float
    ) -> None:
        import numpy

        self.np = numpy
        self.seating = seating
        self.guests = guests
        self.most = most
        self.deadline = deadline
        self.value: int | None = None
        self.found: dict[str, Seat] | None = None
        self.nodes = 0
        self.whole = True  # nothing was left out
        self.place = {guest.name: index for index, guest in enumerate(guests)}
        # of several tasks with several PUs, the nearest PUs of one may be missed by another
        self.exact = len(guests) < 2 or all(guest.need.count == 1 for guest in guests)
        self.nodes_of = [seating.nodes(guest.need) for guest in guests]
        self.scarce = self._scarce()
        self.factor = self._factor()
        rows = [self._row(index) for index in range(len(guests))]
        self.tables = Tables(rows, self._pairs(), self._tree())
        self.fine = self._fine()
        # all seats of a class that are free are alike but for the classes in `fine`
        plain = seating.grid.narrow and all(guest.need.load == FULL for guest in guests)
        self.tried = self.fine if plain and self.exact else None
        self.twin = self._twins(rows)

    def run(self) -> Rescue:
        tables = self.tables
        root = tables.reach(tables.rows, 0)
        bound = 0 if root is None else max(0, int(root.min())) * self.factor
        impossible = root is None or int(root.min()) >= NEVER
        if not impossible and self.most:
            # most of the work is to prove that what was found soon cannot be bettered
            for dives in (DIVES, DIVES, 0):
                self._descend((), 0, list(tables.rows), tables.reach(tables.rows, 0), dives)
                if dives:
                    most = NEVER if self.value is None else -(-self.value // self.factor)
                    tables.narrow(most)
        done = self.whole and (impossible or (self.exact and self.most > 0))
        value = self.value if self.value is not None else 0
        if done:
            bound = value
        elif self.value is not None:
            bound = min(bound, value)
        done = done or (self.value is not None and self.value <= bound)
        return Rescue(self.found, value, bound, done, self.nodes)

    def _scarce(self) -> bool:
        """Whether a guest may take the memory of another one, so that the nearest may not do."""
        wanted: dict[tuple[str, int], Amount] = {}
        for guest, nodes in zip(self.guests, self.nodes_of, strict=True):
            for resource, amount in guest.need.amounts.items():
                for node in nodes:
                    key = (resource, node)
                    wanted[key] = wanted.get(key, 0) + amount
        left = self.seating.left
        return any(amount > left(*key, amount) for key, amount in wanted.items())

    # ------------------------------------------------------------ tables
    def _factor(self) -> int:
        """Return by what prices are divided so that they can be added up in 64 bits."""
        grid = self.seating.grid
        most = 0
        for guest, nodes in zip(self.guests, self.nodes_of, strict=True):
            if guest.need.nodes and not nodes:
                continue
            most += max(self.seating.least(guest.need, guest.peers, nodes), default=0)
            most += guest.need.moving
            most += sum(
                rate * int(grid.table(out, False).max())
                for other, rate, out in guest.peers
                if other in self.place
            )
        return max(1, -(-most // LARGEST))

    def _row(self, index: int) -> NDArray[Any]:
        """Return the least price of each class for a guest beside those that sit."""
        guest, nodes = self.guests[index], self.nodes_of[index]
        count = len(self.seating.grid.classes)
        found = self.np.full(count, NEVER, dtype=self.np.int64)
        if guest.need.nodes and not nodes:
            return found
        company = self.seating.company(guest.name, guest.need)
        peers = [peer for peer in guest.peers if peer[0] not in self.place]
        rows = self.seating.least(guest.need, peers, nodes)
        fine = self.seating.fine(guest.name, guest.need, peers)
        need = guest.need
        for group, pus in enumerate(self.seating.grid.classes):
            seats = self.seating.options(guest.need, group, company, nodes, fine)
            if next(iter(seats), None) is not None:
                stays = need.current is None or not need.current.isdisjoint(pus)
                found[group] = (rows[group] + (0 if stays else need.moving)) // self.factor
        return found

    def _pairs(self) -> dict[tuple[int, int], NDArray[Any]]:
        """Return what two guests cost each other, by class of the later one and of the other."""
        grid, np = self.seating.grid, self.np
        found: dict[tuple[int, int], NDArray[Any]] = {}
        for index, guest in enumerate(self.guests):
            for other, rate, out in guest.peers:
                there = self.place.get(other, index)
                if there < index:
                    shared = min(guest.need.load, self.guests[there].need.load) < FULL
                    table = grid.table(out, shared)
                    if self.factor == 1:
                        part = table * rate
                    else:
                        part = (table.astype(object) * rate // self.factor).astype(np.int64)
                    key = (index, there)
                    found[key] = found[key] + part if key in found else part
        # where one PU is left there is no room for two that fill one
        single = [group for group, room in enumerate(self.seating.room) if room == 1]
        for key, table in found.items():
            if all(self.guests[index].need.load == FULL for index in key):
                table[single, single] = NEVER
        return found

    def _tree(self) -> list[int]:
        """Return for each guest the one before it that it talks to most, -1 for none."""
        found = []
        for index, guest in enumerate(self.guests):
            talk: dict[int, int] = {}
            for other, rate, _out in guest.peers:
                there = self.place.get(other, index)
                if there < index:
                    talk[there] = talk.get(there, 0) + rate
            found.append(max(talk, key=lambda i: (talk[i], -i), default=-1))
        return found

    def _fine(self) -> frozenset[int]:
        """Return the classes whose PUs are not alike to all guests."""
        found: set[int] = set()
        for guest in self.guests:
            need = guest.need
            found |= need.uneven
            tables = [table for _members, table in (*need.together, *need.apart)]
            for group, pus in enumerate(self.seating.grid.classes):
                for limit in (need.allowed, need.first, need.current if need.moving else None):
                    if limit is not None and 0 < sum(pu in limit for pu in pus) < len(pus):
                        found.add(group)
                if any(len({table.get(pu) for pu in pus}) > 1 for table in tables):
                    found.add(group)
        # a core of which a part is off is not like the others
        grid, off = self.seating.grid, self.seating.off
        for pu in off:
            if any(other not in off for other in grid.core_pus[grid.core_of[pu]]):
                found.add(grid.class_of[pu])
        return frozenset(found)

    def _twins(self, rows: Sequence[NDArray[Any]]) -> list[object]:
        """Return a name for each class; classes of one name can be swapped while they are empty of
        guests: alike in prices, distances, room, caches, memory, and in objects that groups name.
        """
        seating, grid = self.seating, self.seating.grid
        if self.tried is None:
            return list(range(len(grid.classes)))
        tables = {
            id(table): table
            for guest in self.guests
            for _members, table in (*guest.need.together, *guest.need.apart)
        }
        known = [_objects(grid, table) for table in tables.values()]
        nodes = sorted({node for guest in self.guests for node in guest.need.nodes})
        found: list[object] = []
        for group, pus in enumerate(grid.classes):
            name: object = group
            if group not in self.fine and grid.cache.count(grid.cache[group]) == 1:
                prices = tuple(int(row[group]) for row in rows)
                memory = tuple(grid.memory(pus[0], node) for node in nodes)
                objects = tuple(names[group] for names in known)
                limits = (seating.room[group], seating.cache_left(group), memory, objects)
                name = (grid.twins[group], prices, *limits)
            found.append(name)
        return found

    # ------------------------------------------------------------ search
    def _descend(
        self,
        groups: tuple[int, ...],
        paid: int,
        rows: list[NDArray[Any]],
        reach: NDArray[Any] | None,
        dives: int = 0,
    ) -> None:
        """Try the classes of the next guest from the most promising on; only so many in `dives`.

        `groups` are the classes of those who sit, who have `paid` so much.
        """
        if reach is None:
            if self.value is None or paid < self.value:
                self.value = paid
                self.found = {g.name: self.seating.seats[g.name] for g in self.guests}
            return
        depth = len(groups)
        guest, seating, tables = self.guests[depth], self.seating, self.tables
        company = seating.company(guest.name, guest.need)
        nodes = seating.nodes(guest.need)
        if guest.need.nodes and not nodes:
            return
        order = self.np.argsort(reach, kind="stable").tolist()
        if dives:
            order = self._promising(depth, rows, order, dives)
        seen: set[object] = set()
        for place in order:
            least, group = int(reach[place]), tables.left[depth][place]
            if least >= NEVER or not self._below(paid + least * self.factor):
                if dives:
                    continue
                return
            if group not in groups:
                if self.twin[group] in seen:
                    continue
                seen.add(self.twin[group])
            for seat in self._seats(guest, group, company, nodes):
                price = seating.price(guest.name, guest.need, seat, guest.peers)
                if not self._spend():
                    return
                seating.sit(guest.name, guest.need, seat)
                ahead = self._ahead(depth, group, rows)
                further = tables.reach(ahead, depth + 1)
                self._descend((*groups, group), paid + price, ahead, further, dives)
                seating.stand(guest.name)

    def _promising(
        self, depth: int, rows: Sequence[NDArray[Any]], order: Sequence[int], dives: int
    ) -> list[int]:
        """Return the places to look at in a dive: the best one, or some for the first of a tree.

        These are the best by the bound, and those where the whole tree has room and costs least.
        """
        tables, room = self.tables, self.seating.room
        if tables.parent[depth] >= 0:
            return list(order[:1])
        tree = {depth}
        for index in range(depth + 1, len(rows)):
            if tables.parent[index] in tree:
                tree.add(index)
        costs: list[tuple[int, int]] = []
        for place, group in enumerate(tables.left[depth]):
            if room[group] >= len(tree) and all(group in tables.at[index] for index in tree):
                cost = sum(int(rows[index][tables.at[index][group]]) for index in tree)
                if cost < NEVER:
                    costs.append((cost, place))
        together = [place for _cost, place in sorted(costs)[:dives]]
        return list(dict.fromkeys((*order[:dives], *together)))

    def _below(self, price: int) -> bool:
        return self.value is None or price < self.value

    def _spend(self) -> bool:
        self.nodes += 1
        if self.nodes > self.most or time.monotonic() >= self.deadline:
            self.whole = False
        return self.whole

    def _ahead(self, depth: int, group: int, rows: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the rows of the guests behind one that has sat down in a class."""
        full: list[int] = []
        if not self.seating.room[group]:
            full = [i for i, guest in enumerate(self.guests) if guest.need.load == FULL]
        return self.tables.after(depth, group, rows, full)

    def _seats(self, guest: Guest, group: int, company: Any, nodes: Sequence[int]) -> list[Seat]:
        """Return one seat of those in a class that no guest can tell apart."""
        seating = self.seating
        found: dict[object, Seat] = {}
        # for one first PU a task of several units has the nearest others, and those where it stays
        more = guest.need.count > 1
        for seat in seating.options(guest.need, group, company, nodes, self.tried):
            core = seating.grid.core_of[seat.first]
            alone = group not in self.fine and not seating.busy(core)
            stays = more and guest.need.current == frozenset(seat.pus)
            found.setdefault((group if alone else seat.first, stays), seat)
        if not self.scarce or not guest.need.nodes:
            return list(found.values())
        far = seating.grid.memory
        return [
            replace(seat, node=node)
            for seat in found.values()
            for node in sorted(nodes, key=lambda node, pu=seat.first: (far(pu, node), node))  # type: ignore[misc]
        ]


def _objects(grid: Grid, table: Mapping[int, str]) -> list[str]:
    """Return the object of each class; the same empty name where a class is all of its object."""
    names = [table.get(pus[0], "") for pus in grid.classes]
    return [name if names.count(name) > 1 else "" for name in names]
