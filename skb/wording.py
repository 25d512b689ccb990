"""How numbers of things, sets of whole numbers and long lists are written for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted(number: int, noun: str) -> str:
    """Write a number of things: `1 PU`, `2 PUs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], most: int) -> str:
    """Write the first names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def spans(numbers: Iterable[int]) -> str:
    """Write whole numbers as Linux does, in ranges: `0-3,8`."""
    found: list[list[int]] = []
    for value in sorted(numbers):
        if found and value == found[-1][1] + 1:
            found[-1][1] = value
        else:
            found.append([value, value])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def led(pus: Sequence[int]) -> str:
    """Write PUs in ranges, with the first one in front where it is not the lowest: `7,1-3`."""
    return spans(pus) if not pus or pus[0] == min(pus) else f"{pus[0]},{spans(pus[1:])}"
