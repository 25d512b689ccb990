"""A placement request as peers understand it: tasks, sites of equal size, and matrices.

A site is what one task takes: a PU, or a whole core. Latencies are those of the snapshot
(`skb.costs`), and which site a task may take is asked of the checker, so that nothing here knows
the product's rules or engines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from skb.checkers.placement import faults
from skb.costs import Costs
from skb.machine import Machine

Integers = NDArray[numpy.int64]
Plain = Mapping[str, Any]
# what a request may hold for peers to understand it
TASK_KEYS = frozenset({"name", "pus", "cores", "isa", "kind", "at", "not_at", "near", "cache_mib"})
KEYS = frozenset({"task", "traffic", "apart", "allowed"})


@dataclass(frozen=True, slots=True)
class Sites:
    """Tasks and sites by number; prices are picoseconds times messages per second.

    `between` holds the latency of sites in ps, `rates` the messages per second of two tasks in both
    directions, `alone` what a task costs on a site whatever the others do. Sites of one `group` are
    interchangeable. `cache` is what tasks keep in the last-level cache of their group, in bytes.
    """

    tasks: tuple[str, ...]
    sites: tuple[tuple[int, ...], ...]
    nodes: tuple[int | None, ...]
    between: Integers
    rates: Integers
    alone: Integers
    allowed: NDArray[numpy.bool_]
    group: Integers
    cache: Integers
    cache_size: Integers
    apart: tuple[tuple[int, int], ...]

    def price(self, places: Iterable[int]) -> int:
        """Return what it costs that each task is on this site."""
        at = numpy.fromiter(places, dtype=numpy.int64)
        pairs = self.rates * self.between[numpy.ix_(at, at)]
        return int(pairs.sum()) // 2 + int(self.alone[numpy.arange(len(at)), at].sum())

    def answer(self, places: Iterable[int]) -> dict[str, Any]:
        """Return the placement in the form of a decision's answer."""
        return {
            name: {"pus": list(self.sites[place]), "numa_node": self.nodes[place]}
            for name, place in zip(self.tasks, places, strict=True)
        }


def sites_of(machine: Machine, request: Plain) -> Sites | str:
    """Return the request for peers, or what it asks that they cannot be told."""
    if text := _unknown(request):
        return text
    costs = Costs(machine)
    sites = _sites(machine, request["task"])
    homes = [site[0] for site in sites]
    group, between = _groups(machine, costs, homes)
    if not numpy.array_equal(between, between.T):
        return "latencies that differ by direction"
    names = [row["name"] for row in request["task"]]
    nodes = _nodes(machine, costs, homes)
    cache, cache_size = _caches(machine, request["task"], homes, group)
    return Sites(
        tasks=tuple(names),
        sites=sites,
        nodes=nodes,
        between=between,
        rates=_rates(names, request.get("traffic", ())),
        alone=_alone(machine, costs, request["task"], homes),
        allowed=_allowed(machine, request, sites, nodes),
        group=group,
        cache=cache,
        cache_size=cache_size,
        apart=_apart(names, request.get("apart", ())),
    )


def _unknown(request: Plain) -> str:
    """Return what peers cannot be told of a request, empty where nothing."""
    odd = {key for key, value in request.items() if value and key not in KEYS}
    if request.get("busy_above") is not None:
        odd.add("busy_above")  # 0 says something, too
    odd |= {key for row in request["task"] for key in row if key not in TASK_KEYS}
    odd |= {"pus" for row in request["task"] if (row.get("pus") or 1) > 1}
    odd |= {"cores" for row in request["task"] if (row.get("cores") or 1) > 1}
    if len({bool(row.get("cores")) for row in request["task"]}) > 1:
        odd.add("both pus and cores")
    odd |= {f"apart within {row['within']}" for row in request.get("apart", ())} - {
        "apart within l3"
    }
    return ", ".join(sorted(odd))


def _sites(machine: Machine, rows: Iterable[Plain]) -> tuple[tuple[int, ...], ...]:
    usable = machine.usable_pus
    if not any(row.get("cores") for row in rows):
        return tuple((pu,) for pu in usable)
    cores: dict[str, list[int]] = {}
    for pu in machine.pus:
        cores.setdefault(machine.core_of[pu], []).append(pu)
    return tuple(tuple(pus) for pus in cores.values() if set(pus) <= set(usable))


def _groups(machine: Machine, costs: Costs, homes: list[int]) -> tuple[Integers, Integers]:
    """Return the group of each site, and the latency between all sites in ps.

    Sites of one last-level cache are a group where nothing is stated by pair of PUs: their
    latencies to others are then the same.
    """
    paired = bool(machine.facts_of("latency")) or bool(machine.facts_of("message_cost"))
    keys = [f"pu:{pu}" if paired else _cache(machine, pu) or f"pu:{pu}" for pu in homes]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    group = numpy.array([numbers[key] for key in keys], dtype=numpy.int64)
    first = [homes[keys.index(key)] for key in numbers]
    second = [homes[len(keys) - 1 - keys[::-1].index(key)] for key in numbers]
    table = numpy.array(
        [[costs.latency_ps(a, b) for b in second] for a in first], dtype=numpy.int64
    )
    between = table[numpy.ix_(group, group)]
    numpy.fill_diagonal(between, costs.own_ps())
    return group, between


def _cache(machine: Machine, pu: int) -> str | None:
    around = machine.ancestors(f"pu:{pu}")
    return next((at for at in around if at.startswith("l3:")), None)


def _nodes(machine: Machine, costs: Costs, homes: list[int]) -> tuple[int | None, ...]:
    usable = machine.usable_numa
    if not usable:
        return (None,) * len(homes)
    return tuple(min(usable, key=lambda n: (costs.memory_ps(pu, n), n)) for pu in homes)


def _caches(
    machine: Machine, rows: Iterable[Plain], homes: list[int], group: Integers
) -> tuple[Integers, Integers]:
    need = [round((row.get("cache_mib") or 0) * 2**20) for row in rows]
    size = [0] * (int(group.max()) + 1)
    for home, number in zip(homes, group, strict=True):
        at = _cache(machine, home)
        size[number] = round(machine.number("cache_size", at) or 0) if at else 0
    return numpy.array(need, dtype=numpy.int64), numpy.array(size, dtype=numpy.int64)


def _rates(names: list[str], traffic: Iterable[Plain]) -> Integers:
    at = {name: number for number, name in enumerate(names)}
    rates = numpy.zeros((len(names), len(names)), dtype=numpy.int64)
    for row in traffic:
        first, second = at[row["from"]], at[row["to"]]
        if first != second:
            rates[first, second] += row["messages_per_s"]
            rates[second, first] += row["messages_per_s"]
    return rates


def _alone(machine: Machine, costs: Costs, rows: list[Plain], homes: list[int]) -> Integers:
    found = numpy.zeros((len(rows), len(homes)), dtype=numpy.int64)
    far: dict[str, Integers] = {}
    for number, row in enumerate(rows):
        for name, weight in (row.get("near") or {}).items():
            if name not in far:
                local = machine.pus_of(name)
                ps = [
                    0 if pu in local else min(costs.latency_ps(pu, other) for other in local)
                    for pu in homes
                ]
                far[name] = numpy.array(ps, dtype=numpy.int64)
            found[number] += weight * far[name]
    return found


def _allowed(
    machine: Machine,
    request: Plain,
    sites: tuple[tuple[int, ...], ...],
    nodes: tuple[int | None, ...],
) -> NDArray[numpy.bool_]:
    """Ask the checker for each kind of task which sites it may take."""
    known: dict[str, NDArray[numpy.bool_]] = {}
    found = []
    for row in request["task"]:
        alone = {k: v for k, v in row.items() if k not in {"name", "near", "cache_mib"}}
        key = repr(sorted(alone.items()))
        if key not in known:
            asked = {"task": [{**alone, "name": "x"}], "allowed": request.get("allowed")}
            seats = [
                {"x": {"pus": list(site), "numa_node": node}}
                for site, node in zip(sites, nodes, strict=True)
            ]
            known[key] = numpy.array([not faults(machine, asked, seat) for seat in seats])
        found.append(known[key])
    return numpy.array(found)


def _apart(names: list[str], groups: Iterable[Plain]) -> tuple[tuple[int, int], ...]:
    at = {name: number for number, name in enumerate(names)}
    return tuple(
        (at[first], at[second])
        for row in groups
        for place, second in enumerate(row["tasks"])
        for first in row["tasks"][:place]
    )
