"""The text of an MCTOP file: its header, and its sections in whatever order they come.

Format: `print_lat_table` and its like in mctop's `src/mctop.c`, read by `src/mctop_load.c`. A
header may be glued to the end of the line before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from skb.errors import DescriptionError
from skb.sources.table_text import PU_LIMIT

HEADER = re.compile(r"#(\S*)\s+#HWCs\s+(\d{1,9})\s+#Nodes\s+(\d{1,9})(?:\s+SMT\s+(\d))?\s*$")
PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section: its number in the file, and its text without blanks at the ends."""

    number: int
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


@dataclass(frozen=True, slots=True)
class MctopFile:
    """A file in sections; the table of pairs is the section `pairs`, the others have their names.

    `smt` is None where the header does not say.
    """

    host: str
    contexts: int
    nodes: int
    smt: bool | None
    sections: dict[str, list[Line]]
    notes: tuple[str, ...]


def split(text: str, place: str) -> MctopFile:
    """Split a file into its sections; raises `DescriptionError` with the line of the fault."""
    sections: dict[str, list[Line]] = {}
    notes: list[str] = []
    head: re.Match[str] | None = None
    at: list[Line] | None = None
    for number, line in _lines(text, notes):
        if not line.startswith("#"):
            if at is None:
                raise _fault("a number comes before any header", place, number)
            at.append(Line(number, line))
            continue
        title = line[1:].split()[0] if line[1:].split() else ""
        if (match := HEADER.match(line)) is not None:
            if head is not None:
                raise _fault("a second header of a machine", place, number)
            head, title = match, PAIRS
        if title in sections:
            notes.append(f"line {number}: a second section #{title} is left out")
            title = f"{title} of line {number}"
        at = sections.setdefault(title, [])
    if head is None:
        raise _fault("the header of the machine is missing", place, 1)
    contexts, nodes = int(head[2]), int(head[3])
    if not 1 <= contexts <= PU_LIMIT or not 1 <= nodes <= contexts:
        raise DescriptionError(
            f"{contexts} contexts on {nodes} nodes cannot be",
            place=place,
            mend=f"at most {PU_LIMIT} contexts are read, one or more for each node",
        )
    smt = None if head[4] is None else head[4] != "0"
    return MctopFile(head[1][:200], contexts, nodes, smt, sections, tuple(notes))


def _lines(text: str, notes: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines without blanks at the ends; a header inside a line begins one of its own."""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("##"):
            continue
        if "#" in line[1:] and not line.startswith("#"):
            before, _, after = line.partition("#")
            yield number, before.strip()
            line = f"#{after}"
            notes.append(
                f"line {number}: the header {line.split()[0][:40]} is glued to the end of the line "
                "before, read as a header"
            )
        yield number, line


def _fault(text: str, place: str, number: int) -> DescriptionError:
    return DescriptionError(
        text,
        place=f"{place}:{number}",
        mend="give the file as mctop wrote it: #HOST #HWCs N #Nodes K SMT 0",
    )


def cells(
    lines: list[Line], sizes: tuple[int, int], place: str
) -> Iterator[tuple[Line, int, int, float]]:
    """Yield `row column value` lines as numbers, checked against the number of rows and columns."""
    for line in lines:
        words = line.words
        try:
            row, column, value = int(words[0]), int(words[1]), float(words[2])
        except (ValueError, IndexError) as fault:
            raise _cell(line, "is no row, column and number", place) from fault
        if len(words) > 3 or not 0 <= value < 1e15:
            raise _cell(line, "is no row, column and number from 0", place)
        if not (0 <= row < sizes[0] and 0 <= column < sizes[1]):
            raise _cell(line, f"lies outside {sizes[0]} rows and {sizes[1]} columns", place)
        yield line, row, column, value


def _cell(line: Line, text: str, place: str) -> DescriptionError:
    return DescriptionError(
        f"{line.text[:60]!r} {text}",
        place=f"{place}:{line.number}",
        mend="give the file as mctop wrote it",
    )
