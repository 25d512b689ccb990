"""The command `simulate`: run an agreement protocol over a route and see its worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from skb.cli.output import Database, Json, number, print_json, say, table
from skb.cli.simulating_compared import ROUTES, answer, split
from skb.cli.simulating_replayed import print_replay
from skb.cli.simulating_shown import Progress, Ran, Shown

BROKEN = 1  # the exit code where safety is violated: the fault is ours
COMPARED = ("numa-aware", "cluster", "binary", "fibonacci", "mst", "sequential")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("simulate")(simulate)


def simulate(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO] [QUESTION]",
            help="TOML or JSON with the same keys; what --compare is to answer.",
        ),
    ] = None,
    machine: Annotated[str | None, typer.Option(help="The machine.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Such as two-phase-commit, raft or queue-lock; a wrong name lists all."),
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
    numbers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER", help="A number of the protocol's own."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Operations that arrive per second, done or not.")
    ] = None,
    arrivals: Annotated[str | None, typer.Option(help="With --rate: even or poisson.")] = None,
    burst: Annotated[int | None, typer.Option(help="Operations that arrive at once.")] = None,
    clients: Annotated[str | None, typer.Option(help="PUs that ask, such as 0,4.")] = None,
    reads: Annotated[int | None, typer.Option(help="Reads, per mille of the operations.")] = None,
    items: Annotated[int | None, typer.Option(help="Items that operations are about.")] = None,
    sharing: Annotated[
        str | None, typer.Option(help="What domains share: numa, l3 or package.")
    ] = None,
    stores: Annotated[
        str | None,
        typer.Option(
            help="How messages leave: as stated; polled: seen half a receive after the send "
            "began at the soonest; posted: no sender waits."
        ),
    ] = None,
    links: Annotated[
        bool, typer.Option("--links", help="Messages wait for the links between packages.")
    ] = False,
    poll: Annotated[
        float | None, typer.Option(help="Nanoseconds of a look into a channel: receivers poll.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels that are polled: all, or those of the tree.")
    ] = None,
    loss: Annotated[int | None, typer.Option(help="Messages that are lost, of a million.")] = None,
    delay: Annotated[int | None, typer.Option(help="Messages delayed, of a million.")] = None,
    delay_ns: Annotated[float | None, typer.Option(help="The longest delay.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, plain or compiled: the same result, another speed.")
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(
            help="TOML with [[fault]] time_ns, pu, state: down, up, off, on, slow (value_ns), "
            "cut (side), joined."
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write a Perfetto trace to this JSON file.")
    ] = None,
    trace_window: Annotated[
        str | None,
        typer.Option(metavar="FROM-TO", help="Nanoseconds that --trace and --draw are limited to."),
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="Draw it to this SVG file.")] = None,
    view: Annotated[
        str | None, typer.Option(help="What is drawn: timeline, space-time, latency or load.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="The decided route and all the classic ones; or, as a word behind it, protocols, "
            "sharing (locks or messages), shootdown (interrupts or messages).",
        ),
    ] = False,
    replay: Annotated[
        Path | None, typer.Option(help="Run a failure again that a hunt wrote to this file.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Simulate an agreement protocol over a decided or classic route.

    Example: skb simulate --machine tyan-s4985 --protocol two-phase-commit --operations 100
    """
    from skb.cli.simulating_options import merged
    from skb.errors import RequestError
    from skb.knowledge import KnowledgeBase

    scenario, question = split(words or [], compare)
    given = {
        "machine": machine,
        "protocol": protocol,
        "route": route,
        "trees": trees,
        "overlap": overlap,
        "operations": operations,
        "seed": seed,
        "model": model,
        "root": root,
        "outstanding": outstanding,
        "conflict_per_mille": conflict,
        "rate_per_s": rate,
        "arrivals": arrivals,
        "burst": burst,
        "reads_per_mille": reads,
        "items": items,
        "sharing": sharing,
        "stores": stores,
        "links": links,
        "poll_ns": poll,
        "channels": channels,
        "loss_per_million": loss,
        "delay_per_million": delay,
        "delay_ns": delay_ns,
        "engine": engine,
    }
    groups = {"members": members, "clients": clients}
    if replay is not None:
        said = (*given.values(), *groups.values(), numbers, faults, trace, draw)
        if scenario or compare or any(value not in (None, False) for value in said):
            raise RequestError(
                "the file says it all", place="--replay", mend="leave other options out"
            )
        bad = print_replay(replay, json)
        raise typer.Exit(BROKEN if bad else 0)
    raw = merged(scenario, given, groups=groups, numbers=numbers or (), faults=faults)
    wanted = raw.pop("machine", None)
    if not isinstance(wanted, str):
        raise RequestError("which machine?", mend="--machine M; `skb machines` lists them")
    knowledge = KnowledgeBase.open(db)
    shown = Shown(json, draw, view, trace, trace_window)
    if compare and question != ROUTES:
        shown.require_many(question)
        broken = answer(question, knowledge.machine(wanted), raw, json, draw)
    elif compare:
        broken = _compare_routes(knowledge, wanted, raw, shown)
    else:
        broken = _simulate(knowledge, wanted, raw, shown)
    if broken:
        say("skb: a promise was broken: see the violations")
        raise typer.Exit(BROKEN)


def _simulate(knowledge: Any, wanted: str, raw: dict[str, Any], shown: Shown) -> bool:
    ran = _run(knowledge, wanted, raw, shown.needs_rows)
    if shown.json:
        print_json(ran.told)
    else:
        _print_result(ran.told)
    shown.write_trace(ran)
    shown.draw_run(ran)
    return bool(ran.result.violations)


def _compare_routes(knowledge: Any, wanted: str, raw: dict[str, Any], shown: Shown) -> bool:
    shown.require_many(ROUTES, ("latency", "load"))
    decided = _run(knowledge, wanted, {**raw, "route": "decided"})
    # the others start from the same coordinator, so that only the route differs
    told = decided.told
    classic = {**raw, "root": told["root"], "model": told["model"], "trees": None}
    others = [_run(knowledge, wanted, {**classic, "route": name}) for name in COMPARED]
    _print_comparison([ran.told for ran in (decided, *others)], shown.json)
    shown.draw_routes([decided, *others])
    return any(ran.result.violations for ran in (decided, *others))


def _run(knowledge: Any, wanted: str, raw: dict[str, Any], rows: bool = False) -> Ran:
    from simulator import TREES
    from skb.knowledge import decide
    from skb.simulation import prepared, ran

    decision = None
    route = raw.get("route", "decided")
    if route != "decided" and route not in TREES and len(str(route)) >= 4:
        decision = knowledge.decision(str(route))
        raw = {**raw, "route": "decided"}
    with Progress() as progress:
        found = prepared(knowledge.machine(wanted), raw, decide, decision)
        scenario = replace(found.scenario, trace=rows)
        result = ran(scenario, progress.counted)
    return Ran(scenario, result, found.told(result))


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
    _print_conditions(result)
    _print_cost(result["cost"])
    for row in result["assumed"]:
        print(f"assumed: {row['fact']} ({row['because']})")
    for violation in result["violations"]:
        print(f"  violation: {violation}")


def _print_conditions(result: dict[str, Any]) -> None:
    """Print what links, losses, cache lines and limits did, where they did anything."""
    if result["ended"] != "finished":
        left = f"{result['unfinished']} operations unfinished"
        print(f"{result['ended']} at {number(result['ended_ns'])} ns, {left}")
    used = [(link["busy"], link["mean_wait_ns"], name) for name, link in result["links"].items()]
    if used:
        busy, wait, name = max(used)
        print(f"busiest link {name}: busy {busy:.1%}, a message waits {number(wait)} ns for it")
    if result["line_occupancy"]:
        busy, name = max((busy, name) for name, busy in result["line_occupancy"].items())
        print(f"busiest cache line {name}: busy {busy:.1%}")
    told = result["messages"]
    if told["lost"] or told["delayed"]:
        print(f"{told['lost']} messages lost, {told['delayed']} delayed")


def _print_cost(cost: dict[str, Any] | None) -> None:
    """Print for how long an operation keeps PUs and cache lines busy, in cycles where known."""
    if cost is None:
        return
    parts = [
        f"{number(cost[name])} ns"
        + ("" if cost[f"{name}_cycles"] is None else f" ({number(cost[f'{name}_cycles'])} cycles)")
        for name in ("all", "busiest")
    ]
    said = []
    if cost["all"]:
        said.append(f"PUs busy for {parts[0]}, of that pu:{cost['busiest_pu']} for {parts[1]}")
    if cost["lines"]:
        said.append(f"cache lines for {number(cost['lines'])} ns")
    if said:
        print(f"an operation keeps {'; '.join(said)}")


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
