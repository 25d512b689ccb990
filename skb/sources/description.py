"""What every source gives: the facts of one machine, read from one description."""

from __future__ import annotations

from dataclasses import dataclass

from skb.relations import Fact


@dataclass(frozen=True, slots=True)
class Description:
    """Facts about one machine as one description states them.

    `name` is the machine's name as the description gives it, or empty; `format` the recognised
    format; `notes` are things that the reader should know, such as a matrix that covers only some
    objects. `partial` is true where the format may well describe no PU, only parts to merge.
    """

    name: str
    format: str
    facts: tuple[Fact, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How to read tables that state no unit and no structure.

    `unit` is `ns`, `cycles`, or empty where nobody said; `clock_mhz` turns cycles into time;
    `structure` is hwloc's synthetic notation, such as `numa:8 core:4`.
    """

    unit: str = ""
    clock_mhz: float | None = None
    structure: str = ""
