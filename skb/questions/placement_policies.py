"""The known placement policies as priced alternatives of an answer.

A policy only knows the machine and how much is asked for. Tasks are laid on its order one after the
other as the request lists them: each takes the next PUs (or whole cores) that are free for it, and
the nearest memory node with room. What the request asks beyond that, a policy does not see: where
its placement breaks a rule of the user, the rule is named instead of a price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from time import monotonic
from typing import Any

from skb.engines.placement_board import Board, Seat, Seats, terms
from skb.questions.placement_instance import Instance
from skb.questions.placement_policies_mctop import MCTOP
from skb.questions.placement_policies_orders import (
    KNOWN,
    Ground,
    Lack,
    Plan,
    Planner,
    PUs,
    tree_order,
)

POLICIES: dict[str, Planner] = {**KNOWN, **MCTOP}
FULL = 10**6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy comes to: an admissible placement with its price in the board's scale, or the
    rules of the request that it breaks, or why it gives no placement (`lacks`).
    """

    name: str
    seats: Seats | None = None
    price: int = 0
    breaks: tuple[str, ...] = ()
    lacks: str = ""
    note: str = ""


class Policies:
    """All known policies for one instance; after a deadline (monotonic) only the first is laid."""

    def __init__(self, instance: Instance, board: Board, deadline: float = inf) -> None:
        self.instance = instance
        self.board = board
        self.deadline = deadline
        self._near: dict[tuple[int, PUs], PUs] = {}

    def weigh(self) -> None:
        """Lay and price all policies now, so that a search leaves them time."""
        assert self.outcomes

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What each policy comes to, in the order of the names' table."""
        known: dict[Plan, Outcome] = {}  # many agree, as on one package or without SMT
        found: list[Outcome] = []
        for name, planner in POLICIES.items():
            # the first is always laid: any placement is better than none
            if found and monotonic() >= self.deadline:
                found.append(Outcome(name, lacks="left out: the time limit came first"))
                continue
            plan = planner(self._ground) if self._ground.pus else Lack("no PU can be used")
            if isinstance(plan, Lack):
                found.append(Outcome(name, lacks=plan.text))
                continue
            same = replace(plan, note="")
            if same not in known:
                known[same] = self._outcome(same)
            found.append(replace(known[same], name=name, note=plan.note))
        return tuple(found)

    def improve(self, seats: Seats | None, bound: int) -> Seats | None:
        """Return the cheapest policy's placement where it beats one that is above its bound."""
        price = inf if seats is None else sum(terms(self.board, seats).values())
        if price <= bound:
            return seats
        fit = [one for one in self.outcomes if one.seats is not None and one.price < price]
        return min(fit, key=lambda one: one.price).seats if fit else seats

    def rows(self, value: float) -> list[dict[str, Any]]:
        """Return the policies as alternatives of an answer that costs `value` ns/s: those with a
        price first, the cheapest of them before the others.
        """
        fit = [one for one in self.outcomes if one.seats is not None]
        rows = [self._priced(one, value) for one in sorted(fit, key=lambda one: one.price)]
        for one in self.outcomes:
            if one.seats is None:
                row: dict[str, Any] = {"name": one.name, "value": None, "unit": "ns/s"}
                if one.breaks:
                    texts = "; ".join(self.instance.rules[rule].text for rule in one.breaks)
                    row["lacks" if one.lacks else "breaks"] = f"{one.lacks}{texts}"
                    row["rules"] = list(one.breaks)
                else:
                    row["lacks"] = one.lacks
                rows.append(row)
        return rows

    def _priced(self, one: Outcome, value: float) -> dict[str, Any]:
        assert one.seats is not None
        price = self.instance.ns(one.price)
        row: dict[str, Any] = {
            "name": one.name,
            "value": price,
            "unit": "ns/s",
            "costs_more": price - value,
            "tasks": {
                wanted.name: seat.placed()
                for wanted, seat in zip(self.instance.tasks, one.seats, strict=True)
            },
        }
        return {**row, "note": one.note} if one.note else row

    def _nearest(self, pu: int, nodes: PUs) -> PUs:
        """Return nodes from the nearest on, the lowest of equals first."""
        if (pu, nodes) not in self._near:
            ps = self.instance.supplies.memory_ps
            self._near[pu, nodes] = tuple(sorted(nodes, key=lambda node: (ps(pu, node), node)))
        return self._near[pu, nodes]

    @cached_property
    def _ground(self) -> Ground:
        instance = self.instance
        machine, request = instance.machine, instance.request
        allowed = instance.pus if request.allowed is None else request.allowed
        pus = tree_order(machine, frozenset(instance.pus) & frozenset(allowed))
        widest = max((len(instance.core_pus[core]) for core in instance.complete), default=1)
        tasks = range(len(instance.tasks))
        need = sum(instance.count(t) * (widest if instance.whole(t) else 1) for t in tasks)
        return Ground(machine, pus, len(tasks), need, instance.latency.ps)

    def _outcome(self, plan: Plan) -> Outcome:
        laid = _Floor(self.instance, plan).lay()
        if isinstance(laid, int):
            return Outcome("", breaks=(self.instance.need_id(laid),), lacks="no place left: ")
        seats, crowded = _with_memory(self.instance, laid, self._nearest)
        broken = (*_narrow(self.instance, laid), *_grouped(self.instance, laid), *crowded)
        if broken:
            return Outcome("", breaks=tuple(dict.fromkeys(broken)))
        return Outcome("", seats, sum(terms(self.board, seats).values()))


# ------------------------------------------------------------ PUs
class _Floor:
    """The PUs of the machine while tasks are laid on them after a plan."""

    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.instance = instance
        self.plan = plan
        self.handed = frozenset(pu for pus in plan.bins for pu in pus)
        self.core_of = instance.machine.core_of
        self.load: dict[int, int] = defaultdict(int)
        self.on_core: dict[str, int] = defaultdict(int)
        self.locked: set[str] = set()

    def lay(self) -> list[PUs] | int:
        """Return the PUs of each task, the first one first, or the task that found no place."""
        bins = self.plan.bins
        behind = [0] * len(bins)
        turn = 0
        found: list[PUs] = []
        for task in range(len(self.instance.tasks)):
            if self.plan.starts:
                behind[0] = self.plan.starts[task]
            turns = [(turn + step) % len(bins) for step in range(len(bins))]
            taken, used = None, turn
            for at in turns:
                if (taken := self._next(task, bins[at], behind[at])) is not None:
                    behind[at], used = taken[1], at
                    break
            if taken is None and self.plan.split:
                taken = self._next(task, [pu for at in turns for pu in bins[at]], 0)
            if taken is None:
                return task
            turn = used + 1
            self._sit(task, taken[0])
            found.append(taken[0])
        return found

    def _next(self, task: int, order: Sequence[int], start: int) -> tuple[PUs, int] | None:
        """Return the next PUs that are free for a task, and the position behind them."""
        whole, need = self.instance.whole(task), self.instance.count(task)
        cores: dict[str, None] = {}
        pus: list[int] = []
        for position in (*range(start, len(order)), *range(start)):
            pu = order[position]
            core = self.core_of[pu]
            if core in cores or not self._free(task, pu):
                continue
            if not whole:
                pus.append(pu)
            elif all(other in self.handed for other in self.instance.core_pus[core]) and all(
                self._free(task, other) for other in self.instance.core_pus[core]
            ):
                cores[core] = None
                pus += [pu, *(other for other in self.instance.core_pus[core] if other != pu)]
            if (len(cores) if whole else len(pus)) == need:
                return tuple(pus), position + 1
        return None

    def _free(self, task: int, pu: int) -> bool:
        core, wanted = self.core_of[pu], self.instance.tasks[task].task
        if core in self.locked or (wanted.exclusive and self.on_core[core]):
            return False
        return self.load[pu] + round(wanted.load * FULL) <= FULL

    def _sit(self, task: int, pus: PUs) -> None:
        wanted = self.instance.tasks[task].task
        for pu in pus:
            self.load[pu] += round(wanted.load * FULL)
        for core in {self.core_of[pu] for pu in pus}:
            self.on_core[core] += 1
            if wanted.exclusive:
                self.locked.add(core)


# ------------------------------------------------------------ memory, and the user's rules
def _with_memory(
    instance: Instance, laid: Sequence[PUs], nearest: Callable[[int, PUs], PUs]
) -> tuple[Seats, list[str]]:
    """Give each task the nearest node with room; name the rules of those that find none."""
    supply = {name: instance.amounts.nodes(name) for name in ("memory", "bandwidth")}
    caches, cache_of = instance.amounts.caches(), instance.supplies.cache_of
    used: dict[tuple[str, int | str], int] = defaultdict(int)
    wanted: dict[int, dict[str, tuple[int, str]]] = defaultdict(dict)
    for demand in instance.demands:
        wanted[demand.task][demand.resource] = (instance.amounts.of(demand), demand.id)
    seats, broken = [], []
    for task, pus in enumerate(laid):
        amounts = dict(wanted[task])
        kept, rule = amounts.pop("cache", (0, ""))
        cache = cache_of.get(pus[0], "")
        used["cache", cache] += kept
        if kept and used["cache", cache] > caches.get(cache, 0):
            broken.append(rule)
        if not instance.stores(task):
            seats.append(Seat(pus[0], tuple(sorted(pus)), instance.supplies.nearest[pus[0]]))
            continue
        near = next(
            (
                node
                for node in nearest(pus[0], instance.nodes(task))
                if all(
                    used[resource, node] + amount <= supply[resource].get(node, inf)
                    for resource, (amount, _rule) in amounts.items()
                )
            ),
            None,
        )
        if near is None:
            broken += [rule for _amount, rule in amounts.values()]
            if task in instance.wanted_memory:
                broken.append(instance.wanted_memory[task][0])
        else:
            for resource, (amount, _rule) in amounts.items():
                used[resource, near] += amount
        seats.append(Seat(pus[0], tuple(sorted(pus)), near))
    return tuple(seats), broken


def _narrow(instance: Instance, laid: Sequence[PUs]) -> Iterable[str]:
    """Yield the rules about where a task may run that its PUs break."""
    for rule in instance.narrowings:
        pus = laid[rule.task]
        if not rule.pus.issuperset(pus[:1] if rule.kind == "start" else pus):
            yield rule.id


def _grouped(instance: Instance, laid: Sequence[PUs]) -> Iterable[str]:
    """Yield the rules about tasks together or apart that their PUs break."""
    for group in instance.groups:
        table = instance.objects(group.level)
        objects = [{table[pu] for pu in laid[task]} for task in group.tasks]
        count = len(set().union(*objects))
        if count > 1 if group.kind == "together" else count < sum(map(len, objects)):
            yield group.id
