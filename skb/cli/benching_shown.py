"""What every benchmark shows: the host, what runs now, and what a checker says against us."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

import typer

from skb.cli.output import say

SHOWN_FAULTS = 3


def host() -> str:
    """Say how busy the host is: other work slows every engine."""
    load, pus = os.getloadavg()[0], len(os.sched_getaffinity(0))
    busy = "; it is busy, so times are too long" if load > pus + 1 else ""
    return f"on {pus} PUs, load {load:.1f}{busy}"


def tell_faults(wrong: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print the faults of each place, and end the command with 1 where there are any."""
    rows = list(wrong)
    for place, faults in rows:
        for text in faults[:SHOWN_FAULTS]:
            say(f"wrong: {place}: {text}")
    if rows:
        raise typer.Exit(1)


class Progress:
    """One line on stderr that says what runs, where stderr is a terminal."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.done = 0
        self.title = ""
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        self.say("compiling")
        return self

    def __exit__(self, *_fault: object) -> None:
        self.clear()

    def next(self, title: str) -> None:
        """Go on to the next case."""
        self.done += 1
        self.title = title

    def engine(self, name: str) -> None:
        """Say which engine works on the case."""
        self.say(f"{self.done} of {self.count}: {self.title} {name}".rstrip())

    def clear(self) -> None:
        """Make room for a line on stdout."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def say(self, text: str) -> None:
        """Show a text in place of the one before."""
        if self.shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
