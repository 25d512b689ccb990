"""Sets of PUs and NUMA nodes as Python integers: bit n stands for number n.

hwloc writes them as 32-bit hexadecimal words, most significant first (`0x00000001,,0x0000ffff`),
an infinite set with the prefix `0xf...f`; Linux writes the same words without `0x`, or lists
(`0-3,8`). An infinite set is a negative integer, which behaves as expected under `&`, `|` and `~`.
"""

from __future__ import annotations

from collections.abc import Iterator

# no Linux kernel numbers CPUs or nodes beyond this; a larger number in a list is a fault
NUMBER_LIMIT = 1 << 20
_INFINITE = "0xf...f"


def parse_words(text: str) -> int:
    """Read comma-separated hexadecimal words; raise `ValueError` where one is none."""
    words = text.strip().split(",")
    infinite = words[0] == _INFINITE
    if infinite:
        words = words[1:]
    if len(words) * 32 > NUMBER_LIMIT:
        raise ValueError(f"more than {NUMBER_LIMIT} bits")
    digits = "".join(_word(word) for word in words)
    bits = int(digits, 16) if digits else 0
    return bits - (1 << 32 * len(words)) if infinite else bits


def _word(word: str) -> str:
    digits = word[2:] if word.startswith("0x") else word
    if len(digits) > 8 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise ValueError(f"{word[:20]!r} is not a 32-bit hexadecimal word")
    return digits.rjust(8, "0")


def parse_list(text: str) -> int:
    """Read a Linux list such as `0-3,8`, or an empty text; raise `ValueError` where it is none."""
    bits = 0
    for part in text.strip().split(","):
        if not part.strip():
            continue
        first, _, last = part.strip().partition("-")
        low, high = int(first), int(last or first)
        if not 0 <= low <= high < NUMBER_LIMIT:
            raise ValueError(f"{part.strip()[:20]!r} is not a range of numbers")
        bits |= (1 << high + 1) - (1 << low)
    return bits


def members(bits: int) -> Iterator[int]:
    """Yield the numbers of a finite set in ascending order."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def to_list(bits: int) -> str:
    """Write a finite set as Linux does, such as `0-3,8`."""
    ranges: list[list[int]] = []
    for number in members(bits):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)
