"""What is reached over containment and links when parts go, by which ways, and what dominates what.

Everything hangs on the part that it is contained in; ends of links are reached over the links, from
home outwards and back; a bridge, function or device that a link joins to a processor has that
way, too. What a part takes along is said in `rules/machine.lp`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Ends = tuple[str, str]


class Net:
    """Parts, what contains them, and the links between them, each direction by itself.

    `side` are the parts of the processor side, `io` bridges, functions and devices, `pus` the PUs.
    """

    def __init__(
        self,
        parents: Mapping[str, str],
        links: Iterable[Ends],
        side: Collection[str],
        io: Collection[str],
        pus: Collection[str],
        root: str,
    ) -> None:
        self.root = root
        self.parents = parents
        self.side, self.io, self.pus = frozenset(side), frozenset(io), frozenset(pus)
        self.children: dict[str, list[str]] = defaultdict(list)
        for child, parent in parents.items():
            self.children[parent].append(child)
        self.links = tuple(dict.fromkeys(links))
        self.ends = frozenset(end for link in self.links for end in link)
        self._below: dict[str, tuple[str, ...]] = {}

    def below(self, name: str) -> Sequence[str]:
        """Return a part and everything in it, outer parts first."""
        known = self._below.get(name)
        if known is None:
            found = [name]
            for part in found:
                found += self.children.get(part, ())
            known = self._below[name] = tuple(found)
        return known

    def chain(self, name: str) -> list[str]:
        """Return the parts from the machine to a part, both with it."""
        found = [name]
        while found[-1] in self.parents:
            found.append(self.parents[found[-1]])
        return found[::-1]

    @cached_property
    def hosts(self) -> Mapping[str, tuple[str, ...]]:
        """The parts of the processor side that links join to a bridge, function or device."""
        known = set(self.links)
        rows: dict[str, list[str]] = defaultdict(list)
        for a, b in self.links:
            if b in self.io and a in self.side and (b, a) in known and a not in self.chain(b):
                rows[b].append(a)
        return {name: tuple(rows[name]) for name in rows}

    @cached_property
    def inside(self) -> Mapping[str, frozenset[str]]:
        """The PUs inside each end of a link."""
        return {end: frozenset(self.below(end)) & self.pus for end in self.ends}


@dataclass(frozen=True, slots=True)
class Reach:
    """What cannot be used: `lost` and `still` with the part that took it along, `cut` by links.

    `hosted` are reached over a link although what contains them is lost; `home` is the first part
    of the largest piece of the interconnect, empty without links; `apart` the ends that are cut.
    """

    lost: Mapping[str, str]
    still: Mapping[str, str]
    cut: frozenset[str]
    hosted: frozenset[str]
    home: str
    apart: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self.lost or name in self.still or name in self.cut

    @property
    def gone(self) -> frozenset[str]:
        """All that cannot be used."""
        return frozenset(self.lost) | frozenset(self.still) | self.cut


def reach(
    net: Net,
    takes: Collection[str],
    stops: Collection[str],
    broken: Collection[frozenset[str]],
    home: str | None = None,
) -> Reach:
    """Return what is gone where the parts of `takes` take all along that hangs on them, those of
    `stops` only PUs, caches and cores, and the links of `broken` carry nothing.
    """
    by_tree = _taken(net, takes, {})
    hosted = {
        name
        for name, hosts in net.hosts.items()
        if name in by_tree
        and name not in takes
        and any(host not in by_tree and _whole(host, name, broken) for host in hosts)
    }
    lost = _taken(net, takes, hosted) if hosted else by_tree
    still = _taken(net, [name for name in stops if name not in takes], {}, net.side)
    still = {name: cause for name, cause in still.items() if name not in lost}
    home, beyond = _beyond(net, lost, still, broken, home)
    ends = {name for name in beyond if name not in net.io or name in hosted}
    over = {
        name
        for name, hosts in net.hosts.items()
        if name not in by_tree
        and name not in beyond
        and any(host not in by_tree and _whole(host, name, broken) for host in hosts)
    }
    cut = _taken(net, ends, (hosted - ends) | over).keys() - lost.keys() - still.keys()
    hosted = (hosted - cut) | {name for name in over if net.parents[name] in cut}
    return Reach(lost, still, frozenset(cut), frozenset(hosted), home, frozenset(ends))


def _whole(a: str, b: str, broken: Collection[frozenset[str]]) -> bool:
    return frozenset((a, b)) not in broken


def _taken(
    net: Net, takes: Collection[str], spared: Collection[str], among: Collection[str] | None = None
) -> dict[str, str]:
    """Return what is lost with the nearest part that takes it; what is spared begins anew."""
    found: dict[str, str] = {}
    for top in sorted(takes, key=lambda name: len(net.chain(name))):
        if among is None and not spared:
            found.update(dict.fromkeys(net.below(top), top))
            continue
        todo = [top]
        while todo:
            name = todo.pop()
            if name != top and name in spared:
                continue
            if among is not None and name not in among:
                continue
            found[name] = top
            todo += net.children.get(name, ())
    return found


def order_of(name: str) -> tuple[int, str]:
    """Sort key: by number, those without one first."""
    index = name.partition(":")[2]
    return (int(index) if index.isdigit() else -1, name)


def _beyond(
    net: Net,
    lost: Collection[str],
    still: Collection[str],
    broken: Collection[frozenset[str]],
    home: str | None,
) -> tuple[str, set[str]]:
    """Return home, and the ends that stand but are not joined to it any more."""
    stands = net.ends - set(lost)
    left = [(a, b) for a, b in net.links if {a, b} <= stands and _whole(a, b, broken)]
    if home is None:
        home = _home(net, left, stands, lost, still)
    if not home or not (lost or broken):
        return home, set()
    once, now = _both_walked(home, net.links), _both_walked(home, left)
    return home, {end for was, is_ in zip(once, now, strict=True) for end in (was & stands) - is_}


def _both_walked(home: str, links: Iterable[Ends]) -> tuple[set[str], set[str]]:
    """Return what is reached from home, and what reaches it."""
    known = list(links)
    return _walked(home, known), _walked(home, [(b, a) for a, b in known])


def cut_off(
    net: Net, home: str, end: str, lost: Collection[str], broken: Collection[frozenset[str]]
) -> bool:
    """Tell whether an end of a link is not joined to home both ways without ends and links."""
    gone = set(lost)
    left = [link for link in net.links if not set(link) & gone and _whole(*link, broken)]
    once, now = _both_walked(home, net.links), _both_walked(home, left)
    return any(end in was and end not in is_ for was, is_ in zip(once, now, strict=True))


def _home(
    net: Net,
    left: Sequence[Ends],
    stands: Collection[str],
    lost: Collection[str],
    still: Collection[str],
) -> str:
    rows = _pieces(net, left, stands, lost, still)
    return rows[0][1] if rows else ""


def _pieces(
    net: Net,
    left: Sequence[Ends],
    stands: Collection[str],
    lost: Collection[str],
    still: Collection[str],
) -> list[tuple[tuple[int, tuple[int, str]], str]]:
    """Return the first part of each piece of the interconnect, that with the most PUs first."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(stands)
    graph.add_edges_from(left)
    rows = []
    for piece in networkx.strongly_connected_components(graph):
        firsts = [name for name in piece if name in net.side]
        if not firsts:
            continue
        first = min(firsts, key=order_of)
        runs = set().union(*(net.inside[name] for name in piece))
        running = sum(pu not in lost and pu not in still for pu in runs)
        rows.append(((-running, order_of(first)), first))
    return sorted(rows)


def homes(net: Net, reached: Reach, broken: Collection[frozenset[str]]) -> list[str]:
    """Return a part of each piece of the interconnect that is left, the one with most PUs first."""
    stands = net.ends - set(reached.lost)
    left = [(a, b) for a, b in net.links if {a, b} <= stands and _whole(a, b, broken)]
    return [first for _key, first in _pieces(net, left, stands, reached.lost, reached.still)]


def _walked(start: str, links: Iterable[Ends]) -> set[str]:
    after: dict[str, list[str]] = defaultdict(list)
    for a, b in links:
        after[a].append(b)
    found, todo = {start}, [start]
    while todo:
        fresh = [end for end in after.get(todo.pop(), ()) if end not in found]
        found.update(fresh)
        todo += fresh
    return found


# ------------------------------------------------------------------ ways and dominators
def link_name(a: str, b: str) -> str:
    """Name a link by its ends, the first one first."""
    first, second = sorted((a, b), key=lambda name: (name.partition(":")[0], order_of(name)))
    return f"link:{first}-{second}"


def graph_of(net: Net, home: str, broken: Collection[frozenset[str]] = ()) -> Any:
    """Return the ways from the machine to every part, links as nodes of their own.

    An end of a link that is joined to home is reached over links alone, home by what contains it.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_node(net.root)
    links = [link for link in net.links if _whole(*link, broken)]
    joined = _walked(home, links) if home else set()
    for child, parent in net.parents.items():
        over_links = child in joined and child != home and child not in net.io
        if not over_links or _contains(net, child, home):
            graph.add_edge(parent, child)
    for a, b in links:
        if a not in joined or (b in net.io and a not in net.hosts.get(b, ())):
            continue
        if b != home and not _contains(net, b, home):
            graph.add_edge(a, link_name(a, b))
            graph.add_edge(link_name(a, b), b)
    return graph


def _contains(net: Net, outer: str, inner: str) -> bool:
    return bool(inner) and outer in net.chain(inner)


def dominators(graph: Any, root: str) -> dict[str, str]:
    """Return the immediate dominator of every part that is reached: all ways lead over it."""
    import networkx

    found: dict[str, str] = networkx.immediate_dominators(graph, root)
    found.pop(root, None)
    return found


def way_to(graph: Any, root: str, part: str, without: Collection[str] = ()) -> list[str]:
    """Return a shortest way to a part over none of some others; empty where there is none."""
    return led(before_each(graph, root, without, part), part)


def before_each(
    graph: Any, root: str, without: Collection[str] = (), last: str = ""
) -> dict[str, str]:
    """Return what is before each part on a shortest way to it, found until one is reached."""
    before: dict[str, str] = {root: ""}
    todo = deque([root])
    while todo:
        at = todo.popleft()
        if at == last:
            break
        for end in graph.successors(at):
            if end not in before and end not in without:
                before[end] = at
                todo.append(end)
    return before


def led(before: Mapping[str, str], part: str) -> list[str]:
    """Return the way to a part; empty where there is none."""
    if part not in before:
        return []
    way = [part]
    while before[way[-1]]:
        way.append(before[way[-1]])
    return way[::-1]


def distances(graph: Any, root: str) -> dict[str, int]:
    """Return the steps from the machine to every part that is reached."""
    import networkx

    return dict(networkx.single_source_shortest_path_length(graph, root))
