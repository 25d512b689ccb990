"""The command that takes facts out: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skb.cli.knowing import row_of
from skb.cli.output import Database, MachineName, number, save, say
from skb.errors import SkbError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("export")(export)


def export(
    m: MachineName,
    to: Annotated[str, typer.Option(help="native or json.")] = "native",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
    db: Database = None,
) -> None:
    """Write a machine's facts in another format; native reads back to the same facts.

    Example: skb export tyan-s4985 --to native -o tyan.toml
    """
    from skb.knowledge import KnowledgeBase

    machine = KnowledgeBase.open(db).machine(m)
    if to == "native":
        from skb.sources import native

        text = native.write(machine)
    elif to == "json":
        import json as writer

        rows = [row_of(fact) for fact in machine.facts]
        text = writer.dumps({**machine.summary(), "facts": rows}, indent=2, ensure_ascii=False)
    else:
        raise SkbError(f"cannot export to {to!r}", mend="native or json")
    if output is None:
        print(text)
    else:
        save(text, output)
        say(f"{output}: {number(len(text))} characters")
