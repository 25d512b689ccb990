"""Commands about facts: machines, show, facts, assert, retract, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skb.cli.output import (
    ChangedName,
    Database,
    Json,
    MachineName,
    StoredName,
    print_json,
    say,
    size,
    table,
)
from skb.errors import FactError, SkbError
from skb.wording import counted, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skb.dependence import Unreachable
    from skb.machine import Machine
    from skb.relations import Fact


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("machines")(machines)
    app.command("show")(show)
    app.command("facts")(facts)
    app.command("assert")(assert_)
    app.command("retract")(retract)
    app.command("delete")(delete)


def machines(json: Json = False, db: Database = None) -> None:
    """List the stored and the bundled machines.

    Example: skb machines
    """
    from skb.knowledge import KnowledgeBase

    rows = KnowledgeBase.open(db).machines()
    if json:
        print_json(rows)
        return
    table(
        ["name", "revision", "origin", "packages", "NUMA", "cores", "PUs", "title"],
        [
            [r["name"], r["revision"], r["origin"]]
            + [r["counts"][kind] for kind in ("package", "numa", "core", "pu")]
            + [r["title"]]
            for r in rows
        ],
    )


def show(
    m: MachineName,
    as_of: Annotated[int | None, typer.Option(help="As of this revision.")] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Show what a machine is made of, and what of it cannot be reached.

    Example: skb show tyan-s4985 --json
    """
    from skb.cli.comparing import print_unreachable, rows_of
    from skb.knowledge import KnowledgeBase

    machine = KnowledgeBase.open(db).machine(m, as_of)
    unreachable = _unreachable(machine)
    if json:
        told = {**machine.summary(), "unreachable": rows_of(unreachable)}
        if (ways := machine.ways).tables:
            undelivered, detours = len(ways.broken), len(ways.detours)
            entries = len(machine.facts_of("next_hop"))
            tables = {"next_hops": entries, "not_delivered": undelivered, "shortest": detours}
            told["tables"] = tables
        print_json(told)
        return
    print(f"{machine.name}  {machine.title}".rstrip())
    print(f"revision {machine.revision}, {len(machine.facts)} facts, {machine.digest[:19]}")
    print(", ".join(f"{n} {kind}" for kind, n in machine.counts.items() if n))
    print(f"PUs {spans(machine.pus) or 'none'}; memory {_memory(machine)}")
    if len(machine.allowed_pus) != len(machine.pus):
        print(f"allowed PUs {spans(machine.allowed_pus)}")
    if unreachable:
        print_unreachable(unreachable, "now")
    _print_tables(machine)
    rows = machine.devices()
    if rows:
        table(
            ["device", "kinds", "PCI", "near PUs", "NUMA", "GB/s"],
            [
                (
                    *(r["id"], r["kinds"], r["pci"], spans(r["pus"]), spans(r["numa"])),  # type: ignore[arg-type]
                    r["link_gbytes_per_s"],
                )
                for r in rows
            ],
        )
    for note in machine.notes:
        say(f"note: {note}")


def _print_tables(machine: Machine) -> None:
    """Say which forwarding tables are in force, and where they do not deliver."""
    entries = machine.facts_of("next_hop")
    if not entries:
        return
    said = sorted({fact.by or fact.source for fact in entries})
    print(f"links forward by tables: {counted(len(entries), 'next hop')}, by {', '.join(said)}")
    if broken := machine.ways.broken:
        first = " -> ".join(broken[0])
        took = len(machine.ways.detours)
        ways = f"{took} of them go shortest ways, no way is left for the others"
        told = "shortest ways" if took == len(broken) else ways if took else "no way is left"
        print(f"{counted(len(broken), 'pair')} they do not deliver, such as {first}: {told}")


def _unreachable(machine: Machine) -> Sequence[Unreachable]:
    """Return what power and presence make unreachable; no rules are run where nothing is off."""
    if not machine.usability.because:
        return ()
    from skb.dependence import unreachable

    return unreachable(machine)


def _memory(machine: Machine) -> str:
    return size(machine.memory_bytes) if machine.all("memory_size") else "size not stated"


def facts(
    m: Annotated[str | None, typer.Argument(metavar="[M]", help="The machine.")] = None,
    predicate: Annotated[str | None, typer.Argument(help="Only this predicate.")] = None,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Only facts that another source overrules.")
    ] = False,
    relations: Annotated[
        bool, typer.Option("--relations", help="List the known predicates instead.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="With --relations: as a page of the docs.")
    ] = False,
    as_of: Annotated[int | None, typer.Option(help="As of this revision.")] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """List a machine's facts with their provenance.

    Example: skb facts tyan-s4985 link
    """
    if relations:
        _print_relations(json, markdown)
        return
    from skb.exports.facts_json import row_of
    from skb.knowledge import KnowledgeBase
    from skb.relations import relations as known

    if m is None:
        raise SkbError("which machine?", mend="skb facts M [PREDICATE]; `skb machines` lists them")
    if predicate is not None and predicate not in known():
        raise FactError(
            f"unknown predicate {predicate!r}", mend="`skb facts --relations` lists the known ones"
        )
    machine = KnowledgeBase.open(db).machine(m, as_of)
    if conflicts:
        _print_conflicts(machine, predicate, json)
        return
    found = machine.facts if predicate is None else machine.all(predicate)
    if json:
        print_json([row_of(fact) for fact in found])
        return
    if not found:
        print(f"{machine.name} states no {predicate or 'fact'}")
        return
    from skb.machine import natural_order

    ordered = sorted(found, key=lambda fact: natural_order(fact.text))
    rows = [(fact, row_of(fact)) for fact in ordered]
    table(
        ["fact", "unit", "source", "by"],
        [[fact.text, row["unit"], row["source"], row.get("by", "")] for fact, row in rows],
    )


def _print_conflicts(machine: Machine, predicate: str | None, json: bool) -> None:
    """Print the facts that are overruled, each beside the one that holds."""
    from skb.exports.facts_json import row_of

    pairs = [p for p in machine.conflicts() if predicate in (None, p[0].predicate)]
    if json:
        print_json([{**row_of(lost), "overruled_by": row_of(holds)} for holds, lost in pairs])
        return
    if not pairs:
        print("nothing that is said of it contradicts what holds")
        return
    table(
        ["holds", "said by", "overruled", "said by"],
        [
            [holds.text, f"{holds.source} {holds.by}", lost.args[-1], f"{lost.source} {lost.by}"]
            for holds, lost in pairs
        ],
    )


def _print_relations(json: bool, markdown: bool) -> None:
    from skb.relations import reference_page
    from skb.relations import relations as known

    if markdown:
        print(reference_page(), end="")
        return
    if json:
        import msgspec

        print_json([msgspec.to_builtins(relation) for relation in known().values()])
        return
    table(
        ["family", "predicate", "unit", "meaning"],
        [[r.family, r.signature, r.unit, r.meaning] for r in known().values()],
    )


def assert_(
    m: ChangedName,
    fact: Annotated[list[str], typer.Argument(metavar="FACT...", help='"load(pu:3, 50)"')],
    source: Annotated[str, typer.Option(help="Who says so.")] = "asserted",
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite what the same source said before.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Assert facts about a stored or bundled machine, all or none.

    Example: skb assert tyan-s4985 "power(package:3, off)"
    """
    from skb.knowledge import KnowledgeBase
    from skb.relations import parse_fact

    knowledge = KnowledgeBase.open(db)
    added = [parse_fact(text, source) for text in fact]
    gone: list[Fact] = []
    if replace:
        slots = {(new.key, new.source): new for new in added}
        old = knowledge.machine(m, paths=False)
        gone = [f for f in old.facts if (f.key, f.source) in slots]
        added = [f for f in added if all(f.args != g.args or f.key != g.key for g in gone)]
        gone = [g for g in gone if g.args != slots[g.key, g.source].args]
    before = _unreachable(knowledge.machine(m, paths=False))
    machine = knowledge.write(m, added, gone)
    _changed(machine, json, len(added), len(gone))
    if not json:
        _tell_reach(before, _unreachable(machine))


def retract(
    m: StoredName,
    fact: Annotated[list[str], typer.Argument(metavar="FACT...", help='"load(pu:3, 50)"')],
    source: Annotated[str, typer.Option(help="Only what this source says.")] = "",
    json: Json = False,
    db: Database = None,
) -> None:
    """Retract facts of a stored machine, all or none; a predicate alone means all of its facts.

    Example: skb retract tyan-s4985 "power(package:3, off)"
    """
    from skb.knowledge import KnowledgeBase
    from skb.relations import parse_fact, relations

    knowledge = KnowledgeBase.open(db)
    stored = knowledge.machine(m, paths=False)
    gone = []
    for text in fact:
        if text in relations():
            found = [one for one in stored.all(text) if source in ("", one.source)]
            if not found:
                raise FactError(f"{m} states no {text}", mend="`skb facts M` lists what it states")
            gone += found
        else:
            gone.append(parse_fact(text, source))
    before = _unreachable(stored)
    machine = knowledge.write(m, [], gone)
    _changed(machine, json, 0, len(gone))
    if not json:
        _tell_reach(before, _unreachable(machine))


def _tell_reach(before: Sequence[Unreachable], after: Sequence[Unreachable]) -> None:
    """Print what a change of power or presence took along or gave back."""
    from skb.cli.comparing import print_unreachable

    was, now = {row.id for row in before}, {row.id for row in after}
    if lost := [row for row in after if row.id not in was]:
        print_unreachable(lost, "from now on")
    if back := was - now:
        print(f"{len(back)} reachable again")


def _changed(machine: Machine, json: bool, added: int, gone: int) -> None:
    if json:
        print_json({"name": machine.name, "revision": machine.revision, "digest": machine.digest})
    else:
        print(f"{machine.name}: {added} asserted, {gone} retracted, revision {machine.revision}")


def delete(m: StoredName, json: Json = False, db: Database = None) -> None:
    """Forget a stored machine; its history stays readable with --as-of.

    Example: skb delete node17
    """
    from skb.knowledge import KnowledgeBase

    revision = KnowledgeBase.open(db).delete(m)
    if json:
        print_json({"name": m, "revision": revision})
    else:
        print(f"{m}: deleted at revision {revision}")
