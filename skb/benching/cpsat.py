"""CP-SAT of OR-Tools on groups of sites, with the rules of the request and two workers.

Where all latencies are those of a tree, a pair pays by the level at which it is separated; else
each pair has a cost variable with one enforced lower bound for each group of its first task.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy

from skb.benching.settling import settled
from skb.benching.sites import Integers, Sites

WORKERS = 2
# pairs times groups that are built in about a second
LARGEST = 60_000


def installed() -> bool:
    return find_spec("ortools") is not None


def solved(sites: Sites, seconds: float, seed: int) -> tuple[list[int], str] | str:
    """Return the best placement and its bound in words, or why there is none."""
    groups = len(sites.cache_size)
    pairs = int((sites.rates > 0).sum()) // 2
    if pairs * groups > LARGEST:
        return f"{pairs} pairs times {groups} groups: its model takes longer than the answer"
    from ortools.sat.python import cp_model

    end = time.perf_counter() + seconds
    model = cp_model.CpModel()
    on = _placed(model, sites)
    terms = _alone(sites, on) + _communication(model, sites, on)
    model.minimize(sum(weight * variable for weight, variable in terms))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = WORKERS
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = max(0.1, end - time.perf_counter())
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return "no placement in time"
    parts = [next(group for group in range(groups) if solver.value(row[group])) for row in on]
    places, moved = settled(sites, parts)
    gap = 1 - solver.best_objective_bound / max(1.0, solver.objective_value)
    word = "proven" if status == cp_model.OPTIMAL else f"its gap {gap:.0%}"
    return places, word + f", {moved} tasks moved to fit" * bool(moved)


def _placed(model: Any, sites: Sites) -> list[list[Any]]:
    """Return a variable for each task and group, with the rules."""
    weights = numpy.bincount(sites.group)
    on = [[model.new_bool_var("") for _ in weights] for _ in sites.tasks]
    for task, row in enumerate(on):
        model.add_exactly_one(row)
        for group, variable in enumerate(row):
            if not sites.allowed[task][sites.group == group].any():
                model.add(variable == 0)
    for group, room in enumerate(weights):
        column = [row[group] for row in on]
        model.add(sum(column) <= int(room))
        if sites.cache.any():
            needs = [int(need) // 2**10 * variable for need, variable in zip(sites.cache, column,
                                                                         strict=True)]  # fmt: skip
            model.add(sum(needs) <= int(sites.cache_size[group]) // 2**10)
        for first, second in sites.apart:
            model.add_at_most_one([on[first][group], on[second][group]])
    return on


def _alone(sites: Sites, on: list[list[Any]]) -> list[tuple[int, Any]]:
    found = []
    for task, row in enumerate(on):
        for group, variable in enumerate(row):
            weight = int(sites.alone[task][sites.group == group].min())
            if weight:
                found.append((weight, variable))
    return found


def _communication(model: Any, sites: Sites, on: list[list[Any]]) -> list[tuple[int, Any]]:
    between = group_table(sites)
    edges = [(int(a), int(b)) for a, b in numpy.argwhere(numpy.triu(sites.rates))]
    levels = tree_levels(between)
    found: list[tuple[int, Any]] = []
    for first, second in edges:
        rate = int(sites.rates[first, second])
        if levels is None:
            cost = model.new_int_var(0, int(between.max()), "")
            for group in range(len(between)):
                there = sum(int(between[group, other]) * on[second][other]
                            for other in range(len(between)))  # fmt: skip
                model.add(cost >= there).only_enforce_if(on[first][group])
            found.append((rate, cost))
            continue
        for step, cells in levels:
            apart = model.new_bool_var("")
            for cell in cells:
                model.add(
                    apart >= sum(on[first][g] for g in cell) - sum(on[second][g] for g in cell)
                )
            found.append((rate * step, apart))
    return found


def group_table(sites: Sites) -> Integers:
    """Return the latencies in ps between groups, less what is paid everywhere."""
    number = range(int(sites.group.max()) + 1)
    first = [int(numpy.flatnonzero(sites.group == group)[0]) for group in number]
    second = [int(numpy.flatnonzero(sites.group == group)[-1]) for group in number]
    table: Integers = sites.between[numpy.ix_(first, second)].copy()
    # a group of one site holds no pair
    alone = [group for group, a, b in zip(number, first, second, strict=True) if a == b]
    pays = numpy.ones_like(table, dtype=bool)
    pays[alone, alone] = False
    least = int(table[pays].min(initial=int(table.max())))
    table[alone, alone] = least
    result: Integers = table - least
    return result


def tree_levels(between: Integers) -> list[tuple[int, list[list[int]]]] | None:
    """Return the levels of a tree of latencies with the step of each, None where it is none."""
    found = []
    distances = sorted({int(value) for value in between.ravel()})
    for low, high in pairwise(distances):
        near = between <= low
        cells: dict[bytes, list[int]] = {}
        for group, row in enumerate(near):
            cells.setdefault(row.tobytes(), []).append(group)
        if sum(len(cell) ** 2 for cell in cells.values()) != int(near.sum()):
            return None
        found.append((high - low, list(cells.values())))
    return found
