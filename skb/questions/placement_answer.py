"""From what the engines found to the decision: concrete PUs, price by term, reasons and
alternatives.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from skb.decision import Cost, Decision, Objective, Reason, Status
from skb.engines.asp import Atom
from skb.engines.placement_search import Board, Job, Seat, Seats, State, terms
from skb.machine import object_order
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, Place, alike

# above this many tasks the what-ifs behind reasons and alternatives are left out
MOST_REASONED = 64


def board_of(instance: Instance) -> Board:
    """Return the instance as plain values for the search."""
    usable = frozenset(instance.pus)
    allowed = dict.fromkeys(range(len(instance.tasks)), usable)
    for narrowing in instance.narrowings:
        if narrowing.kind != "start":
            allowed[narrowing.task] &= narrowing.pus
    machine = instance.machine
    groups: dict[str, list[Any]] = {"together": [], "apart": []}
    for group in instance.groups:
        groups[group.kind].append((group.tasks, instance.objects(group.level)))
    return Board(
        jobs=tuple(_job(instance, task, allowed[task]) for task in range(len(instance.tasks))),
        pus=instance.pus,
        full=10**6,
        core_of=machine.core_of,
        core_pus=instance.core_pus,
        complete=instance.complete,
        alike=alike(instance),
        latency=instance.latency.ps,
        unit=instance.scale,
        traffic=instance.traffic,
        memory=instance.supplies.memory_ps,
        nearest=instance.supplies.nearest,
        supply={name: instance.amounts.nodes(name) for name in ("memory", "bandwidth")},
        cache_of=instance.supplies.cache_of,
        cache_size={**instance.amounts.caches(), "": 0},
        together=tuple(groups["together"]),
        apart=tuple(groups["apart"]),
    )


def _job(instance: Instance, task: int, allowed: frozenset[int]) -> Job:
    wanted = instance.tasks[task].task
    first = allowed
    for narrowing in instance.narrowings:
        if narrowing.task == task and narrowing.kind == "start":
            first &= narrowing.pus
    nodes: tuple[int, ...] = ()
    if instance.stores(task):
        nodes = instance.nodes(task)
    demands = [demand for demand in instance.demands if demand.task == task]
    amounts = {demand.resource: instance.amounts.of(demand) for demand in demands}
    cache = amounts.pop("cache", 0)
    known: dict[int, int] = {}

    def toll(pu: int) -> int:
        if pu not in known:
            known[pu] = instance.toll(task, pu)
        return known[pu]

    return Job(
        need=instance.count(task),
        whole=instance.whole(task),
        exclusive=wanted.exclusive,
        load=round(wanted.load * 10**6),
        allowed=allowed,
        first=first,
        toll=toll,
        nodes=nodes,
        remembers=instance.remembers(task),
        amounts=amounts,
        cache=cache,
        current=instance.current(task),
        moving=instance.moving,
    )


def decoded(instance: Instance, cut: Partition, atoms: Iterable[Atom]) -> Seats:
    """Turn places into PUs: in each place lowest first, whole cores before shared ones, tasks in
    order.
    """
    home: dict[int, int] = {}
    node: dict[int, int] = {}
    takes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for name, args in atoms:
        numbers = [int(str(arg)) for arg in args]
        if name == "home":
            home[numbers[0]] = numbers[1]
        elif name == "mem":
            node[numbers[0]] = numbers[1]
        else:
            takes[numbers[1]][numbers[0]] += 1
    got: dict[int, dict[int, list[int]]] = defaultdict(dict)
    for index, counts in sorted(takes.items()):
        for task, pus in _seated(instance, cut.places[index], counts).items():
            got[task][index] = pus
    seats = []
    for task in range(len(instance.tasks)):
        first = got[task][home[task]][0]
        mine = tuple(sorted(pu for part in got[task].values() for pu in part))
        seats.append(Seat(first, mine, node.get(task, instance.node_near(task, first))))
    return tuple(seats)


def fits(board: Board, seats: Seats) -> bool:
    """Whether memory nodes and caches hold it exactly: clingo may have seen rounded amounts."""
    used: dict[tuple[str, int | None], int] = defaultdict(int)
    cached: dict[str, int] = defaultdict(int)
    for job, seat in zip(board.jobs, seats, strict=True):
        for resource, amount in job.amounts.items():
            used[resource, seat.node] += amount
        if job.cache:
            cached[board.cache_of.get(seat.first, "")] += job.cache
    return all(
        node is not None and amount <= board.supply[resource].get(node, amount)
        for (resource, node), amount in used.items()
    ) and all(amount <= board.cache_size[cache] for cache, amount in cached.items())


def settled(board: Board, seats: Seats) -> Seats:
    """Return the placement with each node that has no price the nearest one with room, in order."""
    state = State(board)
    for task, seat in enumerate(seats):
        state.sit(task, seat)
    found = list(seats)
    for task, job in enumerate(board.jobs):
        if job.nodes and not job.remembers:
            seat = state.stand(task)
            found[task] = replace(seat, node=state.node(task, seat.first))
            state.sit(task, found[task])
    return tuple(found)


def _seated(instance: Instance, place: Place, counts: dict[int, int]) -> dict[int, list[int]]:
    if len(place.pus) == 1:
        return {task: [place.first] for task in counts}
    found: dict[int, list[int]] = {}
    cores = [list(core) for core in place.cores]
    load: dict[int, float] = defaultdict(float)
    for task in sorted(counts):
        wanted = instance.tasks[task].task
        if not (wanted.exclusive or instance.whole(task)):
            continue
        width = place.width
        used = counts[task] if instance.whole(task) else -(-counts[task] // width)
        mine = [pu for core in cores[:used] for pu in core]
        del cores[:used]
        found[task] = mine if instance.whole(task) else mine[: counts[task]]
    rest = sorted(pu for core in cores for pu in core)
    for task in sorted(set(counts) - set(found)):
        share = instance.tasks[task].task.load
        free = [pu for pu in rest if load[pu] + share <= 1 + 1e-9]
        found[task] = free[: counts[task]]
        for pu in found[task]:
            load[pu] += share
    return found


# ------------------------------------------------------------ the decision
def decision_of(
    instance: Instance,
    board: Board,
    seats: Seats | None,
    bound: int | None,
    deadline: float = inf,
) -> Decision:
    """Return the decision for a placement, or an unknown one where none was found in the limit.

    Reasons and alternatives are left out, with a warning, where they do not end by the deadline.
    """
    machine = instance.machine
    limit = None if bound is None else instance.ns(bound)
    if seats is None:
        return Decision(
            question="placement",
            machine=machine.name,
            revision=machine.revision,
            status=Status.UNKNOWN,
            objective=Objective("communication", None, "ns/s"),
            answer={},
            bound=limit,
            warnings=("no placement was found within the limit, and none was excluded",),
        )
    priced = terms(board, seats)
    value = sum(priced.values())
    proven = bound is not None and value <= bound
    reasons, others, lack = _extras(instance, board, seats, deadline)
    return Decision(
        question="placement",
        machine=machine.name,
        revision=machine.revision,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=Objective("communication", instance.ns(value), "ns/s"),
        bound=instance.ns(value) if proven else limit,
        answer={"tasks": _tasks(instance, seats)},
        costs=_costs(instance, priced),
        reasons=reasons,
        alternatives=(
            *_pairs(instance, board, seats),
            *others,
        ),
        assumed=instance.assumed(_remote(instance, seats)),
        warnings=(*_warnings(instance), *lack),
    )


def _extras(
    instance: Instance, board: Board, seats: Seats, deadline: float
) -> tuple[tuple[Reason, ...], list[dict[str, Any]], tuple[str, ...]]:
    """Return binding reasons, alternatives, and a warning where they are left out."""
    left_out = "binding reasons and the tasks' alternatives are left out: "
    if len(seats) > MOST_REASONED:
        return (), [], (f"{left_out}more than {MOST_REASONED} tasks",)
    try:
        what_if = _WhatIf(instance, board, seats, deadline)
        return what_if.reasons(), what_if.alternatives(), ()
    except TimeoutError:
        return (), [], (f"{left_out}the time limit came first",)


def _remote(instance: Instance, seats: Seats) -> bool:
    """Whether some task's nearest node is not local, so that latencies chose it."""
    local = instance.machine.numa_of_pu
    return any(seat.node is not None and seat.node not in local[seat.first] for seat in seats)


def _tasks(instance: Instance, seats: Seats) -> dict[str, Any]:
    return {
        wanted.name: {
            "pus": [seat.first, *(pu for pu in seat.pus if pu != seat.first)],
            "numa_node": seat.node,
        }
        for wanted, seat in zip(instance.tasks, seats, strict=True)
    }


def _costs(instance: Instance, priced: dict[str, int]) -> tuple[Cost, ...]:
    """Return the terms that the request gives rise to; communication always."""
    asked = {
        "communication": True,
        "memory": any(instance.remembers(task) for task in range(len(instance.tasks))),
        "near": any(wanted.task.near for wanted in instance.tasks),
        "spread": priced["spread"] > 0,
        "migration": instance.request.current is not None,
    }
    return tuple(
        Cost(term, instance.ns(priced[term]), "ns/s") for term, yes in asked.items() if yes
    )


def _pairs(instance: Instance, board: Board, seats: Seats) -> list[dict[str, Any]]:
    names = [wanted.name for wanted in instance.tasks]
    return [
        {
            "traffic": f"{names[a]} -> {names[b]}",
            "latency_ns": board.latency(seats[a].first, seats[b].first) / 1000,
            "price": instance.ns(rate * board.latency(seats[a].first, seats[b].first)),
            "unit": "ns/s",
        }
        for a, b, rate in board.traffic
    ]


def _warnings(instance: Instance) -> tuple[str, ...]:
    found = []
    for task in range(len(instance.tasks)):
        gone = sorted((instance.current(task) or frozenset()) - set(instance.pus))
        if gone:
            name = instance.tasks[task].name
            found.append(f"task {name} runs on PUs that cannot be used now: {_list(gone)}")
    return tuple(found)


class _WhatIf:
    """What one task alone would gain or lose elsewhere, all others staying where they are."""

    def __init__(self, instance: Instance, board: Board, seats: Seats, deadline: float) -> None:
        self.deadline = deadline
        self.instance = instance
        self.board = board
        self.seats = seats
        self.state = State(board)
        for task, seat in enumerate(seats):
            self.state.sit(task, seat)
        self.now = [self.state.price(task, seat) for task, seat in enumerate(seats)]

    def reasons(self) -> tuple[Reason, ...]:
        """Return the rules and the capacity that keep some task from a cheaper place."""
        found: list[Reason] = []
        for task in range(len(self.seats)):
            self._in_time()
            found += self._binding_rules(task)
            found += self._single_choice(task)
            found += self._full(task)
        found += self._groups()
        seen: dict[tuple[str, str], Reason] = {}
        for reason in found:
            seen.setdefault((reason.id, reason.text), reason)
        return tuple(seen.values())

    def alternatives(self) -> list[dict[str, Any]]:
        """Return for each task its best other first PU and what it costs more."""
        found: list[dict[str, Any]] = []
        for task, wanted in enumerate(self.instance.tasks):
            self._in_time()
            mine = self.state.stand(task)
            others = [
                (price, seat.first, seat)
                for seat, price in self.state.candidates(task)
                if not set(seat.pus) & set(mine.pus) and price >= self.now[task]
            ]
            self.state.sit(task, mine)
            if others:
                price, _first, seat = min(others, key=lambda other: other[:2])
                found.append(
                    {
                        "task": wanted.name,
                        "pus": [seat.first, *(pu for pu in seat.pus if pu != seat.first)],
                        "numa_node": seat.node,
                        "costs_more": self.instance.ns(price - self.now[task]),
                        "unit": "ns/s",
                    }
                )
        return found

    def _saving(self, task: int, state: State) -> int:
        best = min((price for _seat, price in state.candidates(task)), default=None)
        return 0 if best is None else self.now[task] - best

    def _in_time(self) -> None:
        if time.monotonic() >= self.deadline:
            raise TimeoutError

    def _without(self, task: int, board: Board) -> State:
        self._in_time()
        state = State(board)
        for other, seat in enumerate(self.seats):
            if other != task:
                state.sit(other, seat)
        return state

    def _binding_rules(self, task: int) -> Iterable[Reason]:
        mine = [n for n in self.instance.narrowings if n.task == task]
        for rule in mine:
            free = frozenset(self.instance.pus).intersection(
                *(n.pus for n in mine if n is not rule and n.kind != "start")
            )
            first = free.intersection(*(n.pus for n in mine if n is not rule and n.kind == "start"))
            job = replace(self.board.jobs[task], allowed=free, first=first)
            jobs = tuple(job if t == task else other for t, other in enumerate(self.board.jobs))
            saving = self._saving(task, self._without(task, replace(self.board, jobs=jobs)))
            if saving > 0:
                words = self.instance.rules[rule.id]
                text = f"{words.text}; without it {self.instance.ns(saving):g} ns/s less"
                yield Reason(rule.id, text, words.items)

    def _single_choice(self, task: int) -> Iterable[Reason]:
        job, name = self.board.jobs[task], self.instance.tasks[task].name
        mine = [n for n in self.instance.narrowings if n.task == task]
        pus = frozenset(self.seats[task].pus)
        if mine and job.allowed == pus:
            rule = self.instance.rules[mine[0].id]
            yield Reason(rule.id, f"{rule.text}; that leaves task {name} no choice", rule.items)

    def _full(self, task: int) -> Iterable[Reason]:
        state = State(self.board)
        state.seats = list(self.seats)
        state.seats[task] = None
        best = min(state.candidates(task), key=lambda c: (c[1], c[0].first), default=None)
        if best is None or best[1] >= self.now[task]:
            return
        name = self.instance.tasks[task].name
        pus = set(best[0].pus)
        cores = {self.board.core_of[pu] for pu in pus}
        there = [
            other
            for other, seat in enumerate(self.seats)
            if other != task and cores & {self.board.core_of[pu] for pu in seat.pus}
        ]
        others = [self.instance.tasks[other].name for other in there]
        saving = self.instance.ns(self.now[task] - best[1])
        where = f"pu:{best[0].first}"
        taken = f"there run {', '.join(others)}" if others else f"numa:{best[0].node} is full"
        items = (f"task:{name}", where, *(f"task:{other}" for other in others))
        text = f"task {name} would cost {saving:g} ns/s less from {where} on, but {taken}"
        yield Reason(f"capacity({name})", text, items)

    def _groups(self) -> Iterable[Reason]:
        for group in self.instance.groups:
            table = self.instance.objects(group.level)
            entry = (group.tasks, table)
            kept = {
                kind: tuple(row for row in getattr(self.board, kind) if row != entry)
                for kind in ("together", "apart")
            }
            board = replace(self.board, together=kept["together"], apart=kept["apart"])
            saving = max(self._saving(task, self._without(task, board)) for task in group.tasks)
            if saving > 0:
                rule = self.instance.rules[group.id]
                text = f"{rule.text}; without it {self.instance.ns(saving):g} ns/s less"
                yield Reason(rule.id, text, rule.items)


def _list(pus: Sequence[int]) -> str:
    return ", ".join(sorted((f"pu:{pu}" for pu in pus), key=object_order))
