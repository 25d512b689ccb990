"""A pci decision in words for people."""

from __future__ import annotations

from typing import Any

from skb.cli.output import table

SHOWN_ROWS = 40


def print_pci(answer: dict[str, Any]) -> None:
    """Print registers, windows, room and what is taken of each window of a host bridge."""
    rows = [
        [
            row["pci"],
            row["bar"],
            row["space"],
            row["size"],
            hex(row["base"]),
            "" if row["was"] in (None, row["base"]) else hex(row["was"]),
        ]
        for row in answer["registers"]
    ]
    _shown(["register of", "bar", "space", "bytes", "address", "was at"], rows)
    windows = [
        [row["bridge"], row["space"], row["size"], hex(row["base"])] for row in answer["windows"]
    ]
    if windows:
        _shown(["window of", "space", "bytes", "address"], windows)
    rooms = [[row["bridge"], row["space"], row["size"], hex(row["base"])] for row in answer["room"]]
    if rooms:
        _shown(["room behind", "space", "bytes", "address"], rooms)
    roots = [
        [row["bridge"], hex(row["base"]), row["size"], row["used"], row["padding"]]
        for row in answer["roots"]
    ]
    _shown(["host bridge", "window at", "bytes", "taken", "of it empty"], roots)


def _shown(head: list[str], rows: list[list[Any]]) -> None:
    table(head, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more; --json has all")
