"""Containment out of hwloc's synthetic notation: `package:2 numa:1 l3:2 core:4 pu:2`."""

from __future__ import annotations

import re
from collections import defaultdict

from skb.containment import NESTING_LIMIT
from skb.errors import DescriptionError, TooLargeError
from skb.relations import KINDS, Argument

_LEVEL = re.compile(r"^\[?([A-Za-z0-9]+)\]?:(\d{1,9})$")
_GROWN = frozenset(KINDS) - {"machine", "pci", "device", "misc", "bridge"}
OBJECT_LIMIT = 100_000
_SYNONYMS = {"numanode": "numa", "socket": "package", "node": "numa", "cache": "l3"}


class Structure:
    """Objects in the order in which they were grown.

    Indexes of a kind go on from one tree to the next.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._objects: dict[str, str] = {}
        self._next: dict[str, int] = defaultdict(int)
        self._fresh: list[tuple[str, str]] = []

    def of_kind(self, kind: str) -> list[str]:
        return [name for name in self._objects if name.partition(":")[0] == kind]

    def take(self) -> list[tuple[str, str]]:
        """Return (parent, child) of what has grown since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def add(self, parent: str, name: str, at: str) -> None:
        """Add one named object."""
        if wrong := Argument("id", "object").check(name):
            raise self._fault(at, wrong, "write kind:index")
        if name in self._objects:
            raise self._fault(at, f"{name} exists already", "give another index")
        kind, _, index = name.partition(":")
        if index.isascii() and index.isdigit():
            self._next[kind] = max(self._next[kind], int(index) + 1)
        self._link(parent, name, at)

    def grow(self, parent: str, tree: str, pu_order: str, at: str) -> None:
        """Grow a regular tree below a parent.

        `pu_order` is `depth-first`, or `threads-last` where the first threads of all cores come
        before the second ones, as Linux numbers most x86 machines.
        """
        if pu_order not in {"depth-first", "threads-last"}:
            raise self._fault(at, f"unknown pu_order {pu_order!r}", "depth-first or threads-last")
        levels = self._parse(tree, at)
        total, objects = 1, len(self._objects)
        for _kind, count in levels:
            total *= count
            objects += total
            if objects > OBJECT_LIMIT:
                raise TooLargeError(
                    f"the tree has more than {OBJECT_LIMIT} objects",
                    place=f"{self.place}: {at}",
                    mend="describe one machine, and what its firmware calls a PU once",
                )
        threads = levels[-1][1] if levels[-1][0] == "pu" else 1
        cores = total // threads
        first = self._next["pu"]
        self._expand(parent, levels, at, (pu_order == "threads-last", first, cores))

    def _parse(self, tree: str, at: str) -> list[tuple[str, int]]:
        levels = []
        for word in tree.split():
            match = _LEVEL.match(word)
            kind = match.group(1).lower() if match else ""
            kind = _SYNONYMS.get(kind, kind)
            if match is None or kind not in _GROWN or int(match.group(2)) < 1:
                raise self._fault(
                    at,
                    f"cannot read {word[:60]!r}",
                    'write kind:count, as in "package:2 core:4 pu:1"',
                )
            levels.append((kind, int(match.group(2))))
        if len(levels) > NESTING_LIMIT:
            raise self._fault(at, f"more than {NESTING_LIMIT} levels", "leave some out")
        if not levels:
            raise self._fault(at, "the tree is empty", 'write "package:2 core:4 pu:1"')
        return levels

    def _expand(
        self, parent: str, levels: list[tuple[str, int]], at: str, order: tuple[bool, int, int]
    ) -> None:
        kind, count = levels[0]
        for number in range(count):
            if kind == "numa":
                below = self._memory(parent, count, len(levels) > 1, at)
            elif kind == "pu":
                below = self._pu(number, order)
                self._link(parent, below, at)
            else:
                below = self._new(kind)
                self._link(parent, below, at)
            if len(levels) > 1:
                self._expand(below, levels[1:], at, order)

    def _memory(self, parent: str, count: int, more: bool, at: str) -> str:
        """Hang a NUMA node on its place; several below one parent get a group each."""
        place = parent
        if count > 1 and more:
            place = self._new("group")
            self._link(parent, place, at)
        self._link(place, self._new("numa"), at)
        return place

    def _pu(self, number: int, order: tuple[bool, int, int]) -> str:
        threads_last, first, cores = order
        if not threads_last:
            return self._new("pu")
        if number == 0:
            index = self._next["pu:first"]
            self._next["pu:first"] += 1
        else:
            index = self._next["pu:first"] - 1 + number * cores
        self._next["pu"] = max(self._next["pu"], first + index + 1)
        return f"pu:{first + index}"

    def _new(self, kind: str) -> str:
        name = f"{kind}:{self._next[kind]}"
        self._next[kind] += 1
        return name

    def _link(self, parent: str, name: str, at: str) -> None:
        if parent != "machine:0" and parent not in self._objects:
            raise self._fault(at, f"there is no parent {parent}", "add it before its children")
        self._objects[name] = parent
        self._fresh.append((parent, name))

    def _fault(self, at: str, text: str, mend: str) -> DescriptionError:
        return DescriptionError(text, place=f"{self.place}: {at}", mend=mend)
