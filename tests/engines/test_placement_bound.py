"""The bound from eigenvalues: never above the optimum, and not idle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import inf
from random import Random

import numpy as np
import pytest

from skb.engines import placement_bound
from skb.engines.placement_bound import Bounding, Found, Partition, Wish, Work, least
from skb.engines.placement_climb import begun, majorized
from skb.engines.placement_levels import Nodes, part_level
from skb.engines.placement_proof import Anytime, Child
from skb.engines.placement_routing import gathered
from skb.engines.placement_spectrum import System, laplacian
from skb.engines.placement_ways import way_kernel

Traffic = tuple[tuple[int, int, int], ...]
Cost = list[list[int]]


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of rounds gives a bound; these suffice for a few tasks."""
    monkeypatch.setattr(placement_bound, "MOST_WHOLE", 100)
    monkeypatch.setattr(placement_bound, "MOST_ROUNDS", 100)


def traffic(tasks: int, chance: Random) -> Traffic:
    """Return random pairs, some both ways and some from a task to itself."""
    pairs = [(chance.randrange(tasks), chance.randrange(tasks)) for _ in range(2 * tasks)]
    return tuple((a, b, chance.randint(1, 20)) for a, b in pairs)


def cheapest(tasks: int, rates: Traffic, partition: Partition, cost: Cost) -> int | None:
    """Return the least price of all ways to put the tasks into parts that hold only so much."""
    rooms = partition.rooms
    sizes = partition.sizes or (1.0,) * tasks
    allowed = dict(partition.allowed)
    found = None
    for parts in product(*(allowed.get(task, range(len(rooms))) for task in range(tasks))):
        held = [0.0] * len(rooms)
        for task, part in enumerate(parts):
            held[part] += sizes[task]
        if all(amount <= room for amount, room in zip(held, rooms, strict=True)):
            price = sum(rate * cost[parts[a]][parts[b]] for a, b, rate in rates if a != b)
            price += sum(w.rate * cost[parts[w.task]][w.part] for w in partition.wishes)
            found = price if found is None else min(found, price)
    return found


def cut(parts: int) -> Cost:
    return [[int(p != q) for q in range(parts)] for p in range(parts)]


def parted(rooms: list[int], threshold: int = 1) -> Partition:
    return Partition(threshold, tuple(map(float, rooms)), tuple((p,) for p in range(len(rooms))))


def random_partition(tasks: int, chance: Random, threshold: int) -> Partition:
    """Return parts of unequal size with sizes, limits and wishes, each in about half the cases."""
    count = chance.randint(2, 4)
    found = parted([chance.randint(1, 4) for _ in range(count)], threshold)
    if chance.random() < 0.5:
        found = replace(found, sizes=tuple(chance.choice([0.5, 1.0, 2.0]) for _ in range(tasks)))
    if chance.random() < 0.5:
        some = [(t, tuple(sorted(chance.sample(range(count), 2)))) for t in range(0, tasks, 2)]
        found = replace(found, allowed=tuple(some))
    wishes = [
        Wish(chance.randrange(tasks), chance.randrange(count), chance.randint(1, 30), 0)
        for _ in range(chance.choice([0, 0, 2, 3]))
    ]
    return replace(found, wishes=tuple(wishes))


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_bound_of_a_cut_is_never_above_the_optimum(start: int) -> None:
    """Random graphs into parts of unequal size, against an enumeration."""
    tight = 0
    for seed in range(start, start + 20):
        chance = Random(seed)
        tasks = chance.randint(2, 6)
        partition = random_partition(tasks, chance, 1)
        rates = traffic(tasks, chance)
        best = cheapest(tasks, rates, partition, cut(len(partition.rooms)))
        if best is None:
            continue
        far = tuple(tuple(row) for row in cut(len(partition.rooms)))
        bound = Bounding(tasks, rates, 0, (partition,), far, inf).run()
        assert bound <= best, seed
        tight += 0 < best <= 2 * bound
    assert tight > 5


def test_bound_of_the_way_is_never_above_the_optimum() -> None:
    """Any symmetric latencies, of negative type or metric or not, beside the step that they may
    use.
    """
    useful = 0
    for seed in range(40):
        chance = Random(seed)
        tasks, step = chance.randint(3, 6), chance.randint(1, 30)
        partition = random_partition(tasks, chance, step)
        count = len(partition.rooms)
        cost = [[0] * count for _ in range(count)]
        for p, q in combinations(range(count), 2):
            cost[p][q] = cost[q][p] = step + chance.choice([0, 5, 10, 40])
        rates = traffic(tasks, chance)
        best = cheapest(tasks, rates, partition, cost)
        if best is None:
            continue
        bound = Bounding(tasks, rates, 0, (partition,), tuple(map(tuple, cost)), inf).run()
        assert bound <= best, seed
        useful += 0 < best <= 1.5 * bound
    assert useful > 5


def test_bound_takes_what_a_part_holds_exactly() -> None:
    """With room for one task less bounds are above optima: the tests above would see it."""
    wrong = 0
    for seed in range(20):
        chance = Random(seed)
        tasks = chance.randint(4, 6)
        partition = parted([chance.randint(2, 4) for _ in range(3)])
        rates = traffic(tasks, chance)
        best = cheapest(tasks, rates, partition, cut(3))
        less = replace(partition, rooms=tuple(room - 1 for room in partition.rooms))
        far = tuple(tuple(row) for row in cut(3))
        if best is not None:
            wrong += Bounding(tasks, rates, 0, (less,), far, inf).run() > best
    assert wrong > 3


def test_bound_of_full_parts_is_what_must_be_cut() -> None:
    """Four pairs of talkers for four parts of two: nothing is cut; a clique of eight is."""
    parts = Partition(10, (2, 2, 2, 2), tuple((part,) for part in range(4)))
    far = tuple(tuple(10 * int(p != q) for q in range(4)) for p in range(4))
    pairs = tuple((2 * pair, 2 * pair + 1, 5) for pair in range(4))
    work = Bounding(8, pairs, 0, (parts,), far, inf)
    assert work.run() == 0
    clique = replace(work, traffic=tuple((a, b, 5) for a, b in combinations(range(8), 2)))
    # all but four of the 28 pairs are cut, whatever the placement: 24 x 5 x 10
    assert 1199 <= clique.run() <= 1200
    assert replace(work, traffic=((0, 0, 9),)).run() == 0
    assert replace(work, partitions=()).run() == 0


def test_wish_is_traffic_to_a_part_with_room_for_few() -> None:
    """Three tasks wish to be in a part of two: one of them pays the step."""
    wishes = tuple(Wish(task, 0, 7, 0) for task in range(3))
    parts = replace(parted([2, 4], 10), wishes=wishes)
    bound = Bounding(3, (), 0, (parts,), ((0, 10), (10, 0)), inf).run()
    assert 0.95 * 70 <= bound <= 70


def test_routed_graph_costs_no_more_in_any_cut() -> None:
    """What a group sends for its tasks fits into its own edges: judged by all cuts of the graph."""
    moved = 0
    for seed in range(40):
        chance = Random(seed)
        rates = tuple((a, b, r) for a, b, r in traffic(7, chance) if a != b)
        if not rates:
            continue
        level = part_level(Nodes(7, rates, parted([4, 4])), 1.0, 0.0)
        nodes = len(level.sizes)
        groups = [list(range(0, nodes, 2)), list(range(1, nodes, 2))]
        routed, kept = gathered(level, groups)
        assert sorted(node for group in kept for node in group) == list(range(nodes))
        for sides in product((0.0, 1.0), repeat=nodes):
            side = np.array(sides)
            assert side @ routed.graph @ side <= side @ level.graph @ side * (1 + 1e-9) + 1e-9
        moved += not np.allclose(routed.graph, level.graph)
    assert moved > 10


def test_every_multiplier_gives_a_bound() -> None:
    """A climb that is stopped at any round has a bound below the optimum."""
    for seed in range(30):
        chance = Random(seed)
        rates = tuple((a, b, r) for a, b, r in traffic(6, chance) if a != b) or ((0, 1, 1),)
        partition = parted([2, 3, 2])
        level = part_level(Nodes(6, rates, partition), 1.0, 0.0)
        best = cheapest(6, rates, partition, cut(3))
        climb = begun(System((level,)))
        climb.run(chance.randint(1, 30), inf)
        assert best is not None and climb.best <= best
        assert least(System((level,)), Work(0.0)) <= best


def test_way_between_parts_is_nearness_of_few_dimensions() -> None:
    """Hops in a row are a kernel with the least step taken; a way that is none is scaled down."""
    hops = [[abs(p - q) * 10 for q in range(4)] for p in range(4)]
    beyond = [[max(0, hop - 10) for hop in row] for row in hops]
    way = way_kernel(beyond, 10.0)
    assert way is not None and way.taken <= 10.0 and way.slack <= 0.0
    assert float(np.linalg.eigvalsh(way.near)[0]) >= 0
    assert np.all(way.own - way.near <= np.array(hops) * (1 + 1e-5))
    assert laplacian(2, [(0, 1, 2.0), (1, 0, 1.0), (0, 0, 9.0)]).tolist() == [[3, -3], [-3, 3]]


def test_nearest_eigenvalues_are_majorized_by_the_caps() -> None:
    """Against what defines a projection: nothing that is allowed lies beyond the nearest point."""
    for seed in range(50):
        chance = np.random.default_rng(seed)
        count = int(chance.integers(1, 8))
        caps = np.sort(chance.integers(0, 5, count))[::-1].astype(float)
        values = np.sort(chance.normal(0, 5, count))[::-1]
        near = majorized(values, caps)
        assert np.all(np.diff(near) <= 1e-9)
        assert np.all(np.cumsum(near) <= np.cumsum(caps) + 1e-9)
        assert np.sum(near) == pytest.approx(np.sum(caps))
        for _ in range(20):
            # mixtures of permutations are what is majorized
            other = np.mean([chance.permutation(caps) for _ in range(3)], axis=0)
            assert (values - near) @ (other - near) <= 1e-9


def test_bound_is_told_on_the_way_and_only_rises() -> None:
    """A process that is killed has told a bound; whole is only what no clock has cut."""
    chance = Random(3)
    far = tuple(tuple(row) for row in cut(4))
    work = Bounding(24, traffic(24, chance), 0, (parted([6, 6, 6, 6]),), far, inf)
    told: list[Found] = []
    last = work.found(told.append)
    prices = [found.price for found in told]
    assert len(told) > 2 and prices == sorted(prices)
    assert last == Found(prices[-1], True) and not any(found.whole for found in told)
    assert replace(work, deadline=0.0).found(told.append).whole is False


def test_bound_of_both_halves_is_the_whole_bound() -> None:
    """Two processes that share the steps find together what one finds."""
    chance = Random(5)
    fine = parted([2] * 8, 10)
    coarse = replace(parted([8, 8], 30), blocks=(tuple(range(4)), tuple(range(4, 8))))
    far = [[0 if p == q else 10 if p // 4 == q // 4 else 30 for q in range(8)] for p in range(8)]
    work = Bounding(16, traffic(16, chance), 0, (fine, coarse), tuple(map(tuple, far)), inf)
    halves = [half.run() for half in work.halves()]
    assert len(halves) == 2 and min(halves) > 0
    assert abs(sum(halves) - work.run()) <= 2


@dataclass(frozen=True)
class Endless:
    """Work that tells two numbers and never ends by itself."""

    def found(self, tell: Callable[[int], None]) -> int:
        tell(1)
        tell(2)
        time.sleep(600)
        return 3


def test_child_that_does_not_end_in_time_has_told_its_best() -> None:
    """What was told last counts; a child that has told nothing yet gives nothing."""
    with Child(Anytime(Endless())) as child:
        until = time.monotonic() + 60
        while child.told() != 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert child.result(time.monotonic()) == 2
        assert not child.done()
