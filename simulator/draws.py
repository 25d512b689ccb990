"""Random numbers by counter, so that a draw depends on the seed and its number, never on the order.

splitmix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014.
"""

from functools import lru_cache

_WORD = (1 << 64) - 1


def splitmix64(number: int) -> int:
    """Mix the low 64 bits of a number into 64 bits that look random."""
    number = (number + 0x9E3779B97F4A7C15) & _WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _WORD
    return number ^ (number >> 31)


def draw(seed: int, issue: int, bound: int) -> int:
    """Return draw number `issue` of a seed, from 0 to `bound` - 1.

    The seed is mixed once before it meets the issue number: seeds 0 and 1 would otherwise give the
    same numbers with neighbours swapped.
    """
    return splitmix64(_mixed(seed) ^ issue) % bound


@lru_cache(maxsize=64)
def _mixed(seed: int) -> int:
    return splitmix64(seed)
