"""The command that finds structure in numbers: infer."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, number, print_json, say, table
from skb.wording import spans

if TYPE_CHECKING:
    from skb.inference import Level, Structure
    from skb.inferred import Agreement, Pairs
    from skb.machine import Machine

_SHOWN = 6


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("infer")(infer)


def infer(
    matrix: Annotated[
        str,
        typer.Argument(
            metavar="MATRIX", help="A latency matrix, or any description that states pairs of PUs."
        ),
    ],
    cost: Annotated[
        str,
        typer.Option(
            "--cost", help="latency, send+receive, round_trip, receive or send; else the first."
        ),
    ] = "",
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="M", help="A description of the same machine."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Store the machine with this structure under a name.")
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="What is stored is at least this sure.")
    ] = 0.8,
    replace: Annotated[
        bool, typer.Option("--replace", help="Store as the next revision of a known machine.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Find threads of a core, shared caches, packages and meshes in measured latencies alone.

    Example: skb infer latencies.csv --against lstopo.xml
    """
    from skb.inference import infer as find
    from skb.inferred import agreement, describe, pair_matrix
    from skb.knowledge import KnowledgeBase

    knowledge = KnowledgeBase.open(db)
    machine = knowledge.machine(matrix)
    other = knowledge.machine(against) if against else None
    pairs = pair_matrix(machine, cost)
    structure = find(pairs.values, pairs.pus)
    agreed = agreement(pairs, structure, other) if other else ()
    stored = None
    if name:
        description = describe(machine, pairs, structure, confidence)
        stored = knowledge.load(name, description, replace=replace)
    if json:
        print_json(_document(machine, pairs, structure, agreed, stored))
        return
    _print(machine, pairs, structure)
    if other:
        _print_agreement(structure, agreed, pairs, other)
    if stored:
        print(f"{stored.name}: {len(stored.facts)} facts at revision {stored.revision}")


def _print(machine: Machine, pairs: Pairs, structure: Structure) -> None:
    levels = structure.levels
    what = f"{len(levels)} level{'s' * (len(levels) != 1)}" if levels else "no groups"
    print(f"{machine.name}: {what} in the {pairs.cost} of {len(pairs.pus)} PUs")
    if levels:
        table(
            ["level", "groups", "PUs each", "inside ns", "next ns", "confidence", "members"],
            [
                _row(level, {g for inner in levels[:at] for g in inner.groups}, pairs)
                for at, level in enumerate(levels)
            ],
        )
    for level in levels:
        _tell(f"{level.kind} (the name: {level.name_confidence:.0%} sure): {level.why}")
    for note in structure.notes:
        _tell(f"note: {note}")


def _tell(text: str) -> None:
    """Print a sentence on stderr, wrapped at words where that is a terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    say(textwrap.fill(text, width, subsequent_indent="  ") if sys.stderr.isatty() else text)


def _row(level: Level, inner: set[tuple[int, ...]], pairs: Pairs) -> list[Any]:
    from skb.inferred import spelled

    new = tuple(g for g in level.groups if len(g) > 1 and g not in inner)
    groups = spelled(new, pairs.pus)
    kept = sum(len(g) > 1 and g in inner for g in level.groups)
    lone = sum(len(g) == 1 for g in level.groups)
    members = " | ".join(spans(group) for group in groups[:_SHOWN])
    return [
        level.kind,
        f"{len(groups)}" + f", {kept} as within" * bool(kept) + f", {lone} PUs alone" * bool(lone),
        " or ".join(str(size) for size in sorted({len(group) for group in groups})),
        number(round(level.latency, 1)),
        number(round(level.outside, 1)),
        f"{level.confidence:.2f}",
        members + (" | …" if len(groups) > _SHOWN else ""),
    ]


def _print_agreement(
    structure: Structure, agreed: tuple[Agreement, ...], pairs: Pairs, other: Machine
) -> None:
    if not agreed:
        print(f"{other.name} groups no PUs: nothing to compare")
    elif set(pairs.pus) != set(other.pus):
        both = len(set(pairs.pus) & set(other.pus))
        say(
            f"note: the matrix has {len(pairs.pus)} PUs, {other.name} {len(other.pus)}; "
            f"compared over the {both} that both have"
        )
    for one in agreed:
        kind = structure.levels[one.level].kind
        rest = f"; PUs {spans(one.differ)} differ" if one.differ else ""
        print(f"{kind}: {one.same} of {one.objects} {one.kind} objects of {other.name}{rest}")


def _document(
    machine: Machine,
    pairs: Pairs,
    structure: Structure,
    agreed: tuple[Agreement, ...],
    stored: Machine | None,
) -> dict[str, Any]:
    from skb.inferred import spelled

    return {
        "machine": machine.name,
        "cost": pairs.cost,
        "unit": "ns",
        "pus": list(pairs.pus),
        "graded": structure.graded,
        "levels": [
            {
                "kind": level.kind,
                "groups": [list(group) for group in spelled(level.groups, pairs.pus)],
                "latency_ns": round(level.latency, 3),
                "outside_ns": round(level.outside, 3),
                "confidence": level.confidence,
                "name_confidence": level.name_confidence,
                "why": level.why,
            }
            for level in structure.levels
        ],
        "odd": [pairs.pus[i] for i in structure.odd],
        "unmeasured": [pairs.pus[i] for i in structure.alone],
        "notes": list(structure.notes),
        "agreement": [
            {
                "level": structure.levels[one.level].kind,
                "kind": one.kind,
                "objects": one.objects,
                "same": one.same,
                "differ": list(one.differ),
            }
            for one in agreed
        ],
        "stored": stored.name if stored else None,
    }
