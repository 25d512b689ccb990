"""Plain 2-swap from several starts, the peer that everybody can write: tasks change places (or move
to a free site) while that lowers the price, from random starts until the time is over.

It knows no classes, no contraction and no temperature. Rules that are broken cost more than any
traffic, so that swaps mend them first.
"""

from __future__ import annotations

import random
import time

import numpy

from skb.benching.sites import Integers, Sites


class Swaps:
    """One descent from one start; sites without a task hold an empty one."""

    def __init__(self, sites: Sites, chance: random.Random) -> None:
        self.sites = sites
        count, tasks = len(sites.sites), len(sites.tasks)
        self.count, self.tasks = count, tasks
        self.rates = numpy.zeros((count, count), dtype=numpy.int64)
        self.rates[:tasks, :tasks] = sites.rates
        dearest = int(sites.between.max()) * int(sites.rates.sum()) + int(sites.alone.sum())
        self.broken = dearest // max(1, tasks) + 1
        self.alone = numpy.zeros((count, count), dtype=numpy.int64)
        self.alone[:tasks] = sites.alone + self.broken * ~sites.allowed
        self.need = numpy.zeros(count, dtype=numpy.int64)
        self.need[:tasks] = sites.cache
        self.foes: dict[int, list[int]] = {}
        for first, second in sites.apart:
            self.foes.setdefault(first, []).append(second)
            self.foes.setdefault(second, []).append(first)
        self.order = chance.sample(range(count), count)
        self.at = numpy.array(self.order, dtype=numpy.int64)
        # what each task would pay on each site as the others are now
        self.pays = self.alone.copy()
        for first, second in numpy.argwhere(self.rates):
            self.pays[first] += self.rates[first, second] * sites.between[self.at[second]]
        self.ruled = bool(sites.apart) or bool(sites.cache.any())

    def descend(self, chance: random.Random, end: float) -> None:
        """Swap while that helps, tasks in a new random order each time."""
        better = True
        while better and time.perf_counter() < end:
            better = False
            for task in chance.sample(range(self.tasks), self.tasks):
                gain = self._gains(task)
                other = int(gain.argmin())
                if gain[other] < 0:
                    self._swap(task, other)
                    better = True
                if time.perf_counter() >= end:
                    return

    def places(self) -> list[int]:
        return [int(site) for site in self.at[: self.tasks]]

    def _gains(self, task: int) -> Integers:
        """Return by how much the price changes where the task changes places with each other."""
        here = self.at[task]
        own = self.pays[task, self.at] - self.pays[task, here]
        others = self.pays[:, here] - self.pays[numpy.arange(self.count), self.at]
        meet = self.sites.between[here, self.at] - self.sites.between[here, here]
        gain: Integers = own + others + 2 * self.rates[task] * meet
        if self.ruled:
            gain = gain + self.broken * self._rules(task)
        gain[task] = 0
        return gain

    def _rules(self, task: int) -> Integers:
        """Return how many more rules are broken where the task changes places with each other."""
        groups = self.sites.group[self.at]
        size = self.sites.cache_size
        used = numpy.bincount(groups, weights=self.need, minlength=len(size)).astype(numpy.int64)
        more = self.need - self.need[task]
        here, there = groups[task], groups
        over_here = numpy.maximum(0, used[here] + more - size[here])
        over_there = numpy.maximum(0, used[there] - more - size[there])
        over = over_here + over_there
        over -= max(0, int(used[here] - size[here])) + numpy.maximum(0, used[there] - size[there])
        over = numpy.where(there == here, 0, -(-over // 2**20))
        if self.foes:
            over = over + numpy.where(there == here, 0, self._apart(task, groups))
        return over

    def _apart(self, task: int, groups: Integers) -> Integers:
        """Return how many more pairs meet that are to be apart."""
        here = groups[task]
        more = numpy.zeros(self.count, dtype=numpy.int64)
        for foe in self.foes.get(task, ()):
            more += groups == groups[foe]
            more -= int(here == groups[foe])
            more[foe] -= 1
        for other, foes in self.foes.items():
            for foe in foes:
                more[other] += int(groups[foe] == here) - int(groups[foe] == groups[other])
                more[other] -= int(foe == task)
        return more

    def _swap(self, first: int, second: int) -> None:
        between = self.sites.between
        a, b = int(self.at[first]), int(self.at[second])
        self.at[first], self.at[second] = b, a
        step = between[b] - between[a]
        for task, sign in ((first, 1), (second, -1)):
            rows = numpy.flatnonzero(self.rates[:, task])
            self.pays[rows] += sign * numpy.outer(self.rates[rows, task], step)


def swapped(sites: Sites, seconds: float, seed: int) -> tuple[list[int], str]:
    """Return the best placement of all descents, and how many there were."""
    end = time.perf_counter() + seconds
    best: list[int] | None = None
    price = starts = 0
    while best is None or time.perf_counter() < end:
        chance = random.Random(f"swaps {seed} {starts}")
        one = Swaps(sites, chance)
        one.descend(chance, end)
        starts += 1
        places = one.places()
        value = sites.price(places) + one.broken * _rules_broken(sites, places)
        if best is None or value < price:
            best, price = places, value
    return best, f"{starts} starts"


def _rules_broken(sites: Sites, places: list[int]) -> int:
    groups = sites.group[places]
    used = numpy.bincount(groups, weights=sites.cache, minlength=len(sites.cache_size))
    broken: int = (
        int((used > sites.cache_size).sum() if sites.cache.any() else 0)
        + sum(groups[first] == groups[second] for first, second in sites.apart)
        + int((~sites.allowed[numpy.arange(len(places)), places]).sum())
    )
    return broken
