"""What each named query must answer, in plain Python over the snapshot and its costs.

No rule and no line of the product's query code is used: containment, usability and costs come from
`Machine` and `Costs`, everything else is written again here. Each function takes the machine and
the parameters and returns the rows without their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from skb.costs import Costs
from skb.machine import ROOT, Machine, kind_of

Rows = list[tuple[Any, ...]]
With = dict[str, Any]
LEVELS = {"l1d": "l1", "l2": "l2", "l3": "l3", "l4": "l4", "l5": "l5"}


def ns(picoseconds: float) -> float:
    return picoseconds / 1000


def inside(machine: Machine, name: str) -> list[int]:
    return [pu for pu in machine.usable_pus if pu in machine.pus_of(name)]


def caches(machine: Machine, pu: int, level: str = "any") -> list[str]:
    """Data and unified caches around a PU, the innermost first."""
    around = [at for at in machine.ancestors(f"pu:{pu}") if kind_of(at) in LEVELS]
    return [at for at in around if level in ("any", LEVELS[kind_of(at)])]


def core(machine: Machine, pu: int) -> str:
    found = [at for at in machine.ancestors(f"pu:{pu}") if kind_of(at) == "core"]
    return found[0] if found else f"pu:{pu}"


def package(machine: Machine, pu: int) -> str:
    found = [at for at in machine.ancestors(f"pu:{pu}") if kind_of(at) == "package"]
    return found[0] if found else ROOT


def home(machine: Machine, pu: int) -> str:
    """The nearest part around a PU that memory hangs at, empty where there is none."""
    anchors = {machine.anchor(f"numa:{node}") for node in machine.numa}
    return next((at for at in (f"pu:{pu}", *machine.ancestors(f"pu:{pu}")) if at in anchors), "")


def node_cost(machine: Machine, pus: list[int], node: int) -> int:
    costs = Costs(machine)
    return min(costs.memory_ps(pu, node) for pu in pus)


def load(machine: Machine, pu: int) -> tuple[int, str]:
    for name in (f"pu:{pu}", core(machine, pu)):
        value = machine.value("load", name)
        if value is not None:
            return int(value), "stated"
    return 0, "assumed"


def near_device(machine: Machine, device: str) -> tuple[list[int], str]:
    near = inside(machine, machine.anchor(device))
    if near:
        return near, "local"
    nodes = machine.numa_of(device)
    costs = Costs(machine)
    far = {p: min((costs.memory_ps(p, n) for n in nodes), default=0) for p in machine.usable_pus}
    return [pu for pu, cost in far.items() if cost == min(far.values())], "remote"


def lowest_by(machine: Machine, key: Callable[[int], str]) -> dict[str, int]:
    """The lowest usable PU of each group; PUs with an empty key stand alone."""
    found: dict[str, int] = {}
    for pu in machine.usable_pus:
        found.setdefault(key(pu) or f"pu:{pu}", pu)
    return found


def least(rows: Iterable[tuple[Any, ...]], at: int) -> Rows:
    rows = list(rows)
    return [row for row in rows if row[at] == min(other[at] for other in rows)]


# ------------------------------------------------------------------ one function for each query
def available_cores(m: Machine, w: With) -> Rows:
    rows = []
    for pu in m.usable_pus:
        kind = m.value("core_kind", core(m, pu)) or m.value("core_kind", f"pu:{pu}") or "unknown"
        if w.get("kind", "any") in ("any", kind):
            rows.append((f"pu:{pu}", core(m, pu), package(m, pu), kind))
    return rows


def cores_near_device(m: Machine, w: With) -> Rows:
    pus, where = near_device(m, w["device"])
    return [(f"pu:{pu}", core(m, pu), where) for pu in pus]


def lightest_core_near_device(m: Machine, w: With) -> Rows:
    pus, _ = near_device(m, w["device"])
    return _lightest(m, pus, w)


def lightly_loaded_core(m: Machine, w: With) -> Rows:
    return _lightest(m, m.usable_pus, w)


def _lightest(m: Machine, pus: Iterable[int], w: With) -> Rows:
    rows = [(f"pu:{pu}", core(m, pu), *load(m, pu)) for pu in pus]
    if count := w.get("count", 0):
        return sorted(rows, key=lambda row: (row[2], int(row[0][3:])))[:count]
    return least(rows, 2)


def load_of_core(m: Machine, w: With) -> Rows:
    rows = []
    for pu in inside(m, w["core"]):
        value, basis = load(m, pu)
        rows.append((f"pu:{pu}", value if basis == "stated" else "unknown"))
    return rows


def memory_near_core(m: Machine, w: With) -> Rows:
    pus = inside(m, w["core"])
    local = {node for pu in pus for node in m.numa_of_pu[pu]} & set(m.usable_numa)
    if local:
        return [(f"numa:{n}", ns(node_cost(m, pus, n)), "local") for n in local]
    return least(((f"numa:{n}", ns(node_cost(m, pus, n)), "remote") for n in m.usable_numa), 1)


def memory_near_device(m: Machine, w: With) -> Rows:
    nodes = set(m.numa_of(w["device"])) & set(m.usable_numa)
    return [(f"numa:{n}", m.anchor(f"numa:{n}")) for n in nodes]


def memory_controller_of_core(m: Machine, w: With) -> Rows:
    nodes = {n for pu in inside(m, w["core"]) for n in m.numa_of_pu[pu]} & set(m.usable_numa)
    return [(f"numa:{n}", m.anchor(f"numa:{n}")) for n in nodes]


def cores_sharing_no_memory_controller(m: Machine, w: With) -> Rows:
    mine = {node for pu in inside(m, w["core"]) for node in m.numa_of_pu[pu]}
    if not mine:
        return []
    return [
        (f"pu:{pu}", core(m, pu))
        for pu in m.usable_pus
        if m.numa_of_pu[pu] and not mine & set(m.numa_of_pu[pu])
    ]


def cores_with_different_local_memory(m: Machine, w: With) -> Rows:
    kept = {m.anchor(f"numa:{node}") for node in m.usable_numa}
    placed = [pu for pu in m.usable_pus if home(m, pu) in kept]
    if "core" not in w:
        first = {home(m, pu): pu for pu in reversed(placed)}
        return [(f"pu:{pu}", core(m, pu), at) for at, pu in first.items()]
    mine = {home(m, pu) for pu in inside(m, w["core"])} & kept
    rest = [pu for pu in placed if mine and home(m, pu) not in mine]
    return [(f"pu:{pu}", core(m, pu), home(m, pu)) for pu in rest]


def cores_sharing_cache(m: Machine, w: With) -> Rows:
    mine = inside(m, w["core"])
    around = {cache for pu in mine for cache in caches(m, pu, w.get("level", "any"))}
    return [
        (f"pu:{pu}", core(m, pu), cache)
        for cache in around
        for pu in inside(m, cache)
        if pu not in mine
    ]


def cache_groups(m: Machine, w: With) -> Rows:
    every = {cache for pu in m.usable_pus for cache in caches(m, pu, w.get("level", "any"))}
    shared = [cache for cache in every if len(inside(m, cache)) > 1]
    return [(cache, f"pu:{pu}") for cache in shared for pu in inside(m, cache)]


def common_cache(m: Machine, w: With) -> Rows:
    rows = []
    for cache in {c for pu in inside(m, w["first"]) for c in caches(m, pu)}:
        if set(inside(m, cache)) & set(inside(m, w["second"])):
            size = m.value("cache_size", cache)
            kib = "unknown" if size is None else int(size) // 1024
            rows.append((cache, LEVELS[kind_of(cache)], kib))
    return rows


def cores_sharing_no_cache(m: Machine, w: With) -> Rows:
    if "core" not in w:
        first = lowest_by(m, lambda pu: (caches(m, pu) or [core(m, pu)])[-1])
        return [(f"pu:{pu}", core(m, pu)) for pu in first.values()]
    mine = inside(m, w["core"])
    around = {cache for pu in mine for cache in caches(m, pu)}
    return [
        (f"pu:{pu}", core(m, pu))
        for pu in m.usable_pus
        if pu not in mine and not around & set(caches(m, pu))
    ]


def thread_siblings(m: Machine, w: With) -> Rows:
    mine = inside(m, w["core"])
    return [
        (f"pu:{pu}", core(m, pu))
        for pu in m.usable_pus
        if pu not in mine and core(m, pu) in {core(m, one) for one in mine}
    ]


def cores_on_different_packages(m: Machine, w: With) -> Rows:
    first = lowest_by(m, lambda pu: package(m, pu))
    return [(f"pu:{pu}", core(m, pu), at) for at, pu in first.items() if at != ROOT]


def pair_on_different_packages(m: Machine, w: With) -> Rows:
    costs = Costs(m)
    first = lowest_by(m, lambda pu: package(m, pu))
    packages = [name for name in m.of_kind("package") if name in first]
    widths: dict[tuple[str, str], float] = {}
    for fact in m.facts_of("link_bandwidth"):
        a, b = str(fact.args[0]), str(fact.args[1])
        if m.has(a) and m.has(b) and not m.unusable(a) and not m.unusable(b) and fact.args[2]:
            ends = (m.package_around(a), m.package_around(b))
            widths[ends] = max(widths.get(ends, 0), round(float(fact.args[2]) * 1000))
    rows: Rows = []
    for at, a in enumerate(packages):
        for b in packages[at + 1 :]:
            ways = [widths[pair] for pair in ((a, b), (b, a)) if pair in widths]
            latency = ns(costs.latency_ps(first[a], first[b]))
            width = ns(min(ways)) if ways else None
            rows.append((f"pu:{first[a]}", f"pu:{first[b]}", a, b, width, latency))
    wide = [row for row in rows if row[4] is not None]
    if wide:
        rows = [row for row in wide if row[4] == max(other[4] for other in wide)]
    return [tuple("unknown" if v is None else v for v in row) for row in least(rows, 5)]


def cache_depth(m: Machine, w: With) -> Rows:
    pus = inside(m, w["core"]) if "core" in w else m.usable_pus
    counts = Counter(len({LEVELS[kind_of(c)] for c in caches(m, pu)}) for pu in pus)
    return list(counts.items())


def line_size(m: Machine, w: With) -> Rows:
    pus = inside(m, w["core"]) if "core" in w else m.usable_pus
    around = {cache for pu in pus for cache in caches(m, pu)}
    lines = ((kind_of(cache), m.value("cache_line", cache)) for cache in around)
    return [(*key, count) for key, count in Counter(one for one in lines if one[1]).items()]


def cost_to_reach_memory(m: Machine, w: With) -> Rows:
    pus = inside(m, w["core"])
    nodes = [int(w["memory"][5:])] if "memory" in w else m.usable_numa
    sizes = [int(m.value("cache_line", cache) or 0) for pu in pus for cache in caches(m, pu)]
    line = max(sizes, default=0) or 64
    lines = -(-w.get("page_bytes", 4096) // line)
    rows = []
    for node in nodes:
        cost = node_cost(m, pus, node)
        rows.append((f"numa:{node}", ns(cost), lines, cost * lines // 1000))
    return rows


def latency_between_cores(m: Machine, w: With) -> Rows:
    costs = Costs(m)
    return [
        (f"pu:{a}", f"pu:{b}", ns(costs.latency_ps(a, b)), ns(costs.latency_ps(b, a)))
        for a in inside(m, w["first"])
        for b in inside(m, w["second"])
        if a != b
    ]


def cores_near_core(m: Machine, w: With) -> Rows:
    costs, mine = Costs(m), inside(m, w["core"])
    rows: Rows = [
        (f"pu:{pu}", core(m, pu), ns(min(costs.latency_ps(one, pu) for one in mine)))
        for pu in m.usable_pus
        if pu not in mine
    ]
    if count := w.get("count", 0):
        return sorted(rows, key=lambda row: (row[2], int(row[0][3:])))[:count]
    return least(rows, 2)


def end_of(m: Machine, pu: int) -> str:
    ends = {end for start, ends in m.links.items() for end in (start, *ends)}
    around = (f"pu:{pu}", *m.ancestors(f"pu:{pu}"))
    return next((at for at in around if at in ends), "")


def hops_between_cores(m: Machine, w: With) -> Rows:
    rows = set()
    for one in inside(m, w["first"]):
        for other in inside(m, w["second"]):
            a = end_of(m, one) or package(m, one)
            b = end_of(m, other) or package(m, other)
            hops = walk(m, a, b)
            rows.add((a, b, hops if hops is not None else ("none" if m.links else "unknown")))
    return list(rows)


def walk(m: Machine, start: str, end: str) -> int | None:
    """Breadth-first over links whose ends are on; None where none lead there."""
    if start == end:
        return 0
    seen, front, steps = {start}, [start], 0
    while front:
        steps += 1
        further = {b for a in front for b in m.links.get(a, ()) if m.has(b) and not m.unusable(b)}
        if end in further:
            return steps
        front = sorted(further - seen)
        seen |= further
    return None


def cost_of_hop(m: Machine, w: With) -> Rows:
    costs = Costs(m)
    start = inside(m, w.get("core", f"pu:{m.usable_pus[0]}"))
    first: dict[str, list[int]] = {}
    for pu in m.usable_pus:
        first.setdefault(package(m, pu), []).append(pu)
    found: dict[int, list[int]] = {}
    for pu in start:
        for group in first.values():
            for other in {group[0], group[-1]} - set(start):
                if end_of(m, pu) and end_of(m, other):
                    hops = walk(m, end_of(m, pu), end_of(m, other))
                    if hops is not None:
                        found.setdefault(hops, []).append(costs.latency_ps(pu, other))
    rows = []
    for hops, values in found.items():
        below = found.get(hops - 1)
        added = ns(min(values) - min(below)) if below else "unknown"
        rows.append((hops, ns(min(values)), ns(max(values)), added))
    return rows


def channel_buffer(m: Machine, w: With) -> Rows:
    rows = []
    for node in m.usable_numa:
        a = node_cost(m, inside(m, w["first"]), node)
        b = node_cost(m, inside(m, w["second"]), node)
        rows.append((f"numa:{node}", ns(a + b), ns(a), ns(b)))
    return least(rows, 1)


def interrupt_groups(m: Machine, w: With) -> Rows:
    def part(pu: int) -> str:
        by = w.get("by", "package")
        if by == "numa":
            return home(m, pu)
        if by == "cache":
            return next(iter(caches(m, pu)[::-1]), "")
        return next((at for at in m.ancestors(f"pu:{pu}") if kind_of(at) == by), "")

    return [(part(pu) or f"pu:{pu}", f"pu:{pu}") for pu in m.usable_pus]


def devices_near_core(m: Machine, w: With) -> Rows:
    mine, asked = inside(m, w["core"]), w.get("kind", "any")
    kinds: dict[str, list[str]] = {d: [] for d in m.of_kind("device") if not m.unusable(d)}
    for fact in m.facts_of("device_kind"):
        kinds.get(str(fact.args[0]), []).append(str(fact.args[1]))
    wanted = [d for d, own in kinds.items() if asked == "any" or asked in own]
    near = [d for d in wanted if set(mine) & m.pus_of(m.anchor(d))]
    # the deeper the part around the core, the smaller it is
    rank = {d: -len(m.ancestors(m.anchor(d))) for d in near}
    if not near:
        usable = set(m.usable_numa)
        costs = {d: [node_cost(m, mine, n) for n in usable & set(m.numa_of(d))] for d in wanted}
        rank = {d: min(cost) for d, cost in costs.items() if cost} or dict.fromkeys(wanted, 0)
    return [
        (device, kind, m.anchor(device), "local" if near else "remote")
        for device in (d for d in rank if rank[d] == min(rank.values()))
        for kind in kinds[device] or ["unknown"]
        if asked in ("any", kind)
    ]


def memory_of_kind(m: Machine, w: With) -> Rows:
    rows = []
    for node in (f"numa:{n}" for n in m.usable_numa):
        if m.value("memory_kind", node) == w["kind"]:
            size = m.value("memory_size", node)
            kib = int(size) // 1024 if size is not None else 0
            rows.append((node, kib or "unknown", m.anchor(node)))
    return rows


def answer(name: str, machine: Machine, values: With) -> Rows:
    """Return the rows that a named query must have."""
    oracle: Callable[[Machine, With], Rows] = globals()[name.replace("-", "_")]
    return oracle(machine, values)
