"""The PUs of a machine by class, and the least latencies between classes, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Amount = int | Fraction


class Grid:
    """The PUs of a machine by class, and what it has: plain values, made once."""

    def __init__(
        self,
        classes: Sequence[tuple[int, ...]],
        latency: Callable[[int, int], int],
        core_of: Mapping[int, str],
        core_pus: Mapping[str, tuple[int, ...]],
        memory: Callable[[int, int], int],
        nearest: Mapping[int, int | None],
        supply: Mapping[str, Mapping[int, Amount]],
        cache_of: Mapping[int, str],
        cache_size: Mapping[str, Amount],
    ) -> None:
        self.classes = tuple(classes)
        self.class_of = {pu: c for c, pus in enumerate(self.classes) for pu in pus}
        self.latency = latency
        self.core_of = core_of
        self.core_pus = core_pus
        self.memory = memory
        self.nearest = nearest
        self.supply = supply
        self.cache = [cache_of.get(pus[0], "") for pus in self.classes]
        self.cache_of = cache_of
        self.cache_size = {**cache_size, "": 0}
        # several tasks may be on one core
        self.narrow = all(len(core_pus[core_of[pu]]) == 1 for pu in self.class_of)
        self._firsts = [pus[0] for pus in self.classes]
        self._rows: dict[tuple[int, bool, bool], list[int]] = {}
        self._order: dict[int, list[int]] = {}
        self._tables: dict[tuple[bool, bool], NDArray[Any]] = {}

    def row(self, there: int, outwards: bool, shared: bool) -> list[int]:
        """Return the least latency between each class and a PU of class `there`.

        From the class where `outwards`, to it otherwise; `shared` says that both may be one PU.
        """
        key = (there, outwards, shared)
        found = self._rows.get(key)
        if found is None:
            pu, ps = self._firsts[there], self.latency
            found = [ps(a, pu) if outwards else ps(pu, a) for a in self._firsts]
            found[there] = self._inner(there, shared)
            self._rows[key] = found
        return found

    def _inner(self, group: int, shared: bool) -> int:
        """Return the least latency between two PUs of a class; any value where it has but one."""
        pus = self.classes[group]
        first = pus[0]
        core = self.core_of[first]
        others = [pu for pu in self.core_pus[core] if pu != first][:1]
        others += [pu for pu in pus if self.core_of[pu] != core][:1]
        values = [self.latency(first, pu) for pu in others]
        if shared or not values:
            values.append(self.latency(first, first))
        return min(values)

    def table(self, outwards: bool, shared: bool) -> NDArray[Any]:
        """Return all rows: from the class of the row where `outwards`, to it otherwise."""
        import numpy

        key = (outwards, shared)
        if key not in self._tables:
            rows = [self.row(c, outwards, shared) for c in range(len(self.classes))]
            count = len(rows)
            self._tables[key] = numpy.array(rows, dtype=numpy.int64).reshape(count, count).T
        return self._tables[key]

    @cached_property
    def twins(self) -> list[int]:
        """For each class the first one that it can be swapped with: no distance would change."""
        out, into = self.table(True, False), self.table(False, False)
        found: list[int] = []
        for group in range(len(self.classes)):
            first = next(
                (c for c in dict.fromkeys(found) if self._alike(c, group, out, into)), group
            )
            found.append(first)
        return found

    def _alike(self, a: int, b: int, out: NDArray[Any], into: NDArray[Any]) -> bool:
        if len(self.classes[a]) != len(self.classes[b]):
            return False
        same = True
        for table in (out, into):
            rows = table[a] == table[b]
            rows[[a, b]] = True
            own = table[a, a] == table[b, b] and table[a, b] == table[b, a]
            same = same and bool(rows.all()) and bool(own)
        return same

    def near(self, group: int) -> list[int]:
        """Return the classes from the nearest on, as seen from PUs of a class."""
        if group not in self._order:
            row = self.row(group, False, False)
            self._order[group] = sorted(range(len(row)), key=lambda c: (c != group, row[c], c))
        return self._order[group]
