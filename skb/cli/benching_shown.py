"""What every benchmark shows: the host, what runs now, rows, and what a checker says against us."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from skb.cli.output import print_json, say
from skb.errors import RequestError

if TYPE_CHECKING:
    from skb.benching.routing_rows import Row

SHOWN_FAULTS = 3
Limit = Annotated[
    float | None,
    typer.Option(min=0.01, help="Most seconds for each answer; absent = as the target says."),
]
# units that a target says already
_SILENT = ("", "pairs")


def host() -> str:
    """Say how busy the host is: other work slows every engine."""
    load, pus = os.getloadavg()[0], len(os.sched_getaffinity(0))
    busy = "; it is busy, so times are too long" if load > pus + 1 else ""
    return f"on {pus} PUs, load {load:.1f}{busy}"


def known_suite(name: str, suites: Iterable[str]) -> list[str]:
    """Return the suite of this name, or all; raises `RequestError` where there is none."""
    names = list(suites)
    if name == "all":
        return names
    if name not in names:
        raise RequestError(
            f"there is no suite {name!r}",
            place="--suite",
            mend=f"they are: {', '.join(names)}, all",
        )
    return [name]


def tell_faults(wrong: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print the faults of each place, and end the command with 1 where there are any."""
    rows = list(wrong)
    for place, faults in rows:
        for text in faults[:SHOWN_FAULTS]:
            say(f"wrong: {place}: {text}")
    if rows:
        raise typer.Exit(1)


class Shown:
    """Rows that are printed as they come, or told as one JSON object at the end.

    `titles` says what each suite is, `wide` how many characters a value has, `digits` how many
    digits a second.
    """

    def __init__(
        self, titles: Mapping[str, str], json: bool, wide: int = 11, digits: int = 2
    ) -> None:
        self.titles, self.json = titles, json
        self.wide, self.digits = wide, digits
        self.rows: list[Row] = []

    def begin(self) -> None:
        """Say what the rows are measured on."""
        if not self.json:
            print(host())

    def add(self, row: Row) -> None:
        """Print a row, below the title of its suite."""
        if not self.json:
            self._print(row, titled=not self.rows or self.rows[-1].suite != row.suite)
        self.rows.append(row)

    def end(self) -> None:
        """Count the rows that meet their targets, and end the command with 1 where one is wrong."""
        met = sum(row.met for row in self.rows)
        if self.json:
            told = [{**asdict(row), "met": row.met} for row in self.rows]
            missed = len(self.rows) - met
            print_json({"host": host(), "rows": told, "met": met, "missed": missed})
        else:
            print(f"\n{met} of {len(self.rows)} rows meet their targets")
            for row in self.rows:
                for text in row.misses:
                    print(f"MISSED {row.suite} {row.case}: {text}")
        tell_faults((f"{row.suite} {row.case}", row.faults) for row in self.rows if row.faults)

    def _print(self, row: Row, titled: bool) -> None:
        wide, digits = self.wide, self.digits
        if titled:
            line = f"{'met':<4}{'value':>{wide}}{'bound':>{wide}}{'gap':>8}{'s':>8}{'CPU s':>8}"
            print(f"\n{row.suite}: {self.titles[row.suite]}\n{line}  {'status':<11}case")
        gap = "-" if row.gap is None else f"{row.gap:.2%}"
        line = f"{'yes' if row.met else 'NO':<4}"
        line += f"{_number(row.value):>{wide}}{_number(row.bound):>{wide}}{gap:>8}"
        line += f"{row.seconds:>8.{digits}f}{row.cpu_s:>8.{digits}f}  {row.status:<11}{row.case}"
        line += "" if row.unit in _SILENT else f", {row.unit}"
        parts = [row.target, row.beside, row.note]
        print("; ".join([line, *(part for part in parts if part)]), flush=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}".removesuffix(".00")


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
