"""What all commands share: their options, JSON on stdout, tables, and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Database = Annotated[
    str | None,
    typer.Option("--db", metavar="URL", help="Database; default SKB_DB or the user's data folder."),
]
MachineName = Annotated[
    str, typer.Argument(metavar="M", help="A stored or bundled machine, or a description's path.")
]


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a plain table on stdout; numbers go to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    shown = [[cell(value) for value in row] for row in rows]
    numeric = [
        any(isinstance(row[i], int | float) for row in rows)
        and all(row[i] is None or isinstance(row[i], int | float) for row in rows)
        for i in range(len(columns))
    ]
    grid = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    for name, right in zip(columns, numeric, strict=True):
        grid.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in shown:
        grid.add_row(*(Text(str(value)) for value in row))
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 120
    console.print(grid)


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


def spans(numbers: Iterable[int]) -> str:
    """Write whole numbers as ranges: `0-3,8`."""
    found: list[list[int]] = []
    for value in sorted(numbers):
        if found and value == found[-1][1] + 1:
            found[-1][1] = value
        else:
            found.append([value, value])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def say(text: str) -> None:
    """Print a line for people on stderr."""
    print(text, file=sys.stderr)


def save(text: str, path: Path) -> None:
    """Write a file; a fault becomes one clear error."""
    from skb.errors import SkbError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise SkbError(
            f"cannot be written: {fault.strerror}", place=str(path), mend="give another -o FILE"
        ) from fault
