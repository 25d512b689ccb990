"""The commands that apply a decision: bind for other programs, apply for the facts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skb.cli.output import Database, Json, number, print_json, save, say


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("bind")(bind)
    app.command("apply")(apply)


def bind(
    decision: Annotated[str, typer.Argument(help="A decision's id or the beginning of it.")],
    to: Annotated[
        str,
        typer.Option(
            help="taskset, numactl, systemd, cpuset, rankfile, slurm, kubelet, libvirt or env;"
            " links: opensm or dot; interrupts: irq, steering, ethtool or irqbalance;"
            " buffers: dpdk, spdk or numactl."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> None:
    """Write a decision as commands or files of another program.

    Example: skb bind 3f2a --to taskset
    """
    from skb.bindings import bind as write
    from skb.knowledge import KnowledgeBase

    knowledge = KnowledgeBase.open(db)
    found = knowledge.decision(decision)
    made = write(knowledge.machine_of_decision(found), found, to)
    if output is not None:
        save(made.text, output)
        say(f"{output}: {number(len(made.text))} characters")
        for line in (made.does, f"needs: {made.needs}", *(f"note: {note}" for note in made.notes)):
            say(line)
    if json:
        print_json(made.to_json())
    elif output is None:
        print(made.text, end="")


def apply(
    decision: Annotated[str, typer.Argument(help="A links decision's id or the beginning of it.")],
    json: Json = False,
    db: Database = None,
) -> None:
    """Put decided tables in force: every other question then travels their ways.

    Example: skb apply 3f2a
    """
    from skb.knowledge import KnowledgeBase

    machine, changes = KnowledgeBase.open(db).apply(decision)
    if json:
        told = {"name": machine.name, "revision": machine.revision, "digest": machine.digest}
        print_json({**told, "entries": changes.entries})
        return
    print(
        f"{machine.name}: tables of {number(changes.entries)} next hops are in force at revision"
        f" {machine.revision}"
    )
    print(f"`skb retract {machine.name} next_hop virtual_channel` takes them back")
