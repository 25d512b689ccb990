"""What messages cost between the members of a group, laid out pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skb.machine import Machine

LINE = "cache_line"
ROLES = ("send", "receive", "propagation", "gap")

Class = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class MessagePairs:
    """Message costs by ordered pair of PUs, in picoseconds.

    `gap` is the time that a further send in a burst adds.
    """

    members: tuple[int, ...]
    send: Mapping[tuple[int, int], int]
    receive: Mapping[tuple[int, int], int]
    propagation: Mapping[tuple[int, int], int]
    gap: Mapping[tuple[int, int], int]


def pairs_by_class(
    members: Sequence[int],
    class_of: Callable[[int, int], Class],
    message: Callable[[int, int], Mapping[str, int]],
) -> MessagePairs:
    """Return the costs of all ordered pairs, each class of pairs looked up once."""
    by_class: dict[Class, Mapping[str, int]] = {}
    send: dict[tuple[int, int], int] = {}
    receive, propagation, gap = dict(send), dict(send), dict(send)
    for u in members:
        for v in members:
            if u == v:
                continue
            key, pair = class_of(u, v), (u, v)
            parts = by_class.get(key)
            if parts is None:
                parts = by_class[key] = message(u, v)
            send[pair], receive[pair] = parts["send"], parts["receive"]
            propagation[pair], gap[pair] = parts["propagation"], parts["gap"]
    return MessagePairs(tuple(members), send, receive, propagation, gap)


def pair_of(first: int, second: int) -> Class:
    """Return a class of its own for each ordered pair."""
    return first, second


def class_finder(
    machine: Machine, pair_class: Callable[[int, int], Class]
) -> Callable[[int, int], Class]:
    """Return `pair_class` for many pairs, asked once for all that cannot differ.

    PUs that differ only in their innermost part are alike to all that are not in it.
    """
    inner: dict[int, str] = {}
    outer: dict[int, int] = {}
    kinds: dict[tuple[object, ...], int] = {}
    for pu in machine.numa_of_pu:
        line = machine.ancestors(f"pu:{pu}")
        inner[pu] = line[0] if line else ""
        kind = (line[1:], machine.package_of[pu], machine.numa_of_pu[pu])
        outer[pu] = kinds.setdefault(kind, len(kinds))
    known: dict[tuple[int, int], tuple[object, ...]] = {}

    def class_of(first: int, second: int) -> tuple[object, ...]:
        if inner[first] == inner[second]:
            return pair_class(first, second)
        key = outer[first], outer[second]
        found = known.get(key)
        if found is None:
            found = known[key] = pair_class(first, second)
        return found

    return class_of
