"""Options of `skb import` for tables of numbers, and how they go with other descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skb.errors import SkbError

if TYPE_CHECKING:
    from skb.sources.description import Description, TableOptions

Send = Annotated[
    Path | None,
    typer.Option("--send", metavar="TABLE", help="What a message costs its sender, by pair."),
]
Receive = Annotated[
    Path | None,
    typer.Option("--receive", metavar="TABLE", help="What a message costs its receiver, by pair."),
]
RoundTrip = Annotated[
    Path | None, typer.Option("--rtt", metavar="TABLE", help="Round trips, by pair.")
]
Structure = Annotated[
    str,
    typer.Option(
        "--structure",
        metavar="TREE",
        help="What tables measure, such as 'numa:8 core:4' or 'package:2 pu:2(indexes=0,2,1,3)'.",
    ),
]
Unit = Annotated[
    str, typer.Option("--unit", metavar="ns|cycles", help="Unit of tables; ns if not said.")
]
Clock = Annotated[
    float | None, typer.Option("--clock-mhz", metavar="MHZ", help="Clock of tables in cycles.")
]


def read_found(
    files: Sequence[Path], roles: Mapping[str, Path | None], options: TableOptions
) -> list[tuple[Path, Description]]:
    """Read every file and the tables with roles (`send`, `receive`, `rtt`) as one description more.

    The options are for the tables with roles, where there are any. Raises `SkbError` where there is
    nothing to read, or the options could mean several tables.
    """
    from skb.sources import TABLE_FORMATS, read_path, read_tables
    from skb.sources.description import TableOptions as Options

    tables = {role: path for role, path in roles.items() if path is not None}
    if not files and not tables:
        raise SkbError("nothing to import", mend="give a FILE, or tables with --send and --receive")
    found = [(path, read_path(path, None if tables else options)) for path in files]
    if not tables:
        return found
    for path, description in found:
        if description.format in TABLE_FORMATS and options != Options():
            raise SkbError(
                "the options are for --send, --receive and --rtt, this is one more table",
                place=str(path),
                mend="import it by itself, with --merge",
            )
    return [*found, (next(iter(tables.values())), read_tables(tables, options))]
