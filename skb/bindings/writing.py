"""How a user's names and our sentences are written into files of other programs."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterable

from skb.bindings.placement import Placement, Seat
from skb.errors import RequestError
from skb.machine import Machine

WIDTH = 98
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


def shown(name: str) -> str:
    """Write a name for people: quoted, one line, ASCII, so that no comment ends early."""
    return json.dumps(name).replace("\x7f", "\\u007f")


def slug(name: str) -> str:
    """Return a name for files, units and groups: itself where it is plain, else with a digest.

    The same name always gives the same slug.
    """
    if _PLAIN.fullmatch(name):
        return name
    clean = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40]
    return f"{clean or 'task'}-{_digest(name)}"


def label(name: str) -> str:
    """Return a name as RFC 1123 labels are: lower case, digits and hyphens, at most 63."""
    if _LABEL.fullmatch(name):
        return name
    clean = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return f"{clean or 'task'}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return names that stand for tasks; raise `RequestError` where two tasks got the same."""
    found = tuple(names)
    for name in found:
        if found.count(name) > 1:
            raise RequestError(f"two tasks would be called {name}", mend="rename one and ask again")
    return found


def heading(placement: Placement, does: str, needs: str, notes: Iterable[str] = ()) -> str:
    """Return the comment that begins a file: whose decision, what it does, what it needs."""
    lines = head(f"placement {placement.short}", placement.machine, does, needs, notes)
    return "".join(comment(line) for line in lines)


def head(
    decision: str, machine: Machine, does: str, needs: str, notes: Iterable[str] = ()
) -> list[str]:
    """Return what begins every file, without comment signs; `decision` is its kind and id."""
    about = f"{decision} on {shown(machine.name)}, revision {machine.revision}"
    return [about, does, f"Needs: {needs}", *(f"Note: {note}" for note in notes)]


def comment(text: str) -> str:
    """Return a text as lines that shells, YAML, units and rankfiles skip."""
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False))


def place(seat: Seat) -> str:
    """Say where a task runs, for a comment."""
    memory = "" if seat.numa is None else f", NUMA node {seat.numa}"
    return f"task {shown(seat.name)}: PU {seat.cpu_list}{memory}"
