"""DOT: the links with what they carry, and as attributes what a program needs of the tables."""

from __future__ import annotations

from skb.bindings.placement import Written
from skb.bindings.tables import Tables

DOES = "The links with their load, for Graphviz; the tables stand in the attribute `next_hop`."
NEEDS = "dot -Tsvg FILE, or any reader of DOT."


def write(tables: Tables) -> Written:
    """Write a directed graph: a node with its table and channel, a line for each direction."""
    most = max((x for row in tables.load.values() for x in row.values()), default=0.0)
    lines = [f"digraph {_quoted(tables.machine.name)} {{", '  node [shape="box"];']
    rows: dict[str, tuple[str, ...]] = {}
    for node in tables.nodes:
        table = " ".join(f"{to}={ahead}" for to, ahead in tables.ahead[node].items())
        own = [
            f"  {_quoted(node)} [channel={tables.channel[node]} next_hop={_quoted(table)}];",
            *(
                f"  {_quoted(node)} -> {_quoted(to)} [label={_quoted(f'{load:g}')} load={load:g}"
                f" penwidth={1 + 3 * load / most if most else 1:.2f}];"
                for to, load in tables.load.get(node, {}).items()
            ),
        ]
        lines += own
        rows[node] = tuple(own)
    heading = tables.heading(DOES, NEEDS, "//")
    return Written("\n".join([heading + lines[0], *lines[1:], "}", ""]), rows)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
