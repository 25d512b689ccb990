"""From the part of the machine that a partitioner gave each task to one site per task.

Partitioners balance weights within a tolerance and know no rules of the user, so their answers may
put two tasks on one site or one where it must not run. Those are moved to the cheapest site that is
free and allowed; the others stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from skb.benching.sites import Integers, Sites


def settled(sites: Sites, groups: Sequence[int]) -> tuple[list[int], int]:
    """Return a site for each task from its group of sites, and how many tasks had to move.

    A task that fits nowhere stays on a site of its own, rules or not; the judge names it.
    """
    free: dict[int, list[int]] = {}
    for site, group in enumerate(sites.group):
        free.setdefault(int(group), []).append(site)
    at = numpy.full(len(sites.tasks), -1, dtype=numpy.int64)
    used = numpy.zeros(len(sites.cache_size), dtype=numpy.int64)
    heavy = sorted(range(len(groups)), key=lambda task: -int(sites.rates[task].sum()))
    for task in heavy:
        place = _first(sites, at, used, free[groups[task]], task)
        if place is not None:
            _sit(sites, at, used, free, task, place)
    moved = [task for task in heavy if at[task] < 0]
    for task in moved:
        open_ = [site for some in free.values() for site in some]
        fit = [site for site in open_ if _first(sites, at, used, [site], task) is not None]
        there = numpy.array(fit or open_, dtype=numpy.int64)
        place = int(there[_costs(sites, at, task, there).argmin()])
        _sit(sites, at, used, free, task, place)
    return [int(site) for site in at], len(moved)


def _first(
    sites: Sites, at: Integers, used: Integers, free: Sequence[int], task: int
) -> int | None:
    """Return the first free site that breaks no rule."""
    for site in free:
        group = sites.group[site]
        if not sites.allowed[task, site]:
            continue
        if sites.cache[task] and used[group] + sites.cache[task] > sites.cache_size[group]:
            continue
        foes = [b if a == task else a for a, b in sites.apart if task in (a, b)]
        if all(at[foe] < 0 or sites.group[at[foe]] != group for foe in foes):
            return site
    return None


def _costs(sites: Sites, at: Integers, task: int, there: Integers) -> Integers:
    sat = numpy.flatnonzero(at >= 0)
    rates = sites.rates[task, sat]
    costs: Integers = sites.alone[task, there] + (
        sites.between[numpy.ix_(there, at[sat])] * rates
    ).sum(axis=1)
    return costs


def _sit(
    sites: Sites,
    at: Integers,
    used: Integers,
    free: dict[int, list[int]],
    task: int,
    place: int,
) -> None:
    group = int(sites.group[place])
    at[task] = place
    used[group] += sites.cache[task]
    free[group].remove(place)
