"""The group of commands that measure on this host: `skb bench QUESTION`."""

from __future__ import annotations

import typer

from skb.cli import (
    benching_decisions,
    benching_placement,
    benching_routing,
    benching_simulator,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module, one for each question that has a benchmark."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    modules = (benching_placement, benching_routing, benching_decisions, benching_simulator)
    for module in modules:
        module.register(group)
    app.add_typer(group, name="bench", help="Measure on this host how good and how fast we are.")
