"""The command that mends a placement after parts went away: repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, number, print_json, table
from skb.errors import RequestError

if TYPE_CHECKING:
    from skb.questions.placement_repaired import Repaired


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("repair")(repair)


def repair(
    decision: Annotated[str, typer.Argument(help="A placement's id or the beginning of it.")],
    off: Annotated[
        list[str] | None,
        typer.Option(
            help="Suppose that a part is off, such as l3:3; absent = the facts as stored."
        ),
    ] = None,
    busy: Annotated[
        list[str] | None,
        typer.Option(help="A part that is overloaded, such as pu:5: it is left to other work."),
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds; an answer or none by then.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Recorded; the search draws no numbers.")] = 0,
    json: Json = False,
    db: Database = None,
) -> None:
    """Mend a placement after parts went away, got busy or facts changed, with the fewest moves.

    Example: skb repair 3f2a --off l3:3
    """
    from skb.cli.asking import EXIT_CODES
    from skb.decision import Limits
    from skb.knowledge import KnowledgeBase

    if not 0 < limit <= 86_400:
        raise RequestError("--limit is above 0 and at most 86400 seconds", mend="--limit 5")
    spent = Limits(seconds=limit, seed=seed)
    found = KnowledgeBase.open(db).repair(decision, off or (), spent, busy=busy or ())
    if json:
        print_json(found.to_json())
    else:
        _print(found, list(dict.fromkeys(off or ())), list(dict.fromkeys(busy or ())))
    raise typer.Exit(EXIT_CODES[found.best.status.value])


def _print(found: Repaired, off: list[str], busy: list[str]) -> None:
    """Print who moves and why, the safe and the best answer, and what they cost."""
    best = found.best.to_json()
    events = [
        f"{', '.join(parts)} {word}" for parts, word in ((off, "off"), (busy, "busy")) if parts
    ]
    supposed = f", with {' and '.join(events)}" if events else ""
    print(f"repair of {found.decision} on {best['machine']}{supposed}: {_headline(found)}")
    if best["status"] != "infeasible" and found.moves:
        rows = [_row(move) for move in found.moves]
        table(["task", "from PUs", "to PUs", "NUMA node", "why"], rows)
    print(f"before: {number(found.before)} ns/s")
    if found.safe is not None and found.moves:
        print(f"safe answer, at once: {number(found.safe.objective.value)} ns/s")
    _print_best(best)
    for warning in best["warnings"]:
        print(f"warning: {warning}")
    if best["status"] == "infeasible":
        return
    if off:
        said = " ".join(f'"power({part}, off)"' for part in off)
        print(f"supposed, so not stored; `skb assert {best['machine']} {said}` makes it a fact")
    else:
        print(f"decision {best['id']}; `skb bind {best['id'][:8]} --to taskset` applies it")


def _headline(found: Repaired) -> str:
    if found.best.status.value == "infeasible":
        return "infeasible"
    moves, tasks = len(found.moves), len(found.best.answer["tasks"])
    if not moves:
        rest = "the task stays" if tasks == 1 else f"all {tasks} tasks stay"
        return f"nobody has to move, {rest}"
    word = "task moves" if moves == 1 else "tasks move"
    return f"{moves} {word}, {tasks - moves} stay"


def _row(move: dict[str, Any]) -> list[object]:
    from skb.wording import led

    to = None if move["to"] is None else led(move["to"])
    return [move["task"], led(move["from"]), to, move["numa_to"], move["why"]]


def _print_best(best: dict[str, Any]) -> None:
    if best["status"] == "infeasible":
        print("these clash:")
        for reason in best["reasons"]:
            print(f"  - {reason['text']}")
        return
    proven = "proven" if best["status"] == "optimal" else "not proven"
    gap = f"bound {number(best['bound'])}, gap {best['gap']:.2%}"
    print(f"best answer, {proven}: {number(best['objective']['value'])} ns/s, {gap}")
