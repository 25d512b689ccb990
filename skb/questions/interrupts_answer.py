"""The answer of `interrupts` in plain values: queues, spill, what moves, what others would pay."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from heapq import heapreplace
from typing import Any

from skb.decision import Reason
from skb.machine import kind_of
from skb.questions.interrupts_instance import Instance, Plan
from skb.questions.interrupts_masks import steered, steering
from skb.questions.interrupts_queues import Queue
from skb.questions.interrupts_request import device_of, pus_of
from skb.wording import counted, listed, spans

Row = dict[str, Any]


def answer_of(instance: Instance, plan: Plan, unit: str) -> Row:
    """Return the answer of a plan."""
    rows = [_queue(instance, plan, at) for at in range(len(instance.queues))]
    loads = instance.core_loads(plan.pus)
    by_pu: dict[int, list[Queue]] = defaultdict(list)
    for queue, pu in zip(instance.queues, plan.pus, strict=True):
        by_pu[pu].append(queue)
    return {
        "queues": rows,
        "load": {
            str(pu): {
                "vectors": len(by_pu[pu]),
                "load": float(sum(queue.load for queue in by_pu[pu])),
            }
            for pu in sorted(by_pu)
        },
        "max_load": float(max(loads.values(), default=Fraction(0))),
        "max_load_bound": float(plan.least_load),
        "proof": {
            "distance": plan.proven,
            "max_load": plan.levelled,
            "moves": plan.fewest and plan.proven,
        },
        "fill": plan.fill,
        "spill": [_spilled(instance, row, plan, unit) for row in rows if row["spilled"]],
        "moves": [
            {key: row[key] for key in ("device", "queue", "irq")}
            | {"from": row["was"], "to": row["pu"]}
            for row in rows
            if row["moves"]
        ],
        "managed": [
            {key: row[key] for key in ("device", "queue", "irq", "pu")}
            for row in rows
            if row["managed"]
        ],
        "steering": steering(instance, plan.pus),
        "steer": _steer(instance, plan),
        "admissible": {
            name: spans(instance.places.admissible(name)) for name in instance.places.devices.names
        },
        "spare": _spare(instance),
        "closed": sorted(instance.places.closed),
    }


def _queue(instance: Instance, plan: Plan, at: int) -> Row:
    queue, pu = instance.queues[at], plan.pus[at]
    places = instance.places
    machine, row = places.machine, places.distances.row(queue.device)
    fixed = at in places.fixed
    nearest = places.nearest(queue.device, row[pu])
    nodes = machine.numa_of_pu[pu]
    return {
        "device": queue.device,
        "queue": queue.number,
        "way": queue.way,
        "irq": queue.irq,
        "name": queue.name,
        "pu": pu,
        "core": machine.core_of[pu],
        "numa": nodes[0] if nodes else None,
        "level": places.distances.level(queue.device, pu),
        "latency_ns": row[pu] / 1000,
        "nearest_ns": nearest / 1000,
        "load": float(queue.load),
        "was": list(queue.now) if queue.now else None,
        "moves": queue.irq is not None and not queue.managed and list(queue.now) != [pu],
        "managed": queue.managed,
        "given": fixed and not queue.managed,
        "spilled": not fixed and row[pu] > nearest,
    }


def _spilled(instance: Instance, row: Row, plan: Plan, unit: str) -> Row:
    rule = instance.places.request.spill
    return {
        "device": row["device"],
        "queue": row["queue"],
        "pu": row["pu"],
        "level": row["level"],
        "rule": "limit" if rule == "share" else rule,
        "value": round(row["load"] * (row["latency_ns"] - row["nearest_ns"]), 9),
        "unit": unit,
    }


def _spare(instance: Instance) -> list[int]:
    places = instance.places
    rows = [one.pus for one in places.blocked if one.id == "spare"]
    return sorted(pu for pus in rows for pu in pus if not places.machine.unusable(f"pu:{pu}"))


def _steer(instance: Instance, plan: Plan) -> list[Row]:
    places = instance.places
    found = []
    for at, one in enumerate(places.request.steer):
        path = f"interrupts request $.steer[{at}]"
        name = device_of(one.device, places.machine, path)
        rows = [
            (queue, pu)
            for queue, pu in zip(instance.queues, plan.pus, strict=True)
            if queue.device == name and queue.way != "tx"
        ]
        consumers = pus_of([one.consumer], places.machine, places.request.tasks, path)
        if not rows:
            continue
        row = places.distances.row(name)
        number = steered(places.machine, rows, sorted(consumers), row)
        found.append(
            {
                "device": name,
                "flow_type": one.flow_type,
                "dst_port": one.dst_port,
                "consumer": str(one.consumer),
                "queue": number,
            }
        )
    return found


# ------------------------------------------------------------ reasons
def binding(instance: Instance, plan: Plan, answer: Row) -> tuple[Reason, ...]:
    """Return what binds the answer: full cores, fixed vectors, queues that had to go further."""
    places, found = instance.places, []
    if plan.raised:
        seat = "core" if places.request.smt == "one" else "PU"
        text = (
            f"{counted(len(instance.queues), 'queue')} need {plan.fill} on a {seat} where"
            f" {places.request.limits.fill} was asked for"
        )
        found.append(Reason("fill", text))
    for name in places.devices.names:
        rows = [row for row in answer["queues"] if row["device"] == name]
        spilled = [row for row in rows if row["spilled"]]
        if spilled:
            verb = "goes" if len(spilled) == 1 else "go"
            words = f"{counted(len(spilled), 'queue')} of {name} {verb}"
            rule = places.request.spill
            why = "hold no more vectors" if rule == "share" else "are full"
            text = f"{words} further than its nearest admissible cores, which {why}"
            found.append(Reason(f"spill:{name}", text, (name,)))
        else:
            found += _shared(instance, name, rows)
        if kind_of(places.machine.anchor(name)) == "machine":
            text = f"no locality of {name} is stated: every PU is as near as any other"
            found.append(Reason(f"locality:{name}", text, (name,)))
    if answer["managed"]:
        irqs = [str(row["irq"]) for row in answer["managed"]]
        text = f"the kernel places some itself, and the others make room: {listed(irqs, 12)}"
        found.append(Reason("managed", text))
    for one in places.blocked:
        items = tuple(f"pu:{pu}" for pu in sorted(one.pus)[:8])
        found.append(Reason(one.id, one.text, items))
    return tuple(found)


def _shared(instance: Instance, name: str, rows: Sequence[Row]) -> list[Reason]:
    """Say where a device has more queues than cores nearest to it."""
    places = instance.places
    row = places.distances.row(name)
    choices = places.choices(name)
    least = min((row[pu] for pu in choices), default=0)
    near = {places.machine.core_of[pu] for pu in choices if row[pu] == least}
    if not near or len(rows) <= len(near):
        return []
    cores = "nearest core" if len(near) == 1 else counted(len(near), "nearest core")
    text = f"{counted(len(rows), 'queue')} of {name} share its {cores}"
    return [Reason(f"share:{name}", text, (name, *sorted(near)[:8]))]


def refused(instance: Instance, plan: Plan) -> tuple[Reason, ...]:
    """Return a minimal set of devices whose queues lack room, and the rule that lets them."""
    request = instance.places.request
    seats = instance.seats(plan.fill)
    count = Counter(instance.queues[at].device for at in instance.free)

    def room(devices: Sequence[str]) -> int:
        pus = {pu for device in devices for pu in instance.offered[device]}
        return seats.space(instance.place_of[pu] for pu in pus)

    kept = list(plan.stuck)
    for device in plan.stuck:
        rest = [other for other in kept if other != device]
        if rest and sum(count[other] for other in rest) > room(rest):
            kept = rest
    pus = sorted({pu for device in kept for pu in instance.offered[device]})
    found = [
        Reason(
            f"queues:{device}",
            f"{device} has {counted(count[device], 'queue')} for PUs "
            f"{spans(instance.offered[device])}",
            (device,),
        )
        for device in kept
    ]
    items = tuple(f"pu:{pu}" for pu in pus[:8])
    if request.spill != "share" and _filled(instance, pus):
        text = f"{counted(len(pus), 'PU')} take {counted(room(kept), 'queue')}"
        words = {
            "refuse": "and the request refuses what goes further",
            "other-package": "and no other package has an admissible PU",
        }.get(request.spill, "and there are no others")
        found.append(Reason(f"spill:{request.spill}", f"{text}, {words}", items))
    else:
        most = instance.places.vectors_per_pu
        text = f"a PU holds {counted(most, 'vector')}; {counted(room(kept), 'vector')} more fit"
        found.append(Reason("limits.vectors_per_pu", f"{text} on {counted(len(pus), 'PU')}", items))
    return tuple(found)


def _filled(instance: Instance, pus: Sequence[int]) -> bool:
    """Tell whether the rule of spilling, not the limit of vectors, is what leaves no room."""
    limited = instance.seats(None)
    count = len(instance.free)
    return limited.space(instance.place_of[pu] for pu in pus) >= count


# ------------------------------------------------------------ alternatives
def alternatives(instance: Instance, plan: Plan, unit: str) -> tuple[Row, ...]:
    """Return the price of other ways to place the same queues, dearest last."""
    base = instance.price(plan.pus)
    found = []
    for name, pus in (
        ("one-per-core-of-the-package", _round(instance, "package")),
        ("one-per-l3", _round(instance, "l3")),
        ("irqbalance-like", _balanced(instance)),
        ("all-on-one", _round(instance, "one")),
        ("current", _current(instance)),
    ):
        if pus is None:
            continue
        price = instance.price(pus)
        most = float(max(instance.core_loads(pus).values()))
        found.append(
            {
                "name": name,
                "value": float(price),
                "unit": unit,
                "costs_more": float(price - base),
                "max_load": most,
                "note": f"largest load of a core {most:g}",
            }
        )
    return tuple(sorted(found, key=lambda row: (row["value"], row["max_load"], row["name"])))


def _round(instance: Instance, by: str) -> list[int] | None:
    """Deal the queues of each device in rounds to PUs: of its package, one of each L3, or one."""
    places = instance.places
    machine = places.machine
    next_: Counter[str] = Counter()
    cycles: dict[str, list[int]] = {}
    for device in instance.offered:
        row = places.distances.row(device)
        order = sorted(places.choices(device), key=lambda pu: (row[pu], pu))
        package = machine.package_of[order[0]]
        if by == "package":
            order = [pu for pu in order if machine.package_of[pu] == package]
        elif by == "one":
            order = order[:1]
        else:
            first: dict[str, int] = {}
            for pu in order:
                above = machine.ancestors(f"pu:{pu}")
                cache = next((at for at in above if kind_of(at) == "l3"), "")
                if cache:
                    first.setdefault(cache, pu)
            order = list(first.values())
        if not order:
            return None
        cycles[device] = order
    pus = []
    for at, queue in enumerate(instance.queues):
        if at in places.fixed:
            pus.append(places.fixed[at])
            continue
        cycle = cycles[queue.device]
        pus.append(cycle[next_[queue.device] % len(cycle)])
        next_[queue.device] += 1
    return pus


def _balanced(instance: Instance) -> list[int] | None:
    """Seat one vector after the other on the least loaded core of its device's NUMA nodes."""
    places = instance.places
    machine = places.machine
    load: Counter[str] = Counter()
    heaps: dict[str, list[tuple[int, int]]] = {}
    for device in instance.offered:
        choices = places.choices(device)
        nodes = set(machine.numa_of(device))
        near = [one for one in choices if nodes.intersection(machine.numa_of_pu[one])]
        heaps[device] = [(0, pu) for pu in near or choices]
    pus = []
    for at, queue in enumerate(instance.queues):
        pu = places.fixed.get(at)
        while pu is None:
            told, first = heaps[queue.device][0]
            if told == load[machine.core_of[first]]:
                pu = first
            else:
                heapreplace(heaps[queue.device], (load[machine.core_of[first]], first))
        load[machine.core_of[pu]] += 1
        pus.append(pu)
    return pus


def _current(instance: Instance) -> list[int] | None:
    """Return where all vectors are now, None where that is not known of some."""
    if not all(queue.now for queue in instance.queues):
        return None
    return [instance.places.home(queue) for queue in instance.queues]
