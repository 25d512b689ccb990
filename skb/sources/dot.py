"""DOT, the language of Graphviz: a network of nodes and edges becomes a machine's interconnect.

Nodes named as parts are (`"package:3"`) are those parts, all others devices. Edges of a digraph
are links in their direction, those of a graph in both. Edges may state what links state in a
native description (`kind`, `mib_s`, `latency_ns`, `width_bits`), `count`, and `port` at the tail;
nodes may hold forwarding tables as `skb bind --to dot` writes them (`next_hop`, `channel`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from skb.errors import DescriptionError, TooLargeError
from skb.machine import ROOT
from skb.relations import Fact, Value
from skb.sources.description import Description
from skb.sources.dot_statements import Chain, Defaults, Excess, Graph, Group, Place
from skb.sources.link_tables import Entry, LinkTables, object_of
from skb.sources.table_text import utf8
from skb.wording import counted, listed

FORMAT = "DOT"
LINKS_LIMIT = 200_000
LINES_LIMIT = 400_000
_TOO_LARGE = "describe one network, and leave out what only draws, such as label and color"
_MARK = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:\s|//[^\n]*+\n|/\*[\s\S]*?\*/|\#[^\n]*+\n)*+"
    rb"(?:strict\s++)?(?:di)?graph\b",
    re.IGNORECASE,
)
_SHOWN = 8
_NUMBERS = {
    "mib_s": ("link_bandwidth", float),
    "latency_ns": ("link_latency", float),
    "width_bits": ("link_width", int),
}
_MEANT = frozenset({*_NUMBERS, "kind", "count", "port", "dir"})
_ANSWERS = frozenset({"load", "label", "penwidth"})
"""What a decision says of its links; it is no fact."""


def recognises(head: bytes) -> bool:
    """A graph begins with `graph` or `digraph`, behind comments."""
    return _MARK.match(head) is not None


def read(data: bytes, place: str) -> Description:
    """Read a network; raises `DescriptionError` with the line of the fault."""
    text = _text(data, place)
    graph = _parsed(text, place)
    network = _Network(place, graph.directed, graph.strict)
    network.walk(graph.body, {})
    if not network.links:
        raise DescriptionError(
            "the graph has no edges", place=place, mend="join its nodes by links: a -> b"
        )
    tables = network.tables()
    return Description(
        "",
        FORMAT,
        tuple(network.facts()),
        title=graph.name,
        notes=tuple(network.notes()),
        partial=True,
        tables=tables,
    )


def _text(data: bytes, place: str) -> str:
    """Return the text; raises `TooLargeError` where blanks and comments alone would take long."""
    text = utf8(data, place, "graph")
    if text.count("\n") + text.count("/*") > LINES_LIMIT:
        raise TooLargeError(
            f"more than {LINES_LIMIT} lines and comments", place=place, mend=_TOO_LARGE
        )
    return text


def _parsed(text: str, place: str) -> Graph:
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    from skb.sources.dot_grammar import parser

    try:
        found: Graph = parser().parse(text)  # type: ignore[assignment]
    except Excess as fault:
        raise TooLargeError(fault.what, place=f"{place}:{fault.line}", mend=_TOO_LARGE) from fault
    except UnexpectedInput as fault:
        if isinstance(fault, UnexpectedToken) and fault.token.type == "$END":
            what, line = "the graph is not closed", text.count("\n") + 1
        elif isinstance(fault, UnexpectedToken):
            what, line = f"{str(fault.token)[:40]!r} is out of place", fault.line
        elif isinstance(fault, UnexpectedCharacters):
            what, line = f"cannot read {text[fault.pos_in_stream or 0 :][:20]!r}", fault.line
        else:
            what, line = "cannot be read", 1
        raise DescriptionError(
            what, place=f"{place}:{line}", mend="mend the DOT; `dot -Tcanon` accepts what is right"
        ) from fault
    return found


@dataclass(slots=True)
class _Link:
    """An edge in one direction with what it states; `count` edges of the same ends are one."""

    line: int
    attributes: Mapping[str, str]
    others: list[Mapping[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Network:
    """Nodes and links of a graph, collected statement by statement."""

    place: str
    directed: bool
    strict: bool
    nodes: dict[str, int] = field(default_factory=dict)
    told: dict[str, Mapping[str, str]] = field(default_factory=dict)
    links: dict[tuple[str, str], _Link] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    loops: int = 0
    behind: dict[tuple[str, int], str] = field(default_factory=dict)

    def _fault(self, line: int, what: str, mend: str) -> DescriptionError:
        return DescriptionError(what, place=f"{self.place}:{line}", mend=mend)

    # ------------------------------------------------------------ statements
    def walk(self, group: Group, outer: Mapping[str, str]) -> list[Place]:
        """Take in the statements of a group; return its nodes. `outer` are defaults of edges."""
        defaults = dict(outer)
        inside: dict[str, Place] = {}
        for statement in group.statements:
            if isinstance(statement, Defaults):
                if statement.of == "edge":
                    defaults |= statement.attributes
                continue
            for node in self._chain(statement, defaults):
                inside.setdefault(node.name, node)
        return list(inside.values())

    def _chain(self, chain: Chain, defaults: Mapping[str, str]) -> Iterator[Place]:
        """Add the nodes and edges of a statement; yield its nodes."""
        rows = [self._nodes_of(end, defaults) for end in chain.ends]
        if len(rows) == 1 and isinstance(chain.ends[0], Place):
            node = chain.ends[0]
            self.unread |= chain.attributes.keys() - {"next_hop", "channel"}
            said = {k: v for k, v in chain.attributes.items() if k in {"next_hop", "channel"}}
            if said:
                self.told[node.name] = {**self.told.get(node.name, {}), **said}
        else:
            attributes = {**defaults, **chain.attributes}
            self.unread |= attributes.keys() - _MEANT - _ANSWERS
            for first, second in pairwise(rows):
                for a in first:
                    for b in second:
                        self._edge(a, b, attributes)
        for row in rows:
            yield from row

    def _nodes_of(self, end: Place | Group, defaults: Mapping[str, str]) -> list[Place]:
        if isinstance(end, Group):
            return self.walk(end, defaults)
        if end.name not in self.nodes:
            self.nodes[end.name] = end.line
            if object_of(end.name) == ROOT:
                raise self._fault(
                    end.line,
                    "this draws a whole machine, no network",
                    "what `skb export --to native` or hwloc writes can be read back",
                )
        return [end]

    def _edge(self, a: Place, b: Place, attributes: Mapping[str, str]) -> None:
        ways = attributes.get("dir", "forward" if self.directed else "both")
        if a.name == b.name:
            self.loops += 1
            return
        if ways != "back":
            self._link(a, b, attributes, attributes.get("port", ""))
        if ways in {"back", "both", "none"}:
            self._link(b, a, attributes, "")

    def _link(self, a: Place, b: Place, attributes: Mapping[str, str], port: str) -> None:
        if port and not re.fullmatch(r"[1-9]\d{0,2}", port, re.ASCII):
            raise self._fault(a.line, f"the port is {port[:40]!r}", "write a number: port=3")
        known = self.links.get((a.name, b.name))
        if known is None:
            self.links[a.name, b.name] = _Link(a.line, attributes)
            if len(self.links) > LINKS_LIMIT:
                raise TooLargeError(
                    f"more than {LINKS_LIMIT} links",
                    place=f"{self.place}:{a.line}",
                    mend=_TOO_LARGE,
                )
        elif not self.strict:
            known.others.append(attributes)
        if port:
            other = self.behind.setdefault((a.name, int(port)), b.name)
            if other != b.name:
                what = f"port {port} of {a.name} leads to {other} and to {b.name}"
                raise self._fault(a.line, what, "give each port one link")

    # ------------------------------------------------------------ what they mean
    def facts(self) -> Iterator[Fact]:
        """Yield the nodes as parts of the machine, and the links with what they state."""
        parts: dict[str, str] = {}
        for name, line in self.nodes.items():
            other = parts.setdefault(object_of(name), name)
            if other != name:
                what = f"{other!r} and {name!r} would both be {object_of(name)}"
                raise self._fault(line, what, "give the nodes other names")
            yield Fact("contains", (ROOT, object_of(name)))
        for (first, second), link in self.links.items():
            a, b = object_of(first), object_of(second)
            yield Fact("link", (a, b, link.attributes.get("kind", "link")))
            for key, (predicate, kind) in _NUMBERS.items():
                if key in link.attributes:
                    yield Fact(predicate, (a, b, self._number(link, key, kind)))
            count = self._count(link)
            if count != 1:
                yield Fact("link_count", (a, b, count))
        for (name, port), end in self.behind.items():
            yield Fact("link_port", (object_of(name), port, object_of(end)))

    def _count(self, link: _Link) -> int:
        rows = (link.attributes, *link.others)
        numbers = (
            self._number(_Link(link.line, row), "count", int) for row in rows if "count" in row
        )
        return sum(map(int, numbers)) + sum("count" not in row for row in rows)

    def _number(self, link: _Link, key: str, kind: type[int] | type[float]) -> Value:
        text = link.attributes[key]
        try:
            value = kind(text) if len(text) < 40 else math.nan
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise self._fault(link.line, f"{key} is {text[:40]!r}", f"write a number: {key}=25")
        return value

    def tables(self) -> LinkTables | None:
        """Return the forwarding tables that the nodes hold, None where no node has a next hop."""
        if not any("next_hop" in said for said in self.told.values()):
            self.unread |= {key for said in self.told.values() for key in said}
            return None
        entries, channels, owners = [], {}, {}
        for name, said in self.told.items():
            at = f":{self.nodes[name]}"
            if "channel" in said:
                if not re.fullmatch(r"[0-5]?\d|6[0-3]", said["channel"], re.ASCII):
                    what = f"the channel of {name} is {said['channel'][:40]!r}"
                    raise self._fault(self.nodes[name], what, "write a number: channel=0")
                channels[name] = int(said["channel"])
            if "next_hop" not in said:
                continue
            owners[name] = at
            for word in said["next_hop"].split():
                to, equals, over = word.rpartition("=")
                if not equals or not to or not over:
                    what = f"cannot read {word[:40]!r} in the table of {name}"
                    raise self._fault(self.nodes[name], what, 'write next_hop="TO=NEXT …"')
                entries.append(Entry(name, to, over, at))
        links = tuple(self.links)
        return LinkTables(owners, tuple(entries), channels, links=links)

    def notes(self) -> Iterator[str]:
        """Say what was left out."""
        plain = sum(object_of(name) != name for name in self.nodes)
        if plain:
            yield f"{counted(plain, 'node')} became devices: they are not named as parts are"
        if self.loops:
            yield f"left out: {counted(self.loops, 'edge')} from a node to itself"
        stating = {*_NUMBERS, "kind"}
        differ = [
            (first, second)
            for (first, second), link in self.links.items()
            if any(link.attributes.get(k) != row.get(k) for row in link.others for k in stating)
        ]
        if differ:
            such = " -> ".join(differ[0])
            text = f"{counted(len(differ), 'link')} of several edges that differ, such as {such}"
            yield f"{text}: what the first of them states is taken for all"
        if self.unread:
            yield f"attributes left out: {listed(sorted(self.unread), _SHOWN)}"
