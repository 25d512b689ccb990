"""Commands about decisions: ask, why, decisions, draw."""

from __future__ import annotations

import sys
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
        str, typer.Argument(help="placement, route, buffers, schedule, query or offers.")
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
        typer.Option(help='placement: "from=rx to=tx messages_per_s=1000".'),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(help='placement: a task per gpu, say; --task "cores=8" sizes it.'),
    ] = None,
    flow: Annotated[
        list[str] | None,
        typer.Option(help='buffers: "name=rx device=eth0 consumer=20 pattern=consume".'),
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
        typer.Option(help='schedule: "name=solver threads_min=8 threads_max=16 sync=10000".'),
    ] = None,
    slots: Annotated[
        int | None, typer.Option(help="schedule: time slots; absent = the fewest.")
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
    from skb.cli.decision_text import in_cycles, print_decision
    from skb.cli.requests import read_pairs, read_pus, read_request, read_tables
    from skb.decision import Limits
    from skb.knowledge import KnowledgeBase

    raw = read_request(request, question)
    given: dict[str, Any] = {
        "root": root,
        "members": read_pus(members) if members is not None else None,
        "operation": operation,
        "model": model,
        "compare": compare or None,
        "slots": slots,
        "rules": rules,
        "named": named,
    }
    raw.update({key: value for key, value in given.items() if value is not None})
    rows = {"task": task, "traffic": traffic, "flow": flow, "application": application}
    for key, words in rows.items():
        raw[key] = [*raw.get(key, []), *(read_pairs(text, f"--{key}") for text in words or ())]
        if not raw[key]:
            del raw[key]
    for key, words, tables in (("client", client, _NEEDS), ("offer", offer, _OFFERS)):
        if words:
            more = [read_tables(text, f"--{key}", tables) for text in words]
            raw[key] = [*raw.get(key, []), *more]
    if per is not None:
        # `--per gpu --task "cores=8"` sizes the ranks
        sizes = [each for each in raw.get("task", []) if "name" not in each]
        others = [each for each in raw.get("task", []) if "name" in each]
        raw["task"] = [*others, {"name": "rank", "per": per, **(sizes[0] if sizes else {})}]
    for text in with_ or ():
        raw["with"] = {**_table(raw, "with"), **read_pairs(text, "--with")}
    if not 0 < limit <= 86_400:
        raise RequestError("--limit is above 0 and at most 86400 seconds", mend="--limit 5")
    if unit not in {"ns", "cycles"}:
        raise RequestError(f"unknown unit {unit!r}", mend="--unit ns or --unit cycles")
    knowledge = KnowledgeBase.open(db)
    machine = knowledge.machine(m)
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
        answer = in_cycles(answer, machine)
    if json:
        print_json(answer)
    else:
        print_decision(answer)
    raise typer.Exit(EXIT_CODES[decision.status.value])


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a table of a request file that options add to; raise `RequestError` if it is none."""
    found = raw.get(key, {})
    if not isinstance(found, dict):
        raise RequestError(f"{key} is no table", place="request", mend=f"[{key}] core = 3")
    return found


def _show_example(question: str) -> None:
    """Show a whole request to somebody who gave none."""
    from skb.questions import question as find

    say(f"{question} needs a request; this is one, as a TOML file:\n\n{find(question).example}")


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
    json: Json = False,
    db: Database = None,
) -> None:
    """Say why a decision is as it is, or what another choice would cost.

    Example: skb why 3f2a --not "task=rx pu=5"
    """
    from skb.cli.decision_text import print_why
    from skb.cli.requests import read_pairs
    from skb.knowledge import KnowledgeBase

    clause = None
    if not_ is not None:
        clause = {key: str(value) for key, value in read_pairs(not_, "--not").items()}
    told = KnowledgeBase.open(db).why(decision, clause)
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
