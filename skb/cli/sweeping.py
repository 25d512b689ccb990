"""The command `sweep`: one simulation under many parameters and seeds, on many processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, cell, print_json, room, save, say, table

LEAST = ("p50_ns", "runs", "p99_ns")
"""Columns that a narrow table goes without, those that matter least first."""

BROKEN = 1
"""The exit code where a promise is broken, as of `skb simulate`."""

if TYPE_CHECKING:
    from skb.sweeping import Plan
    from skb.sweeping_pools import Work


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("sweep")(sweep)


def sweep(
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCENARIO]",
            help="TOML or JSON with the keys of a simulation, `seeds` and a table `vary`.",
        ),
    ] = None,
    machine: Annotated[str | None, typer.Option(help="The machine.")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B,C",
            help="Repeatable: a key of the simulation, members (how many), rate_per_s, machine, "
            "parameters.NAME.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds for each combination; 1.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; absent = one per usable PU.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://…", help="A dask scheduler: its workers do it.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, plain or compiled; the rows are the same.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Rows, as .csv or .parquet; what is there is not run again.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw throughput and latency to this SVG file.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Simulate every combination of what is varied, each under many seeds.

    Rows are the same on any number of workers, here or on a cluster, and have a digest to tell.

    Example: skb sweep --machine tyan-s4985 --vary route=binary,cluster --vary outstanding=1,2,4
    """
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase, decide
    from skb.sweeping import plan
    from skb.sweeping_files import Kept, digest
    from skb.sweeping_told import is_number, summary
    from skb.sweeping_told import sweep as run

    raw, varied, many = _wanted(scenario, machine, vary or [], seeds)
    if engine is not None:
        raw["engine"] = engine
    planned = plan(raw, varied, many, KnowledgeBase.open(db).machine, decide)
    if plot is not None and not any(map(is_number, planned.points[0].values.values())):
        raise RequestError(
            "no number is varied", place="--plot", mend="vary one, such as --vary outstanding=1,2,4"
        )
    kept = Kept(planned, out)
    if kept.foreign:
        say(f"{out}: {kept.foreign} rows of other runs stay in it")
    count, work = _workers(workers, scheduler)
    with _Bar() as progress:
        done = run(planned, kept, work, count, progress)
    rows = summary(planned, kept.rows)
    told = digest(planned, kept.rows)
    if json:
        print_json({"runs": len(planned.runs), "new": done, "digest": told, "rows": rows})
    else:
        _print(planned, rows, done, told)
    if plot is not None:
        save(_drawn(planned, raw, rows, many), plot, "--plot")
    if any(row["violations"] for row in rows):
        say("skb: a promise was broken: see the violations of `skb simulate` under these seeds")
        raise typer.Exit(BROKEN)


def _wanted(
    scenario: str | None, machine: str | None, vary: list[str], seeds: int | None
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return what is simulated, what is varied, and how many seeds there are."""
    from skb.cli.requests import read_request
    from skb.errors import RequestError
    from skb.sweeping import read_vary

    raw = read_request(scenario)
    if machine is not None:
        raw["machine"] = machine
    varied = raw.pop("vary", {})
    many = raw.pop("seeds", 1) if seeds is None else seeds
    raw.pop("seeds", None)
    if not isinstance(many, int) or isinstance(many, bool):
        raise RequestError(f"{many!r} is no number of seeds", place="sweep seeds")
    flat = _flat(varied) if isinstance(varied, dict) else None
    if flat is None:
        raise RequestError(
            "is no table of lists", place="sweep vary", mend="[vary] outstanding = [1, 2, 4]"
        )
    return raw, {**flat, **read_vary(vary)}, many


def _flat(table_: dict[str, Any]) -> dict[str, list[Any]] | None:
    """Return the lists of a table, `[vary.parameters] x = [1, 2]` as `parameters.x`."""
    found: dict[str, list[Any]] = {}
    for name, value in table_.items():
        inner = {name: value} if isinstance(value, list) else value
        if not isinstance(inner, dict):
            return None
        for key, values in inner.items():
            if not isinstance(values, list) or not values:
                return None
            if any(not isinstance(each, str | int | float) for each in values):
                return None
            found[key if inner is not value else f"{name}.{key}"] = values
    return found


def _workers(workers: int | None, scheduler: str | None) -> tuple[int, Work | None]:
    """Return how many processes there are, and what does the work (None: this process)."""
    import os

    from skb.sweeping_pools import cluster, processes

    if scheduler is not None:
        return workers or 2, cluster(scheduler)
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    return count, None if count == 1 else processes(count)


class _Bar:
    """A bar on stderr where it is a terminal, nothing elsewhere."""

    def __enter__(self) -> Any:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return None
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("runs", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("runs", total=None)
        return lambda done, all_: self._bar.update(task, completed=done, total=all_)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _print(planned: Plan, rows: list[dict[str, Any]], done: int, told: str) -> None:
    titles = {
        "runs": "runs",
        "mean_ns": "mean ns",
        "p50_ns": "p50 ns",
        "p99_ns": "p99 ns",
        "throughput_per_s": "per second",
        # told only where there are any
        **{name: name for name in ("unfinished", "aborts") if any(row[name] for row in rows)},
    }
    titles = {**{name: name for name in planned.names}, **titles}
    lines = {
        name: [title, *(str(cell(_short(row[name], name))) for row in rows)]
        for name, title in titles.items()
    }
    missing = [name for name in LEAST if name not in fitting(lines, room())]
    names = [name for name in titles if name not in missing]
    table(
        [titles[name] for name in names],
        [[_short(row[name], name) for name in names] for row in rows],
    )
    if missing:
        print(f"no room for {', '.join(titles[name] for name in missing)}; --json has them")
    there = len(planned.runs) - done
    kept = f", {there} of them were there already" if there else ""
    broken = sum(row["violations"] for row in rows)
    print(f"{len(planned.runs)} runs{kept}, {broken} safety violations; rows {told[:16]}")


def fitting(columns: Mapping[str, Sequence[str]], wide: int) -> list[str]:
    """Return the columns that a table so wide has room for, without those that matter least.

    A number that is broken cannot be read, one that is missing can be asked for.
    """
    names = list(columns)
    for least in LEAST:
        taken = sum(max(map(len, columns[name])) for name in names) + 3 * len(names) + 1
        if taken <= wide:
            break
        names.remove(least)
    return names


def _short(value: Any, name: str) -> Any:
    """Return an average without decimals that nobody reads."""
    if name == "throughput_per_s" and value is not None:
        return round(value)
    return round(value, 1) if name in ("mean_ns", "p50_ns", "p99_ns") and value else value


def _drawn(planned: Plan, raw: dict[str, Any], rows: list[dict[str, Any]], seeds: int) -> str:
    from skb.draw.simulation_load import load_svg
    from skb.errors import RequestError
    from skb.sweeping_told import curves

    try:
        along, lines = curves(planned, rows)
    except ValueError as fault:
        raise RequestError(
            str(fault), place="--plot", mend="vary one, such as --vary outstanding=1,2,4"
        ) from fault
    first = planned.points[0].scenario
    about = ["protocols" if "protocol" in planned.names else first.protocol]
    about += ["on"] + (["machines"] if "machine" in planned.names else [first.machine])
    sub = f"averages over {seeds} seeds" if seeds > 1 else f"seed {raw.get('seed', 0)}"
    return load_svg(" ".join(about), sub, WORDS.get(along, along), along, lines)


WORDS = {
    "outstanding": "operations under way at once",
    "interval_ns": "time between two operations, ns",
    "rate_per_s": "operations offered per second",
    "members": "members",
    "operations": "operations",
    "conflict_per_mille": "conflicting operations, per mille",
    "work_ns": "work of a participant, ns",
    "timeout_ns": "timeout, ns",
}
"""What the axis says about a number that is varied, with its unit."""
