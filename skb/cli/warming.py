"""The command `warm`: compile ahead what a first large request would compile beside its search."""

from __future__ import annotations

import time
from typing import Any

import typer

from skb.cli.output import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("warm")(warm)


def warm(json: Json = False) -> None:
    """Compile the kernels of search, measurements and simulator ahead, and say how long it took.

    Example: skb warm
    """
    from skb.engines import compiling_simulator
    from skb.engines.compiling import compile_now
    from skb.errors import SkbError
    from skb.probe.atomics import compiled

    seconds, folder = compile_now()
    kernels: list[dict[str, Any]] = [
        {"kernels": "search", "seconds": round(seconds, 3), "kept": folder or None}
    ]
    begun = time.monotonic()
    try:
        compiled()
        kernels.append({"kernels": "measurements", "seconds": round(time.monotonic() - begun, 3)})
    except SkbError as fault:  # a processor without these instructions can still search
        kernels.append({"kernels": "measurements", "seconds": None, "why": str(fault)})
    try:
        kernels.append(
            {"kernels": "simulator", "seconds": round(compiling_simulator.compile_now(), 3)}
        )
    except SkbError as fault:  # it runs on its plain engine too
        kernels.append({"kernels": "simulator", "seconds": None, "why": str(fault)})
    if json:
        print_json(kernels)
        return
    for row in kernels:
        took = row["seconds"]
        typer.echo(f"{row['kernels']:<14}" + (row["why"] if took is None else f"{took:.1f} s"))
    typer.echo(f"kept in {folder}" if folder else "kept nowhere: no cache folder can be written")
