"""Tasks that seek seats beside those that sit, and seats for them at once, by insertion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skb.engines.placement_board import Seat
from skb.engines.placement_seating import Need, Peer, Seating


@dataclass(frozen=True, slots=True)
class Guest:
    """A task that seeks a seat."""

    name: str
    need: Need
    peers: tuple[Peer, ...]


def inserted(seating: Seating, guests: Sequence[Guest]) -> dict[str, Seat] | None:
    """Return a seat for each guest, the most tied ones first; None where someone finds none.

    The seating is as before afterwards.
    """
    order = tied(guests)
    for _ in range(1 + min(len(guests), 4)):
        found, stuck = _one_by_one(seating, order)
        if stuck is None:
            return found
        order = [stuck, *(guest for guest in order if guest is not stuck)]
    return None


def _one_by_one(seating: Seating, order: Sequence[Guest]) -> tuple[dict[str, Seat], Guest | None]:
    found: dict[str, Seat] = {}
    stuck = None
    for guest in order:
        best = seating.best(guest.name, guest.need, guest.peers)
        if best is None:
            stuck = guest
            break
        found[guest.name] = best[1]
        seating.sit(guest.name, guest.need, best[1])
    for name in found:
        seating.stand(name)
    return found, stuck


def tied(guests: Sequence[Guest]) -> list[Guest]:
    """Return guests in the order of a largest spanning tree of their traffic, after Prim.

    The large ones come first: the small ones fill the holes.
    """
    left = {guest.name: guest for guest in guests}
    pull = {
        guest.name: sum(rate for other, rate, _out in guest.peers if other not in left)
        for guest in guests
    }
    edge = dict.fromkeys(left, 0)
    order = []
    while left:
        name = max(
            left, key=lambda n: (left[n].need.count, left[n].need.exclusive, edge[n], pull[n])
        )
        guest = left.pop(name)
        order.append(guest)
        rates: dict[str, int] = {}
        for other, rate, _out in guest.peers:
            rates[other] = rates.get(other, 0) + rate
        for other, rate in rates.items():
            if other in left:
                edge[other] = max(edge[other], rate)
    return order


def price_of(seating: Seating, guests: Sequence[Guest], seats: Mapping[str, Seat]) -> int:
    """Return what these seats cost together beside those that sit."""
    total = 0
    for guest in guests:
        total += seating.price(guest.name, guest.need, seats[guest.name], guest.peers)
        seating.sit(guest.name, guest.need, seats[guest.name])
    for guest in guests:
        seating.stand(guest.name)
    return total
