"""Small Barrelfish fact files, and what to ask of their descriptions."""

from __future__ import annotations

from collections import Counter

from skb.sources import read
from skb.sources.description import Description, TableOptions
from tests.sources.samples import parents

ROOT = "rootbridge(addr(0,0,0), childbus(0,9), mem(4096, 8191)).\n"
NIC = "device(pcie, addr(0,3,0), 32902, 4221, 2, 0, 0, 1).\n"


def described(text: str, options: TableOptions | None = None) -> Description:
    return read(text.encode(), "board.facts", options)


def kinds(description: Description) -> Counter[str]:
    return Counter(name.partition(":")[0] for name in parents(description))


def told(description: Description, *words: str) -> bool:
    """Whether one note has all the words."""
    return any(all(word in note for word in words) for note in description.notes)
