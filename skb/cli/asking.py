"""Commands about decisions: ask, why, decisions, draw."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, MachineName, print_json, save, say, table
from skb.errors import RequestError, SkbError

if TYPE_CHECKING:
    from skb.machine import Machine

_NEEDS = {"need": "needs", "wish": "wishes"}
_OFFERS = {"has": "properties"}
EXIT_CODES = {"optimal": 0, "feasible": 0, "infeasible": 3, "unknown": 4}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("ask")(ask)
    app.command("why")(why)
    app.command("decisions")(decisions)
    app.command("draw")(draw)


def ask(
    context: typer.Context,
    question: Annotated[
        str,
        typer.Argument(
            help="placement, route, links, buffers, interrupts, replicas, pci, schedule, query,"
            " offers or power."
        ),
    ],
    m: MachineName,
    request: Annotated[
        str | None, typer.Argument(metavar="[REQUEST]", help="TOML, JSON or .lp file; - is stdin.")
    ] = None,
    root: Annotated[int | None, typer.Option(help="route: the root PU; absent = free.")] = None,
    members: Annotated[
        str | None, typer.Option(help="route: PUs, such as 0,4,8-11; absent = all.")
    ] = None,
    operation: Annotated[
        str | None,
        typer.Option(help="route: broadcast, broadcast-ack, reduce, barrier, two-phase-commit."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="route: postal or logp.")] = None,
    objective: Annotated[
        str | None, typer.Option(help="route: completion, occupancy or frontier.")
    ] = None,
    trees: Annotated[
        str | None, typer.Option(help="route: one, or per-phase with a common root.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="route, placement: price the classic trees, the known policies."
        ),
    ] = False,
    task: Annotated[
        list[str] | None, typer.Option(help='placement: "name=rx cores=2 at=numa:0".')
    ] = None,
    traffic: Annotated[
        list[str] | None,
        typer.Option(
            help='placement: "from=rx to=tx messages_per_s=1000"; '
            'links: "from=package:0 to=package:3 weight=10".'
        ),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(help='placement: a task per gpu, say; --task "cores=8" sizes it.'),
    ] = None,
    flow: Annotated[
        list[str] | None,
        typer.Option(help='buffers: "name=rx device=eth0 consumer=20 pattern=consume".'),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help='interrupts: "name=eth0 queues=16 workers=numa:0".'),
    ] = None,
    spill: Annotated[
        str | None,
        typer.Option(help="interrupts: share, next-nearest, other-package or refuse."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(help='offers: "name=app at=pu:3 need.protocol=tcp need.speed=>=10".'),
    ] = None,
    offer: Annotated[
        list[str] | None,
        typer.Option(help='offers: "name=net0 at=pu:0 has.protocol=tcp capacity=1".'),
    ] = None,
    application: Annotated[
        list[str] | None,
        typer.Option(
            help='schedule: "name=solver threads_min=8 threads_max=16 sync=10000"; '
            'placement: "name=solver threads=8 pattern=ring messages_per_s=1000".'
        ),
    ] = None,
    slots: Annotated[
        int | None, typer.Option(help="schedule: time slots; absent = the fewest.")
    ] = None,
    virtual_channels: Annotated[
        int | None, typer.Option(help="links: at most so many; absent = the fewest.")
    ] = None,
    longer: Annotated[
        bool, typer.Option("--longer", help="links: ways longer than the shortest may be taken.")
    ] = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="links: also the best table without each link.")
    ] = False,
    tables: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="links: judge these tables, too; OpenSM's, DOT, or a links decision (JSON).",
        ),
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option(help="power: a part that goes, or link:package:0-package:1; links: a node."),
    ] = None,
    rules: Annotated[str | None, typer.Option(help="query: rules in clingo syntax.")] = None,
    named: Annotated[
        str | None, typer.Option(help="query: a named query; `skb queries` lists them.")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help='query: "core=pu:3 level=l3" for --named.')
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds; an answer or none by then.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    unit: Annotated[str, typer.Option(help="ns or cycles, for the output.")] = "ns",
    json: Json = False,
    db: Database = None,
) -> None:
    """Ask where things go; the answer says how good it is, why, and what was assumed.

    Example: skb ask route tyan-s4985 --root 0
    """
    from skb.cli.decision_text import clock_of, in_cycles
    from skb.cli.requests import read_current, read_pairs, read_pus, read_request, read_tables
    from skb.decision import Limits
    from skb.knowledge import KnowledgeBase

    raw = read_request(request, question)
    given: dict[str, Any] = {
        "root": root,
        "members": read_pus(members) if members is not None else None,
        "operation": operation,
        "model": model,
        "objective": objective,
        "trees": trees,
        "compare": compare or None,
        "slots": slots,
        "virtual_channels": virtual_channels,
        "minimal": False if longer else None,
        "failures": failures or None,
        "off": off,
        "rules": rules,
        "spill": spill,
        "named": named,
    }
    raw.update({key: value for key, value in given.items() if value is not None})
    rows = {"task": task, "traffic": traffic, "flow": flow, "application": application}
    _add_rows(raw, {**rows, "device": device})
    for key, words, names in (("client", client, _NEEDS), ("offer", offer, _OFFERS)):
        if words:
            more = [read_tables(text, f"--{key}", names) for text in words]
            raw[key] = [*raw.get(key, []), *more]
    if per is not None:
        raw["task"] = _per_device(raw.get("task", []), per)
    for text in with_ or ():
        raw["with"] = {**_table(raw, "with"), **read_pairs(text, "--with")}
    if not 0 < limit <= 86_400:
        raise RequestError("--limit is above 0 and at most 86400 seconds", mend="--limit 5")
    if unit not in {"ns", "cycles"}:
        raise RequestError(f"unknown unit {unit!r}", mend="--unit ns or --unit cycles")
    knowledge = KnowledgeBase.open(db)
    machine = knowledge.machine(m)
    if tables is not None:
        raw["current"] = read_current(machine, tables)
    clock = clock_of(machine) if unit == "cycles" else 0.0
    ref = str(Path(m).resolve()) if knowledge.is_path(m) else m
    spent = Limits(seconds=limit, seed=seed, begun=context.obj)
    try:
        decision = knowledge.ask(question, machine, raw, spent, ref=ref, store=False)
    except RequestError:
        if not raw:
            _show_example(question)
        raise
    _keep(knowledge, decision)
    answer = decision.to_json()
    if unit == "cycles":
        answer = in_cycles(answer, clock)
    _show(answer, knowledge.hits(answer), clock, json)
    raise typer.Exit(EXIT_CODES[decision.status.value])


def _show(answer: dict[str, Any], hits: list[dict[str, Any]], clock: float, json: bool) -> None:
    """Print a decision, and the stored ones that use what it loses."""
    from skb.cli.decision_text import print_decision
    from skb.cli.power_text import print_hits

    if json:
        print_json({**answer, "hits": hits} if hits else answer)
    else:
        print_decision(answer, clock)
        print_hits(hits)


def _add_rows(raw: dict[str, Any], rows: Mapping[str, list[str] | None]) -> None:
    """Add the rows of options to those of a request file; a table without rows is left out."""
    from skb.cli.requests import read_pairs

    for key, words in rows.items():
        more = [read_pairs(text, f"--{key}") for text in words or ()]
        found = raw.get(key, [])
        if more and not isinstance(found, list):
            mend = f"take {key} from the request file, or leave --{key} out"
            raise RequestError(f"{key} is given twice", place="request", mend=mend)
        if more:
            raw[key] = [*found, *more]
        elif found == []:
            raw.pop(key, None)


def _per_device(rows: Any, per: str) -> list[dict[str, Any]]:
    """Return the tasks with one for each device; a task without a name sizes it.

    That is `--per gpu --task "cores=8"`; raises `RequestError` where it does not say which.
    """
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise RequestError("task is no list of tables", place="request", mend="write [[task]]")
    sizes = [each for each in rows if "name" not in each]
    if len(sizes) > 1:
        text = f"{len(sizes)} tasks have no name, and one sizes those of --per"
        raise RequestError(text, place="--task", mend="give all of it in one, or name the rest")
    others = [each for each in rows if "name" in each]
    return [*others, {"name": "rank", "per": per, **(sizes[0] if sizes else {})}]


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a table of a request file that options add to; raise `RequestError` if it is none."""
    found = raw.get(key, {})
    if not isinstance(found, dict):
        raise RequestError(f"{key} is no table", place="request", mend=f"[{key}] core = 3")
    return found


def _show_example(question: str) -> None:
    """Show a whole request to somebody who gave none."""
    from skb.questions import question as find

    example = find(question).example
    if example:
        say(f"{question} needs a request; this is one, as a TOML file:\n\n{example}")


def _keep(knowledge: Any, decision: Any) -> None:
    """Store the decision; an answer is given even where the database cannot be written."""
    from skb.errors import StoreError

    reason = knowledge.without_store
    if not reason:
        try:
            knowledge.keep(decision)
        except StoreError as fault:
            reason = str(fault)
    if reason:
        say(f"warning: the decision is not stored: {reason}")


def why(
    decision: Annotated[str, typer.Argument(help="A decision's id or the beginning of it.")],
    not_: Annotated[
        str | None, typer.Option("--not", help='Price an alternative: "task=rx pu=5".')
    ] = None,
    next_: Annotated[
        bool, typer.Option("--next", help="Two reasons why it is impossible, instead of one.")
    ] = False,
    reasons: Annotated[
        int, typer.Option(min=0, max=50, help="So many reasons why it is impossible.")
    ] = 0,
    mend: Annotated[
        bool, typer.Option("--mend", help="What to lift so that it becomes possible.")
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Which change of a number flips the choice.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, max=200, help="At most so many mends, numbers.")] = 5,
    limit: Annotated[
        float | None, typer.Option(help="Seconds; default those of the decision.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Say why a decision is as it is, what another choice would cost, or what would change it.

    Example: skb why 3f2a --not "task=rx pu=5"
    """
    from skb.cli.requests import read_pairs
    from skb.cli.why_text import print_why
    from skb.knowledge import KnowledgeBase, limits_of

    clause = None
    if not_ is not None:
        if not not_.strip():
            raise RequestError("--not names nothing", mend='--not "task=rx pu=5"')
        clause = {key: str(value) for key, value in read_pairs(not_, "--not").items()}
    asked = {"reasons": reasons or 2 * next_, "mends": most * mend}
    topics = {key: count for key, count in asked.items() if count}
    if sensitivity:
        topics["sensitivity"] = most
    if clause is not None and topics:
        raise RequestError("--not is asked alone", mend="ask twice")
    if limit is not None and not 0 < limit <= 86_400:
        raise RequestError("--limit is above 0 and at most 86400 seconds", mend="--limit 5")
    knowledge = KnowledgeBase.open(db)
    limits = None
    if limit is not None:
        limits = replace(limits_of(knowledge.decision(decision)), seconds=limit)
    told = knowledge.why(decision, clause, topics=topics, limits=limits)
    if json:
        print_json(told)
    else:
        print_why(told)


def decisions(
    m: Annotated[str | None, typer.Argument(metavar="[M]", help="Only this machine's.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.")] = 20,
    json: Json = False,
    db: Database = None,
) -> None:
    """List the decisions that are stored, newest first.

    Example: skb decisions tyan-s4985
    """
    from skb.knowledge import KnowledgeBase

    rows = KnowledgeBase.open(db).decisions(m, limit)
    if json:
        print_json(rows)
        return
    table(
        ["id", "question", "machine", "revision", "status", "objective", "unit"],
        [
            [
                r["id"],
                r["question"],
                r["machine"],
                r["revision"],
                r["status"],
                r["objective"]["value"],
                r["objective"]["unit"],
            ]
            for r in rows
        ],
    )


def draw(
    what: Annotated[str, typer.Argument(metavar="M|DECISION", help="A machine or a decision.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="FILE.svg; default stdout.")
    ] = None,
    db: Database = None,
) -> None:
    """Draw a machine as nested boxes, or a decision over them, as SVG.

    Example: skb draw tyan-s4985 -o board.svg
    """
    if output is not None and output.suffix != ".svg":
        raise SkbError(f"cannot draw {output.suffix or 'without a suffix'}", mend="give FILE.svg")
    text = _drawing(what, db)
    if output is None:
        sys.stdout.write(text)
    else:
        save(text, output)
        say(f"{output}: {len(text)} characters of SVG")


def _drawing(what: str, db: str | None) -> str:
    from skb.draw import decision_svg, machine_svg
    from skb.errors import NotFoundError
    from skb.knowledge import KnowledgeBase

    knowledge = KnowledgeBase.open(db)
    try:
        machine: Machine = knowledge.machine(what)
    except NotFoundError as fault:
        try:
            decision = knowledge.decision(what)
        except NotFoundError:
            raise fault from None
        return decision_svg(knowledge.machine_of_decision(decision), decision)
    return machine_svg(machine)
