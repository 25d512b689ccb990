"""DOT, the language of Graphviz: what is inside what as a tree, links across it.

Every part is a node; a line from a part to a part inside it is containment, a bold line without
influence on the layout is a link, labelled with its kind and bandwidth. Try `dot -Tsvg`.
"""

from __future__ import annotations

from collections.abc import Iterator

from skb.machine import Machine, kind_of

MEDIA_TYPE = "text/vnd.graphviz"
SUFFIX = ".dot"
_FILLS = {
    "pu": "#dce9f7",
    "core": "#c3d9f0",
    "numa": "#d9ecd3",
    "memcache": "#d9ecd3",
    "package": "#f4ecd8",
    "bridge": "#eeeeee",
    "pci": "#eeeeee",
    "device": "#f3dcd6",
}
_GONE = 'style="filled,rounded,dashed" fontcolor="#777777"'


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write all parts, what contains what, and the links; one line for a link of equal ways."""
    lines = [
        f"digraph {_quoted(machine.name)} {{",
        '  graph [rankdir="LR" ranksep="0.3" nodesep="0.08"];',
        '  node [shape="box" style="filled,rounded" fillcolor="#ffffff" fontname="sans-serif"];',
        '  edge [arrowhead="none"];',
        *_nodes(machine),
        *_containment(machine),
        *_links(machine),
        "}",
    ]
    return "\n".join(lines) + "\n", ()


def _nodes(machine: Machine) -> Iterator[str]:
    for name in machine.objects:
        label = name
        for predicate, unit in (("cache_size", "B"), ("memory_size", "B")):
            size = machine.value(predicate, name)
            if size is not None:
                label += f"\n{_size(int(size))}{unit}"
        fill = f" fillcolor={_quoted(_FILLS[kind_of(name)])}" if kind_of(name) in _FILLS else ""
        gone = f" {_GONE}" if machine.unusable(name) else ""
        yield f"  {_quoted(name)} [label={_quoted(label)}{fill}{gone}];"


def _containment(machine: Machine) -> Iterator[str]:
    for name in machine.objects:
        for child in machine.children(name):
            yield f"  {_quoted(name)} -> {_quoted(child)};"


def _links(machine: Machine) -> Iterator[str]:
    labels = {
        (first, second): _label(machine, first, second)
        for first, ends in machine.links.items()
        for second in ends
    }
    for (first, second), label in labels.items():
        both = labels.get((second, first)) == label
        if both and (second, first) < (first, second) and first != second:
            continue
        way = "both" if both else "forward"
        yield (
            f"  {_quoted(first)} -> {_quoted(second)} "
            f'[label={_quoted(label)} dir="{way}" arrowhead="normal" style="bold" '
            'color="#a03030" constraint="false"];'
        )


def _label(machine: Machine, first: str, second: str) -> str:
    label = str(machine.value("link", first, second))
    bandwidth = machine.number("link_bandwidth", first, second)
    if bandwidth is not None:
        label += f"\n{bandwidth:.6g} MiB/s"
    latency = machine.number("link_latency", first, second)
    if latency is not None:
        label += f"\n{latency:.6g} ns"
    return label


def _size(count: int) -> str:
    value, unit = float(count), ""
    for larger in ("Ki", "Mi", "Gi", "Ti"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.4g} {unit}"


def _quoted(text: str) -> str:
    """Return a quoted identifier; the only escapes of DOT are the quote and, in labels, \\n."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
