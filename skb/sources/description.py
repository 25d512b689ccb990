"""What every source gives: the facts of one machine, read from one description."""

from __future__ import annotations

from dataclasses import dataclass

from skb.relations import Fact


@dataclass(frozen=True, slots=True)
class Description:
    """Facts about one machine as one description states them.

    `name` is the machine's name as the description gives it, or empty; `format` the recognised
    format; `notes` are things that the reader should know, such as a matrix that covers only some
    objects.
    """

    name: str
    format: str
    facts: tuple[Fact, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
