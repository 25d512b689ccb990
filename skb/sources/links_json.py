"""A links decision as `skb ask links --json` prints it: its nodes, links and forwarding tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from skb.errors import DescriptionError, TooLargeError
from skb.machine import ROOT
from skb.relations import Fact
from skb.sources.description import Description
from skb.sources.link_tables import (
    CHANNELS_LIMIT,
    ENTRIES_LIMIT,
    Entry,
    LinkTables,
    object_of,
)

FORMAT = "links decision"
KEYS_LIMIT = 2_000_000
"""Most keys of a file; with the next-best tables of all failures there are many."""
_MARK = re.compile(rb'"question"\s*:\s*"links"')


class _Answer(msgspec.Struct):
    """The part of an answer that tables need; a decision without tables has none of it."""

    nodes: list[str] = []
    next_hop: dict[str, dict[str, str]] = {}
    channel: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=CHANNELS_LIMIT)]] = {}
    load: dict[str, dict[str, float]] = {}


class _Decision(msgspec.Struct):
    """What is read of a decision."""

    answer: _Answer
    id: str = ""
    status: str = ""


def recognises(head: bytes) -> bool:
    """A decision is JSON that says which question it answers."""
    return head.lstrip().startswith(b"{") and _MARK.search(head) is not None


def read(data: bytes, place: str) -> Description:
    """Read a decision; raises `DescriptionError` with line or path of the fault."""
    if data.count(b'":') > KEYS_LIMIT:
        raise _too_large(f"more than {KEYS_LIMIT} keys", place)
    try:
        decision = msgspec.json.decode(data, type=_Decision)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        where = path.strip("`").removeprefix("$.") or "top level"
        raise DescriptionError(
            text, place=f"{place}: {where}", mend="give what `skb ask links M --json` prints"
        ) from fault
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as fault:
        raise DescriptionError(str(fault), place=place, mend="mend the JSON") from fault
    answer = decision.answer
    if not answer.next_hop:
        said = f" is {decision.status}: it" if decision.status else ""
        raise DescriptionError(
            f"the decision{said} has no table", place=place, mend="give one with an answer"
        )
    count = sum(map(len, answer.next_hop.values()))
    if count > ENTRIES_LIMIT:
        raise _too_large(f"{count} entries of tables, the limit is {ENTRIES_LIMIT}", place)
    tables = tables_of(answer.next_hop, answer.channel, answer.load)
    if not tables.links:  # of a machine that it does not describe
        return Description("", FORMAT, (), partial=True, tables=tables)
    nodes = dict.fromkeys(object_of(name) for name in (*answer.nodes, *answer.next_hop))
    facts = [Fact("contains", (ROOT, name)) for name in nodes if name != ROOT]
    facts += [Fact("link", (object_of(a), object_of(b), "link")) for a, b in tables.links]
    return Description("", FORMAT, tuple(facts), partial=True, tables=tables)


def _too_large(what: str, place: str) -> TooLargeError:
    return TooLargeError(what, place=place, mend="give the tables of one interconnect")


def tables_of(
    next_hop: Mapping[str, Mapping[str, str]],
    channel: Mapping[str, int],
    load: Mapping[str, Mapping[str, float]],
) -> LinkTables:
    """Return the tables of an answer; `load` has a row for each of its links."""
    where = {name: f": answer.next_hop.{name}" for name in next_hop}
    entries = tuple(
        Entry(a, to, over, where[a]) for a, row in next_hop.items() for to, over in row.items()
    )
    links = tuple((a, b) for a, row in load.items() for b in row)
    return LinkTables(where, entries, channel, links=links)
