"""What the power question tells of parts that go: what is lost with them, and over which ways."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from skb.engines.power_net import Reach, cut_off, dominators, graph_of, link_name, way_to
from skb.machine import IO_KINDS, kind_of, object_order
from skb.questions.power_instance import Off, Power
from skb.usability import stops_only_pus

# links of an interconnect are each tried as a single point of failure up to this product
MOST_LINK_WORK = 4_000_000
# of the parts on a way that a sentence names
SHOWN_WAY = 9
MIB = 2**20


def unreachable(power: Power, off: Off, after: Reach) -> list[dict[str, Any]]:
    """Return a row for everything that is lost, from the machine inwards.

    `dominator` is the nearest part that goes over which all ways led, None where only several
    together cut it off (`because`); `hangs_on` is the immediate dominator; `ways` are the ways
    that are lost.
    """
    graph = graph_of(power.net, after.home)
    root = power.net.root
    above = dominators(graph, root)
    gone = {name for name in off.parts if not stops_only_pus(name)} | {
        link_name(*link) for link in map(sorted, off.links)
    }
    now = power.now
    rows = []
    for name in sorted((part for part in after.gone if part not in now), key=object_order):
        rows.append(_row(power, name, off, after, (graph, above), gone))
    rows += _services(power, {row["part"]: row for row in rows})
    return rows


def _row(
    power: Power,
    name: str,
    off: Off,
    after: Reach,
    ways_now: tuple[Any, Mapping[str, str]],
    gone: Collection[str],
) -> dict[str, Any]:
    root, (graph, above) = power.net.root, ways_now
    cause = after.lost.get(name) or after.still.get(name)
    row: dict[str, Any] = {"part": name, "hangs_on": above.get(name)}
    if name in off.parts:
        return {**row, "dominator": name, "because": [name], "ways": [], "text": f"{name} goes"}
    parents = power.net.parents
    if any(at in power.net.hosts and parents[at] in after for at in power.net.chain(name)):
        return {**row, **_both_ways(power, name, off, after, graph)}
    if cause is not None:
        way = power.net.chain(name)
        text = f"{name} hangs on {cause}: the only way was {_arrows(way)}"
        if name in after.still:
            text = f"{name} does not run without {cause}, which it is in"
        found = {"dominator": cause, "because": [cause], "ways": [way], "text": text}
        return {**row, **found}
    single = _nearest(above, name, gone)
    end = next(at for at in reversed(power.net.chain(name)) if at in after.apart)
    because = [single] if single else _cutting(power, end, off, after)
    if not because:
        return {**row, **_smaller(name, off)}
    single = because[0] if len(because) == 1 else None
    ways = []
    for part in because:
        way = _way_over(graph, root, part, end, set(because) - {part})
        if way:
            ways.append([*way, *power.net.chain(name)[power.net.chain(name).index(end) + 1 :]])
    led = "; ".join(_arrows(way) for way in ways)
    said = "the only way was" if len(ways) == 1 else "the ways were"
    hangs = f"hangs on {single}" if single else f"is cut off by {' and '.join(because)} together"
    text = f"{name} {hangs}: {said} {led}" if led else f"{name} {hangs}: no answer comes back"
    return {**row, "dominator": single, "because": because, "ways": ways, "text": text}


def _smaller(name: str, off: Off) -> dict[str, Any]:
    """Return the rest of a row of a part from which more PUs had been cut off before already."""
    text = f"{name} is on the side of the interconnect with fewer PUs now"
    return {"dominator": None, "because": list(off.names), "ways": [], "text": text}


def _both_ways(power: Power, name: str, off: Off, after: Reach, graph: Any) -> dict[str, Any]:
    """Return the rest of a row of a part that has a way by what it hangs on and one over a link."""
    kept = list(off.names)
    for part in tuple(kept):
        fewer = [other for other in kept if other != part]
        if name in power.reach(power.off(fewer, "$.off"), after.home):
            kept = fewer
    if not kept:
        return _smaller(name, off)
    chain = power.net.chain(name)
    ways = [chain] if set(chain) & set(kept) else []
    for at in chain:
        for host in power.net.hosts.get(at, ()):
            first = way_to(graph, power.net.root, host)
            way = [*first, link_name(host, at), *chain[chain.index(at) :]]
            if first and set(way) & set(kept):
                ways.append(way)
    single = kept[0] if len(kept) == 1 else None
    hangs = f"hangs on {single}" if single else f"is cut off by {' and '.join(kept)} together"
    said = "the only way was" if len(ways) == 1 else "the ways were"
    text = f"{name} {hangs}: {said} {'; '.join(map(_arrows, ways))}"
    return {"dominator": single, "because": kept, "ways": ways, "text": text}


def _nearest(above: Mapping[str, str], name: str, gone: Collection[str]) -> str | None:
    at = above.get(name)
    while at is not None:
        if at in gone:
            return at
        at = above.get(at)
    return None


def _cutting(power: Power, end: str, off: Off, after: Reach) -> list[str]:
    """Return a minimal set of what goes without which an end of a link is not joined to home."""
    net = power.net
    broken = {link_name(*sorted(link)): link for link in off.links}
    lost = {name: after.lost[name] for name in net.ends if name in after.lost}
    known = {name for name in lost if name in power.now.lost}
    causes = {cause for name, cause in lost.items() if name not in known}
    kept = sorted({*causes, *broken}, key=object_order)

    def cut(parts: Collection[str]) -> bool:
        gone = known | {name for name, cause in lost.items() if cause in parts}
        return cut_off(net, after.home, end, gone, {broken[p] for p in parts if p in broken})

    for part in tuple(kept):
        fewer = [other for other in kept if other != part]
        if cut(fewer):
            kept = fewer
    return kept


def _way_over(graph: Any, root: str, part: str, end: str, without: Collection[str]) -> list[str]:
    """Return a shortest way over a part that is lost; empty where none leads over it alone."""
    first = way_to(graph, root, part, without)
    rest = way_to(graph, part, end, without) if first else []
    way = [*first, *rest[1:]]
    return way if rest and len(set(way)) == len(way) else []


def _arrows(way: Sequence[str]) -> str:
    """Write a way; links between named ends, and the middle of a long one, are left out."""
    shown = [name for name in way if not name.startswith("link:")]
    if len(shown) > SHOWN_WAY:
        half = SHOWN_WAY // 2
        shown = [*shown[:half], "...", *shown[-half:]]
    return " -> ".join(shown)


def _services(power: Power, rows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for fact in power.machine.facts_of("service"):
        name, part = str(fact.args[0]), str(fact.args[1])
        if (row := rows.get(part)) is None:
            continue
        text = f"service {name} runs on {part}: {row['text']}"
        own = {"part": f"service:{name}", "hangs_on": part, "text": text}
        found.append({**{key: row[key] for key in ("dominator", "because", "ways")}, **own})
    return found


# ------------------------------------------------------------------ single points of failure
def single_points(power: Power) -> list[dict[str, Any]]:
    """Return what is lost with each single part or link, equal ones in one row, the most first."""
    now = power.now
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    tried = [name for name in power.net.parents if name not in now]
    plain = _plain(power, tried)
    for name in sorted(tried, key=object_order):
        lost = plain.get(name)
        if lost is None:
            lost = _besides(power, Off((name,)))
        _add(power, known, name, lost - {name})
    pairs = sorted({frozenset(link) for link in power.net.links if len(set(link)) == 2}, key=sorted)
    if len(pairs) * (len(power.net.links) + len(power.net.parents)) <= MOST_LINK_WORK:
        for pair in pairs:
            _add(
                power, known, link_name(*sorted(pair)), _besides(power, Off((), frozenset({pair})))
            )
    return sorted(known.values(), key=lambda row: (-row["pus"], -row["memory_mib"], -row["lost"]))


def _besides(power: Power, off: Off) -> set[str]:
    return set(power.reach(off).gone) - set(power.now.gone)


def _plain(power: Power, names: Iterable[str]) -> dict[str, set[str]]:
    """Return what is lost with parts that hold no end of a link, nor a host of another part."""
    net = power.net
    if net.ends & power.now.gone:
        return {}  # another side of the interconnect may come to have the most PUs
    apart = {at for end in net.ends for at in net.chain(end)} | net.ends
    return {name: _tree(power, name) for name in names if name not in apart}


def _tree(power: Power, name: str) -> set[str]:
    found = power.net.below(name)
    if stops_only_pus(name):
        todo, found = [name], []
        while todo:
            at = todo.pop()
            found.append(at)
            todo += [p for p in power.net.children.get(at, ()) if p in power.net.side]
    return {part for part in found if part not in power.now}


def _add(
    power: Power, known: dict[tuple[Any, ...], dict[str, Any]], name: str, lost: set[str]
) -> None:
    if not lost:
        return
    kinds = power.counted(lost)
    memory = power.memory_bytes(lost)
    key = (kind_of(name), tuple(kinds.items()), memory)
    row = known.get(key)
    if row is None:
        known[key] = {
            "parts": [name],
            "lost": len(lost),
            "pus": kinds.get("pu", 0),
            "memory_mib": round(memory / MIB, 3),
            "devices": kinds.get("device", 0),
            "kinds": kinds,
            "example": max(lost, key=_telling),
        }
    else:
        row["parts"].append(name)


def _telling(name: str) -> tuple[int, str]:
    return (kind_of(name) in IO_KINDS) + 2 * (kind_of(name) == "device"), name


# ------------------------------------------------------------------ in numbers
def totals(power: Power, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how much is lost: parts, PUs, memory, devices, services."""
    names = [str(row["part"]) for row in rows if not row["part"].startswith("service:")]
    kinds = power.counted(names)
    return {
        "parts": len(names),
        "pus": kinds.get("pu", 0),
        "memory_mib": round(power.memory_bytes(names) / MIB, 3),
        "devices": kinds.get("device", 0),
        "services": len(rows) - len(names),
        "kinds": kinds,
    }
