"""Forwarding tables as files state them, and what they are on a machine.

A file names switches as it likes and may give ports in place of neighbours; only a machine says
which part and which link is meant. `resolve` finds that out, `facts_of` turns tables that deliver
everything into facts.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skb.arguments import Argument
from skb.errors import DescriptionError, TooLargeError
from skb.machine import Machine, object_order
from skb.relations import Fact

Next = dict[str, dict[str, str]]
TABLES = ("next_hop", "virtual_channel")
"""The predicates that put tables in force; their first argument is one of the parts."""
ENTRIES_LIMIT = 300_000
"""Most entries of all tables; 512 parts have 262,000."""
CHANNELS_LIMIT = 64
_UNFIT = re.compile(r"[\s,()\"'<>&]+")
_OBJECT = Argument("object", "object")
_MEND = "give the tables of this machine, or mend its links"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a part forwards over a neighbour, or over the port of that number, to another part.

    `at` is where the file says so, such as `:12`.
    """

    node: str
    to: str
    over: str | int
    at: str


@dataclass(frozen=True, slots=True)
class LinkTables:
    """The tables of one file: which parts have one and where it begins, entries, channels by
    destination, the neighbours behind ports, and the links, as far as the file states them.
    `endpoints` are destinations that forward nothing; what goes to those that the machine does not
    have is left out.
    """

    owners: Mapping[str, str]
    entries: tuple[Entry, ...]
    channels: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[tuple[str, int], str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resolved:
    """Tables in the words of a machine: next hops by part and destination, channels, for errors
    where each entry stands, and the endpoints that were left out.
    """

    next_hop: Next
    channel: dict[str, int]
    at: Mapping[tuple[str, str], str]
    strangers: tuple[str, ...] = ()


def object_of(name: str) -> str:
    """Return the object that a name in a file means: itself, else a device of that name."""
    if not _OBJECT.check(name):
        return name
    return f"device:{_UNFIT.sub('-', name.strip())[:200] or 'unnamed'}"


# ------------------------------------------------------------------ on a machine
def resolve(machine: Machine, tables: LinkTables, place: str) -> Resolved:
    """Return the tables in a machine's words; whether they deliver is not asked.

    A part without a table sends all over its one link, or nothing where it has others. Raises
    `DescriptionError` for parts and ports that the machine does not have, and where an entry leads
    over no link or stands twice.
    """
    _check_size(tables, place)
    reading = _Reading(machine, tables, place)
    found: Next = {node: {} for node in reading.owners}
    at = {(reading.part(name, line), ""): f"{place}{line}" for name, line in tables.owners.items()}
    strangers = {name for name in tables.endpoints if not machine.has(object_of(name))}
    for entry in tables.entries:
        if entry.to in strangers:
            continue
        node, to = reading.part(entry.node, entry.at), reading.part(entry.to, entry.at)
        if node == to:
            continue
        step = reading.neighbour(node, entry)
        if found.setdefault(node, {}).setdefault(to, step) != step:
            raise DescriptionError(
                f"{node} forwards to {found[node][to]} and to {step} what goes to {to}",
                place=f"{place}{entry.at}",
                mend="leave one of the two entries out",
            )
        at[node, to] = f"{place}{entry.at}"
    reading.check_links()
    ends = {to for row in found.values() for to in row} | set(found)
    for end in sorted(ends - set(found), key=object_order):
        found[end] = reading.leaf(end, ends)
    told = {
        reading.part(name, ""): which
        for name, which in tables.channels.items()
        if name not in strangers
    }
    order = sorted(found, key=object_order)
    rows = {a: {b: found[a][b] for b in sorted(found[a], key=object_order)} for a in order}
    channel = {end: told.get(end, 0) for end in sorted(ends, key=object_order)}
    return Resolved(rows, channel, at, tuple(sorted(strangers)))


def _check_size(tables: LinkTables, place: str) -> None:
    if not tables.entries:
        raise DescriptionError("there is no entry of a table", place=place, mend=_MEND)
    if len(tables.entries) > ENTRIES_LIMIT:
        raise TooLargeError(
            f"the tables have {len(tables.entries)} entries, the limit is {ENTRIES_LIMIT}",
            place=place,
            mend="give the tables of one interconnect",
        )


class _Reading:
    """The machine's parts and links, looked up by what the file calls them."""

    def __init__(self, machine: Machine, tables: LinkTables, place: str) -> None:
        self.machine, self.tables, self.place = machine, tables, place
        self._known: dict[str, str] = {}
        self._after = {
            a: tuple(b for b in ends if b != a and machine.has(b))
            for a, ends in machine.links.items()
        }
        self._ports = {
            (str(f.args[0]), int(f.args[1])): str(f.args[2]) for f in machine.facts_of("link_port")
        }
        self._named_ports = {
            (self._named(name), port): end for (name, port), end in tables.ports.items()
        }
        self.owners = [self.part(name, at) for name, at in tables.owners.items()]
        inside = {*self.owners, *(self._named(entry.to) for entry in tables.entries)}
        self._counted = {
            a: [b for b in sorted(self._after.get(a, ()), key=object_order) if b in inside]
            for a in self.owners
        }

    def _named(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = object_of(name)
        return self._known[name]

    def part(self, name: str, at: str) -> str:
        """Return the part that a name means."""
        found = self._named(name)
        if not self.machine.has(found):
            known = sorted(self._after, key=object_order)
            have = f"links join {', '.join(known[:6])}" if known else "it states no links"
            raise DescriptionError(
                f"{self.machine.name} has no {name}",
                place=f"{self.place}{at}",
                mend=f"{have}; name the machine's parts, or import its network first",
            )
        return found

    def neighbour(self, node: str, entry: Entry) -> str:
        """Return the part that an entry forwards to."""
        ends = self._after.get(node, ())
        if isinstance(entry.over, str):
            step = self.part(entry.over, entry.at)
        else:
            step = self._behind(node, entry.over, entry.at)
        if step not in ends:
            have = f"its links lead to {', '.join(ends[:8])}" if ends else "it has no links"
            raise DescriptionError(
                f"no link leads from {node} to {step}", place=f"{self.place}{entry.at}", mend=have
            )
        return step

    def _behind(self, node: str, port: int, at: str) -> str:
        """Return the part behind a port: as the file says, as facts say, else in their order."""
        if named := self._named_ports.get((node, port)):
            return self.part(named, at)
        stated = {p: b for (a, p), b in self._ports.items() if a == node}
        ends = stated or dict(enumerate(self._counted.get(node, ()), 1))
        if port not in ends:
            said = "link_port says" if stated else "counted in the order of its neighbours"
            have = ", ".join(f"{p} to {b}" for p, b in sorted(ends.items())[:8])
            raise DescriptionError(
                f"{node} has no port {port} that a link leads from",
                place=f"{self.place}{at}",
                mend=f"its ports, {said}: {have or 'none'}; state link_port(from, port, to)",
            )
        return ends[port]

    def leaf(self, end: str, ends: Iterable[str]) -> dict[str, str]:
        """Return what a part without a table does: it sends all over its link, if it has one."""
        after = self._after.get(end, ())
        return {to: after[0] for to in ends if to != end} if len(after) == 1 else {}

    def check_links(self) -> None:
        """Raise `DescriptionError` where the file has a link that the machine has not."""
        for a, b in self.tables.links:
            first, second = self._named(a), self._named(b)
            if first != second and second not in self._after.get(first, ()):
                raise DescriptionError(
                    f"{self.machine.name} has no link from {first} to {second}, the file has one",
                    place=self.place,
                    mend="give the tables of this machine, or import the file alone",
                )


# ------------------------------------------------------------------ as facts
def facts_of(machine: Machine, tables: LinkTables, place: str, by: str = "") -> list[Fact]:
    """Return the tables as facts; raises `DescriptionError` unless they deliver between all their
    parts over the machine's links.
    """
    found = resolve(machine, tables, place)
    for node, row in found.next_hop.items():
        if not row and (node, "") not in found.at:
            links = sum(map(machine.has, machine.links.get(node, ())))
            raise DescriptionError(
                f"{node} has no table, and {links} links to choose from",
                place=place,
                mend="add the part's table; `skb ask links M --tables FILE` judges what is there",
            )
    check_delivery(found.next_hop, found.at, place)
    return [
        *(
            Fact("next_hop", (node, to, step), by=by)
            for node, row in found.next_hop.items()
            for to, step in row.items()
        ),
        *(Fact("virtual_channel", (to, which), by=by) for to, which in found.channel.items()),
    ]


def check_delivery(next_hop: Next, at: Mapping[tuple[str, str], str], place: str) -> None:
    """Raise `DescriptionError` where an entry is missing or a way turns in a circle."""
    ends = {to for row in next_hop.values() for to in row} | set(next_hop)
    for end in sorted(ends, key=object_order):
        before: dict[str, list[str]] = {}
        for node, row in next_hop.items():
            if node == end:
                continue
            if end not in row:
                raise DescriptionError(
                    f"{node} has no entry for {end}",
                    place=at.get((node, ""), place),
                    mend="add it; `skb ask links M --tables FILE` judges tables with gaps",
                )
            before.setdefault(row[end], []).append(node)
        reached, todo = {end}, deque([end])
        while todo:
            fresh = before.get(todo.popleft(), ())
            reached.update(fresh)
            todo.extend(fresh)
        lost = next((node for node in next_hop if node not in reached), None)
        if lost is not None:
            circle = _circle(next_hop, lost, end)
            raise DescriptionError(
                f"what goes to {end} turns in a circle: {' -> '.join(circle)}",
                place=at.get((circle[0], end), place),
                mend="let one of them forward to another neighbour",
            )


def _circle(next_hop: Next, start: str, end: str) -> list[str]:
    """Return the parts that a way from `start` to `end` comes by again and again."""
    way, node = [start], next_hop[start][end]
    while node not in way:
        way.append(node)
        node = next_hop[node][end]
    return [*way[way.index(node) :], node]
