"""The instance of `links`: the nodes and links of one level that may be used, and the traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from skb.decision import Assumption
from skb.engines.links_net import Net
from skb.errors import RequestError
from skb.machine import Machine, kind_of, object_order
from skb.questions.links_request import FINEST, LinksRequest, TrafficRow

LARGEST = 256
"""Most nodes of one interconnect: a table has their square of entries."""
ALL = "all"
MOST_WORK = 5_000_000
"""Parts that are off times links, up to which a minimal set of them is found."""
Ends = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Instance:
    """What the engine decides, and how its numbers are those of the machine.

    `scale` turns a slowed load of the engine into traffic on the fastest link: load = slowed /
    scale. `weights` are the units of the engine's traffic in one unit of the request's.
    """

    level: str
    nodes: tuple[str, ...]
    net: Net
    scale: int
    weights: int
    assumed: tuple[Assumption, ...]
    warnings: tuple[str, ...]

    def value(self, slowed: int) -> float:
        found = Fraction(slowed, self.scale)
        return int(found) if found.denominator == 1 else float(found)

    def load(self, amount: int) -> float:
        found = Fraction(amount, self.weights)
        return int(found) if found.denominator == 1 else float(found)


def instance(machine: Machine, request: LinksRequest) -> Instance:
    """Read the interconnect; raise `RequestError` for what the machine does not have."""
    level, links = _level(machine, request)
    off = _off(request, links)
    nodes, links, warnings = _standing(machine, links)
    nodes = [node for node in nodes if node not in off]
    links = [(a, b) for a, b in links if not {a, b, (a, b)} & off]
    if len(nodes) < 2:
        raise RequestError(
            f"{len(nodes)} {level} nodes are left: there is nothing to route",
            place="links request",
            mend="switch parts on, or take some from off",
        )
    if len(nodes) > LARGEST:
        raise RequestError(
            f"{len(nodes)} nodes are more than {LARGEST}",
            place="links request $.level",
            mend="choose a level with fewer nodes",
        )
    number = {node: at for at, node in enumerate(nodes)}
    speeds, assumed = _speeds(machine, links)
    fastest = max(speeds)
    slow = [fastest / speed for speed in speeds]
    scale = lcm(*(ratio.denominator for ratio in slow))
    weight, weights = _traffic(machine, request, number)
    net = Net(
        len(nodes),
        tuple((number[a], number[b]) for a, b in links),
        tuple(int(ratio * scale) for ratio in slow),
        weight,
        request.minimal,
        _forced(machine, request, number),
    )
    return Instance(level, tuple(nodes), net, scale * weights, weights, assumed, tuple(warnings))


# ------------------------------------------------------------------ nodes and links
def all_links(machine: Machine) -> list[Ends]:
    """Return every link between parts that there are, in the order of the parts."""
    found = {
        (a, b)
        for a, ends in machine.links.items()
        for b in ends
        if a != b and machine.has(a) and machine.has(b)
    }
    return sorted(found, key=lambda link: (object_order(link[0]), object_order(link[1])))


def _level(machine: Machine, request: LinksRequest) -> tuple[str, list[Ends]]:
    links = all_links(machine)
    if not links:
        raise RequestError(
            f"{machine.name} states no links",
            place="links",
            mend="add link facts, or [[link]] to its description",
        )
    kinds: dict[str, int] = {}
    for a, b in links:
        if kind_of(a) == kind_of(b):
            kinds[kind_of(a)] = kinds.get(kind_of(a), 0) + 1
    level = request.level
    if level is None:
        level = max(sorted(kinds), key=lambda kind: kinds[kind]) if kinds else ALL
    if any(level in link for link in links):
        return level, _piece(links, level)
    if level != ALL and level not in kinds:
        known = ", ".join([*sorted(kinds), ALL])
        raise RequestError(
            f"no links join two parts of level {level!r}",
            place="links request $.level",
            mend=f"levels are: {known}, or a part that links join",
        )
    return level, [(a, b) for a, b in links if level == ALL or kind_of(a) == kind_of(b) == level]


def _piece(links: Sequence[Ends], part: str) -> list[Ends]:
    """Return the links of the piece of the interconnect that a part is in."""
    inside: set[str] = set()
    fresh = {part}
    while fresh:
        inside |= fresh
        fresh = {end for link in links if inside & set(link) for end in link} - inside
    return [link for link in links if link[0] in inside]


def _standing(machine: Machine, links: Sequence[Ends]) -> tuple[list[str], list[Ends], list[str]]:
    """Return what forwards messages now: parts without power, or cut off by those, do not."""
    silent = machine.usability.silent
    nodes = sorted({end for link in links for end in link}, key=object_order)
    kept = [node for node in nodes if node not in silent]
    warnings = [f"{node} is left out: {machine.unusable(node)}" for node in nodes if node in silent]
    if warnings:
        cut = [n for n in kept if "is cut off" in machine.unusable(n)]
        warnings += [f"{node} is left out: {machine.unusable(node)}" for node in cut]
        kept = [node for node in kept if node not in cut]
    there = set(kept)
    return kept, [(a, b) for a, b in links if a in there and b in there], warnings


def _off(request: LinksRequest, links: Sequence[Ends]) -> set[str | Ends]:
    """Return the nodes and links that the request switches off."""
    nodes = {end for link in links for end in link}
    found: set[str | Ends] = set()
    for at, part in enumerate(request.off):
        place = f"links request $.off[{at}]"
        if isinstance(part, str):
            if part not in nodes:
                raise RequestError(
                    f"{part} is no node of this interconnect",
                    place=place,
                    mend=f"nodes are {', '.join(sorted(nodes, key=object_order)[:12])}",
                )
            found.add(part)
            continue
        a, b = part
        if (a, b) not in links and (b, a) not in links:
            raise RequestError(
                f"there is no link between {a} and {b}", place=place, mend="name its two ends"
            )
        found |= {(a, b), (b, a)}
    return found


def blocking(
    machine: Machine, request: LinksRequest, start: str, end: str
) -> tuple[list[str | Ends], bool]:
    """Return a set of what is off that leaves no way from a node to another, and whether it is
    minimal: of very many, all are returned.
    """
    kept: list[str | Ends] = list(dict.fromkeys(request.off))
    _nodes, links, _warnings = _standing(machine, _level(machine, request)[1])
    if len(kept) * len(links) > MOST_WORK:
        return kept, False
    for part in tuple(kept):
        fewer = [other for other in kept if other != part]
        off = {end for other in fewer for end in ((other,) if isinstance(other, str) else ())}
        broken = {frozenset(other) for other in fewer if not isinstance(other, str)}
        after: dict[str, list[str]] = {}
        for a, b in links:
            if not {a, b} & off and frozenset((a, b)) not in broken:
                after.setdefault(a, []).append(b)
        seen, todo = {start}, [start]
        while todo:
            fresh = set(after.get(todo.pop(), ())) - seen
            seen |= fresh
            todo += fresh
        if end not in seen:
            kept = fewer
    return kept, True


def node_of(machine: Machine, part: str, nodes: Mapping[str, int], place: str) -> str:
    """Return the node that a part is, or is inside or near; raise `RequestError` otherwise."""
    if part in nodes:
        return part
    if machine.has(part):
        around = next((at for at in machine.ancestors(part) if at in nodes), None)
        if around is not None:
            return around
    raise RequestError(
        f"{part} is no node of this interconnect, nor inside one",
        place=place,
        mend=f"nodes are {', '.join(list(nodes)[:12])}",
    )


# ------------------------------------------------------------------ numbers
def _speeds(
    machine: Machine, links: Sequence[Ends]
) -> tuple[list[Fraction], tuple[Assumption, ...]]:
    """Return how fast links are against each other: by bandwidth, else by width, else alike."""
    for predicate, unit in (("link_bandwidth", " MiB/s"), ("link_width", " bits")):
        stated = [machine.number(predicate, *link) or 0 for link in links]
        if not any(stated):
            continue
        fastest = max(stated)
        missing = sum(not value for value in stated)
        why = "nobody stated it; as the fastest link"
        fact = f"{predicate} of {missing} links = {fastest:g}{unit}"
        assumed = (Assumption(fact, why),) if missing else ()
        return [Fraction(value or fastest) for value in stated], assumed
    counts = [Fraction(int(machine.number("link_count", *link) or 1)) for link in links]
    return counts or [Fraction(1)], ()


def _traffic(
    machine: Machine, request: LinksRequest, number: Mapping[str, int]
) -> tuple[tuple[tuple[int, ...], ...], int]:
    """Return the weights between nodes as whole numbers, and how many of them are one."""
    size = len(number)
    if request.traffic == "uniform":
        return tuple(tuple(int(s != d) for d in range(size)) for s in range(size)), 1
    rows = _rows(machine, request.traffic, number)
    if not any(any(row) for row in rows):
        raise RequestError(
            "no traffic crosses a link",
            place="links request $.traffic",
            mend="give rows between different nodes with a weight above 0, or leave it out",
        )
    whole = lcm(*(value.denominator for row in rows for value in row))
    return tuple(tuple(int(value * whole) for value in row) for row in rows), whole


def _rows(
    machine: Machine, stated: Sequence[TrafficRow | list[float]], number: Mapping[str, int]
) -> list[list[Fraction]]:
    """Return the weights by sender and receiver, from rows or from a matrix."""
    size = len(number)
    lines = [row for row in stated if isinstance(row, list)]
    if lines:
        if len(stated) != size or any(len(line) != size for line in lines) or len(lines) != size:
            raise RequestError(
                f"the matrix is not {size} x {size}",
                place="links request $.traffic",
                mend=f"give a line of {size} weights for each node: {', '.join(number)}"[:300],
            )
        return [
            [_weight(x) if s != d else Fraction(0) for d, x in enumerate(line)]
            for s, line in enumerate(lines)
        ]
    rows = [[Fraction(0)] * size for _ in range(size)]
    for at, row in enumerate(stated):
        if isinstance(row, TrafficRow):
            place = f"links request $.traffic[{at}]"
            s = number[node_of(machine, row.from_, number, f"{place}.from")]
            d = number[node_of(machine, row.to, number, f"{place}.to")]
            if s != d:
                rows[s][d] += _weight(row.weight)
    return rows


def _weight(stated: float) -> Fraction:
    return Fraction(str(stated)).limit_denominator(FINEST)


def _forced(
    machine: Machine, request: LinksRequest, number: Mapping[str, int]
) -> tuple[tuple[int, int, int], ...]:
    found = []
    for at, entry in enumerate(request.require):
        place = f"links request $.require[{at}]"
        s, d, n = (
            number[node_of(machine, part, number, place)]
            for part in (entry.from_, entry.to, entry.next)
        )
        if s == d:
            raise RequestError(
                "a node forwards nothing to itself", place=place, mend="name another destination"
            )
        found.append((s, d, n))
    return tuple(dict.fromkeys(found))
