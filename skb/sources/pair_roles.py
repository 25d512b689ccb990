"""From tables with roles (send, receive, round trip) to a machine with message costs."""

from __future__ import annotations

from collections.abc import Mapping

from skb.errors import DescriptionError
from skb.sources import latency_matrix, pair_list
from skb.sources.description import Description, TableOptions
from skb.sources.disturbance import disturbed_notes
from skb.sources.pair_table import PairTable, clock_facts, scale_of
from skb.sources.stated_structure import mismatch, stated_structure

FORMAT = "message cost tables"
# the option that gives a table, and the role of its numbers in `message_cost`
ROLES = {"send": "send", "receive": "receive", "rtt": "round_trip"}


def describe_roles(tables: Mapping[str, tuple[bytes, str]], options: TableOptions) -> Description:
    """Describe a machine by tables of message costs: `{"send": (data, place), …}`.

    Raises `DescriptionError` where the tables are about different PUs, or the stated structure has
    other PUs than they.
    """
    read = {role: _parse(data, place) for role, (data, place) in tables.items()}
    first = next(iter(read.values()))
    for role, table in read.items():
        if table.pus != first.pus:
            raise mismatch(f"the --{role} table", table, f"{first.by} has", first.pus)
    facts = stated_structure(options.structure, first) or first.flat()
    notes: list[str] = []
    for role, table in read.items():
        scale, said = scale_of(options, table.place)
        if role == "rtt":
            table = table.without_zeros()
        facts += table.facts("message_cost", ("cache_line", ROLES[role]), scale)
        notes += [*said, *table.notes, *table.missing_note()]
        notes += disturbed_notes(table, f"{role} cost")
    if not options.structure:
        notes.append("no structure is stated, the PUs lie flat (--structure states one)")
    for role in ("send", "receive"):
        if role not in read:
            notes.append(f"no --{role} table is given: messages are priced by defaults without it")
    facts += clock_facts(options)
    return Description(
        name="", format=FORMAT, facts=tuple(facts), notes=tuple(dict.fromkeys(notes))
    )


def _parse(data: bytes, place: str) -> PairTable:
    head = data[:65536]
    if latency_matrix.recognises(head):
        return latency_matrix.parse(data, place)
    if pair_list.recognises(head):
        return pair_list.parse(data, place)
    raise DescriptionError(
        "this is no table of pairs",
        place=place,
        mend="write sender, receiver and cost in each line, or a matrix",
    )
