"""The command `bench decisions`: buffers, replicas, PCI windows, interrupts and power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skb.cli.benching_shown import Limit, Progress, Shown, known_suite
from skb.cli.output import Database, Json, say

if TYPE_CHECKING:
    from skb.machine import Machine

# bytes of an address space, and fractions of a millisecond
WIDE, DIGITS = 19, 4


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("decisions")(decisions)


def decisions(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MACHINE...]",
            help="Machines or descriptions for the suites pci (PCI trees, such as a file of "
            "Barrelfish facts) and interrupts (NICs and disks); absent = bundled and random ones.",
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="buffers, replicas, pci, interrupts, power, or all.")
    ] = "all",
    limit: Limit = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Decide buffers, replicas, PCI windows, interrupts and power; value, bound, gap and time.

    A checker that knows no engine judges every answer, and other programs find the value again
    where they can. A whole run takes about a minute.

    Example: skb bench decisions --suite pci
    """
    from skb.benching.decisions import TITLES, rows, warm

    chosen = _chosen(suite, paths or [], db)
    shown = Shown(TITLES, json, WIDE, DIGITS)
    with Progress(len(chosen)) as progress:
        warm()
        progress.clear()
        shown.begin()
        for name, machines in chosen.items():
            progress.next(name)
            progress.engine("row 1")
            for count, row in enumerate(rows(name, machines, limit), 2):
                progress.clear()
                shown.add(row)
                progress.engine(f"row {count}")
            progress.clear()
    shown.end()


def _chosen(suite: str, paths: list[str], db: str | None) -> dict[str, list[Machine]]:
    from skb.benching.decisions import READERS, SUITES, chosen
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase

    names = known_suite(suite, SUITES)
    if paths and not any(name in READERS for name in names):
        raise RequestError(
            f"the suite {suite} has instances of its own",
            place=paths[0],
            mend=f"leave the machine out, or choose {' or '.join(READERS)}",
        )
    base = KnowledgeBase.open(db)
    machines = [base.machine(path) for path in paths]
    for machine in machines:
        for text in machine.notes:
            say(f"note: {machine.name}: {text}")
    found = chosen(names, machines)
    if not found:
        raise RequestError(
            f"no machine here fits the suite {suite}",
            place=paths[0],
            mend="pci needs registers and the windows of host bridges, interrupts NICs or disks",
        )
    return found
