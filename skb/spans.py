"""How sets of whole numbers are written: as Linux does, in ranges."""

from __future__ import annotations

from collections.abc import Iterable


def spans(numbers: Iterable[int]) -> str:
    """Write whole numbers as ranges: `0-3,8`."""
    found: list[list[int]] = []
    for value in sorted(numbers):
        if found and value == found[-1][1] + 1:
            found[-1][1] = value
        else:
            found.append([value, value])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
