"""What the inference gives back: levels of groups, each with a confidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """One level: groups of PUs that are alike, as indices into the matrix.

    `kind` is "core", "l3", "package", or "group" where numbers cannot tell; `name_confidence` is
    a judgement about the kind, `confidence` the share of such levels whose groups are all right
    (counted on simulated machines). `latency` is the median between PUs of a group that no inner
    level holds together, `outside` the median to the nearest other group, both in the unit of the
    matrix. A PU that is in no group of this level stands alone: groups cover all PUs, some may have
    one.
    """

    kind: str
    groups: tuple[tuple[int, ...], ...]
    latency: float
    outside: float
    confidence: float
    name_confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class Structure:
    """Levels from the innermost outwards; each nests in the next.

    `graded` says that the distances above the outermost level follow position, as on a mesh or
    ring, without groups. `odd` are disturbed PUs, slower than their like by a factor; `alone` those
    without a value.
    """

    levels: tuple[Level, ...]
    graded: bool
    notes: tuple[str, ...]
    odd: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
