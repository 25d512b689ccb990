"""The containment tree: every part hangs under one that is there, and nothing inside itself."""

from __future__ import annotations

from collections.abc import Mapping

from skb.errors import ContradictionError

ROOT = "machine:0"
CPU_KINDS = frozenset(
    (
        *("machine", "package", "die", "group", "core", "pu"),
        *("l5", "l4", "l3", "l3i", "l2", "l2i", "l1d", "l1i"),
    )
)
MEMORY_KINDS = frozenset({"numa", "memcache"})
IO_KINDS = frozenset({"bridge", "pci", "device"})
# a part lies within few others; what nests deeper is a slip, or meant to cost time
NESTING_LIMIT = 100
_OUTER = frozenset({"machine", "package", "die", "core"})


def kind_of(name: str) -> str:
    return name.partition(":")[0]


def check_containment(parents: Mapping[str, str], place: str) -> None:
    """Raise `ContradictionError` unless parents make a tree below `machine:0`."""
    _check_chains(parents, place)
    for child, parent in parents.items():
        around, inside = kind_of(parent), kind_of(child)
        if (around == "pu" and inside != "misc") or (around == "core" and inside in _OUTER):
            raise ContradictionError(
                f"{child} cannot be inside {parent}", place=place, mend="mend contains"
            )
    if ROOT in parents:
        raise ContradictionError("machine:0 has a parent", place=place)


def _check_chains(parents: Mapping[str, str], place: str) -> None:
    depths = {ROOT: 0}
    for child in parents:
        chain = []
        at = child
        while at not in depths:
            if at not in parents:
                raise ContradictionError(
                    f"{child} hangs under {at}, which has no parent",
                    place=place,
                    mend=f"add contains(PARENT, {at})",
                )
            depths[at] = -1
            chain.append(at)
            at = parents[at]
        if depths[at] < 0:
            raise ContradictionError(
                f"{child} contains itself", place=place, mend="break the circle"
            )
        depth = depths[at] + len(chain)
        if depth > NESTING_LIMIT:
            raise ContradictionError(
                f"{child} is nested deeper than {NESTING_LIMIT} parts",
                place=place,
                mend="mend contains",
            )
        depths.update(zip(chain, range(depth, depths[at], -1), strict=True))
