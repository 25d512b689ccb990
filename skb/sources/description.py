"""What every source gives: the facts of one machine, read from one description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skb.errors import DescriptionError
from skb.relations import Fact

if TYPE_CHECKING:
    from skb.sources.link_tables import LinkTables


@dataclass(frozen=True, slots=True)
class Description:
    """Facts about one machine as one description states them.

    `name` is the machine's name as the description gives it, or empty; `format` the recognised
    format; `notes` are things that the reader should know, such as a matrix that covers only some
    objects. `partial` is true where the format may well describe no PU, only parts to merge.
    `tables` are forwarding tables, which become facts once it is known of which machine.
    """

    name: str
    format: str
    facts: tuple[Fact, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    partial: bool = False
    tables: LinkTables | None = None

    def check_whole(self, place: str = "") -> None:
        """Raise `DescriptionError` where this describes no machine, only tables of one."""
        if self.tables is not None and not self.facts:
            raise DescriptionError(
                "these are tables alone, of a machine that they do not describe",
                place=place or self.format,
                mend="add them to the machine: skb import FILE --name M --merge",
            )


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How to read tables that state no unit and no structure.

    `unit` is `ns`, `cycles`, or empty where nobody said; `clock_mhz` turns cycles into time;
    `structure` is hwloc's synthetic notation, such as `numa:8 core:4`.
    """

    unit: str = ""
    clock_mhz: float | None = None
    structure: str = ""
