"""What tasks take of memory, bandwidth and caches, and what there is, in whole units without
rounding.

The unit of a resource is the common divisor of all demands. A sum of demands is then whole, so
rounding a supply down to whole units changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from skb.engines.asp import INTEGER_MAX
from skb.questions.placement_supplies import Supplies


@dataclass(frozen=True, slots=True)
class Demand:
    """A rule that takes an amount of a resource of the task's memory node, or of its cache.

    The amount is in bytes, that of bandwidth in bytes per second.
    """

    id: str
    task: int
    resource: str
    amount: Fraction


class Amounts:
    """Demands and supplies in whole units; `coarse` gives them as a solver of 31 bits takes
    them.
    """

    def __init__(self, demands: Sequence[Demand], supplies: Supplies) -> None:
        self._supplies = supplies
        wanted: dict[str, list[Fraction]] = {}
        for demand in demands:
            wanted.setdefault(demand.resource, []).append(demand.amount)
        self._unit = {resource: _divisor(amounts) for resource, amounts in wanted.items()}
        self.total = {r: int(sum(amounts) / self._unit[r]) for r, amounts in wanted.items()}

    def of(self, demand: Demand) -> int:
        return int(demand.amount / self._unit[demand.resource])

    def nodes(self, resource: str) -> dict[int, int]:
        """Return what each usable node of known supply has; nothing where no task asks."""
        if resource not in self._unit:
            return {}
        read = self._supplies.memory if resource == "memory" else self._supplies.bandwidth
        found = {node: read(node) for node in self._supplies.machine.usable_numa}
        return {n: self._units(resource, size) for n, size in found.items() if size is not None}

    def caches(self) -> dict[str, int]:
        """Return what each last-level cache has; nothing where no task asks."""
        if "cache" not in self._unit:
            return {}
        return {c: self._units("cache", size) for c, size in self._supplies.caches.items()}

    def _units(self, resource: str, size: Fraction) -> int:
        """Return whole units, at most what all tasks ask for: more is never needed."""
        return min(int(size / self._unit[resource]), self.total[resource])

    def coarse(self, resource: str, units: int) -> int:
        """Return an amount such that the sum of all demands has 31 bits.

        Where they do not fit, demands and supplies are rounded down alike. That only relaxes: what
        fits exactly fits then too, so bounds and infeasibility hold, and answers need a look.
        """
        return units // max(1, -(-self.total[resource] // INTEGER_MAX))


def _divisor(amounts: Sequence[Fraction]) -> Fraction:
    denominator = lcm(*(amount.denominator for amount in amounts))
    return Fraction(gcd(*(int(amount * denominator) for amount in amounts)), denominator)
