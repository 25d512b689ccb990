"""What all commands share: their options, JSON on stdout, tables, and progress on stderr."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 120  # of tables where stdout is no terminal
NARROWEST = 40  # tables in narrower terminals run over their edge

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Database = Annotated[
    str | None,
    typer.Option("--db", metavar="URL", help="Database; default SKB_DB or the user's data folder."),
]
MachineName = Annotated[
    str, typer.Argument(metavar="M", help="A stored or bundled machine, or a description's path.")
]

StoredName = Annotated[str, typer.Argument(metavar="M", help="A stored machine.")]
ChangedName = Annotated[str, typer.Argument(metavar="M", help="A stored or bundled machine.")]


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=not _unicode()))


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a plain table on stdout; numbers go to the right."""
    rows = list(rows)
    right = [
        any(isinstance(row[at], int | float) for row in rows)
        and all(row[at] is None or isinstance(row[at], int | float) for row in rows)
        for at in range(len(columns))
    ]
    texts = [[_printable(str(cell(value))) for value in row] for row in rows]
    terminal = sys.stdout.isatty()
    # blanks around and between the columns
    found = widths(columns, texts, room() - 3 * len(columns) - 1)
    whole = sum(found) + 3 * len(columns) - 1
    bold, plain = ("\x1b[1m", "\x1b[0m") if terminal else ("", "")
    print(" " * (whole + 2))
    for line in _lines(columns, found, right):
        print(f"{bold}{line}{plain}")
    print(f" {('─' if _unicode() else '-') * whole} ")
    for row in texts:
        print("\n".join(_lines(row, found, right)))
    print(" " * (whole + 2))


def room() -> int:
    """Return how many columns of characters a table may take."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(NARROWEST, shutil.get_terminal_size().columns)


def _printable(text: str) -> str:
    """Return a text without what could move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _lines(row: Sequence[str], found: Sequence[int], right: Sequence[bool]) -> list[str]:
    """Return the lines of one row, each cell broken to the width of its column."""
    cells = [_broken(text, width) for text, width in zip(row, found, strict=True)]
    lines: list[str] = []
    for parts in zip_longest(*cells, fillvalue=""):
        shown = []
        for text, width, to_right in zip(parts, found, right, strict=True):
            blanks = " " * (width - _wide(text))
            shown.append(f" {blanks}{text} " if to_right else f" {text}{blanks} ")
        lines.append(f" {' '.join(shown)} ")
    return lines


def _broken(text: str, width: int) -> list[str]:
    """Break a text between words, and words that are too long anywhere."""
    if _wide(text) <= width:
        return [text]
    from rich.text import Text

    lines = Text(text).wrap(_console(), width, overflow="fold")
    return [line.plain.rstrip() for line in lines]


@cache
def _console() -> Console:
    from rich.console import Console

    return Console()


def _wide(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def widths(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return how wide columns are: as their content where it fits, else broken between words.

    Only where even the longest words do not fit are words broken, those of the first column last:
    people copy its names.
    """
    lines = [[name, *(row[at] for row in rows)] for at, name in enumerate(columns)]
    found = [max(1, min(room, max(map(_wide, column)))) for column in lines]
    words = [max(_wide(word) for text in column for word in text.split() or [""])
             for column in lines]  # fmt: skip
    some = [1] * len(columns)
    for least in (words, [max(1, min(words[0], room // 2)), *some[1:]], some):
        while sum(found) > room:
            wide = [at for at, width in enumerate(found) if width > least[at]]
            if not wide:
                break
            found[max(wide, key=found.__getitem__)] -= 1
    return found


def cell(value: object) -> Any:
    """Return a value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return value


def number(value: float | None) -> str:
    """Write a number with thousands separated and at most three decimals."""
    if value is None:
        return "-"
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text or "0"


def size(count: int) -> str:
    """Write a number of bytes in binary units."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"


def say(text: str) -> None:
    """Print a line for people on stderr."""
    print(text, file=sys.stderr)


def save(text: str, path: Path, option: str = "-o") -> None:
    """Write a file that an option names; a fault becomes one clear error."""
    from skb.errors import SkbError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise SkbError(
            f"cannot be written: {fault.strerror}",
            place=str(path),
            mend=f"give another {option} FILE",
        ) from fault
