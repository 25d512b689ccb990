"""Sets of PUs and NUMA nodes as Python integers: bit n stands for number n.

hwloc writes them as 32-bit hexadecimal words, most significant first (`0x00000001,,0x0000ffff`),
an infinite set with the prefix `0xf...f`; Linux writes the same words without `0x`, or lists
(`0-3,8`). An infinite set is a negative integer, which behaves as expected under `&`, `|` and `~`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from skb.wording import spans

# four times what a Linux kernel can be built for; a larger number is a fault, or wants our memory
NUMBER_LIMIT = 1 << 15
_LIST_LIMIT = 1 << 14
_SHORT = 512
_INFINITE = "0xf...f"
_DIGITS = frozenset("0123456789abcdefABCDEF")


def parse_words(text: str) -> int:
    """Read comma-separated hexadecimal words; raise `ValueError` where one is none."""
    # a file repeats most of its sets; long ones are not kept, so that no file can fill the memory
    return _parse_short(text) if len(text) <= _SHORT else _parse_words(text)


def _parse_words(text: str) -> int:
    text = text.strip()
    infinite = text.startswith(_INFINITE)
    if infinite:
        text = text[len(_INFINITE) :].removeprefix(",")
        if not text:
            return -1
    if (text.count(",") + 1) * 32 > NUMBER_LIMIT:
        raise ValueError(f"more than {NUMBER_LIMIT} bits")
    words = text.split(",")
    digits = [word[2:] if word[:2] == "0x" else word for word in words]
    joined = "".join([word.rjust(8, "0") for word in digits])
    if len(joined) != 8 * len(words) or not _DIGITS.issuperset(joined):
        wrong = next(w for w in digits if len(w) > 8 or not _DIGITS.issuperset(w))
        raise ValueError(f"{wrong[:20]!r} is not a 32-bit hexadecimal word")
    bits = int(joined, 16)
    return bits - (1 << 32 * len(words)) if infinite else bits


_parse_short = lru_cache(maxsize=8192)(_parse_words)


def parse_list(text: str) -> int:
    """Read a Linux list such as `0-3,8`, or an empty text; raise `ValueError` where it is none."""
    if len(text) > _LIST_LIMIT:
        raise ValueError(f"a list of {len(text)} characters")
    return _parse_list_short(text) if len(text) <= _SHORT else _parse_list(text)


def _parse_list(text: str) -> int:
    # binary digits, lowest first: a number of thousands of bits is not made anew for each range
    digits = bytearray()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not dash and not first.strip():
            continue
        low = int(first)
        high = int(last) if dash else low
        if not 0 <= low <= high < NUMBER_LIMIT:
            raise ValueError(f"{part.strip()[:20]!r} is not a range of numbers")
        if high >= len(digits):
            digits.extend(b"0" * (high + 1 - len(digits)))
        digits[low : high + 1] = b"1" * (high + 1 - low)
    return int(digits[::-1], 2) if digits else 0


_parse_list_short = lru_cache(maxsize=4096)(_parse_list)


def members(bits: int) -> Iterator[int]:
    """Yield the numbers of a finite set in ascending order."""
    digits = f"{bits:b}"[::-1]
    number = digits.find("1")
    while number >= 0:
        yield number
        number = digits.find("1", number + 1)


def to_list(bits: int) -> str:
    """Write a finite set as Linux does, such as `0-3,8`."""
    return spans(members(bits))
