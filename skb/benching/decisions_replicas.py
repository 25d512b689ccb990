"""The rows of `skb bench decisions` about replicas: 1024 cores, and random trees against clingo."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skb.benching.routing_rows import Check, Row, in_time, proven, row_of, timed
from skb.checkers.replicas import check
from skb.costs import Costs
from skb.decision import Limits
from skb.engines.replicas_asp import Choice, optimum
from skb.engines.replicas_tree import INFINITE, Counted, Floats, Tree, cheapest, chosen, forced
from skb.machine import Machine
from skb.questions.question import read_request
from skb.questions.replicas import decide
from skb.questions.replicas_request import ReplicasRequest
from skb.questions.replicas_search import Priced
from skb.questions.replicas_wishes import wanted
from skb.resources import bundled_machines
from skb.sources import read_path

SUITE = "replicas"
LARGE = "mesh-1024"
LARGE_MS = 1.0
TREES, SIZE = 500, 40
SECONDS = 5.0
TABLE: Mapping[str, Any] = {"name": "page-table", "bytes": 4096, "lines": 4, "work_ns": 100.0}
RATES: Mapping[str, tuple[float, float]] = {
    "few updates": (1e6, 0.1),
    "many reads": (1e5, 100.0),
    "many updates": (1e4, 900.0),
}


def rows(limit: float = SECONDS) -> Iterator[Row]:
    """Yield a row for each load of a large machine, then one for all random trees."""
    seconds = min(limit, SECONDS)
    machine = Machine(LARGE, read_path(bundled_machines()[LARGE]).facts)
    for name, (reads, updates) in RATES.items():
        asked = {**TABLE, "read_rate": reads, "update_rate": updates}
        yield _large(machine, name, asked, seconds)
    yield _large(machine, "unlike rates, coordinator given", _unlike(machine), seconds)
    yield random_trees(TREES)


# ---------------------------------------------------------------- 1024 cores
def _unlike(machine: Machine) -> dict[str, Any]:
    """Return an object that every PU uses at rates of its own."""
    draw = random.Random(SIZE)
    reads = {f"pu:{pu}": 10 ** draw.uniform(3, 6) for pu in machine.pus}
    updates = {f"pu:{pu}": 10 ** draw.uniform(0, 3) for pu in machine.pus}
    return {**TABLE, "read_rate": reads, "update_rate": updates, "at": [machine.pus[0]]}


def _large(machine: Machine, load: str, asked: Mapping[str, Any], seconds: float) -> Row:
    """Decide an object of all cores; the programme itself is timed on prices that are there."""
    request = {"object": [asked]}
    answer = timed(lambda: decide(machine, request, Limits(seconds=seconds)))
    took, prices = programme_ms(machine, request)
    checks: list[Check] = [
        proven(answer.found),
        in_time(answer, seconds),
        (
            f"programme in {LARGE_MS:g} ms",
            "" if took <= LARGE_MS else f"the programme took {took:.2f} ms",
        ),
    ]
    told = answer.found.answer["objects"]["page-table"] if answer.found.answer else {}
    beside = f"{told.get('replicas')} replicas, {told.get('granularity')}"
    beside += f"; programme {took:.3f} ms, prices {prices:.0f} ms"
    faults = check(machine, answer.found)
    unit = answer.found.objective.unit
    return row_of(SUITE, f"{LARGE}, {load}", unit, answer, checks, beside=beside, faults=faults)


def programme_ms(machine: Machine, request: Mapping[str, Any]) -> tuple[float, float]:
    """Return the least milliseconds of five runs of the dynamic programme on an object's prices,
    for one coordinator of each kind, and what the prices for all coordinators took before.
    """
    asked = read_request(request, ReplicasRequest, "replicas").object[0]
    one = wanted(machine, Costs(machine), asked, "", {}, {})
    begin = time.perf_counter()
    priced = Priced(one.case, one.wishes(one.texts))
    _table = priced.prices
    table = priced.prices
    prices = (time.perf_counter() - begin) * 1000
    seats = np.ascontiguousarray(table[:, list(priced.columns)])
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        best = cheapest(priced.tree, seats)
        seat = int(best[0].argmin())
        chosen(priced.tree, seats[:, seat], best[:, seat])
        spent.append(time.perf_counter() - begin)
    return min(spent) * 1000, prices


# ---------------------------------------------------------------- random trees
def random_tree(draw: random.Random, size: int) -> Tree:
    """Return a tree numbered layer by layer, with branches of unequal depth."""
    parent, layer = [-1], [0]
    while layer and len(parent) < size:
        following = []
        for node in layer:
            if node == 0 or draw.random() < 0.75:
                for _ in range(draw.randint(1, 4)):
                    parent.append(node)
                    following.append(len(parent) - 1)
        layer = following
    return Tree(tuple(parent))


def random_choice(seed: int, size: int) -> Choice:
    """Return a random tree with whole prices that grow with what a part holds.

    Some parts may not be chosen; every second choice has limits on numbers, and maybe a part that
    must be.
    """
    draw = random.Random(seed)
    tree = random_tree(draw, size)
    prices = [
        None if draw.random() < 0.1 else draw.randint(1, 60) * (1 + len(tree.below(node)))
        for node in range(tree.size)
    ]
    if seed % 2 == 0:
        return Choice(tree, prices)
    least = draw.randint(1, 4)
    most = least + draw.randint(0, 6)
    caps = {draw.randrange(tree.size): draw.randint(0, 4) for _ in range(2)}
    must = [draw.randrange(tree.size)] if draw.random() < 0.5 else []
    return Choice(tree, prices, must, caps, least, most)


def by_programme(choice: Choice) -> tuple[float, tuple[int, ...]]:
    """Return the least sum by the dynamic programme and its parts; infinity where there is none."""
    floats: Floats = np.array([INFINITE if p is None else float(p) for p in choice.prices])
    floats = np.where(forced(choice.tree, choice.must), floats, INFINITE)
    if choice.most is None:
        best = cheapest(choice.tree, floats)
        return float(best[0]), chosen(choice.tree, floats, best)
    table = Counted(choice.tree, floats, choice.most, choice.caps)
    sums = table.values[choice.least :]
    if not len(sums) or min(sums) == INFINITE:
        return INFINITE, ()
    return float(min(sums)), table.choice(choice.least + int(np.argmin(sums)))


def differs(choice: Choice) -> str:
    """Return how the programme differs from what clingo proves, nothing where it does not."""
    value, parts = by_programme(choice)
    proven_value, _parts = optimum(choice)
    if value != (INFINITE if proven_value is None else proven_value):
        return f"the programme says {value}, clingo {proven_value}"
    paid = sum(choice.prices[part] or 0 for part in parts)
    if proven_value is not None and paid != value:
        return f"its parts cost {paid}, not {value}"
    return ""


def random_trees(count: int) -> Row:
    """Return one row for so many random trees."""
    begin, spent = time.perf_counter(), time.process_time()
    wrong = [
        f"seed {seed}: {text}"
        for seed in range(count)
        if (text := differs(random_choice(seed, SIZE)))
    ]
    return Row(
        SUITE,
        f"{count} random trees",
        "equal",
        float(count - len(wrong)),
        float(count),
        0.0 if not wrong else None,
        "optimal" if not wrong else "feasible",
        round(time.perf_counter() - begin, 4),
        round(time.process_time() - spent, 4),
        target=f"all {count} equal the specification's optimum",
        faults=tuple(wrong[:5]),
    )
