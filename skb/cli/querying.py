"""The command that lists the named queries: queries."""

from __future__ import annotations

from typing import Annotated

import typer

from skb.cli.output import Json, print_json, table


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("queries")(queries)


def queries(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="All of them as a page of the docs.")
    ] = False,
    json: Json = False,
) -> None:
    """List the named queries with their parameters; `skb ask query M --named NAME` asks one.

    Example: skb queries cores-near-device
    """
    from skb.named import named, named_queries, reference_page, to_json

    if markdown:
        print(reference_page(), end="")
        return
    found = list(named_queries().values()) if name is None else [named(name)]
    if json:
        print_json([to_json(one) for one in found])
        return
    if name is None:
        table(
            ["name", "question", "parameters"],
            [[q.name, q.question, ", ".join(p.signature for p in q.parameters)] for q in found],
        )
        return
    one = found[0]
    print(f"{one.name}: {one.question}")
    table(
        ["parameter", "type", "default", "meaning"],
        [
            [p.name, "|".join(p.words) if any(p.words) else p.type, p.default or "-", p.meaning]
            for p in one.parameters
        ],
    )
    print(f"rows of {', '.join(column.name for column in one.columns)}: {one.meaning}")
    for line in (f"ties: {one.ties}" if one.ties else "", *one.notes):
        if line:
            print(line)
