"""What cannot be used because a part is off, asleep or absent: the fast path of every question.

The same is derived, with all reasons, by `rules/machine.lp`; a property test holds the two
together. Why each kind of part takes which others along is said there, above the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from skb.containment import CPU_KINDS, IO_KINDS, ROOT, kind_of

# these carry memory controllers and I/O roots; a core, a cache or a PU carries none
CARRIERS = frozenset({"machine", "group", "package", "die"})
WORDS = {"off": "powered off", "sleep": "asleep", "absent": "absent"}
States = Mapping[str, Collection[str]]
Links = Mapping[str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Usability:
    """Why each part that cannot be used cannot; `silent` forward nothing; `home` is what is left.

    `home` is the first part of the largest piece of the interconnect that still holds together,
    empty where nothing is cut.
    """

    because: Mapping[str, str]
    silent: frozenset[str]
    home: str = ""


def takes_all(name: str, states: Collection[str]) -> bool:
    """Tell whether everything that hangs under a part in this state is lost, memory and I/O too."""
    kind = kind_of(name)
    if kind not in CPU_KINDS:
        return bool(states)
    dead = "off" in states or "absent" in states
    return kind in CARRIERS and (dead or (kind == "machine" and "sleep" in states))


def usability(children: Mapping[str, Iterable[str]], states: States, links: Links) -> Usability:
    """Return what cannot be used; `states` holds only parts that are off, asleep or absent."""
    dead, idle = _taken(children, states, ())
    taken = dead
    hosted = _hosted(children, states, links, taken, dead)
    if hosted:
        dead, idle = _taken(children, states, hosted)
    because = {name: _state(cause, states) for name, cause in {**idle, **dead}.items()}
    because.update({name: _state(name, states) for name in because if name in states})
    home = ""
    if links and dead:
        home, beyond, cut = _cut(children, links, dead, because, hosted)
        if cut:
            joined = {end for ends in links.values() for end in ends if end not in taken}
            hosted |= _hosted(children, states, links, taken, joined - beyond)
        for name, causes in cut.items():
            said = " and ".join(_state(cause, states) for cause in sorted(causes))
            for part in _with_inside(name, children, hosted):
                because.setdefault(part, f"{name} is cut off: {said}")
    return Usability(because, frozenset(dead), home)


def _taken(
    children: Mapping[str, Iterable[str]], states: States, hosted: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is lost, and which parts only do not run, each with the part that did it.

    What is hosted is reached another way than through what it hangs on.
    """
    dead: dict[str, str] = {}
    idle: dict[str, str] = {}
    below: list[tuple[str, str, str]] = [(ROOT, "", "")]
    while below:
        name, lost, still = below.pop()
        own = states.get(name, ())
        if name in hosted:
            lost = ""
        if takes_all(name, own):
            lost = name
        elif own:
            still = name
        if kind_of(name) not in CPU_KINDS:
            still = ""
        if lost:
            dead[name] = lost
        if still:
            idle[name] = still
        below += [(child, lost, still) for child in children.get(name, ())]
    return dead, idle


def _hosted(
    children: Mapping[str, Iterable[str]],
    states: States,
    links: Links,
    dead: Mapping[str, str],
    among: Collection[str],
) -> frozenset[str]:
    """Return those among bridges, functions and devices that a link joins to a processor that
    stands.

    They have that other way when what they hang on is lost or cut off (a NIC with several hosts).
    """
    if not dead:
        return frozenset()
    known = {ROOT, *(child for below in children.values() for child in below)}
    return frozenset(
        end
        for host, ends in links.items()
        if kind_of(host) in CPU_KINDS and host in known and host not in dead
        for end in ends
        if kind_of(end) in IO_KINDS and end in among and not takes_all(end, states.get(end, ()))
        if host in links.get(end, ()) and end not in _with_inside(host, children)
    )


def _state(name: str, states: States) -> str:
    words = [words for state, words in WORDS.items() if state in states[name]]
    return f"{name} is {' and '.join(words)}"


def _with_inside(
    name: str, children: Mapping[str, Iterable[str]], without: Collection[str] = ()
) -> list[str]:
    found = [name]
    for part in found:
        found += [child for child in children.get(part, ()) if child not in without]
    return found


# ------------------------------------------------------------------ the interconnect
def _cut(
    children: Mapping[str, Iterable[str]],
    links: Links,
    dead: Mapping[str, str],
    because: Mapping[str, str],
    hosted: Collection[str],
) -> tuple[str, set[str], dict[str, set[str]]]:
    """Return the home, the ends of links that no path joins to it any more, and those of them that
    are lost with what broke the paths.

    Paths are taken in both directions, because a message needs its answer; what no path joined
    while all was on is no loss.
    """
    known = {ROOT, *(child for below in children.values() for child in below)}
    ahead: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for start, ends in links.items():
        for end in ends:
            if start in known and end in known:
                ahead[start].add(end)
                back[end].add(start)
    stands = (ahead.keys() | back.keys()) - dead.keys()
    home = _home(children, ahead, stands, because)
    if not home:
        return "", set(), {}
    beyond: set[str] = set()
    for way in (ahead, back):
        beyond |= (_reached(home, way, known) - _reached(home, way, stands)) & stands
    cut = {name for name in beyond if kind_of(name) not in IO_KINDS or name in hosted}
    return home, beyond, {name: _causes(name, beyond, (ahead, back), dead) for name in cut}


def _home(
    children: Mapping[str, Iterable[str]],
    ahead: Mapping[str, set[str]],
    stands: set[str],
    because: Mapping[str, str],
) -> str:
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(stands)
    graph.add_edges_from((a, b) for a in stands for b in ahead.get(a, ()) if b in stands)

    def size(piece: set[str]) -> int:
        inside = {part for name in piece for part in _with_inside(name, children)}
        return sum(kind_of(part) == "pu" and part not in because for part in inside)

    pieces = [set(piece) for piece in networkx.strongly_connected_components(graph)]
    pieces = [p for p in pieces if any(kind_of(name) in CPU_KINDS for name in p)]
    firsts = {min((n for n in p if kind_of(n) in CPU_KINDS), key=_order): p for p in pieces}
    return min(firsts, key=lambda name: (-size(firsts[name]), _order(name)), default="")


def _order(name: str) -> tuple[int, str]:
    index = name.partition(":")[2]
    return (int(index) if index.isdigit() else -1, name)


def _reached(start: str, way: Mapping[str, set[str]], allowed: Collection[str]) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        fresh = {end for end in way.get(todo.pop(), ()) if end in allowed} - found
        found |= fresh
        todo += fresh
    return found


def _causes(
    name: str,
    beyond: set[str],
    ways: tuple[Mapping[str, set[str]], Mapping[str, set[str]]],
    dead: Mapping[str, str],
) -> set[str]:
    """Return what is off around the piece of the interconnect that a part is in."""
    both: dict[str, set[str]] = {}
    for at in (*beyond, *dead):
        both[at] = set().union(*(way.get(at, set()) for way in ways))
    piece = _reached(name, both, beyond)
    return {dead[end] for at in piece for end in both[at] if end in dead}


def stops_only_pus(name: str) -> bool:
    """Tell whether a part without power stops the PUs inside it and nothing else."""
    kind = kind_of(name)
    return kind in CPU_KINDS and kind not in CARRIERS
