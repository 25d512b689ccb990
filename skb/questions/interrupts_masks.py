"""Packet steering around decided queues: RSS weights, RPS and XPS masks, rules for consumers.

Linux `Documentation/networking/scaling.rst`: RSS spreads packets over queues, RPS hands those of a
queue to PUs of the same memory where there are fewer queues than PUs, XPS chooses a queue for each
PU that sends. Masks are written as the kernel prints them: words of 32 bits, highest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heapreplace
from math import gcd, lcm
from typing import Any

from skb.machine import Machine
from skb.questions.interrupts_instance import Instance
from skb.questions.interrupts_queues import Queue

TABLE = 128
"""Entries of an RSS indirection table that drivers have at the least."""


def mask(pus: Sequence[int] | frozenset[int], width: int) -> str:
    """Write PUs as a mask of a machine with so many PU numbers."""
    bits = sum(1 << pu for pu in set(pus))
    words = max(1, -(-width // 32))
    first = (width - 32 * (words - 1) + 3) // 4
    found = [f"{bits >> 32 * at & 0xFFFFFFFF:08x}" for at in reversed(range(words))]
    return ",".join([found[0][8 - max(1, first) :], *found[1:]])


def steering(instance: Instance, pus: Sequence[int]) -> dict[str, Any]:
    """Return RSS, RPS and XPS of every network device that was asked for, by device."""
    machine, devices = instance.places.machine, instance.places.devices
    width = max(machine.pus, default=0) + 1
    found: dict[str, Any] = {}
    networks = _networks(machine)
    for name in devices.names:
        rows = [
            (queue, pu)
            for queue, pu in zip(devices.queues, pus, strict=True)
            if queue.device == name
        ]
        if not rows or name not in networks:
            continue
        receives = {q.number: pu for q, pu in rows if q.way != "tx"}
        sends = {q.number: pu for q, pu in rows if q.way != "rx"}
        row: dict[str, Any] = {}
        if receives:
            row["rss"] = _weights(receives, stated=name in devices.stated_loads)
            near = _near(instance, name, receives)
            row["rps"] = {
                str(number): mask(share, width)
                for number, share in _helped(machine, receives, near).items()
            }
        if sends:
            senders = frozenset(machine.usable_pus)
            row["xps"] = {
                str(number): mask(share, width)
                for number, share in shared(machine, sends, senders).items()
            }
        found[name] = row
    return found


def _networks(machine: Machine) -> frozenset[str]:
    return frozenset(
        str(fact.args[0])
        for fact in machine.facts_of("device_kind")
        if fact.args[1] in {"network", "openfabrics"}
    )


def _weights(receives: Mapping[int, int], *, stated: bool) -> dict[str, Any]:
    """Return the queues that share packets, and weights that give each PU the same share.

    Stated loads belong to the table in force, so that is left as it is.
    """
    numbers = sorted(receives)
    counts = Counter(receives.values())
    if stated or len(set(counts.values())) == 1:
        return {"queues": len(numbers), "equal": True, "keep": stated, "weights": []}
    whole = lcm(*counts.values())
    weights = [whole // counts[receives[number]] for number in numbers]
    if sum(weights) > TABLE:
        weights = _fitted(receives, counts)
    step = gcd(*weights)
    return {
        "queues": len(numbers),
        "equal": False,
        "keep": False,
        "weights": [weight // step for weight in weights],
    }


def _fitted(receives: Mapping[int, int], counts: Mapping[int, int]) -> list[int]:
    """Return weights whose sum a table holds, for ethtool refuses others: each queue at least one,
    each PU as many as all can have.
    """
    size = max(TABLE, len(receives))
    share = max(
        share
        for share in range(1, size + 1)
        if share == 1 or sum(max(share, count) for count in counts.values()) <= size
    )
    seen: Counter[int] = Counter()
    weights = []
    for _number, pu in sorted(receives.items()):
        each, more = divmod(max(share, counts[pu]), counts[pu])
        weights.append(each + (seen[pu] < more))
        seen[pu] += 1
    return weights


def _near(instance: Instance, device: str, receives: Mapping[int, int]) -> frozenset[int]:
    """Return the admissible PUs that are as near to the device as its nearest queue or nearer."""
    row = instance.places.distances.row(device)
    furthest = max(row[pu] for pu in receives.values())
    near = {pu for pu in instance.places.choices(device) if row[pu] <= furthest}
    return frozenset(near.union(receives.values())).intersection(instance.places.machine.usable_pus)


def _helped(
    machine: Machine, receives: Mapping[int, int], near: frozenset[int]
) -> dict[int, tuple[int, ...]]:
    """Return the PUs that each queue hands packets to: none where queues are enough for all."""
    if len(set(receives.values())) >= len(near):
        return dict.fromkeys(receives, ())
    return shared(machine, receives, near)


def shared(
    machine: Machine, queues: Mapping[int, int], pus: frozenset[int]
) -> dict[int, tuple[int, ...]]:
    """Deal PUs to queues: each PU to a queue whose own PU shares the smallest part with it.

    Of several such queues one with the fewest PUs is taken. A queue's own PU is its own.
    """
    found: dict[int, list[int]] = {number: [] for number in sorted(queues)}
    at: dict[int, list[int]] = {}
    for number, pu in sorted(queues.items()):
        at.setdefault(pu, []).append(number)
    inside: dict[str, list[tuple[int, int]]] = {}
    for number, pu in sorted(queues.items()):
        for part in (f"pu:{pu}", *machine.ancestors(f"pu:{pu}")):
            inside.setdefault(part, []).append((0, number))
    own = [pu for pu in sorted(pus) if pu in at]
    for pu in [*own, *(pu for pu in sorted(pus) if pu not in at)]:
        around = (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"))
        part = next(part for part in around if part in inside)
        told, number = inside[part][0]
        while told != len(found[number]):
            heapreplace(inside[part], (len(found[number]), number))
            told, number = inside[part][0]
        found[number].append(pu)
    return {number: tuple(sorted(row)) for number, row in found.items()}


def steered(
    machine: Machine,
    rows: Sequence[tuple[Queue, int]],
    consumers: Sequence[int],
    distance: Mapping[int, int],
) -> int:
    """Return the queue whose PU is nearest to one of the consumer's PUs."""
    order = sorted(
        (
            min(_apart(machine, pu, consumer) for consumer in consumers),
            distance[pu],
            queue.number,
        )
        for queue, pu in rows
    )
    return order[0][-1]


def _apart(machine: Machine, first: int, second: int) -> int:
    """Return how many PUs the smallest part around both has."""
    return 1 if first == second else len(machine.pus_of(machine.common_ancestor(first, second)))
