"""The search kernel: its two arms agree, and what it keeps is true of the placement."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.engines import placement_kernel as kernel
from skb.engines.compiling import PLAIN, Arm, compile_now, loaded
from skb.engines.placement_arrays import first_draw, price_of, problem_of, start
from skb.engines.placement_classes import Search
from skb.engines.placement_items import Classes, Items, Rows, contracted

STEPS = 3_000


def prices(draw: random.Random, groups: int) -> tuple[int, ...]:
    """Return a row of prices, -1 where an item may not be; the last class takes all."""
    row = [draw.choice((-1, 0, 0, draw.randint(0, 30))) for _ in range(groups)]
    return (*row[1:], 0)


def request(seed: int, symmetric: bool = True) -> tuple[Items, Classes]:
    """Return random items, some large, some apart, on random classes that share caches."""
    draw = random.Random(seed)
    groups, count = draw.randint(2, 9), draw.randint(3, 24)
    distance = [[draw.randint(0, 9) for _ in range(groups)] for _ in range(groups)]
    if symmetric:
        distance = [[distance[min(a, b)][max(a, b)] for b in range(groups)] for a in range(groups)]
    units = [draw.choice((1, 1, 1, 2, 3)) for _ in range(count)]
    room = [max(3, -(-sum(units) // groups) + draw.randint(0, 3)) for _ in range(groups)]
    caches = draw.randint(1, groups)
    rows = Rows()
    bundles: list[list[tuple[int, ...]]] = [[(group,) for group in range(groups)]]
    if groups >= 4:
        bundles.append([(0, 1), (2, 3)])
    classes = Classes(
        pus=tuple((group,) for group in range(groups)),
        width=1,
        unit=1,
        distance=distance,
        room=room,
        cache=[draw.randrange(caches) for _ in range(groups)],
        cache_room=[2 * count for _ in range(caches)],
        objects=[[draw.randrange(3) for _ in range(groups)]],
        bundles=bundles,
    )
    items = Items(
        units=units,
        cache=[draw.choice((0, 1, 4)) for _ in range(count)],
        cost=[rows.number(prices(draw, groups)) for _ in range(count)],
        rows=rows,
        peers=[{} for _ in range(count)],
        apart=[[] for _ in range(count)],
        members=[[task] for task in range(count)],
    )
    for _ in range(2 * count):
        a, b = draw.sample(range(count), 2)
        side = 0 if classes.symmetric else 1
        rate = draw.randint(1, 12)
        items.peers[a][b, 0] = items.peers[a].get((b, 0), 0) + rate
        items.peers[b][a, side] = items.peers[b].get((a, side), 0) + rate
    a, b = draw.sample(range(count), 2)
    items.apart[a].append((b, 0))
    items.apart[b].append((a, 0))
    return items, classes


def faults(items: Items, classes: Classes, placed: list[int]) -> list[str]:
    """Return what is wrong with a placement, by rules of the test's own."""
    found = []
    for group, room in enumerate(classes.room):
        if sum(u for u, at in zip(items.units, placed, strict=True) if at == group) > room:
            found.append(f"class {group} is over its room")
    for cache, room in enumerate(classes.cache_room):
        inside = [i for i, at in enumerate(placed) if classes.cache[at] == cache]
        if sum(items.cache[item] for item in inside) > room:
            found.append(f"cache {cache} is over its room")
    for item, at in enumerate(placed):
        if items.rows.values[items.cost[item]][at] < 0:
            found.append(f"item {item} may not be in {at}")
        for other, table in items.apart[item]:
            objects = classes.objects[table]
            if objects[at] == objects[placed[other]]:
                found.append(f"items {item} and {other} share an object")
    return found


def counted(items: Items, classes: Classes, placed: list[int]) -> int:
    """Return the price from the edges one by one, each from the side that pays it."""
    total = sum(items.rows.values[items.cost[i]][at] for i, at in enumerate(placed))
    for item, peers in enumerate(items.peers):
        for (peer, side), rate in peers.items():
            if (classes.symmetric and item < peer) or (not classes.symmetric and side == 0):
                total += rate * classes.distance[placed[item]][placed[peer]]
    return total


def packed(search: Search) -> list[int] | None:
    return search._packed(search.levels[0], inf)


def annealed(items: Items, classes: Classes, arm: Arm, placed: list[int], seed: int) -> list[int]:
    """Return all words of the state after some steps, the placements first."""
    problem = problem_of(items, classes, arm)
    now = start(problem, classes, arm, placed)
    now.control[kernel.SEED] = first_draw(seed)
    now.heat[0], now.heat[1] = 40.0, 0.8
    arm.anneal(problem, now, STEPS)
    return [int(word) for row in now[:-1] for word in row]


def complaints(seed: int, symmetric: bool) -> list[str] | None:
    """Return where the books differ from the placement after steps; None where nothing packs."""
    items, classes = request(seed, symmetric)
    placed = packed(Search(items, classes, PLAIN))
    if placed is None:
        return None
    problem = problem_of(items, classes, PLAIN)
    now = start(problem, classes, PLAIN, placed)
    now.control[kernel.SEED] = first_draw(seed)
    now.heat[0], now.heat[1] = 60.0, 0.8
    best = kernel.anneal(problem, now, STEPS)
    if now.control[kernel.FRESH]:
        kernel.keep(now)
    before, found = counted(items, classes, placed), faults(items, classes, placed)
    if before != price_of(items, classes, placed):
        found.append("the first price differs")
    for where, price in ((now.at, now.control[kernel.VALUE]), (now.found, best)):
        found += faults(items, classes, where)
        if counted(items, classes, where) != before + price:
            found.append("the price differs")
    for group, room in enumerate(classes.room):
        used = sum(u for u, at in zip(items.units, now.at, strict=True) if at == group)
        if now.free[group] != room - used:
            found.append(f"the room of {group} differs")
    if any(now.marked) or now.image != list(range(len(classes.room))):
        found.append("a step left its marks behind")
    return found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), symmetric=st.booleans())
def test_kernel_keeps_price_and_rooms_true(seed: int, symmetric: bool) -> None:
    """After thousands of moves, swaps and exchanges all books still agree with the placement."""
    assert not complaints(seed, symmetric)


def test_most_of_those_requests_can_be_packed() -> None:
    """So the property above is about something."""
    assert sum(complaints(seed, True) is not None for seed in range(10)) > 5


@pytest.mark.parametrize("fault", ["apart", "rise", "carried"])
def test_kernel_test_catches_a_planted_fault(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules about apart that are ignored, a price that is off, a herd without weight: all show."""
    right = kernel.rise
    wrong: dict[str, Callable[..., object]] = {
        "apart": lambda *_given: True,
        "rise": lambda problem, at, item, here, there: (
            right(problem, at, item, here, there) - (item == 0)
        ),
        "carried": lambda *_given: 0,
    }
    monkeypatch.setattr(kernel, fault, wrong[fault])
    assert any(complaints(seed, True) for seed in range(12))


@pytest.fixture(scope="module")
def compiled() -> Arm:
    """The compiled arm; skips where numba does not support this Python."""
    pytest.importorskip("numba", reason="numba is not installed")
    compile_now()
    return loaded()


def test_both_arms_take_the_same_steps(compiled: Arm) -> None:
    """Every word of the state is the same after thousands of steps, of both kinds of distance."""
    seen = 0
    for seed in range(12):
        items, classes = request(seed, symmetric=seed % 2 == 0)
        placed = packed(Search(items, classes, PLAIN))
        assert placed == packed(Search(items, classes, compiled))
        if placed is not None:
            plain = annealed(items, classes, PLAIN, placed, seed)
            assert plain == annealed(items, classes, compiled, placed, seed)
            seen += plain[: len(placed)] != placed
    assert seen > 3


def test_both_arms_find_the_same_in_a_hurry(compiled: Arm) -> None:
    """A search of counted steps gives one placement, whichever arm happens to be loaded."""
    items, classes = request(7)
    plain = Search(items, classes, PLAIN).run(3, 20_000, inf, quick=True)
    assert plain == Search(items, classes, compiled).run(3, 20_000, inf, quick=True)


def test_prices_too_large_for_words_are_left_to_python() -> None:
    """Where 62 bits do not hold the sum of all prices no compiled step is made."""
    items, classes = request(7)
    for peers in items.peers:
        for key in peers:
            peers[key] *= 2**57
    compiled = Arm("compiled", PLAIN.anneal, PLAIN.pack, PLAIN.words, PLAIN.reals, PLAIN.stride)
    search = Search(items, classes, compiled)
    assert search.arm is PLAIN
    placed = search.run(0, 2_000, inf, quick=True)
    assert placed is not None
    assert faults(items, classes, placed) == []


def test_search_looks_at_the_clock() -> None:
    """The fuse ends a search of far more steps than there is time for."""
    items, classes = request(11)
    search = Search(items, classes, PLAIN)
    begun = time.process_time()
    assert search.run(0, 10**9, time.monotonic() + 0.2) is not None
    # processor time: other processes may hold this one up for long
    assert time.process_time() - begun < 5


def test_contraction_joins_those_who_talk_and_loses_nothing() -> None:
    """Items have the units, caches, traffic and tasks of those that they are made of."""
    items, classes = request(3)
    large = contracted(items, classes, max(classes.room))
    assert len(large.units) < len(items.units)
    assert sum(large.units) == sum(items.units)
    assert sum(large.cache) == sum(items.cache)
    assert sorted(task for tasks in large.members for task in tasks) == list(
        range(len(items.units))
    )
    assert max(large.units) <= max(classes.room)
    of = {task: item for item, tasks in enumerate(large.members) for task in tasks}
    placed = [0] * len(large.units)
    groups = len(classes.room)
    for item in range(len(placed)):
        row = large.rows.values[large.cost[item]]
        placed[item] = max(range(groups), key=lambda group: row[group] >= 0)
    below = [placed[of[task]] for task in range(len(items.units))]
    inside = sum(
        rate * classes.distance[below[a]][below[b]]
        for a, peers in enumerate(items.peers)
        for (b, _side), rate in peers.items()
        if of[a] == of[b]
    )
    assert price_of(items, classes, below) == price_of(large, classes, placed) + inside // 2
