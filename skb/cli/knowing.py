"""Commands about facts: import, discover, machines, show, facts, assert, retract, export, draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import (
    Database,
    Json,
    MachineName,
    number,
    print_json,
    save,
    say,
    size,
    spans,
    table,
)
from skb.errors import FactError, SkbError

if TYPE_CHECKING:
    from skb.machine import Machine
    from skb.relations import Fact
    from skb.sources.description import Description


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("import")(import_)
    app.command("discover")(discover)
    app.command("machines")(machines)
    app.command("show")(show)
    app.command("facts")(facts)
    app.command("assert")(assert_)
    app.command("retract")(retract)
    app.command("delete")(delete)
    app.command("export")(export)


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Descriptions.")],
    name: Annotated[str | None, typer.Option(help="Name of the machine (one file).")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Store as the next revision of a known machine.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Read machine descriptions (hwloc XML, sysfs archive, native TOML) and store their facts.

    Example: skb import node17.xml --name node17
    """
    from skb.knowledge import KnowledgeBase
    from skb.sources import read_path

    if name is not None and len(files) > 1:
        raise SkbError("--name goes with one file", mend="import the files one by one")
    knowledge = KnowledgeBase.open(db)
    # everything is read before anything is written: a bad file changes nothing
    found = [(path, read_path(path)) for path in files]
    stored = [_store(knowledge, d, name or d.name or _stem(path), replace) for path, d in found]
    if json:
        print_json([machine.summary() for machine in stored])
        return
    for machine, (_path, description) in zip(stored, found, strict=True):
        _tell(machine, description)


def _store(knowledge: Any, description: Description, name: str, replace: bool) -> Machine:
    machine: Machine = knowledge.load(name, description, replace=replace)
    return machine


def _stem(path: Path) -> str:
    return path.name.partition(".")[0] or path.resolve().name


def _tell(machine: Machine, description: Description) -> None:
    counts = ", ".join(f"{n} {kind}" for kind, n in machine.counts.items() if n)
    print(f"{machine.name}: {len(machine.facts)} facts at revision {machine.revision}: {counts}")
    for note in description.notes:
        say(f"note: {note}")


def discover(
    root: Annotated[
        Path | None, typer.Option(help="A captured tree or archive instead of this host.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the machine.")] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Discover this host from Linux sysfs and store its facts as the next revision.

    Example: skb discover --name this-host
    """
    from skb.knowledge import KnowledgeBase
    from skb.sources import read_path, sysfs

    description = sysfs.discover() if root is None else read_path(root)
    knowledge = KnowledgeBase.open(db)
    wanted = name or description.name or "this-host"
    machine = knowledge.load(wanted, description, replace=True)
    if json:
        print_json(machine.summary())
    else:
        _tell(machine, description)


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


def show(m: MachineName, json: Json = False, db: Database = None) -> None:
    """Show what a machine is made of.

    Example: skb show tyan-s4985 --json
    """
    from skb.knowledge import KnowledgeBase

    machine = KnowledgeBase.open(db).machine(m)
    if json:
        print_json(machine.summary())
        return
    print(f"{machine.name}  {machine.title}".rstrip())
    print(f"revision {machine.revision}, {len(machine.facts)} facts, {machine.digest[:19]}")
    print(", ".join(f"{n} {kind}" for kind, n in machine.counts.items() if n))
    print(f"PUs {spans(machine.pus)}; memory {_memory(machine)}")
    if len(machine.allowed_pus) != len(machine.pus):
        print(f"allowed PUs {spans(machine.allowed_pus)}")
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
    from skb.knowledge import KnowledgeBase
    from skb.relations import relations as known

    if m is None:
        raise SkbError("which machine?", mend="skb facts M [PREDICATE]; `skb machines` lists them")
    if predicate is not None and predicate not in known():
        raise FactError(
            f"unknown predicate {predicate!r}", mend="`skb facts --relations` lists the known ones"
        )
    machine = KnowledgeBase.open(db).machine(m, as_of)
    found = machine.facts if predicate is None else machine.all(predicate)
    if conflicts:
        found = tuple(lost for _holds, lost in machine.conflicts())
    rows = [_row(fact) for fact in found]
    if json:
        print_json(rows)
        return
    table(
        ["fact", "unit", "source", "by"],
        [
            [f.text, r["unit"], r["source"], r.get("by", "")]
            for f, r in zip(found, rows, strict=True)
        ],
    )


def _row(fact: Fact) -> dict[str, Any]:
    from skb.relations import relations as known

    row: dict[str, Any] = {
        "predicate": fact.predicate,
        "args": list(fact.args),
        "source": fact.source,
        "unit": known()[fact.predicate].unit,
    }
    for name in ("by", "when", "samples", "spread"):
        if value := getattr(fact, name):
            row[name] = value
    return row


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
    m: MachineName,
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
    _changed(knowledge.write(m, added, gone), json, len(added), len(gone))


def retract(
    m: MachineName,
    fact: Annotated[list[str], typer.Argument(metavar="FACT...", help='"load(pu:3, 50)"')],
    source: Annotated[str, typer.Option(help="Only what this source says.")] = "",
    json: Json = False,
    db: Database = None,
) -> None:
    """Retract facts of a stored machine, all or none.

    Example: skb retract tyan-s4985 "power(package:3, off)"
    """
    from skb.knowledge import KnowledgeBase
    from skb.relations import parse_fact

    gone = [parse_fact(text, source) for text in fact]
    _changed(KnowledgeBase.open(db).write(m, [], gone), json, 0, len(gone))


def _changed(machine: Machine, json: bool, added: int, gone: int) -> None:
    if json:
        print_json({"name": machine.name, "revision": machine.revision, "digest": machine.digest})
    else:
        print(f"{machine.name}: {added} asserted, {gone} retracted, revision {machine.revision}")


def delete(m: MachineName, json: Json = False, db: Database = None) -> None:
    """Forget a stored machine; its history stays readable with --as-of.

    Example: skb delete node17
    """
    from skb.knowledge import KnowledgeBase

    revision = KnowledgeBase.open(db).delete(m)
    if json:
        print_json({"name": m, "revision": revision})
    else:
        print(f"{m}: deleted at revision {revision}")


def export(
    m: MachineName,
    to: Annotated[str, typer.Option(help="native or json.")] = "native",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
    db: Database = None,
) -> None:
    """Write a machine's facts in another format; native reads back to the same facts.

    Example: skb export tyan-s4985 --to native -o tyan.toml
    """
    from skb.knowledge import KnowledgeBase

    machine = KnowledgeBase.open(db).machine(m)
    if to == "native":
        from skb.sources import native

        text = native.write(machine)
    elif to == "json":
        import json as writer

        rows = [_row(fact) for fact in machine.facts]
        text = writer.dumps({**machine.summary(), "facts": rows}, indent=2, ensure_ascii=False)
    else:
        raise SkbError(f"cannot export to {to!r}", mend="native or json")
    if output is None:
        print(text)
    else:
        save(text, output)
        say(f"{output}: {number(len(text))} characters")
