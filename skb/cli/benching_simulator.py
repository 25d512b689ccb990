"""The command `bench simulator`: engines, validation against hardware, safety under faults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from skb.cli.benching_shown import Progress, Shown, known_suite
from skb.cli.output import Json

WIDE = 14


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("simulator")(simulator)


def simulator(
    suite: Annotated[
        str,
        typer.Option(
            help="engines, arms, validation, spaces, sweep, planted, faults, all, or quick: all "
            "but the last two, which take minutes."
        ),
    ] = "all",
    plans: Annotated[
        int, typer.Option(min=1, help="Random fault plans of the suite faults, over all protocols.")
    ] = 1_000_000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default as many as there are PUs.")
    ] = None,
    c_engine: Annotated[
        Path | None,
        typer.Option(help="An engine in C with the interface of the one that is compared."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the simulator: speed, deviation from hardware, safety under random faults.

    Engines are compared on one workload on which all must find the same latencies. A whole run
    takes about half an hour.

    Example: skb bench simulator --suite quick
    """
    from skb.benching.simulator import SUITES, TITLES, Size, rows

    if suite == "quick":
        chosen = [name for name, row in SUITES.items() if not row.long]
    else:
        chosen = known_suite(suite, SUITES)
    size = Size(plans, workers or len(os.sched_getaffinity(0)), c_engine)
    shown = Shown(TITLES, json, WIDE)
    with Progress(len(chosen)) as progress:
        progress.clear()
        shown.begin()
        for name in chosen:
            progress.next(name)
            progress.engine("row 1")
            for count, row in enumerate(rows(name, size), 2):
                progress.clear()
                shown.add(row)
                progress.engine(f"row {count}")
            progress.clear()
    shown.end()
