"""The command `bench routing`: trees and link tables beside the best that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from skb.cli.benching_shown import Limit, Progress, Shown, known_suite
from skb.cli.output import Database, Json, say

if TYPE_CHECKING:
    from skb.benching.routing import Case


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("routing")(routing)


def routing(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...]",
            help="Folders or files of pair tables (send*, receive*, machines.json), descriptions, "
            "or names of machines; absent = the six measured machines that are bundled (tomme, …).",
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="trees, first, groups, large, measured, links, or all.")
    ] = "all",
    limit: Limit = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Decide trees and link tables, and compare value, bound, gap and time with what is known.

    Checker and simulator price every tree again, to the picosecond. A whole run takes about 10
    minutes, most of it to prove trees of 20 unlike cores (--limit shortens it).

    Example: skb bench routing --suite trees --limit 10
    """
    from skb.benching.routing import TITLES, warm

    chosen = _cases(suite, paths or [], limit, db)
    shown = Shown(TITLES, json)
    with Progress(len(chosen)) as progress:
        warm()
        progress.clear()
        shown.begin()
        for case in chosen:
            progress.next(f"{case.suite} {case.title}")
            progress.engine("")
            row = case.row()
            progress.clear()
            shown.add(row)
    shown.end()


def _cases(suite: str, paths: Sequence[str], limit: float | None, db: str | None) -> list[Case]:
    from skb.benching.pair_tables import subjects
    from skb.benching.routing import ALONE, SUITES, cases
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase

    names = known_suite(suite, SUITES)
    if suite in ALONE and paths:
        raise RequestError(
            f"the suite {suite} has interconnects of its own",
            place=paths[0],
            mend="leave the path out, or choose another suite",
        )
    machines = [] if suite in ALONE else subjects(paths, KnowledgeBase.open(db).machine)
    for one in machines if paths else ():
        for text in one.notes:
            say(f"note: {one.name}: {text}")
    chosen = cases(names, machines, limit)
    if not chosen:
        raise RequestError(
            f"no machine here fits the suite {suite}",
            place="--suite",
            mend="trees and first need 2 to 64 PUs, groups more than 12, measured broadcasts that "
            "were measured",
        )
    return chosen
