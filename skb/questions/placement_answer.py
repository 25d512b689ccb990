"""From what the engines found to the decision: concrete PUs, price by term, reasons and
alternatives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from skb.decision import Cost, Decision, Objective, Status
from skb.engines.asp import Atom
from skb.engines.placement_board import Board, Job, Seat, Seats, terms
from skb.engines.placement_search import State
from skb.machine import object_order
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, Place, alike
from skb.questions.placement_whatif import what_ifs


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
        if not nodes:
            # no node has what it needs, so it has no place
            allowed = first = frozenset()
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
    reasons, others, lack = what_ifs(instance, board, seats, deadline)
    return Decision(
        question="placement",
        machine=machine.name,
        revision=machine.revision,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=Objective("communication", instance.ns(value), "ns/s"),
        bound=instance.ns(value) if proven else limit,
        answer=answered(instance, seats),
        costs=_costs(instance, priced),
        reasons=reasons,
        alternatives=(
            *_pairs(instance, board, seats),
            *others,
        ),
        assumed=instance.assumed(_remote(instance, seats)),
        warnings=(*_warnings(instance), *lack),
    )


def _remote(instance: Instance, seats: Seats) -> bool:
    """Whether some task's nearest node is not local, so that latencies chose it."""
    local = instance.machine.numa_of_pu
    return any(seat.node is not None and seat.node not in local[seat.first] for seat in seats)


def answered(instance: Instance, seats: Seats) -> dict[str, Any]:
    """Return a placement as the answer has it: for each task its PUs, the first first."""
    tasks = {wanted.name: seat.placed() for wanted, seat in zip(instance.tasks, seats, strict=True)}
    return {"tasks": tasks}


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


# said of a task whose PUs are off, asleep, absent, busy or not allowed
GONE = "runs on PUs that cannot be used now"


def _warnings(instance: Instance) -> tuple[str, ...]:
    found = []
    for task in range(len(instance.tasks)):
        gone = sorted((instance.current(task) or frozenset()) - set(instance.pus))
        if gone:
            name = instance.tasks[task].name
            found.append(f"task {name} {GONE}: {_list(gone)}")
    return tuple(found)


def _list(pus: Sequence[int]) -> str:
    return ", ".join(sorted((f"pu:{pu}" for pu in pus), key=object_order))
