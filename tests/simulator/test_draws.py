"""Counter-based random numbers."""

from simulator.draws import draw, splitmix64


def test_splitmix64_gives_the_published_sequence() -> None:
    """The first output of the reference generator seeded with 0 (S. Vigna, splitmix64.c)."""
    assert splitmix64(0) == 0xE220A8397B1DCDAF


def test_draw_depends_on_seed_and_number_only() -> None:
    """The same counter gives the same number, near seeds give other sets of numbers."""
    first = [draw(0, issue, 1 << 40) for issue in range(64)]
    assert first == [draw(0, issue, 1 << 40) for issue in range(64)]
    assert not set(first) & {draw(1, issue, 1 << 40) for issue in range(64)}


def test_draw_is_even_enough() -> None:
    """Each of ten values comes about a tenth of the time."""
    counts = [0] * 10
    for issue in range(10_000):
        counts[draw(7, issue, 10)] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
