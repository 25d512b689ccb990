"""Commands that bring facts in: import, discover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, print_json, say
from skb.errors import SkbError

if TYPE_CHECKING:
    from skb.machine import Machine
    from skb.sources.description import Description


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("import")(import_)
    app.command("discover")(discover)


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
