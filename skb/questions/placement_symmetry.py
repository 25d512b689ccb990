"""Interchangeable parts of a machine, so that clingo need not try equal placements under other
names.

Two subtrees are interchangeable if the same places stand in the same order, alike in size, rules
and prices, and if swapping them leaves every latency as it was. That is computed from the snapshot
as it is now, not assumed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Place, signatures

Members = tuple[int, ...]


def pairs(
    instance: Instance, places: Sequence[Place], matrix: Sequence[Sequence[int]]
) -> list[tuple[Members, Members]]:
    """Return pairs of interchangeable sets of places, the first to be filled first."""
    finder = _Finder(instance, places, matrix)
    finder.visit(tuple(range(len(places))), 0)
    return finder.found


class _Finder:
    def __init__(
        self, instance: Instance, places: Sequence[Place], matrix: Sequence[Sequence[int]]
    ) -> None:
        machine = instance.machine
        self.matrix = matrix
        self.found: list[tuple[Members, Members]] = []
        self.chains = [
            (*reversed(machine.ancestors(f"pu:{place.first}")), f"pu:{place.first}")
            for place in places
        ]
        marks = signatures(instance, levels=False)
        self.leaf = [
            (len(p.cores), p.width, p.complete, bool(p.core), marks[p.first]) for p in places
        ]
        levels = {group.level for group in instance.groups} | {"core"}
        self.objects = []
        for level in sorted(levels):
            table = instance.objects(level)
            self.objects.append([table[place.first] for place in places])

    def visit(self, members: Members, depth: int) -> None:
        """Split places by the next part of their chains; compare the parts, then go inside."""
        while len(members) > 1:
            parts: dict[str, list[int]] = defaultdict(list)
            for place in members:
                chain = self.chains[place]
                parts[chain[depth] if depth < len(chain) else chain[-1]].append(place)
            depth += 1
            if len(parts) > 1:
                children = [tuple(part) for part in parts.values()]
                self._compare(children)
                for child in children:
                    self.visit(child, depth)
                return

    def _compare(self, children: Sequence[Members]) -> None:
        families: dict[tuple[object, ...], list[Members]] = defaultdict(list)
        for child in children:
            shape = tuple(self.leaf[place] for place in child)
            for last in reversed(families[shape]):
                if self._swappable(last, child):
                    self.found.append((last, child))
                    break
            families[shape].append(child)

    def _swappable(self, first: Members, second: Members) -> bool:
        matrix = self.matrix
        image = dict(zip((*first, *second), (*second, *first), strict=True))
        for place in first:
            other = image[place]
            for q, (there, back) in enumerate(
                zip(matrix[place], (row[place] for row in matrix), strict=True)
            ):
                to = image.get(q, q)
                if there != matrix[other][to] or back != matrix[to][other]:
                    return False
        return all(self._keeps(table, image) for table in self.objects)

    def _keeps(self, table: Sequence[str], image: dict[int, int]) -> bool:
        """Whether the swap maps objects of a level onto objects of the level."""
        onto: dict[str, str] = {}
        for place, name in enumerate(table):
            if (
                onto.setdefault(name, table[image.get(place, place)])
                != table[image.get(place, place)]
            ):
                return False
        return len(set(onto.values())) == len(onto)
