"""The command `bench routing`: trees and link tables beside the best that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from skb.cli.benching_shown import Progress, host, tell_faults
from skb.cli.output import Database, Json, print_json, say

if TYPE_CHECKING:
    from skb.benching.routing import Case
    from skb.benching.routing_rows import Row

_COLUMNS = f"{'met':<4}{'value':>11}{'bound':>11}{'gap':>8}{'s':>8}{'CPU s':>8}  {'status':<11}"


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
    limit: Annotated[
        float | None,
        typer.Option(min=0.01, help="Most seconds for each answer; absent = as the target says."),
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Decide trees and link tables, and compare value, bound, gap and time with what is known.

    Checker and simulator price every tree again, to the picosecond. A whole run takes about 10
    minutes, most of it to prove trees of 20 unlike cores (--limit shortens it).

    Example: skb bench routing --suite trees --limit 10
    """
    from skb.benching.routing import warm

    chosen = _cases(suite, paths or [], limit, db)
    rows: list[Row] = []
    with Progress(len(chosen)) as progress:
        warm()
        if not json:
            progress.clear()
            print(host())
        for case in chosen:
            progress.next(f"{case.suite} {case.title}")
            progress.engine("")
            row = case.row()
            progress.clear()
            if not json:
                _print(row, titled=not rows or rows[-1].suite != row.suite)
            rows.append(row)
    met = sum(row.met for row in rows)
    if json:
        told = [{**asdict(row), "met": row.met} for row in rows]
        print_json({"host": host(), "rows": told, "met": met, "missed": len(rows) - met})
    else:
        _print_missed(rows, met)
    tell_faults((f"{row.suite} {row.case}", row.faults) for row in rows if row.faults)


def _cases(suite: str, paths: Sequence[str], limit: float | None, db: str | None) -> list[Case]:
    from skb.benching.pair_tables import subjects
    from skb.benching.routing import ALONE, SUITES, cases
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase

    if suite not in {*SUITES, "all"}:
        raise RequestError(
            f"there is no suite {suite!r}",
            place="--suite",
            mend=f"they are: {', '.join(SUITES)}, all",
        )
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
    chosen = cases(list(SUITES) if suite == "all" else [suite], machines, limit)
    if not chosen:
        raise RequestError(
            f"no machine here fits the suite {suite}",
            place="--suite",
            mend="trees and first need 2 to 64 PUs, groups more than 12, measured broadcasts that "
            "were measured",
        )
    return chosen


# ------------------------------------------------------------ rows
def _print(row: Row, titled: bool) -> None:
    from skb.benching.routing import TITLES

    if titled:
        print(f"\n{row.suite}: {TITLES[row.suite]}\n{_COLUMNS}case")
    gap = "-" if row.gap is None else f"{row.gap:.2%}"
    line = f"{'yes' if row.met else 'NO':<4}{_number(row.value):>11}{_number(row.bound):>11}"
    line += f"{gap:>8}{row.seconds:>8.2f}{row.cpu_s:>8.2f}  {row.status:<11}{row.case}"
    line += f", {row.unit}" if row.unit not in ("", "pairs") else ""
    parts = [row.target, row.beside, row.note]
    print("; ".join([line, *(part for part in parts if part)]), flush=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}".removesuffix(".00")


def _print_missed(rows: Sequence[Row], met: int) -> None:
    print(f"\n{met} of {len(rows)} rows meet their targets")
    for row in rows:
        for text in row.misses:
            print(f"MISSED {row.suite} {row.case}: {text}")
