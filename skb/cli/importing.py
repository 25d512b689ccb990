"""Commands that bring facts in: import, discover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skb.cli.output import Database, Json, print_json, say
from skb.cli.tables import Clock, Receive, RoundTrip, Send, Structure, Unit, read_found
from skb.errors import NameTakenError, SkbError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skb.knowledge import KnowledgeBase
    from skb.machine import Machine
    from skb.sources.description import Description


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("import")(import_)
    app.command("discover")(discover)


def import_(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Descriptions.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the machine that all the files describe.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Store as the next revision of a known machine.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Add to what is known of the machine --name.")
    ] = False,
    send: Send = None,
    receive: Receive = None,
    rtt: RoundTrip = None,
    structure: Structure = "",
    unit: Unit = "",
    clock_mhz: Clock = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Read machine descriptions, recognised by their content, and store their facts.

    They are hwloc XML, a sysfs archive or folder, native TOML, NCCL topology XML, Barrelfish facts,
    an MCTOP file, a latency matrix (CSV), a list of sender, receiver and cost, a network (DOT), or
    forwarding tables (of OpenSM, in DOT, or a links decision as JSON).

    Example: skb import node17.xml --name node17
    """
    from skb.knowledge import KnowledgeBase
    from skb.sources.description import TableOptions

    if merge and (name is None or replace):
        raise SkbError("--merge goes with --name M and without --replace", mend="give --name M")
    knowledge = KnowledgeBase.open(db)
    # everything is read before anything is written: a bad file changes nothing
    options = TableOptions(unit, clock_mhz, structure)
    roles = {"send": send, "receive": receive, "rtt": rtt}
    found = read_found(files or (), roles, options)
    if name is not None and (merge or len(found) > 1):
        places = [(str(path), description) for path, description in found]
        _tell_merged(_merged(knowledge, name, places, merge, replace), places, json)
        return
    for path, description in found:
        description.check_whole(str(path))
    names = [name or description.name or _stem(path) for path, description in found]
    _check_names(names, found)
    stored = [
        _store(knowledge, description, wanted, replace)
        for wanted, (_path, description) in zip(names, found, strict=True)
    ]
    if json:
        print_json([machine.summary() for machine in stored])
        return
    for machine, (_path, description) in zip(stored, found, strict=True):
        _tell(machine, description)


def _check_names(names: Sequence[str], found: Sequence[tuple[Path, Description]]) -> None:
    """Raise `NameTakenError` where files that say different things have one name."""
    first: dict[str, tuple[Path, Description]] = {}
    for name, (path, description) in zip(names, found, strict=True):
        other, known = first.setdefault(name, (path, description))
        if known.facts != description.facts:
            raise NameTakenError(
                f"{other} and {path} both call their machine {name!r}",
                mend="--name NAME makes one machine of several files; else import them one by one",
            )


def _store(knowledge: Any, description: Description, name: str, replace: bool) -> Machine:
    machine: Machine = knowledge.load(name, description, replace=replace)
    return machine


def _merged(
    knowledge: KnowledgeBase,
    name: str,
    found: list[tuple[str, Description]],
    into: bool,
    replace: bool = False,
) -> Machine:
    """Store several descriptions of one machine as one, or add them to the machine `name`."""
    from skb.merging import merge

    places = [place for place, _description in found]
    descriptions = [description for _place, description in found]
    if into:
        return knowledge.merge(name, descriptions, places)
    return knowledge.load(name, merge(descriptions, places), replace=replace)


def _tell_merged(machine: Machine, found: list[tuple[str, Description]], json: bool) -> None:
    """Print what each file gave, and how many statements other files or sources overrule."""
    given = [{"file": place, "facts": _stated(description)} for place, description in found]
    disputed = len(machine.conflicts())
    if json:
        print_json([{**machine.summary(), "files": given, "conflicts": disputed}])
        return
    _tell_counts(machine)
    for row in given:
        print(f"  {row['facts']} facts from {row['file']}")
    if disputed:
        hint = f"`skb facts {machine.name} --conflicts` lists them"
        print(f"  {disputed} statements are overruled by others; {hint}")
    for note in machine.notes:
        say(f"note: {note}")


def _stated(description: Description) -> int:
    """Return how many facts a file gave; where it has tables, only those were taken."""
    tables = description.tables
    return len(description.facts) if tables is None else len(tables.entries)


def _stem(path: Path) -> str:
    return path.name.partition(".")[0] or path.resolve().name


def _tell(machine: Machine, description: Description) -> None:
    _tell_counts(machine)
    for note in description.notes:
        say(f"note: {note}")


def _tell_counts(machine: Machine) -> None:
    counts = ", ".join(f"{n} {kind}" for kind, n in machine.counts.items() if n)
    print(f"{machine.name}: {len(machine.facts)} facts at revision {machine.revision}: {counts}")


def discover(
    root: Annotated[
        Path | None, typer.Option(help="A captured tree or archive instead of this host.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the machine.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Add to what is known of the machine.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Measure the load of every PU over a moment, too.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> None:
    """Discover this host from Linux sysfs and store its facts as the next revision.

    What was asserted or measured about parts that are still there stays.

    Example: skb discover --name this-host
    """
    from skb.knowledge import KnowledgeBase
    from skb.sources import read_path, sysfs

    if load and root is not None:
        raise SkbError("a captured tree has no load", mend="leave --load or --root out")
    description = sysfs.discover(load=load) if root is None else read_path(root)
    knowledge = KnowledgeBase.open(db)
    wanted = name or description.name or "this-host"
    if merge:
        place = str(root) if root else "this host"
        found = [(place, description)]
        _tell_merged(_merged(knowledge, wanted, found, into=True), found, json)
        return
    machine = knowledge.rediscover(wanted, description)
    if json:
        print_json(machine.summary())
        return
    _tell_counts(machine)
    for note in machine.notes:
        say(f"note: {note}")
