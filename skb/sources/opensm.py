"""OpenSM: forwarding tables as `ibroute` and `dump_lfts` print them, and as we write them.

A line for each destination LID with the port that leads there; port 0 is the switch itself, 255
no way. Names stand in brackets: that of the switch in the first line of its table, those of
destinations behind their port GUID, or alone with the service level as we write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skb.errors import DescriptionError, TooLargeError
from skb.sources.description import Description
from skb.sources.link_tables import CHANNELS_LIMIT, Entry, LinkTables
from skb.sources.table_text import decode
from skb.wording import counted

FORMAT = "OpenSM tables"
_MARK = re.compile(rb"^Unicast lids \[", re.MULTILINE)
_HEAD = re.compile(
    r"Unicast lids \[[^\]]*\] of switch (?:Lid (?P<lid>0x[0-9a-fA-F]{1,4}|[0-9]{1,5})|DR path .*?)"
    r" guid (?P<guid>0x[0-9a-fA-F]{1,16}) \((?P<name>.*)\):\s*$"
)
_ENTRY = re.compile(r"0x(?P<lid>[0-9a-fA-F]{1,4})\s+(?P<port>[0-9]{1,3})\b\s*(?P<info>.*)$")
_OURS = re.compile(r":\s*\((?P<name>\S+), SL (?P<level>[0-9]{1,2})\)\s*$")
_PORTS = re.compile(r"# ports of (?P<name>\S+): (?P<ports>.*)$")
_PORT = re.compile(r"([0-9]{1,3})=(\S+)")
_IDLE = re.compile(r"\s*(Lid\s+Out|Port\s+Info|\d+ (valid )?lids dumped|$)|#|Multicast|0xc\w{3}\s")
_TYPE = re.compile(r"[:#]?\s*\(?(?P<type>Switch|Channel Adapter|Router|path|illegal)\b")
_QUOTED = re.compile(r"'(?P<name>.*)'\)?\s*$")
OWN_PORT, NO_WAY = 0, 255
LINES_LIMIT, LINE_LIMIT = 400_000, 1_000


def recognises(head: bytes) -> bool:
    """Such a file has the line that begins a switch's table."""
    return _MARK.search(head) is not None


def read(data: bytes, place: str) -> Description:
    """Read tables; which parts and links they mean is found on a machine (`link_tables`).

    Raises `DescriptionError` with the line of the fault.
    """
    if data.count(b"\n") > LINES_LIMIT:
        raise TooLargeError(
            f"more than {LINES_LIMIT} lines",
            place=place,
            mend="give the tables of one interconnect",
        )
    reader = _Reader(place)
    for number, line in enumerate(decode(data, place).split("\n"), 1):
        reader.line(number, line)
    tables, notes = reader.tables()
    return Description("", FORMAT, (), notes=notes, partial=True, tables=tables)


@dataclass(slots=True)
class _Line:
    """An entry before the names of all LIDs are known."""

    number: int
    owner: str
    lid: int
    port: int


@dataclass(slots=True)
class _Reader:
    """Collects the tables line by line."""

    place: str
    owners: dict[str, str] = field(default_factory=dict)
    ports: dict[tuple[str, int], str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    endpoints: set[int] = field(default_factory=set)
    found: list[_Line] = field(default_factory=list)
    skipped: int = 0

    def line(self, number: int, text: str) -> None:
        """Take in one line."""
        if (match := _PORTS.match(text)) is not None:
            for port, end in _PORT.findall(match["ports"]):
                self.ports[match["name"], int(port)] = end
        elif _IDLE.match(text):
            return
        elif len(text) > LINE_LIMIT:
            raise self._fault(number, f"more than {LINE_LIMIT} characters", "break the line")
        elif text.startswith("Unicast lids"):
            self._head(number, text)
        elif (match := _ENTRY.match(text)) is not None:
            self._entry(number, match)
        else:
            raise self._fault(number, f"cannot read {text[:60]!r}", "write 0xLID PORT : (NAME)")

    def _fault(self, number: int, what: str, mend: str) -> DescriptionError:
        return DescriptionError(what, place=f"{self.place}:{number}", mend=mend)

    def _head(self, number: int, text: str) -> None:
        match = _HEAD.match(text)
        if match is None:
            mend = "write Unicast lids [0x0-0x8] of switch Lid 1 guid 0x1 (NAME):"
            raise self._fault(number, "cannot read which switch's table begins here", mend)
        name = match["name"].strip()
        if name in self.owners:
            first = self.owners[name].removeprefix(":")
            mend = f"its table begins in line {first}; leave one of them out"
            raise self._fault(number, f"{name} has two tables", mend)
        self.owners[name] = f":{number}"
        if match["lid"]:
            self._name(number, int(match["lid"], 16 if match["lid"].startswith("0x") else 10), name)

    def _name(self, number: int, lid: int, name: str) -> None:
        if self.names.setdefault(lid, name) != name:
            what = f"LID {lid} is {self.names[lid]}, and here {name}"
            raise self._fault(number, what, "give each switch a LID of its own")

    def _entry(self, number: int, match: re.Match[str]) -> None:
        if not self.owners:
            raise self._fault(number, "an entry stands before the first table", "add its head")
        lid, port, info = int(match["lid"], 16), int(match["port"]), match["info"]
        if port > NO_WAY:
            raise self._fault(number, f"there is no port {port}", "ports are 1 to 254")
        if (ours := _OURS.match(info)) is not None:
            self._name(number, lid, ours["name"])
            self._level(number, lid, int(ours["level"]))
        elif (kind := _TYPE.match(info)) is not None:
            quoted = _QUOTED.search(info)
            if kind["type"] in {"path", "illegal"}:
                self.skipped += 1
                return
            if kind["type"] != "Switch":
                self.endpoints.add(lid)
            if quoted is not None and quoted["name"].strip():
                self._name(number, lid, quoted["name"].strip())
        if port != NO_WAY:
            self.found.append(_Line(number, next(reversed(self.owners)), lid, port))

    def _level(self, number: int, lid: int, level: int) -> None:
        if level >= CHANNELS_LIMIT:
            raise self._fault(number, f"the service level is {level}", "levels are 0 to 63")
        if self.levels.setdefault(lid, level) != level:
            what = f"what goes to LID {lid} has service level {self.levels[lid]}, and here {level}"
            raise self._fault(number, what, "give each destination one level")

    def tables(self) -> tuple[LinkTables, tuple[str, ...]]:
        """Return what was read, the LIDs by their names, and what was left out."""
        entries = []
        for line in self.found:
            if line.port == OWN_PORT:
                self._name(line.number, line.lid, line.owner)
                continue
            name = self.names.get(line.lid)
            if name is None:
                mend = f"write its name: 0x{line.lid:04x} {line.port:03d} : (NAME, SL 0)"
                raise self._fault(line.number, f"nobody says what LID {line.lid} is", mend)
            entries.append(Entry(line.owner, name, line.port, f":{line.number}"))
        channels = {self.names[lid]: level for lid, level in self.levels.items()}
        notes = []
        if self.skipped:
            notes.append(f"left out: {counted(self.skipped, 'further path')} of ports with LMC")
        endpoints = frozenset(self.names[lid] for lid in self.endpoints if lid in self.names)
        tables = LinkTables(self.owners, tuple(entries), channels, self.ports, endpoints=endpoints)
        return tables, tuple(notes)
