"""The command `bench placement`: the product and its peers on the same requests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.benching_shown import Progress, host, tell_faults
from skb.cli.output import Database, Json, number, print_json, say, table

if TYPE_CHECKING:
    from skb.benching.placement import Row
    from skb.benching.standing import Figure
    from skb.benching.verdicts import Verdict


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("placement")(placement)


def placement(
    case: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CASE...]", help="Some cases, such as m128/64 or epyc-7401-2p/torus."
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="random, ranks, resident, repair, explain, or all.")
    ] = "all",
    engines: Annotated[
        str, typer.Option(help="Engines, such as skb,scotch; absent = all that are installed.")
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Instances of each case; absent = as the target says.")
    ] = None,
    limit: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds for each answer; absent = the target's.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Compare this program with the mappers installed here, on the same requests.

    Every answer's cost is counted again by the checker. Example: skb bench placement --suite ranks
    """
    from skb.benching.peers import ENGINES, PEERS
    from skb.benching.placement import cases, rows_of
    from skb.benching.verdicts import Verdict, verdicts
    from skb.knowledge import KnowledgeBase

    wanted = _engines(engines, ENGINES)
    chosen = _cases(suite, case or [], seeds, limit, cases)
    absent = [PEERS[name] for name in wanted if name in PEERS and not PEERS[name].present()]
    knowledge = KnowledgeBase.open(db)
    rows: list[Row] = []
    with Progress(len(chosen)) as progress:
        _warm()
        for one in chosen:
            machine, request = one.instance(knowledge.machine)
            title = f"{one.name}:{one.seed}"
            progress.next(title)
            rows += rows_of(one, machine, request, wanted, progress.engine)
        figures = _figures(suite, case or [], progress)
    found = [*verdicts(rows), *(Verdict(one.target, one.met, one.figure) for one in figures)]
    if json:
        print_json(
            {
                "host": host(),
                "rows": [asdict(row) for row in rows],
                "absent": [{"name": peer.name, "install": peer.install} for peer in absent],
                "verdicts": [asdict(verdict) for verdict in found],
            }
        )
    else:
        _print(rows, wanted, found)
        for peer in absent:
            print(f"absent: {peer.name} ({peer.title}); {peer.install}")
    wrong = [(f"{row.case}:{row.seed} {row.engine}", row.faults) for row in rows if row.faults]
    wrong += [(one.what, one.faults) for one in figures if one.faults]
    tell_faults(wrong)


def _figures(suite: str, names: Sequence[str], progress: Progress) -> list[Figure]:
    """Return the milliseconds of the suites about a placement that stands."""
    from skb.benching.placement import STANDING

    wanted = [one for one in STANDING if suite == one or (suite == "all" and not names)]
    if not wanted:
        return []
    from skb.benching import standing

    found = []
    if {"resident", "repair"} & set(wanted):
        progress.say(f"placing {standing.CASE}")
        machine, decision = standing.placed()
        if "resident" in wanted:
            progress.say("resident")
            found.append(standing.resident(machine, decision))
        if "repair" in wanted:
            progress.say("repair")
            found += standing.repairs(machine, decision)
    if "explain" in wanted:
        progress.say("explain")
        found.append(standing.clashes())
    return found


def _engines(text: str, known: Sequence[str]) -> list[str]:
    from skb.errors import RequestError

    names = [name.strip() for name in text.split(",") if name.strip()] or list(known)
    for name in names:
        if name not in known:
            raise RequestError(
                f"there is no engine {name!r}",
                place="--engines",
                mend=f"they are: {', '.join(known)}",
            )
    return [name for name in known if name in names]


def _cases(
    suite: str,
    names: Sequence[str],
    seeds: int | None,
    limit: float | None,
    cases: Any,
) -> list[Any]:
    from skb.benching.placement import STANDING, SUITES
    from skb.errors import RequestError

    if suite in STANDING:
        return []
    if suite not in {*SUITES, "all"}:
        raise RequestError(
            f"there is no suite {suite!r}",
            place="--suite",
            mend=f"they are: {', '.join((*SUITES, *STANDING))}, all",
        )
    try:
        return list(cases(SUITES if suite == "all" else [suite], names, seeds, limit))
    except KeyError as fault:
        raise RequestError(
            f"there is no case {fault.args[0]!r}",
            place="case",
            mend="write MACHINE/TASKS such as m128/64 (machines m32, m128, m256, m1024) or "
            "BUNDLED/PATTERN such as tyan-s4985/torus (patterns torus, clusters, degree4)",
        ) from fault


def _warm() -> None:
    """Import and compile what the first answer would have to: that is not what is measured."""
    from skb.benching.peers import OURS, asked
    from skb.benching.random_requests import machine_of, request_of

    for name, tasks in (("m32", 8), ("m128", 72)):
        # a fault comes again, and is told, where it is measured
        with suppress(Exception):
            asked(OURS, machine_of(name), request_of(name, tasks), 0.5, 0)


# ------------------------------------------------------------ tables
def _print(rows: Sequence[Row], engines: Sequence[str], found: Sequence[Verdict]) -> None:
    print(host())
    if rows:
        _print_rows(rows, engines)
    for verdict in found:
        print(f"{'met   ' if verdict.met else 'MISSED'} {verdict.target}: {verdict.figure}")


def _print_rows(rows: Sequence[Row], engines: Sequence[str]) -> None:
    from skb.benching.peers import OURS

    others = [name for name in engines if name != OURS and any(r.engine == name for r in rows)]
    titles: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        titles.setdefault((row.case, row.seed), {})[row.engine] = row
    print("cost in ns/s (lower is better); for others how far from ours; ! breaks the request")
    table(
        ["request", "skb", "gap", "s", "CPU s", *others],
        [_line(f"{case}:{seed}", by, others) for (case, seed), by in titles.items()],
    )
    for row in rows:
        if row.engine == OURS and row.value is None and row.note:
            say(f"note: {row.case}:{row.seed}: {row.note}")
    if others:
        _print_engines(titles, others)


def _line(title: str, by: dict[str, Row], others: Sequence[str]) -> list[Any]:
    from skb.benching.peers import OURS

    ours = by.get(OURS)
    if ours is None or ours.value is None:
        word = "-" if ours is None else ours.status or "no answer"
        cells: list[Any] = [word, "-"]
    else:
        gap = "proven" if ours.status == "optimal" else _share(ours.gap)
        cells = [number(round(ours.value)), gap]
    cells += [f"{ours.seconds:.2f}", f"{ours.cpu_s:.2f}"] if ours else ["-", "-"]
    base = ours.value if ours else None
    return [title, *cells, *(_beside(by.get(name), base) for name in others)]


def _share(gap: float | None) -> str:
    return "unknown" if gap is None else f"{gap:.1%}"


def _beside(row: Row | None, base: float | None) -> str:
    if row is None or row.value is None:
        return "-"
    mark = "!" if row.breaks else ""
    if base is None:
        return f"{number(round(row.value))}{mark}"
    if row.value == base:
        return f"same{mark}"
    return f"{(row.value - base) / base if base else float('inf'):+.1%}{mark}"


def _print_engines(titles: dict[tuple[str, int], dict[str, Row]], others: Sequence[str]) -> None:
    from skb.benching.peers import OURS, PEERS

    lines = []
    for name in others:
        rows = [by[name] for by in titles.values() if name in by]
        pairs = [
            (by[OURS].value, by[name].value)
            for by in titles.values()
            if OURS in by and name in by and not by[name].breaks
        ]
        both = [(a, b) for a, b in pairs if a is not None and b is not None]
        said = next((row.note for row in rows if row.value is None), "")
        lines.append(
            [
                name,
                sum(b > a for a, b in both),
                sum(b == a for a, b in both),
                sum(b < a for a, b in both),
                sum(row.breaks > 0 for row in rows),
                sum(row.value is None for row in rows),
                f"{median(row.seconds for row in rows):.2f}",
                PEERS[name].title if name in PEERS else "the cheapest of skb's named policies",
            ]
        )
        if said:
            say(f"note: {name}: {said}")
    columns = ["engine", "dearer", "same", "cheaper", "breaks", "none", "median s", "what it is"]
    table(columns, lines)
