"""The command `tour`: the whole way of the data once, with the command for each step."""

from __future__ import annotations

from typing import Annotated

import typer

from skb.cli.output import Database

HOST = "this-host"
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Discover this host: Linux sysfs becomes facts.", ("discover", "--name", HOST)),
    ("What we know: this host and the bundled machines.", ("machines",)),
    ("What this host is made of.", ("show", HOST)),
    (
        "Where does code go? Two tasks that talk, on this host.",
        (
            "ask",
            "placement",
            HOST,
            "--task",
            "name=producer",
            "--task",
            "name=consumer",
            "--traffic",
            "from=producer to=consumer messages_per_s=100000",
        ),
    ),
    (
        "One rank for each GPU, on a node where the orders of GPUs and cores disagree.",
        ("ask", "placement", "ex235a", "--per", "gpu"),
    ),
    (
        "How do messages travel? A broadcast to all 32 cores of the 2009 machine.",
        ("ask", "route", "tyan-s4985", "--root", "0", "--compare"),
    ),
    (
        "Where do buffers lie? Forwarded packets near the NIC, consumed ones near the core.",
        (
            "ask",
            "buffers",
            "tyan-s4985",
            "--flow",
            "name=forwarded device=eth0 consumer=20 pattern=forward",
            "--flow",
            "name=consumed device=eth0 consumer=20 pattern=consume",
        ),
    ),
    (
        "What an impossible wish gets: the constraints that clash.",
        ("ask", "placement", "tyan-s4985", "--task", "name=big cores=33 exclusive=true"),
    ),
    (
        "What the decided route is worth: two-phase commit over it and over the classic trees.",
        (
            "simulate",
            "--machine",
            "tyan-s4985",
            "--root",
            "0",
            "--operations",
            "100",
            "--protocol",
            "two-phase-commit",
            "--compare",
        ),
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("tour")(tour)


def tour(
    once: Annotated[
        bool, typer.Option("--once", help="Look at the page once instead of serving on.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the page; 0 takes a free one.")] = 8421,
    db: Database = None,
) -> None:
    """Run the main job on this host and the bundled machines, showing each command; then serve.

    Example: skb tour --once
    """
    import shlex

    from skb.cli.main import main

    for text, arguments in STEPS:
        print(f"\n# {text}\n$ {shlex.join(('skb', *arguments))}", flush=True)
        code = main([*arguments, *(("--db", db) if db else ())])
        if code not in (0, 3):
            raise typer.Exit(code)
    _page(once, port, db)


def _page(once: bool, port: int, db: str | None) -> None:
    if not once:
        from api.serve import run

        print(f"\n# The page.\n$ skb serve --port {port}", flush=True)
        run(db, host="127.0.0.1", port=port)
        return
    from urllib.request import urlopen

    from api.serve import running

    print("\n# The page: served, looked at once, and stopped.\n$ skb serve", flush=True)
    with running(db) as address:
        for path in ("/", "/healthz", "/v1/machines"):
            with urlopen(address + path) as answer:
                print(f"GET {path}: {answer.status}, {len(answer.read())} bytes")
