"""OpenSM: linear forwarding tables as `ibroute` prints them; opensm(8), modular routing."""

from __future__ import annotations

from skb.bindings.placement import Written
from skb.bindings.tables import Tables

DOES = "Forwarding tables for `opensm -R file -U FILE`; the virtual channel is the service level."
NEEDS = "the LIDs, GUIDs and port numbers of the fabric in place of ours."
NOTES = (
    "LIDs and GUIDs count the nodes from 1, ports the neighbours of a node where no link_port fact"
    " states them: replace them by those of the fabric.",
    "OpenSM reads next hops from the file, not service levels: with several virtual channels they"
    " must be set so that each destination has its own (the comment behind it).",
)


def write(tables: Tables) -> Written:
    """Write one table for each node: port 0 is the node itself."""
    lid = {node: at for at, node in enumerate(tables.nodes, 1)}
    last = len(tables.nodes)
    rows: dict[str, tuple[str, ...]] = {}
    parts = [tables.heading(DOES, NEEDS)]
    for node in tables.nodes:
        ports = " ".join(f"{port}={end}" for end, port in tables.ports[node].items())
        parts.append(f"# ports of {node}: {ports}\n")
    for node in tables.nodes:
        lines = [
            f"Unicast lids [0x0-0x{last:x}] of switch Lid {lid[node]} guid 0x{lid[node]:016x}"
            f" ({node}):",
            "  Lid  Out   Destination",
            "       Port     Info",
        ]
        for to in tables.nodes:
            port = 0 if to == node else tables.port(node, to)
            lines.append(f"0x{lid[to]:04x} {port:03d} : ({to}, SL {tables.channel[to]})")
        lines.append(f"{last} valid lids dumped")
        rows[node] = tuple(lines[3:-1])
        parts.append("\n".join(lines) + "\n")
    return Written("".join(parts), rows, notes=NOTES)
