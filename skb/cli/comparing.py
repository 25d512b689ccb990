"""Commands about what differs, what changed, and what depends on a part: diff, history, depends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, MachineName, StoredName, print_json, table
from skb.errors import FactError, NotFoundError
from skb.wording import listed, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skb.comparing import Difference
    from skb.dependence import Unreachable
    from skb.machine import Machine
    from skb.relations import Fact

SHOWN = 30
Compared = Annotated[
    str, typer.Argument(help="A machine, a description's path, or a revision such as node17@7.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("diff")(diff)
    app.command("history")(history)
    app.command("depends")(depends)


def diff(
    a: Compared,
    b: Compared,
    predicate: Annotated[
        str, typer.Argument(help="Only this predicate; contains is the structure.")
    ] = "",
    json: Json = False,
    db: Database = None,
) -> None:
    """Say what differs between two machines, files or revisions, structure included.

    Example: skb diff node17@3 node17
    """
    from skb.comparing import compare, document
    from skb.knowledge import KnowledgeBase
    from skb.relations import relations

    if predicate and predicate not in relations():
        raise FactError(
            f"unknown predicate {predicate!r}", mend="`skb facts --relations` lists the known ones"
        )
    knowledge = KnowledgeBase.open(db)
    first, second = knowledge.revision(a), knowledge.revision(b)
    found = compare(first, second, predicate)
    if json:
        print_json(document(first, second, found))
        return
    _print_difference(first, second, found)


def _print_difference(a: Machine, b: Machine, found: Difference) -> None:
    print(f"{_called(a)} and {_called(b)}: {found.headline}")
    if found.renamed:
        print(f"{len(found.renamed)} parts are numbered differently")
    if found.counts:
        rows = [[kind, *counts] for kind, counts in found.counts.items()]
        table(["parts", "first", "second"], rows)
    for word, parts in (("first", found.parts_only_a), ("second", found.parts_only_b)):
        if parts:
            print(f"only in the {word}: {listed(parts, SHOWN)}")
    if found.moved:
        _cut_table(["part", "in the first in", "in the second in"],
                   [[m.id, m.was, m.now] for m in found.moved])  # fmt: skip
    if found.changed:
        _cut_table(
            ["fact of the first", "second", "said by", "second by"],
            [[one.text, other.args[-1], _said(one), _said(other)] for one, other in found.changed],
        )
    for word, facts in (("first", found.facts_only_a), ("second", found.facts_only_b)):
        gone = found.parts_only_a if word == "first" else found.parts_only_b
        _print_facts(word, facts, set(gone))
    if found.provenance:
        _cut_table(
            ["said by others", "first", "second"],
            [[one.text, _said(one), _said(other)] for one, other in found.provenance],
        )


def _print_facts(word: str, facts: Iterable[Fact], gone: set[str]) -> None:
    """Print facts that one machine has, those about parts that only it has as a number."""
    facts = list(facts)
    shown = [f for f in facts if not {str(a).partition(" of ")[0] for a in f.args} & gone]
    if shown:
        rows = [[fact.text, _said(fact)] for fact in shown]
        _cut_table([f"fact only in the {word}", "said by"], rows)
    if rest := len(facts) - len(shown):
        print(f"{rest} more facts about parts that only the {word} has")


def _cut_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table(columns, rows[:SHOWN])
    if len(rows) > SHOWN:
        print(f"and {len(rows) - SHOWN} more; --json has all")


def _called(machine: Machine) -> str:
    return f"{machine.name}@{machine.revision}" if machine.revision else machine.name


def _said(fact: Fact) -> str:
    return " ".join(word for word in (fact.source, fact.by, fact.when) if word)


# ------------------------------------------------------------------ history
def history(m: StoredName, json: Json = False, db: Database = None) -> None:
    """List the revisions of a stored machine: when, and what was asserted and retracted.

    Example: skb history node17
    """
    from skb.knowledge import KnowledgeBase

    knowledge = KnowledgeBase.open(db)
    rows = knowledge.revisions(m)
    if not rows:
        raise NotFoundError(
            f"{m!r} has no history", mend="only stored machines have; see `skb machines`"
        )
    if json:
        from skb.exports.facts_json import row_of

        print_json(
            [
                {
                    **{key: row[key] for key in ("revision", "when", "kind", "facts")},
                    "asserted": [row_of(fact) for fact in row["asserted"]],
                    "retracted": [row_of(fact) for fact in row["retracted"]],
                }
                for row in rows
            ]
        )
        return
    table(
        ["revision", "when (UTC)", "kind", "facts", "asserted", "retracted"],
        [
            [
                row["revision"],
                row["when"].partition(".")[0].replace("T", " "),
                *(row[key] for key in ("kind", "facts")),
                *(_some(row[key]) for key in ("asserted", "retracted")),
            ]
            for row in rows
        ],
    )


def _some(facts: Sequence[Fact]) -> str:
    more = f" and {len(facts) - 3} more" if len(facts) > 3 else ""
    return "; ".join(fact.text for fact in facts[:3]) + more


# ------------------------------------------------------------------ dependence
def depends(
    m: MachineName,
    part: Annotated[str, typer.Argument(metavar="PART", help="Such as bridge:3.")],
    state: Annotated[str, typer.Option(help="off, sleep or absent.")] = "off",
    json: Json = False,
    db: Database = None,
) -> None:
    """Say what would become unreachable if a part were off, asleep or absent, and why.

    Example: skb depends tyan-s4985 package:7
    """
    from skb.dependence import dependents
    from skb.knowledge import KnowledgeBase

    machine = KnowledgeBase.open(db).revision(m)
    rows = dependents(machine, part, state)
    if json:
        print_json({"machine": machine.name, "revision": machine.revision, "part": part,
                    "state": state, "unreachable": rows_of(rows)})  # fmt: skip
        return
    if not rows:
        print(f"nothing depends on {part}: no other part becomes unreachable with it {state}")
        return
    print_unreachable(rows, f"with {part} {'asleep' if state == 'sleep' else state}")


def rows_of(rows: Iterable[Unreachable]) -> list[dict[str, Any]]:
    """Return what cannot be reached as JSON shows it."""
    return [{"id": row.id, "because": list(row.because), "text": row.text} for row in rows]


def print_unreachable(rows: Sequence[Unreachable], words: str) -> None:
    """Print the parts that cannot be reached, by their causes, kinds counted."""

    grouped: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        name = row.id
        reason = row.text.partition(" is unreachable: ")[2]
        for word in (" around it", " above it"):
            reason = reason.replace(word, "")
        kind, _, index = name.partition(":")
        grouped.setdefault(reason or row.text, {}).setdefault(kind, []).append(index)
    print(f"{len(rows)} unreachable {words}:")
    for reason, kinds in grouped.items():
        said = []
        for kind, indexes in kinds.items():
            numbers = all(index.isascii() and index.isdigit() for index in indexes)
            shown = spans(map(int, indexes)) if numbers else listed(indexes, SHOWN)
            said.append(f"{kind}:{shown}" if numbers else f"{kind} {shown}")
        print(f"  {reason}: {', '.join(said)}")
