"""When the operations of an open load arrive: evenly, at random, or as they once did.

Times are computed before the run, in whole numbers only, so that they are the same everywhere.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal

from simulator.draws import draw
from simulator.errors import ScenarioError

Arrivals = Literal["even", "poisson"]
ARRIVALS = ("even", "poisson")

_COUNTER = 1 << 61
_BITS = 53
_PLACES = 40
_ONE = 1 << 62
_LN2 = 762123384786
"""The natural logarithm of 2 in units of 2 ** -40."""


def arrival_times(
    arrivals: Arrivals, count: int, interval_ps: int, burst: int, seed: int
) -> tuple[int, ...]:
    """Return so many times of arrival in picoseconds, ascending; `burst` of them are always equal.

    Bursts come every `interval_ps` from 0 on, or, as a Poisson process, after gaps that are
    exponentially distributed with that mean, the first one included.
    """
    bursts = -(-count // burst)
    if arrivals == "even":
        begins: Iterator[int] = iter(range(0, bursts * interval_ps, interval_ps))
    else:
        begins = accumulate(exponential(interval_ps, seed, at) for at in range(bursts))
    return tuple(begin for begin in begins for _ in range(burst))[:count]


def require_arrivals(
    arrivals: Arrivals,
    interval_ps: int | None,
    burst: int,
    times_ps: Sequence[int],
    operations: int,
) -> None:
    """Raise `ScenarioError` for an open load that contradicts itself."""
    if interval_ps is None and (arrivals != "even" or burst > 1):
        raise ScenarioError("arrivals and burst are of an open load: say how often operations come")
    if times_ps and interval_ps is not None:
        raise ScenarioError("give interval_ps or arrivals_ps, not both")
    if times_ps and len(times_ps) < operations:
        raise ScenarioError(f"arrivals_ps has {len(times_ps)} times for {operations}")
    if any(later < time for time, later in zip((0, *times_ps), times_ps, strict=False)):
        raise ScenarioError("arrivals_ps must ascend from 0")


def exponential(mean: int, seed: int, number: int) -> int:
    """Return an exponentially distributed number with a mean, rounded: - mean x ln(u).

    u is a draw from (0, 1], of 53 bits.
    """
    chance = draw(seed, _COUNTER + number, 1 << _BITS) + 1
    product = mean * minus_log2(chance, _BITS) * _LN2
    return (product + (1 << (2 * _PLACES - 1))) >> (2 * _PLACES)


def minus_log2(number: int, bits: int) -> int:
    """Return - log2(number / 2 ** bits) in units of 2 ** -40, by repeated squaring.

    For a number from 1 to 2 ** bits (D. Knuth, "The Art of Computer Programming", volume 1,
    section 1.2.2: the binary digits of a logarithm, one by one).
    """
    whole = number.bit_length() - 1
    rest = number * _ONE >> whole
    log = 0
    for _ in range(_PLACES):
        rest = rest * rest >> 62
        log <<= 1
        if rest >= 2 * _ONE:
            rest >>= 1
            log += 1
    return ((bits - whole) << _PLACES) - log
