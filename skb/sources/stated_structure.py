"""The structure that a user states beside a table, in hwloc's synthetic notation."""

from __future__ import annotations

import re

from skb.errors import DescriptionError
from skb.relations import Fact, Source
from skb.sources.native_structure import Structure
from skb.sources.pair_table import PairTable
from skb.wording import spans

_INDEXES = re.compile(r"\bpu:(\d+)\(indexes=([\d,]+)\)\s*$", re.IGNORECASE)


def mismatch(what: str, table: PairTable, other: str, pus: tuple[int, ...]) -> DescriptionError:
    """The error for a table and something else that are about different PUs."""
    more, less = sorted(set(table.pus) - set(pus)), sorted(set(pus) - set(table.pus))
    words = [f"{what} has {len(table.pus)} PUs, {other} {len(pus)}"]
    if more:
        words.append(f"only the first names {spans(more)[:80]}")
    if less:
        words.append(f"only the second names {spans(less)[:80]}")
    return DescriptionError(
        "; ".join(words), place=table.place, mend="give tables of one machine, and its structure"
    )


def stated_structure(tree: str, table: PairTable) -> list[Fact]:
    """Return the containment that hwloc's synthetic notation states, none where it is empty.

    PUs that it leaves out are added, one for each leaf. Raises `DescriptionError` where the
    notation cannot be read, or its PUs are not those of the table.
    """
    tree = tree.strip()
    if not tree:
        return []
    numbers: list[int] | None = None
    if match := _INDEXES.search(tree):
        numbers = [int(word) for word in match[2].split(",") if word]
        tree = f"{tree[: match.start()]}pu:{match[1]}"
    if not re.search(r"\bpu\]?:\d+\s*$", tree, re.IGNORECASE):
        tree = f"{tree} pu:1"
    structure = Structure("--structure")
    structure.grow("machine:0", tree, "depth-first", "tree")
    grown = structure.take()
    own = [child for _parent, child in grown if child.startswith("pu:")]
    if numbers is not None and (len(numbers) != len(own) or len(set(numbers)) != len(own)):
        raise DescriptionError(
            f"{len(numbers)} indexes for {len(own)} PUs, or one of them twice",
            place="--structure",
            mend="give one OS index for each PU in their order: pu:2(indexes=0,4,1,5)",
        )
    names = dict(zip(own, (f"pu:{at}" for at in numbers or range(len(own))), strict=True))
    pus = tuple(sorted(numbers or range(len(own))))
    if pus != table.pus:
        raise mismatch(table.by, table, "--structure has", pus)
    said = (Source.ASSERTED.value, "--structure")
    return [Fact("contains", (parent, names.get(child, child)), *said) for parent, child in grown]
