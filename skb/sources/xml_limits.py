"""The only place that parses XML, with limits that hold while reading.

No DTD is fetched, no entity is resolved, and an entity or attribute declaration in the file itself
is refused, so that nothing in a file can grow. Depth, number of elements, attributes and text are
counted as they come; a hostile file ends at the first excess, whatever its size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from skb.errors import DescriptionError, TooLargeError

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
DEPTH_LIMIT = 64
ELEMENT_LIMIT = 120_000
ATTRIBUTE_LIMIT = 64
ALL_ATTRIBUTES_LIMIT = 1_000_000
# from one `<` to the next: a tag with its attributes, and the text after it. libxml2 compares the
# attributes of a tag pairwise, so a long tag costs seconds; hwloc's for 4,096 PUs has 12 KiB.
TAG_LIMIT_BYTES = 32_768
_CHUNK_BYTES = 65_536
_DECLARATION = re.compile(rb"<!(ENTITY|ATTLIST)\b")
_LONG_TAG = re.compile(rb"<[^<]{%d}" % TAG_LIMIT_BYTES)
_MEND = "write the description again with the tool that it came from"


@dataclass(slots=True)
class Node:
    """One element: tag, attributes, text before the first child, children, and its line."""

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)


def parse(data: bytes, place: str) -> Node:
    """Parse UTF-8 XML into nodes.

    Raises `TooLargeError` where a limit is exceeded and `DescriptionError` where the text is no
    XML, ends early or declares entities; `place` in both is `file:line`.
    """
    _refuse_declarations(data, place)
    parser = etree.XMLPullParser(
        events=("start", "end"),
        encoding="utf-8",
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
    )
    reader = _Reader(place)
    try:
        for start in range(0, len(data), _CHUNK_BYTES):
            parser.feed(data[start : start + _CHUNK_BYTES])
            reader.take(parser.read_events())
        parser.close()
        reader.take(parser.read_events())
    except etree.XMLSyntaxError as fault:
        # what came before the fault may already break a limit, which is the better thing to say
        reader.take(parser.read_events())
        raise _syntax_error(fault, data if reader.root else b"", place) from fault
    if reader.root is None:
        raise DescriptionError("the file holds no element", place=f"{place}:1", mend=_MEND)
    return reader.root


def _refuse_declarations(data: bytes, place: str) -> None:
    """Raise where the size, the encoding or a declaration alone is a reason to refuse."""
    if len(data) > SIZE_LIMIT_BYTES:
        raise TooLargeError(
            f"the XML has {len(data)} bytes, the limit is {SIZE_LIMIT_BYTES}",
            place=place,
            mend="describe one machine per file",
        )
    if data.count(b"<") > 2 * ELEMENT_LIMIT + 1000:
        raise TooLargeError(f"more than {ELEMENT_LIMIT} elements", place=place, mend=_MEND)
    if found := _LONG_TAG.search(data):
        raise TooLargeError(
            f"a tag or text has more than {TAG_LIMIT_BYTES} bytes",
            place=f"{place}:{_line(data, found.start())}",
            mend=_MEND,
        )
    if (zero := data.find(b"\0")) >= 0:
        raise DescriptionError(
            "a zero byte: this is not UTF-8 text",
            place=f"{place}:{_line(data, zero)}",
            mend="convert the file to UTF-8",
        )
    if found := _DECLARATION.search(data):
        raise DescriptionError(
            f"the file declares an {found[1].decode().lower()} of its own, which is not accepted",
            place=f"{place}:{_line(data, found.start())}",
            mend="remove the declarations from the DOCTYPE",
        )


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _syntax_error(fault: Any, data: bytes, place: str) -> DescriptionError:
    """Word what libxml2 reports; its own limits count as ours; no `data` before a first tag."""
    message = str(fault.msg or "the XML is malformed")
    line = fault.lineno or 1
    lowered = message.lower()
    if any(word in lowered for word in ("excessive depth", "too long", "too big", "huge", "loop")):
        return TooLargeError(message, place=f"{place}:{line}", mend=_MEND)
    if data and line >= _line(data, len(data)) - 1 and not data.rstrip().endswith(_last_tag(data)):
        message = "the file ends before its first element is closed"
        return DescriptionError(message, place=f"{place}:{line}", mend="copy the whole file again")
    message = re.sub(r", line \d+, column \d+.*$", "", message)
    return DescriptionError(f"malformed XML: {message}", place=f"{place}:{line}", mend=_MEND)


def _last_tag(data: bytes) -> bytes:
    """The tag that ends a whole file: that of its first element."""
    root = re.search(rb"<([A-Za-z_][\w.-]*)", data)
    return b"</" + root[1] + b">" if root else b""


class _Reader:
    """Turns parse events into nodes and counts against the limits."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.root: Node | None = None
        self._open: list[Node] = []
        self._elements = 0
        self._attributes = 0

    def take(self, events: Any) -> None:
        for event, element in events:
            if event == "start":
                self._start(element)
            else:
                self._end(element)

    def _start(self, element: Any) -> None:
        line = int(element.sourceline or 0)
        self._elements += 1
        if self._elements > ELEMENT_LIMIT:
            self._refuse(f"more than {ELEMENT_LIMIT} elements", line)
        if len(self._open) >= DEPTH_LIMIT:
            self._refuse(f"elements are nested deeper than {DEPTH_LIMIT}", line)
        attributes = dict(element.attrib)
        if len(attributes) > ATTRIBUTE_LIMIT:
            self._refuse(f"an element has more than {ATTRIBUTE_LIMIT} attributes", line)
        self._attributes += len(attributes)
        if self._attributes > ALL_ATTRIBUTES_LIMIT:
            self._refuse(f"more than {ALL_ATTRIBUTES_LIMIT} attributes", line)
        node = Node(str(element.tag), attributes, line)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _end(self, element: Any) -> None:
        node = self._open.pop()
        text = element.text
        if text is not None and not text.isspace():
            node.text = text
        # the nodes are all that is needed
        element.clear()

    def _refuse(self, what: str, line: int) -> None:
        raise TooLargeError(what, place=f"{self.place}:{line}", mend=_MEND)
