"""Tables that exist, judged: what arrives, what waits in a circle, and what each link carries.

They are those of the request (`current`), else those in force on the machine (`next_hop` facts).
Our own answer stands beside them, and its bound is what no table comes below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from skb.decision import Decision, Reason
from skb.engines.links_net import cycle_through
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.links_instance import Instance
from skb.questions.links_request import LinksRequest, Tables
from skb.wording import counted, listed

SHOWN = 4
LOST = 20
"""At most so many pairs that do not arrive are named."""
STARTS = 64
"""From at most so many links the shortest circle is looked for."""
Arc = tuple[int, int]
Waits = dict[Arc, set[Arc]]


def has_current(machine: Machine, request: LinksRequest) -> bool:
    """Whether there are tables to judge, which takes about as long as to check an answer."""
    return request.current is not None or machine.ways.tables


def with_current(
    machine: Machine, decision: Decision, asked: Instance, request: LinksRequest
) -> Decision:
    """Return a decision with the judgement of the tables that exist, in its answer and a reason;
    where it has no table of its own, in a warning.
    """
    told = judged(machine, asked, request)
    if told is None:
        return decision
    if not decision.answer:
        text = current_reason(told).text
        return replace(decision, warnings=(*decision.warnings, text))
    beside = _beside(told, decision, request)
    reason = current_reason(told, beside)
    answer = {**decision.answer, "current": told}
    return replace(decision, answer=answer, reasons=(*decision.reasons, reason))


def judged(machine: Machine, asked: Instance, request: LinksRequest) -> dict[str, Any] | None:
    """Return what tables do that the request gives or that are in force, None without any.

    Raises `RequestError` for parts that the machine does not have.
    """
    tables = request.current or _in_force(machine, asked)
    if tables is None or not asked.net.arcs:
        return None
    if request.current is not None:
        _check(machine, tables)
    judge = _Judge(asked, tables)
    for end in range(asked.net.size):
        judge.destination(end)
    return judge.told("request" if request.current is not None else "facts")


def _in_force(machine: Machine, asked: Instance) -> Tables | None:
    """Return the tables in force between the nodes, None where no node has one."""
    nodes = set(asked.nodes)
    rows: dict[str, dict[str, str]] = {}
    for fact in machine.facts_of("next_hop"):
        if fact.args[0] in nodes:
            rows.setdefault(str(fact.args[0]), {})[str(fact.args[1])] = str(fact.args[2])
    channel = {str(f.args[0]): int(f.args[1]) for f in machine.facts_of("virtual_channel")}
    return Tables(next_hop=rows, channel=channel) if rows else None


def _check(machine: Machine, tables: Tables) -> None:
    for node, row in tables.next_hop.items():
        for name in (node, *row, *row.values()):
            if not machine.has(name):
                raise RequestError(
                    f"{machine.name} has no {name}",
                    place=f"links request $.current.next_hop.{node}",
                    mend="name the machine's parts; `skb ask links M --tables FILE` reads files",
                )


class _Judge:
    """Walks the trees of tables, destination by destination, and adds up."""

    def __init__(self, asked: Instance, tables: Tables) -> None:
        self.asked, self.net = asked, asked.net
        number = {name: at for at, name in enumerate(asked.nodes)}
        self._number = number
        self._next_hop = tables.next_hop
        self.channel = [tables.channel.get(name, 0) for name in asked.nodes]
        self.load = [0] * len(self.net.arcs)
        self.lengths: dict[int, int] = {}
        self.waits: dict[int, Waits] = {}
        self.lost: list[dict[str, str]] = []
        self.missing = self.longer = 0

    def _ahead(self, end: int) -> list[int]:
        """Return the neighbour over which each node forwards to a destination, -1 for none."""
        to, found = self.asked.nodes[end], []
        for at, name in enumerate(self.asked.nodes):
            step = self._number.get(self._next_hop.get(name, {}).get(to, ""), -1)
            found.append(step if (at, step) in self.net.number and at != end else -1)
        return found

    def destination(self, end: int) -> None:
        """Take in all messages to one destination."""
        net, ahead = self.net, self._ahead(end)
        below: list[list[int]] = [[] for _ in ahead]
        for at, step in enumerate(ahead):
            if step >= 0:
                below[step].append(at)
        order, far = [end], {end: 0}
        for at in order:
            for other in below[at]:
                far[other] = far[at] + 1
                order.append(other)
        through = [net.weight[at][end] for at in range(net.size)]
        waits = self.waits.setdefault(self.channel[end], {})
        for at in reversed(order[1:]):
            step = ahead[at]
            self.load[net.number[at, step]] += through[at]
            through[step] += through[at]
            self.lengths[far[at]] = self.lengths.get(far[at], 0) + 1
            self.longer += far[at] > net.distance[at][end]
        for at, step in enumerate(ahead):
            # what turns in a circle waits, too, although it never arrives
            if step >= 0 and ahead[step] >= 0:
                waits.setdefault((at, step), set()).add((step, ahead[step]))
        for at in range(net.size):
            if at not in far:
                self.missing += 1
                if len(self.lost) < LOST:
                    self.lost.append(self._lost(at, end, ahead))

    def _lost(self, start: int, end: int, ahead: Sequence[int]) -> dict[str, str]:
        """Say where what goes from one node to another is lost."""
        names, at, seen = self.asked.nodes, start, {start}
        while ahead[at] >= 0 and ahead[at] not in seen:
            at = ahead[at]
            seen.add(at)
        stated = self._next_hop.get(names[at], {}).get(names[end])
        if ahead[at] >= 0:
            why = f"it turns in a circle at {names[at]}"
        elif stated is None:
            why = f"{names[at]} has no entry for it"
        else:
            why = f"{names[at]} forwards it to {stated}, over no link that may be used"
        return {"from": names[start], "to": names[end], "why": why}

    def told(self, by: str) -> dict[str, Any]:
        """Return the judgement in names."""
        asked, net = self.asked, self.net
        slowed = [load * slow for load, slow in zip(self.load, net.slow, strict=True)]
        most = max(slowed)
        rows: dict[str, dict[str, float]] = {}
        for (a, b), amount in zip(net.arcs, self.load, strict=True):
            rows.setdefault(asked.nodes[a], {})[asked.nodes[b]] = asked.load(amount)
        full = [arc for arc, amount in zip(net.arcs, slowed, strict=True) if amount == most]
        pairs = net.size * (net.size - 1)
        total = sum(far * count for far, count in self.lengths.items())
        found = {
            "by": by,
            "pairs": pairs,
            "delivered": pairs - self.missing,
            "lost": self.lost,
            "longer": self.longer,
            "virtual_channels": len(set(self.channel)),
            "deadlock_free": True,
            "max_load": asked.value(most),
            "mean_load": float(Fraction(sum(slowed), asked.scale * len(net.arcs))),
            "load": rows,
            "fullest": [[asked.nodes[a], asked.nodes[b]] for a, b in full],
            "hops": {
                "max": max(self.lengths, default=0),
                "mean": total / net.size**2,
                "pairs": {str(far): self.lengths[far] for far in sorted(self.lengths)},
            },
        }
        for channel in sorted(self.waits):
            circle = circle_of(self.waits[channel])
            if circle:
                links = [[asked.nodes[a], asked.nodes[b]] for a, b in circle]
                circling = {"channel": channel, "links": links}
                return {**found, "deadlock_free": False, "circle": circling}
        return found


def circle_of(waits: Mapping[Arc, set[Arc]]) -> list[Arc]:
    """Return links that wait for each other in a circle, a short one; empty where there is none."""
    left = {arc: {n for n in after if n in waits} for arc, after in waits.items()}
    before: dict[Arc, list[Arc]] = {}
    for arc, after in left.items():
        for n in after:
            before.setdefault(n, []).append(arc)
    # whoever waits for nobody that waits can go on, and then those that wait for them
    free = [arc for arc, after in left.items() if not after]
    while free:
        arc = free.pop()
        del left[arc]
        for other in before.get(arc, ()):
            left[other].discard(arc)
            if not left[other]:
                free.append(other)
    if not left:
        return []
    at, seen = min(left), set[Arc]()
    while at not in seen:
        seen.add(at)
        at = min(left[at])
    ahead = {arc: sorted(after) for arc, after in left.items()}
    circles = (cycle_through(ahead, arc) for arc in (at, *sorted(left)[:STARTS]))
    return min((found for found in circles if found), key=len)


# ------------------------------------------------------------------ words
def _beside(told: Mapping[str, Any], decision: Decision, request: LinksRequest) -> str:
    """Return our own largest load, and what no table of the kind that is asked for comes below."""
    own, bound = decision.objective.value, decision.bound
    kind = [" of shortest ways"] if request.minimal else []
    kind += [" that delivers all"] if told["lost"] else []
    kind += [" with the required entries"] if request.require else []
    if decision.answer["proof"]["by"] == "search":
        channels = counted(decision.answer["virtual_channels"], "virtual channel")
        kind.append(f" free of deadlock on {channels}")
    rows = [f"ours {own:g}"] if own is not None else []
    rows += [f"no table{''.join(kind)} has less than {bound:g}"] if bound is not None else []
    return f" ({', '.join(rows)})" if rows else ""


def current_reason(told: Mapping[str, Any], beside: str = "") -> Reason:
    """Say in a sentence what the tables do, `beside` our own answer."""
    items = tuple(f"{a} -> {b}" for a, b in told["fullest"][:SHOWN])
    name = "the tables given" if told["by"] == "request" else "the tables in force"
    return Reason("current", f"{name}: {'; '.join(_clauses(told, beside))}", items)


def _clauses(told: Mapping[str, Any], beside: str) -> Iterator[str]:
    arrived, pairs = told["delivered"], told["pairs"]
    if arrived == pairs:
        yield f"all {counted(pairs, 'pair')} arrive"
    else:
        first = told["lost"][0]
        where = f"{first['from']} -> {first['to']}: {first['why']}"
        yield f"{arrived} of {counted(pairs, 'pair')} arrive ({where})"
    channels = counted(told["virtual_channels"], "virtual channel")
    if told["deadlock_free"]:
        yield f"free of deadlock on {channels}"
    else:
        links = told["circle"]["links"]
        circle = " -> ".join([*(a for a, _b in links), links[0][0]])
        channel = told["circle"]["channel"]
        yield f"they can deadlock: on channel {channel} links wait in a circle, {circle}"
    full = [f"{a} -> {b}" for a, b in told["fullest"]]
    yield f"the fullest links carry {told['max_load']:g}{beside}: {listed(full, SHOWN)}"
    if told["longer"]:
        yield f"{counted(told['longer'], 'way')} are longer than the shortest"
