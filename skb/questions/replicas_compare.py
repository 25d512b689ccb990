"""What else an object could do: every level of the machine with its price, and where that flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skb.engines.replicas_tree import INFINITE, Counted, cheapest, chosen
from skb.questions.replicas_instance import LEVELS, Topology
from skb.questions.replicas_price import COMBINING, LOCK, WAYS, inside, rounded
from skb.questions.replicas_search import Choice, Priced, Spent, combined
from skb.wording import counted

WORDS: Mapping[str, str] = {LOCK: "lock", COMBINING: "flat combining"}
FURTHEST = 30
"""Crossovers are looked for up to this many doublings of the update rate, either way."""
LEAST_RATE = 1e-3
"""Updates per second below which choices differ by less than prices are rounded to."""
HALVINGS = 24
MOST_SEATS = 32
"""Coordinators that are looked at for how many updates can be borne."""
COUNTED_SIZE = 256
"""Most members for which crossovers keep limits on numbers of replicas."""


def granularity(at: Topology, nodes: Sequence[int]) -> str:
    """Return the levels that a choice takes its domains from, the coarsest first."""
    words = {at.words[node] for node in nodes}
    return " + ".join(word for word in (*LEVELS, "group") if word in words)


# ---------------------------------------------------------------- alternatives
def alternatives(priced: Priced, name: str) -> list[dict[str, Any]]:
    """Return the price of one replica per part of each level, locked and combined.

    Levels that are the same parts are one row. The coordinator is the best that may be.
    """
    at = priced.case.at
    cuts: dict[tuple[int, ...], list[str]] = {}
    for level in LEVELS:
        if cut := at.cut(level):
            cuts.setdefault(cut, []).append(level)
    rows = []
    for cut, levels in cuts.items():
        for way in WAYS:
            rows.append(_row(priced, name, cut, levels, way))
            if all(priced.case.size[node] == 1 for node in cut):
                rows[-1] |= {"name": f"{name}: one replica per {at.words[cut[0]]}"}
                rows[-1]["sharing"] = "alone"
                break
    return rows


def _row(
    priced: Priced, name: str, cut: tuple[int, ...], levels: list[str], way: str
) -> dict[str, Any]:
    nodes = list(cut)
    inner = priced.inner[way]
    own = rounded(inner.price, priced.step)[nodes].sum()
    sums = own + priced.messages[nodes].sum(axis=0)
    column = int(sums.argmin())
    value = float(sums[column])
    row: dict[str, Any] = {
        "name": f"{name}: one replica per {priced.case.at.words[cut[0]]}, {WORDS[way]}",
        "object": name,
        "level": priced.case.at.words[cut[0]],
        "levels": levels,
        "sharing": way,
        "replicas": len(cut),
        "value": value if value < INFINITE else None,
        "unit": "ns/s",
    }
    if row["value"] is not None:
        row["coordinator"] = priced.case.at.pus[priced.wishes.seats[column]]
    service = _mean_service(priced, way)[nodes].max()
    if service > 0:
        row["most_updates_per_s"] = float(1e9 / service)
    if broken := _breaks(priced, cut, way):
        row["breaks"] = "; ".join(broken)
    return row


def _mean_service(priced: Priced, way: str) -> Any:
    """Return how long an update keeps the replica of each node, the classes weighted by rate."""
    rates = [stream.total for stream in priced.case.streams]
    total = sum(rates)
    if not total:
        return priced.inner[way].service.mean(axis=0)
    return (
        sum(rate * row for rate, row in zip(rates, priced.inner[way].service, strict=True)) / total
    )


def _breaks(priced: Priced, cut: Sequence[int], way: str) -> list[str]:
    """Say which of the wishes one replica for each of some parts does not keep."""
    wishes, inner, nodes = priced.wishes, priced.inner[way], list(cut)
    found = []
    if (busy := float(inner.busy[nodes].max())) >= 1:
        found.append(f"updates would keep a replica busy {busy:.0%} of the time")
    if (load := float(priced.between.load[nodes].max(axis=0).min())) >= 1:
        found.append(f"messages would keep a PU busy {load:.0%} of the time")
    shared = any(priced.case.size[node] > 1 for node in cut)
    if shared and way not in wishes.ways:
        found.append(f"sharing is {WORDS[wishes.ways[0]]}")
    for limit, times, word in (
        (wishes.max_read_ns, inner.read_ns, "read"),
        (wishes.max_update_ns, inner.update_ns, "update"),
    ):
        most = float(times[nodes].max())
        if limit is not None and most > limit and busy < 1:
            found.append(f"a {word} takes {most:.4g} ns")
    if len(cut) < wishes.least:
        found.append(f"{counted(len(cut), 'replica')} where {wishes.least} are needed")
    elif wishes.most is not None and len(cut) > wishes.most:
        found.append(f"{len(cut)} replicas")
    elif not priced.keeps(cut) or wishes.roomless & set(cut):
        found.append("the memory does not hold them")
    if set(wishes.must) - set(cut):
        found.append("other domains are wanted")
    if wishes.only is not None and set(wishes.only) != set(cut):
        found.append("another level is wanted")
    return found


# ---------------------------------------------------------------- crossover
def crossovers(priced: Priced, choice: Choice, spent: Spent) -> list[dict[str, Any]]:
    """Return at which update rates another granularity becomes the best one, below and above.

    All update rates change by one factor; the coordinator stays. Empty where nothing changes, or
    where limits on numbers of replicas make that too long to tell.
    """
    rates = float(priced.case.updates.sum())
    wishes = priced.wishes
    bound = wishes.least > 1 or wishes.most is not None or wishes.caps
    if not rates or spent() or (bound and len(priced.case.at.pus) > COUNTED_SIZE):
        return []
    column = wishes.seats.index(choice.seat)
    here = granularity(priced.case.at, choice.nodes)
    found = []
    for direction in (0.5, 2.0):
        near, far, there = 1.0, 1.0, here
        for _ in range(FURTHEST):
            near, far = far, far * direction
            if far * rates < LEAST_RATE:
                break
            there = _best_at(priced, column, far)
            if there != here or spent():
                break
        if there == here:
            continue
        for _ in range(HALVINGS):
            middle = (near * far) ** 0.5
            seen = _best_at(priced, column, middle)
            if seen == here:
                near = middle
            else:
                far, there = middle, seen
        row = {"updates_per_s": far * rates, "factor": far, "side": "below", "best": there}
        row["side"] = "below" if direction < 1 else "above"
        found.append(row)
    return found


def bearable(priced: Priced) -> float:
    """Return updates per second that some choice bears, to a thousandth: all rates as stated, but
    multiplied by one factor.
    """
    import numpy as np

    case = priced.case
    loads = priced.between.load[:, :: max(1, len(priced.wishes.seats) // MOST_SEATS)]

    def may(factor: float) -> bool:
        own = np.minimum(*(inside(case, way, factor).price for way in WAYS))
        prices = np.where(loads * factor >= 1, INFINITE, own[:, None])
        return bool(np.isfinite(cheapest(priced.tree, prices)[0]).any())

    low, high = 0.0, 1.0
    for _ in range(FURTHEST):
        middle = (low + high) / 2
        low, high = (middle, high) if may(middle) else (low, middle)
        if low > 0 and high - low < low * 1e-3:
            break
    return low * float(case.updates.sum())


def _best_at(priced: Priced, column: int, factor: float) -> str:
    """Return the best granularity with all update rates multiplied."""
    case, wishes = priced.case, priced.wishes
    inner = {way: inside(case, way, factor) for way in WAYS}
    own, _ways = combined(case, wishes, inner, priced.step)
    prices = own + rounded(priced.between.price[:, column] * factor, priced.step)
    prices[priced.between.load[:, column] * factor >= 1] = INFINITE
    nodes = chosen(priced.tree, prices, cheapest(priced.tree, prices))
    if nodes and not priced.keeps(nodes):
        most = min(wishes.most or len(case.at.pus), len(case.at.pus))
        table = Counted(priced.tree, prices, most, wishes.caps)
        values = table.values[wishes.least :]
        nodes = ()
        if len(values) and min(values) < INFINITE:
            nodes = table.choice(wishes.least + int(values.argmin()))
    return granularity(case.at, nodes) if nodes else "none may be"
