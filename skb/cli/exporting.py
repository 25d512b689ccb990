"""The command that takes facts out: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skb.cli.output import Database, MachineName, number, save, say


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("export")(export)


def export(
    m: MachineName,
    to: Annotated[str, typer.Option(help="native, json, asp, hwloc, nccl or dot.")] = "native",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
    db: Database = None,
) -> None:
    """Write a machine's facts in another format; native reads back to the same facts.

    Example: skb export tyan-s4985 --to hwloc -o tyan.xml
    """
    from skb.exports import export as write
    from skb.knowledge import KnowledgeBase

    made = write(KnowledgeBase.open(db).machine(m), to)
    if output is None:
        print(made.text, end="")
    else:
        save(made.text, output)
        say(f"{output}: {number(len(made.text))} characters")
    for note in made.notes:
        say(f"note: {note}")
