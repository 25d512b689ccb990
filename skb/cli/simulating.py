"""The command `simulate`: run an agreement protocol over a route and see its worth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, number, print_json, save, say, table

if TYPE_CHECKING:
    from collections.abc import Callable

COMPARED = ("numa-aware", "cluster", "binary", "fibonacci", "mst", "sequential")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("simulate")(simulate)


def simulate(
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="TOML or JSON with the same keys.")
    ] = None,
    machine: Annotated[str | None, typer.Option(help="The machine.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="single-phase-commit, two-phase-commit, atomic-broadcast, barrier, reduction."
        ),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option(
            help="decided, a decision's id, or sequential, binary, fibonacci, mst, cluster, "
            "numa-aware."
        ),
    ] = None,
    trees: Annotated[
        str | None, typer.Option(help="decided route: one, or per-phase with a common root.")
    ] = None,
    overlap: Annotated[
        bool,
        typer.Option("--overlap", help="Two-phase commit: vote before the last one is ready."),
    ] = False,
    operations: Annotated[int | None, typer.Option(help="Operations to run.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random draws.")] = None,
    model: Annotated[str | None, typer.Option(help="postal or logp.")] = None,
    root: Annotated[int | None, typer.Option(help="Coordinator; default the route's root.")] = None,
    members: Annotated[str | None, typer.Option(help="PUs, such as 0,4,8-11.")] = None,
    outstanding: Annotated[int | None, typer.Option(help="Operations under way at once.")] = None,
    conflict: Annotated[
        int | None, typer.Option(help="Conflicting proposals, per mille of the operations.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help='TOML with [[fault]] time_ns, pu, state = "down" or "up".')
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write a Perfetto trace to this JSON file.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Run the decided route and all the classic ones.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Simulate an agreement protocol over a decided or classic route.

    Example: skb simulate --machine tyan-s4985 --protocol two-phase-commit --operations 100
    """
    from skb.cli.requests import read_pus, read_request
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase

    raw = read_request(scenario)
    given = {
        "machine": machine,
        "protocol": protocol,
        "route": route,
        "trees": trees,
        "overlap": overlap or None,
        "operations": operations,
        "seed": seed,
        "model": model,
        "root": root,
        "members": read_pus(members) if members is not None else None,
        "outstanding": outstanding,
        "conflict_per_mille": conflict,
    }
    raw.update({key: value for key, value in given.items() if value is not None})
    if faults is not None:
        raw["faults"] = read_request(str(faults)).get("fault", [])
    wanted = raw.pop("machine", None)
    if not isinstance(wanted, str):
        raise RequestError("which machine?", mend="--machine M; `skb machines` lists them")
    knowledge = KnowledgeBase.open(db)
    if compare:
        decided = _run(knowledge, wanted, {**raw, "route": "decided"}, None)
        # the others start from the same coordinator, so that only the route differs
        classic = {**raw, "root": decided["root"], "model": decided["model"], "trees": None}
        rows = [_run(knowledge, wanted, {**classic, "route": name}, None) for name in COMPARED]
        _print_comparison([decided, *rows], json)
        return
    result = _run(knowledge, wanted, raw, trace)
    if json:
        print_json(result)
    else:
        _print_result(result)


def _run(knowledge: Any, wanted: str, raw: dict[str, Any], trace: Path | None) -> dict[str, Any]:
    from simulator import TREES
    from skb.knowledge import decide
    from skb.simulation import simulate as run

    decision = None
    route = raw.get("route", "decided")
    if route != "decided" and route not in TREES and len(str(route)) >= 4:
        decision = knowledge.decision(str(route))
        raw = {**raw, "route": "decided"}
    keep = None if trace is None else _writer(trace, raw.get("protocol", "two-phase-commit"))
    with _progress() as progress:
        return run(
            knowledge.machine(wanted), raw, decide, decision=decision, progress=progress, keep=keep
        )


def _writer(path: Path, protocol: str) -> Callable[[Any, Any], None]:
    def write(result: Any, domains: Any) -> None:
        from simulator.protocols import require_protocol
        from simulator.trace import chrome_trace, kind_names

        names = kind_names(require_protocol(protocol))
        save(chrome_trace(result.trace, names, domains), path)
        say(f"{path}: {len(result.trace)} rows; open it in ui.perfetto.dev")

    return write


class _progress:
    """A bar on stderr where it is a terminal, nothing elsewhere."""

    def __enter__(self) -> Callable[[int, int], None] | None:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return None
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("operations", total=None)
        return lambda done, all_: self._bar.update(task, completed=done, total=all_)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _print_result(result: dict[str, Any]) -> None:
    latency = result["latency"]
    print(
        f"{result['protocol']} over the {result['route']} route of {result['machine']}, "
        f"coordinator pu:{result['root']}, {result['model']} model"
    )
    table(
        ["operations", "finished", "aborts", "p50 ns", "p99 ns", "max ns", "per second"],
        [
            [
                result["operations"],
                result["completed"],
                result["aborts"],
                latency["p50"],
                latency["p99"],
                latency["max"],
                result["throughput_per_s"],
            ]
        ],
    )
    for name, phase in result["phases"].items():
        print(f"first operation {name} after {number(phase['value'])} {phase['unit']}")
    if result["predicted"]:
        told = result["predicted"]
        print(f"decided {told['operation']} promised {number(told['value'])} {told['unit']}")
    print(
        f"{len(result['violations'])} safety violations, {result['events']} events, "
        f"trace {result['trace_digest'][:16]}, seed {result['seed']}"
    )
    for violation in result["violations"]:
        print(f"  violation: {violation}")


def _print_comparison(rows: list[dict[str, Any]], json: bool) -> None:
    if json:
        print_json(rows)
        return
    best = rows[0]["latency"]["mean"]
    table(
        ["route", "root", "mean ns", "p99 ns", "per second", "times decided", "violations"],
        [
            [
                r["route"],
                r["root"],
                r["latency"]["mean"],
                r["latency"]["p99"],
                r["throughput_per_s"],
                r["latency"]["mean"] / best if best else None,
                len(r["violations"]),
            ]
            for r in rows
        ],
    )
