"""Whether a crossover and flips are those of straight lines over the touched fraction."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import isclose
from typing import Any

TOLERANCE = 1e-9
# what a packet costs at a place, untouched, and what touching all of it adds
Lines = Mapping[str, tuple[int, int]]


def crossover_faults(lines: Lines, crossover: float | None) -> list[str]:
    """Evaluate the lines at 0, at the crossover and at 1; the best of lines is concave."""
    start = min(lines.values())

    def best(at: float) -> float:
        return min(fixed + slope * at for fixed, slope in lines.values())

    def first(at: float) -> float:
        return start[0] + start[1] * at

    if crossover is None:
        stays = isclose(best(1), first(1), rel_tol=TOLERANCE)
        return [] if stays else ["has a crossover, but none is given"]
    if not 0 < crossover < 1 or not isclose(best(crossover), first(crossover), rel_tol=TOLERANCE):
        return [f"does not keep its first node up to {crossover}"]
    meets = any(
        slope < start[1] and isclose(fixed + slope * crossover, first(crossover), rel_tol=TOLERANCE)
        for fixed, slope in lines.values()
    )
    return [] if meets else [f"does not flip at {crossover}"]


def flip_faults(lines: Lines, row: Mapping[str, Any]) -> list[str]:
    """Walk along the flips: each piece between two is the lower envelope of all lines."""

    def at(place: str, share: float) -> float:
        fixed, whole = lines[place]
        return fixed + whole * share

    flips = row["flips"]
    first = flips[0]["touched"] if flips else None
    if row["crossover"] != first:
        return [f"its first flip is at {first}, not at its crossover {row['crossover']}"]
    if unknown := {f[end] for f in flips for end in ("from_place", "to_place")} - set(lines):
        return [f"flips to or from places that it may not use: {sorted(unknown)}"]
    if any(_node(f[f"{end}_place"]) != f[end] for f in flips for end in ("from", "to")):
        return ["its flips name nodes that are not those of their places"]
    if any(a["to_place"] != b["from_place"] for a, b in pairwise(flips)):
        return ["its flips do not follow one another"]
    corners = [0.0, *(f["touched"] for f in flips), 1.0]
    if any(a > b for a, b in pairwise(corners)):
        return ["its flips are not in order between 0 and 1"]
    pieces = [f["from_place"] for f in flips] + [f["to_place"] for f in flips[-1:]]
    for place, (start, end) in zip(pieces, pairwise(corners), strict=bool(flips)):
        for share in (start, end):
            best = min(at(one, share) for one in lines)
            if not isclose(at(place, share), best, rel_tol=TOLERANCE):
                return [f"flips wrongly: {place} is not the best at {share}"]
    return []


def _node(place: str) -> int | None:
    number = place.rpartition("numa:")[2]
    return int(number) if "numa:" in place and number.isdigit() else None
