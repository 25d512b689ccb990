"""The command `measure`: messages between PUs and memory of the live host, as measured facts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, print_json, say, table

if TYPE_CHECKING:
    from skb.knowledge import KnowledgeBase
    from skb.machine import Machine
    from skb.probe.measure import Report
    from skb.relations import Fact

MATRIX_PUS = 16


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("measure")(measure)


def measure(
    name: Annotated[
        str | None, typer.Option(help="The stored machine that this host is, or its name to be.")
    ] = None,
    pus: Annotated[str | None, typer.Option(help="Only these PUs, such as 0,4,8-11.")] = None,
    what: Annotated[str, typer.Option(help="messages, memory, or both.")] = "messages,memory",
    seconds: Annotated[
        float | None, typer.Option(help="Budget of time; default by the number of pairs.")
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(help="all, or sampled by topology class; default all up to 64 PUs."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of order and sample.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--no-store", help="Print only, store nothing.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Measure messages between PUs, and memory, on this host; store what they cost as facts.

    Example: skb measure --what messages --pus 0-7 --seconds 10
    """
    from skb.cli.requests import read_pus
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase
    from skb.probe.atomics import require_numba
    from skb.probe.measure import Options
    from skb.probe.measure import measure as run
    from skb.probe.reporting import facts_of

    if pairs not in (None, "all", "sampled"):
        raise RequestError(f"--pairs {pairs} is not known", mend="all or sampled")
    options = Options(
        pus=None if pus is None else tuple(read_pus(pus)),
        what=tuple(dict.fromkeys(word.strip() for word in what.split(","))),
        seconds=seconds,
        pairs=pairs,
        seed=seed,
    )
    require_numba()
    knowledge = KnowledgeBase.open(db)
    machine, store = _host(knowledge, name, dry_run=dry_run)
    with _progress() as progress:
        report = run(machine, options, progress)
    found = facts_of(report)
    if not dry_run:
        machine = store(found)
    if json:
        print_json(_told(machine, report, found, stored=not dry_run))
    else:
        _print(machine, report, found, stored=not dry_run)


def _host(
    knowledge: KnowledgeBase, name: str | None, *, dry_run: bool
) -> tuple[Machine, Callable[[tuple[Fact, ...]], Machine]]:
    """Return the machine that this host is, and what stores facts about it.

    A machine that is known already keeps everything that is known; one that is not is discovered.
    """
    from skb.errors import NotFoundError
    from skb.knowledge import machine_of
    from skb.probe.host import require_host
    from skb.probe.reporting import replaced
    from skb.sources import sysfs

    description = sysfs.discover()
    wanted = name or description.name or "this-host"
    host = machine_of(description, wanted)
    known: Machine | None = None
    if name is not None or not dry_run:
        try:
            known = knowledge.machine(wanted, paths=False)
        except NotFoundError:
            known = None
    if known is not None:
        require_host(known, host)

    def store(fresh: tuple[Fact, ...]) -> Machine:
        if known is None:
            knowledge.load(wanted, description)
        old = replaced(knowledge.machine(wanted, paths=False), fresh)
        return knowledge.write(wanted, fresh, old)

    return known or host, store


class _progress:
    """A bar on stderr where it is a terminal, nothing elsewhere."""

    def __enter__(self) -> Callable[[float, str], None]:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return lambda share, what: None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("measuring", total=1.0)
        return lambda share, what: self._bar.update(task, completed=share, description=what)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


# ---------------------------------------------------------------- output
def _told(
    machine: Machine, report: Report, found: tuple[Fact, ...], *, stored: bool
) -> dict[str, Any]:
    from skb.exports.facts_json import row_of

    return {
        "machine": machine.name,
        "revision": machine.revision if stored else None,
        "stored": stored,
        "when": report.when,
        "seconds": report.seconds,
        "clock_ns": report.clock_ns,
        "pus": list(report.pus),
        "pairs_planned": len(report.plan.pairs),
        "sampled": report.plan.sampled,
        "disturbed": disturbed(report),
        "facts": [row_of(fact) for fact in found],
        "notes": list(report.notes),
    }


def disturbed(report: Report) -> list[dict[str, str]]:
    """Return what is not to be trusted, and why."""
    rows = [
        {"what": what, "from": f"pu:{a}", "to": f"pu:{b}", "because": settled.summary.fault}
        for (what, a, b), settled in report.costs.items()
        if settled.disturbed
    ]
    rows += [
        {
            "what": result.kind,
            "from": f"numa:{result.reach.initiator}",
            "to": f"numa:{result.reach.target}",
            "because": result.settled.summary.fault,
        }
        for result in report.memory
        if result.settled.disturbed
    ]
    return rows


def _print(machine: Machine, report: Report, found: tuple[Fact, ...], *, stored: bool) -> None:
    visited = len({key for key in report.costs if key[0] == "round_trip"})
    parts = [f"{visited} of {len(report.plan.pairs)} pairs"] if report.plan.pairs else []
    print(
        f"{machine.name}: {', '.join([*parts, f'{len(report.pus)} PUs'])} in "
        f"{report.seconds:.1f} s; medians of batches ± half their 5 to 95 percent range"
    )
    if visited and len(report.pus) <= MATRIX_PUS:
        _print_matrix(report)
    if visited:
        _print_groups(report)
    _print_memory(found)
    for row in disturbed(report):
        say(f"disturbed: {row['what']} {row['from']} to {row['to']}: {row['because']}")
    for note in report.notes:
        say(f"note: {note}")
    if stored:
        print(f"{len(found)} facts stored at revision {machine.revision}")


def _print_matrix(report: Report) -> None:
    halves: dict[tuple[int, int], float] = {}
    for (what, a, b), settled in report.costs.items():
        if what == "round_trip":
            halves[a, b] = halves[b, a] = round(settled.summary.median / 2, 1)
    table(
        ["ns, one way", *(str(pu) for pu in report.pus)],
        [[f"pu:{a}", *(halves.get((a, b)) for b in report.pus)] for a in report.pus],
    )


def _print_groups(report: Report) -> None:
    from skb.probe.reporting import over_pairs

    rows: list[list[object]] = []
    for group in report.plan.groups:
        ways = [*group.sampled, *((b, a) for a, b in group.sampled)]
        cells: list[object] = [group.title, len(group.sampled)]
        for what in ("round_trip", "send", "receive", "gap", "message"):
            seen = [report.costs[what, a, b] for a, b in ways if (what, a, b) in report.costs]
            if not seen:
                cells.append(None)
                continue
            whole = over_pairs([row.summary for row in seen])
            spread = seen[0].summary.spread if len(seen) == 1 else whole.spread
            if what == "message":
                cells.append(f"{1e3 / whole.median:.1f}")
            else:
                cells.append(f"{whole.median:.1f} ± {spread:.1f}")
        rows.append(cells)
    table(
        ["pairs", "measured", "round trip ns", "send ns", "receive ns", "gap ns", "M messages/s"],
        rows,
    )


def _print_memory(found: tuple[Fact, ...]) -> None:
    rows = [
        [*fact.args[:-1], fact.args[-1], fact.spread, unit]
        for fact in found
        for predicate, unit in (("memory_latency", "ns"), ("memory_bandwidth", "MiB/s"))
        if fact.predicate == predicate
    ]
    if rows:
        table(["from", "memory of", "access", "median", "±", "unit"], rows)
