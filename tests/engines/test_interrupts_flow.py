"""Seats of vectors against full enumeration: prices, evenness, moves, and who lacks room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from skb.engines.interrupts_balance import Vector, bound, level, loads
from skb.engines.interrupts_flow import Job, Seats, seat


@st.composite
def seatings(draw: st.DrawFn) -> tuple[Seats, list[Job]]:
    """Up to five seats on three cores, some with limits, and up to six vectors in three jobs."""
    size = draw(st.integers(1, 5))
    numbers = st.lists(st.integers(0, 3), min_size=size, max_size=size)
    core = [min(2, value) for value in draw(numbers)]
    most = draw(st.dictionaries(st.integers(0, 2), st.integers(0, 3), max_size=2))
    seats = Seats(core, draw(numbers), [min(2, value) for value in draw(numbers)], most)
    jobs = []
    for _ in range(draw(st.integers(1, 3))):
        allowed = draw(st.sets(st.integers(0, size - 1), min_size=1))
        prices = {at: draw(st.sampled_from([1, 1, 2, 5])) for at in sorted(allowed)}
        now = draw(st.lists(st.sampled_from([-1, *sorted(allowed)]), min_size=1, max_size=2))
        jobs.append(Job(prices, now))
    return seats, jobs


def fits(seats: Seats, taken: Sequence[int]) -> bool:
    """Tell whether seats and cores have room."""
    used = Counter(taken)
    cores = Counter(seats.core[at] for at in taken)
    roomy = all(count <= seats.room[at] for at, count in used.items())
    return roomy and all(count <= seats.most.get(core, count) for core, count in cores.items())


def worth(seats: Seats, jobs: Sequence[Job], taken: Sequence[int]) -> tuple[int, ...]:
    """Return what is minimised, each before the next."""
    units = [(number, place) for number, job in enumerate(jobs) for place in range(len(job.now))]
    used = Counter(taken)
    cores: Counter[int] = Counter()
    for at, held in enumerate(seats.taken):
        cores[seats.core[at]] += held + used[at]
    rows = list(zip(units, taken, strict=True))
    return (
        sum(jobs[number].prices[at] for (number, _), at in rows),
        sum(count**2 for count in cores.values()),
        sum((held + used[at]) ** 2 for at, held in enumerate(seats.taken)),
        sum(count**2 for count in Counter((n, at) for (n, _), at in rows).values()),
        sum(jobs[number].now[place] != at for (number, place), at in rows),
    )


@settings(max_examples=150, deadline=None)
@given(seatings())
def test_flow_equals_enumeration(case: tuple[Seats, list[Job]]) -> None:
    """The flow is the best of all seatings in every term; without one, the stuck lack room."""
    seats, jobs = case
    choices = [sorted(job.prices) for job in jobs for _ in job.now]
    every = [taken for taken in product(*choices) if fits(seats, taken)]
    found = seat(seats, jobs)
    if not every:
        assert found.seats is None and found.proven
        stuck = [jobs[number] for number in found.stuck]
        space = seats.space({at for job in stuck for at in job.prices})
        assert sum(len(job.now) for job in stuck) > space
        return
    assert found.seats is not None
    taken = [at for row in found.seats for at in row]
    assert fits(seats, taken)
    best = min(worth(seats, jobs, other) for other in every)
    assert worth(seats, jobs, taken) == best
    assert found.price == best[0]


@settings(max_examples=150, deadline=None)
@given(seatings(), st.lists(st.sampled_from([1, 2, 3, 5, 7]), min_size=6, max_size=6))
def test_levelling_equals_enumeration(case: tuple[Seats, list[Job]], sizes: list[int]) -> None:
    """Of different loads the largest of a core is the least at that price, and its bound holds."""
    seats, jobs = case
    vectors = [
        Vector(load, {at: load * price for at, price in job.prices.items()})
        for job, load in zip(jobs, sizes, strict=False)
    ]
    found = seat(seats, [Job(vector.prices, [-1]) for vector in vectors])
    held = {core: 3 * core for core in sorted(set(seats.core))}
    every = [
        (
            sum(vector.prices[at] for vector, at in zip(vectors, taken, strict=True)),
            max(loads(vectors, seats, held, taken).values()),
        )
        for taken in product(*(sorted(vector.prices) for vector in vectors))
        if fits(seats, taken)
    ]
    assert (found.seats is None) == (not every)
    if found.seats is None:
        return
    begun = [row[0] for row in found.seats]
    least = bound(vectors, seats, held, begun)
    taken, proven = level(vectors, seats, held, begun, [-1] * len(vectors), least)
    price = sum(vector.prices[at] for vector, at in zip(vectors, taken, strict=True))
    most = max(loads(vectors, seats, held, taken).values())
    assert fits(seats, taken) and proven
    assert (price, most) == min(every)
    assert least <= most


def test_flow_gives_up_at_its_limit() -> None:
    """A search without time says that nothing is proven, and gives no seats."""
    found = seat(Seats([0], [1], [0]), [Job({0: 1}, [-1])], until=0.0)
    assert found.seats is None and not found.proven and not found.stuck
