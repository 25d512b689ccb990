"""Sets of numbers as hwloc and NCCL write them: 32-bit hexadecimal words, the highest first."""

from __future__ import annotations

from collections.abc import Iterable


def bits_of(numbers: Iterable[int]) -> int:
    """Return the set as an integer, bit n for number n."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def words(bits: int) -> list[str]:
    """Return the words of eight digits, at least one."""
    count = max(1, (bits.bit_length() + 31) // 32)
    digits = f"{bits:0{8 * count}x}"
    return [digits[at : at + 8] for at in range(0, len(digits), 8)]


def hwloc_set(bits: int) -> str:
    """Return a bitmap as hwloc prints it: `0x000000ff,0xffff0000`, and `0x0` for an empty one."""
    return ",".join(f"0x{word}" for word in words(bits)) if bits else "0x0"


def lowest(bits: int) -> int:
    """Return the lowest number of a set, -1 of an empty one."""
    return (bits & -bits).bit_length() - 1
