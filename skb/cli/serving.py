"""The command `serve`: REST and the page."""

from __future__ import annotations

from typing import Annotated

import typer

from skb.cli.output import Database


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8421,
    db: Database = None,
) -> None:
    """Serve the REST API and the page on loopback until interrupted.

    Example: skb serve --port 8421
    """
    from api.serve import run

    run(db, host=host, port=port)
