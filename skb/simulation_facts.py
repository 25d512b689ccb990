"""What a machine's facts say for the refinements of the simulator: links, cache lines, domains."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from skb.bandwidth import Bandwidths
from skb.costs import Costs, to_ps
from skb.decision import Assumption
from skb.errors import RequestError
from skb.machine import Machine, natural_order
from skb.messages import LINE, PairTable, pair_kinds
from skb.wording import counted

if TYPE_CHECKING:
    from simulator import Links, MessageCosts

    Link = tuple[str, str]

_MIB = 2**20
SHARING = ("numa", "l3", "package")


def sharing(
    machine: Machine, members: tuple[int, ...], level: str = "numa"
) -> tuple[tuple[int, ...], ...]:
    """Return the members by what they share: NUMA node, L3 cache or package; others together.

    Raises `RequestError` where none of them has such a part around it.
    """
    if level not in SHARING:
        raise RequestError(
            f"domains cannot share {level!r}",
            place="simulation $.sharing",
            mend=f"write {', '.join(SHARING)}",
        )
    rows: dict[str, list[int]] = {}
    for pu in members:
        rows.setdefault(_around(machine, pu, level), []).append(pu)
    if level != "numa" and not any(rows.keys() - {""}):
        raise RequestError(
            f"{machine.name} has no {level} around these PUs",
            place="simulation $.sharing",
            mend=f"write {', '.join(name for name in SHARING if name != level)}",
        )
    return tuple(tuple(rows[name]) for name in sorted(rows, key=natural_order))


def _around(machine: Machine, pu: int, level: str) -> str:
    """Return the part of a level that a PU belongs to, or nothing."""
    if level == "numa":
        return next((f"numa:{node}" for node in machine.numa_of_pu[pu][:1]), "")
    parts = machine.ancestors(f"pu:{pu}")
    return next((name for name in parts if name.partition(":")[0] == level), "")


def with_lines(table: MessageCosts, costs: Costs) -> tuple[MessageCosts, tuple[Assumption, ...]]:
    """Return message costs with the latency of a cache line from PU to PU and of a hit, and what
    was assumed of the hit."""
    import numpy as np

    members = table.members
    table_kinds = pair_kinds(costs.machine, members, LINE)
    kinds, first = np.unique(table_kinds, return_index=True)
    values = [0] * (int(kinds.max(initial=0)) + 1)
    for kind, at in zip(kinds.tolist(), first.tolist(), strict=True):
        if kind:
            u, v = divmod(at, len(members))
            values[kind] = costs.line_ps(members[u], members[v])
    lines = PairTable(members, table_kinds, values)
    return replace(table, transfer_ps=lines, hit_ps=costs.own_ps()), hit_assumed(costs)


def hit_assumed(costs: Costs) -> tuple[Assumption, ...]:
    """Return what is assumed of a hit in the first cache where nobody states its latency."""
    if costs.machine.number("cache_latency", "l1d") is not None:
        return ()
    return (
        Assumption(
            "cache_latency(l1d) = 0 ns", "nobody stated it; accesses to a PU's own lines are free"
        ),
    )


def links_of(machine: Machine, table: MessageCosts) -> tuple[Links, tuple[Assumption, ...]]:
    """Return the links between packages that the messages of a table cross, and what was assumed.

    A message is one cache line; it keeps a link busy for line / bandwidth. Ways are those of the
    tables in force, else the shortest. Of the propagation of a pair, a link takes its stated
    latency, as far as there is so much. Raises `RequestError` where no link states a bandwidth.
    """
    from simulator import Links

    widths = Bandwidths(machine)
    packages = {pu: machine.package_around(f"pu:{pu}") for pu in table.members}
    names = sorted(set(packages.values()), key=natural_order)
    routes = {(a, b): widths.route(a, b) for a in names for b in names if a != b}
    used = sorted({link for way in routes.values() for link in way})
    assumed: list[Assumption] = []
    occupancy = _occupancy(machine, used, widths.line_bytes(), assumed, len(names) > 1)
    number = {link: at for at, link in enumerate(used)}
    ways = {
        (u, v): tuple(number[link] for link in routes[packages[u], packages[v]])
        for u in table.members
        for v in table.members
        if packages[u] != packages[v]
    }
    latency = [to_ps(machine.number("link_latency", *link) or 0) for link in used]
    for (u, v), way in ways.items():
        if way:
            share = table.propagation(u, v) // len(way)
            for link in way:
                latency[link] = min(latency[link], share)
    told = tuple(f"{a} -> {b}" for a, b in used)
    return Links(told, occupancy, tuple(latency), ways), (*widths.assumed, *assumed)


def _occupancy(
    machine: Machine,
    used: list[Link],
    line_bytes: int,
    assumed: list[Assumption],
    several: bool,
) -> tuple[int, ...]:
    """Return how long one line keeps each link busy, in picoseconds, rounded up."""
    stated = [machine.number("link_bandwidth", *link) or 0 for link in used]
    if not any(stated):
        missing = "no links between these packages" if several else "all these PUs in one package"
        what = "states no bandwidth of any link" if used else f"has {missing}"
        raise RequestError(
            f"{machine.name} {what}",
            place="simulation $.links",
            mend="state link_bandwidth(from, to, MiB/s) facts, or leave links out",
        )
    fastest = max(stated)
    if not all(stated):
        count = sum(not value for value in stated)
        assumed.append(
            Assumption(
                f"link_bandwidth of {counted(count, 'link')} = {fastest:g} MiB/s",
                "nobody stated it; as the fastest link",
            )
        )
    rates = (Fraction(value or fastest) * _MIB for value in stated)
    return tuple(int(-(-line_bytes * 10**12 // rate)) for rate in rates)
