"""Seats that are all alike: of PUs that cost the same, only how many are taken counts.

Where every group whose PU is ours to choose brings the same load, and the classes of PUs of any two
groups are the same or have nothing in common, a class is one resource of so many seats. That leaves
out the many answers that differ in nothing but the PU's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from skb.questions.buffers_instance import Block, Chosen, Instance, Option, Piece

Class = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seats:
    """How many seats each class of PUs has, where each group takes one."""

    room: dict[Class, int]
    load: Fraction


def seats_of(instance: Instance) -> Seats | None:
    """Return the classes and their seats, None where seats are not alike or nobody chooses."""
    owner: dict[int, Class] = {}
    loads: set[Fraction] = set()
    for piece in _seats(instance):
        own = class_of(instance, piece)
        loads.update(sum(option.uses.values(), Fraction(0)) for option in piece.options)
        if any(owner.setdefault(pu, own) != own for pu in own):
            return None
    if len(loads) != 1 or not (load := loads.pop()):
        return None
    most = len(instance.groups)
    limits = instance.tightest
    room = {
        own: sum(min(most, int(limits.get(f"load pu:{pu}", most * load) // load)) for pu in own)
        for own in owner.values()
    }
    return Seats(room, load)


def class_of(instance: Instance, piece: Piece) -> Class:
    """Return the PUs among which a seat may be."""
    return tuple(o.pu for o in piece.options if o.pu is not None and instance.allowed(o))


def _seats(instance: Instance) -> Iterator[Piece]:
    for piece in instance.pieces():
        if piece.ring is None:
            yield piece


def seated(instance: Instance, seats: Seats, chosen: Chosen) -> Chosen:
    """Give each group the first PU of its class that has room."""
    taken: dict[int, Fraction] = {}
    found: Chosen = []
    for block, options in chosen:
        found.append((block, [_seat(instance, seats, block, o, taken) for o in options]))
    return found


def _seat(
    instance: Instance, seats: Seats, block: Block, option: Option, taken: dict[int, Fraction]
) -> Option:
    if option.pu is None:
        return option
    piece = next(piece for piece in block.pieces if piece.ring is None)
    limits = instance.tightest
    for other in piece.options:
        if other.pu is None or not instance.allowed(other):
            continue
        after = taken.get(other.pu, Fraction(0)) + seats.load
        if after <= limits.get(f"load pu:{other.pu}", after):
            taken[other.pu] = after
            return other
    return option
