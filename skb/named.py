"""Named queries: questions that operating systems ask, each a file of rules with a header.

`rules/query/named/NAME.lp` begins with comment lines that this module reads, so that rules, command
line, service, checker and docs know one description:

    % Which cores are nearest to a device?
    % list: 1
    % alias: nearest-cores
    % parameter device device: the device, PCI function or bridge
    % parameter count int(0..1000000) = 0: how many, 0 for all that tie
    % answer near(pu, core, latency_ns/1000): usable PUs; what a row means
    % order: latency_ns, pu
    % first: count
    % given memory: usable x near-device
    % ties: all are returned

A type is `processor`, `device`, `numa`, `part`, `core_kind`, `word(a|b)` or `int(least..most)`.
Without a default a parameter must be given; `none` leaves it out, `lowest` is the lowest usable PU.
`/1000` behind a column divides what the rules give, picoseconds say. `given` restricts the atoms
between PUs, and between PUs and memory, to what the question needs (`skb.questions.query_given`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

from skb.errors import NotFoundError, RulesError
from skb.resources import rules_file

FOLDER = "query/named"
Value = str | int
_PARAMETER = re.compile(r"parameter ([a-z_]+) ([a-z_]+)(?:\(([^)]*)\))?(?: = (\S+))?: (.+)")
_ANSWER = re.compile(r"answer ([a-z_]+)\(([^)]*)\): (.+)")
_GIVEN = re.compile(r"given (pairs|memory|hops): ([a-z_-]+) x ([a-z_-]+)")
_WORD = re.compile(r"(list|alias|order|first|ties|note): (.+)")
TYPES = frozenset({"processor", "device", "numa", "part", "core_kind", "word", "int"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: `default` is None where it must be given; `words` and limits by its type."""

    name: str
    type: str
    meaning: str
    default: str | None = None
    words: tuple[str, ...] = ()
    least: int = 0
    most: int = 0

    @property
    def signature(self) -> str:
        return self.name if self.default is None else f"{self.name}={self.default}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the answer; its unit is the end of its name; `divisor` turns atoms into it."""

    name: str
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """One named query as its header describes it, with the rules below the header."""

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    predicate: str
    columns: tuple[Column, ...]
    meaning: str
    rules: str
    aliases: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    first: str = ""
    ties: str = ""
    notes: tuple[str, ...] = ()
    listed: tuple[int, ...] = ()
    given: tuple[tuple[str, str, str], ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        return next((one for one in self.parameters if one.name == name), None)


@cache
def named_queries() -> Mapping[str, Named]:
    """Return every named query by name, in the order of the names."""
    files = sorted(rules_file(FOLDER).glob("*.lp"))
    return {path.stem: parse(path.stem, path.read_text(encoding="utf-8")) for path in files}


def named(name: str) -> Named:
    """Return a named query by name or alias; raise `NotFoundError` that lists near names."""
    known = named_queries()
    names = {alias: one.name for one in known.values() for alias in (one.name, *one.aliases)}
    if name in names:
        return known[names[name]]
    near = get_close_matches(name, names, n=3, cutoff=0.4)
    raise NotFoundError(
        f"there is no named query {name[:60]!r}",
        mend=f"did you mean {' or '.join(near)}?" if near else "`skb queries` lists them",
    )


@dataclass(slots=True)
class _Header:
    parameters: list[Parameter] = field(default_factory=list)
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    given: list[tuple[str, str, str]] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)


def parse(name: str, text: str) -> Named:
    """Read a file of a named query; raise `RulesError` that names file and line of a fault."""
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("%")), len(lines))
    header = _Header()
    for number, line in enumerate(lines[1:end], 2):
        _read_line(header, line.removeprefix("%").strip(), f"{name}.lp line {number}")
    if len(header.answers) != 1:
        raise RulesError("a named query has one answer line", place=f"{name}.lp")
    predicate, columns, meaning = header.answers[0]
    words = header.words
    return Named(
        name=name,
        question=lines[0].removeprefix("%").strip(),
        parameters=tuple(header.parameters),
        predicate=predicate,
        columns=tuple(_column(column) for column in columns.split(",")),
        meaning=meaning,
        rules="\n".join(line for line in lines[end:] if not line.startswith("%")),
        aliases=tuple(words.get("alias", ())),
        order=tuple(part.strip() for part in ",".join(words.get("order", ())).split(",") if part),
        first=words.get("first", [""])[0],
        ties=" ".join(words.get("ties", ())),
        notes=tuple(words.get("note", ())),
        listed=tuple(int(part) for part in ",".join(words.get("list", ())).split(",") if part),
        given=tuple(header.given),
    )


def _read_line(header: _Header, line: str, place: str) -> None:
    if match := _PARAMETER.fullmatch(line):
        header.parameters.append(_parameter(match, place))
    elif match := _ANSWER.fullmatch(line):
        header.answers.append((match[1], match[2], match[3]))
    elif match := _GIVEN.fullmatch(line):
        header.given.append((match[1], match[2], match[3]))
    elif match := _WORD.fullmatch(line):
        header.words.setdefault(match[1], []).append(match[2])
    elif line:
        raise RulesError(f"cannot read {line[:60]!r}", place=place, mend="see skb/named.py")


def _parameter(match: re.Match[str], place: str) -> Parameter:
    name, kind, inside, default, meaning = match.groups()
    if kind not in TYPES:
        raise RulesError(f"unknown type {kind!r}", place=place, mend=", ".join(sorted(TYPES)))
    if kind == "int":
        least, _, most = (inside or "0..2147483647").partition("..")
        return Parameter(name, kind, meaning, default, least=int(least), most=int(most))
    return Parameter(name, kind, meaning, default, words=tuple((inside or "").split("|")))


def _column(text: str) -> Column:
    name, _, divisor = text.strip().partition("/")
    return Column(name, int(divisor or 1))


def to_json(one: Named) -> dict[str, Any]:
    """Return what `skb queries --json` and the service say about a named query."""
    return {
        "name": one.name,
        "aliases": list(one.aliases),
        "question": one.question,
        "parameters": [
            {
                "name": p.name,
                "type": p.type,
                "required": p.default is None,
                "default": None if p.default in (None, "none") else p.default,
                "words": [word for word in p.words if word],
                "meaning": p.meaning,
            }
            for p in one.parameters
        ],
        "answer": {"columns": [column.name for column in one.columns], "meaning": one.meaning},
        "ties": one.ties,
        "notes": list(one.notes),
        "listed": list(one.listed),
    }


def reference_page() -> str:
    """Return the page of the docs that lists every named query, in Markdown."""
    lines = ["# Named queries", "", "Made from the headers of `rules/query/named/`; do not edit."]
    lines += [
        "",
        "`skb ask query M --named NAME --with key=value`, or as a request (file or REST):",
    ]
    lines += ['`{"named": NAME, "with": {"key": "value"}}`. Parts that are off, absent or not']
    lines += ["allowed are never offered, and asking about one is refused."]
    lines += ["", "A `processor` is a PU or a core (`pu:3`, `core:1`, or the number of a PU), a"]
    lines += ["`device` a device, PCI function or bridge (`device:eth0` or `eth0`), `numa` a NUMA"]
    lines += ["node or its number. The end of a column's name is its unit."]
    for one in named_queries().values():
        lines += ["", f"## {one.name}", "", one.question, ""]
        if one.aliases:
            lines.append(f"- also called {', '.join(one.aliases)}")
        for p in one.parameters:
            limits = f" ({', '.join(p.words)})" if any(p.words) else ""
            given = "required" if p.default is None else f"default {p.default}"
            lines.append(f"- parameter `{p.name}`: {p.type}{limits}, {given}; {p.meaning}")
        columns = ", ".join(f"`{column.name}`" for column in one.columns)
        lines.append(f"- rows of {columns}: {one.meaning}")
        lines += [f"- ties: {one.ties}"] if one.ties else []
        lines += [f"- {note}" for note in one.notes]
    return "\n".join(lines) + "\n"
