"""Queues of devices: how many, with which interrupts, loads, and where these are delivered now.

Names of interrupts are those of Linux drivers: `eth0-TxRx-3`, `mlx5_comp3@pci:0000:81:00.0`,
`nvme0q3` (queue 0 administers), `virtio0-input.3`. One that is named for no queue (link state,
mailbox) is none of the queues'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from skb.decision import Assumption
from skb.errors import RequestError
from skb.machine import Machine, index_of, kind_of
from skb.questions.interrupts_request import (
    MOST_QUEUES,
    DeviceRequest,
    InterruptsRequest,
    device_of,
    pus_of,
)
from skb.sources import bitmap
from skb.wording import listed, spans

_NVME = re.compile(r"nvme\d+q(\d+)$", re.IGNORECASE)
_QUEUE = re.compile(
    r"(?:txrx|tx-rx|rxtx|combined|comp|input|output|request|queue|rx|tx|fp|ch|q)[-_.: ]?(\d+)"
    r"(?:@.*)?$",
    re.IGNORECASE,
)
_OTHER = re.compile(r"async|mgmn?t|admin|ctrl|config|control|mbx|mailbox|link|ptp|misc|err", re.I)
_BOTH = re.compile(r"tx[-_.]?rx|rx[-_.]?tx", re.IGNORECASE)
_SENDS = re.compile(r"(?:output|[-_.]tx)[-_.: ]?\d+", re.IGNORECASE)
_RECEIVES = re.compile(r"(?:input|[-_.]rx)[-_.: ]?\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Queue:
    """One vector of a device: `number` of its queue, `irq` None where nobody states it, `load` an
    exact number, `now` the PUs that get it at present, empty where unknown.
    """

    device: str
    number: int
    irq: int | None
    name: str
    load: Fraction
    now: tuple[int, ...]
    managed: bool
    way: str = "combined"

    @property
    def words(self) -> str:
        """The queue for people."""
        short = self.device.partition(":")[2]
        side = "" if self.way == "combined" else f"{self.way} "
        return f"{side}queue {self.number} of {short}"


@dataclass(slots=True)
class Devices:
    """Devices in the order of the request: queues, workers, and what was assumed about them."""

    queues: list[Queue] = field(default_factory=list)
    workers: dict[str, frozenset[int]] = field(default_factory=dict)
    rates: bool = False
    stated_loads: set[str] = field(default_factory=set)
    unstated: list[str] = field(default_factory=list)
    assumed: list[Assumption] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.workers)

    def of(self, device: str) -> list[Queue]:
        """Return the queues of a device in order."""
        return [queue for queue in self.queues if queue.device == device]


def devices_of(machine: Machine, request: InterruptsRequest) -> Devices:
    """Return all queues to be decided; raise `RequestError` where facts and request do not do."""
    asked = request.device or [
        DeviceRequest(name=name)
        for name in sorted({str(f.args[0]) for f in machine.facts_of("device_queues")})
        if _count(machine, name, "combined")
    ]
    if not asked:
        raise RequestError(
            f"{machine.name} states no queues of devices",
            place="interrupts request $.device",
            mend='name them: [[device]] name = "eth0", queues = 8',
        )
    found = Devices()
    now = _delivered(machine, request)
    found.rates = any(one.packets_per_s is not None for one in asked)
    for place, one in enumerate(asked):
        path = f"interrupts request $.device[{place}]"
        name = device_of(one.name, machine, path)
        if name in found.workers:
            raise RequestError(f"{name} stands twice", place=path, mend="leave one of them out")
        workers = request.workers if one.workers is None else one.workers
        where = f"{path}.workers" if one.workers is not None else "interrupts request $.workers"
        found.workers[name] = pus_of(workers, machine, request.tasks, where)
        rows = _queues(machine, request, one, name, now, found, path)
        if not request.device and _lacks(found, name, rows):
            del found.workers[name]
            continue
        if not rows:
            raise RequestError(
                f"the kernel manages the interrupts of {name} and delivers them nowhere now",
                place=path,
                mend="leave the device out, or say where they go: [current.affinity]",
            )
        found.queues += rows
    if not found.queues:
        raise RequestError(
            f"no interrupt of {machine.name} can be placed: {'; '.join(found.warnings[:3])}",
            place="interrupts request $.device",
            mend="say where interrupts go: [current.affinity]",
        )
    if len(found.queues) > MOST_QUEUES:
        raise RequestError(
            f"{len(found.queues)} queues are too many",
            place="interrupts request $.device",
            mend=f"ask for at most {MOST_QUEUES} at once",
        )
    _check_irqs(machine, found, request)
    if found.unstated:
        why = f"the request states none, for {listed(found.unstated, 12)}"
        found.assumed.append(Assumption("load of each queue = 1", why))
    if found.rates and any(one.packets_per_s is None for one in asked):
        text = "loads without packets_per_s count as packets per second beside the others"
        found.warnings.append(text)
    return found


def _lacks(found: Devices, name: str, rows: Sequence[Queue]) -> bool:
    """Tell whether a device that nobody asked for has no interrupts, or none of its own."""
    taken = {queue.irq: queue for queue in found.queues if queue.irq is not None}
    shared = next((taken[row.irq] for row in rows if row.irq in taken), None)
    if shared is not None:
        text = f"{name} has the interrupts of {shared.device}, and is decided with it"
        found.warnings.append(text)
    return not rows or shared is not None


def _queues(
    machine: Machine,
    request: InterruptsRequest,
    one: DeviceRequest,
    name: str,
    now: Mapping[int, tuple[int, ...]],
    found: Devices,
    path: str,
) -> list[Queue]:
    stated = _count(machine, name, one.direction)
    numbers: Sequence[tuple[int, int | None, str]]
    if one.vectors is not None:
        numbers = [(at, irq, one.direction) for at, irq in enumerate(one.vectors)]
        if one.queues is not None and one.queues > len(numbers):
            raise RequestError(
                f"{one.queues} queues have {len(numbers)} vectors",
                place=f"{path}.vectors",
                mend="give a vector for each queue",
            )
        numbers = numbers[: one.queues]
        count = len(numbers)
    else:
        wanted = one.queues or stated
        if wanted is None:
            raise RequestError(
                f"{machine.name} does not state how many queues {name} has",
                place=f"{path}.queues",
                mend="add queues = N",
            )
        if wanted > MOST_QUEUES:
            text = f"{name} has {wanted} queues"
            raise RequestError(text, place=path, mend=f"at most {MOST_QUEUES}")
        count = wanted
        numbers = _vectors(machine, name, count, one.direction, found)
    numbers = [row for row in numbers if not _astray(machine, request, row[1], now, name, found)]
    loads = _loads(one, numbers, count, found, name, path) if numbers else []
    rows = []
    for (number, irq, way), load in zip(numbers, loads, strict=True):
        known = () if irq is None else now.get(irq, ())
        title = "" if irq is None else str(machine.value("interrupt_name", irq) or "")
        managed = irq is not None and _managed(machine, request, irq)
        rows.append(Queue(name, number, irq, title, load, known, managed, way))
    return rows


def _astray(
    machine: Machine,
    request: InterruptsRequest,
    irq: int | None,
    now: Mapping[int, tuple[int, ...]],
    name: str,
    found: Devices,
) -> bool:
    """Tell, and warn, whether facts call an interrupt managed, but not where it is delivered."""
    if irq is None or irq in request.managed or now.get(irq) or not _managed(machine, request, irq):
        return False
    found.warnings.append(
        f"the kernel manages interrupt {irq} of {name} and delivers it nowhere now: left out"
    )
    return True


def _managed(machine: Machine, request: InterruptsRequest, irq: int) -> bool:
    return irq in request.managed or machine.fact("interrupt_managed", irq) is not None


def _count(machine: Machine, name: str, direction: str) -> int | None:
    """Return how many queues of a direction the facts state: combined ones serve both."""
    counts = {
        way: int(number)
        for way in ("rx", "tx", "combined")
        if (number := machine.number("device_queues", name, way)) is not None
    }
    if direction != "combined":
        return counts.get(direction, counts.get("combined"))
    return max(counts.values(), default=None)


def _loads(
    one: DeviceRequest,
    numbers: Sequence[tuple[int, int | None, str]],
    count: int,
    found: Devices,
    name: str,
    path: str,
) -> list[Fraction]:
    if one.load is not None and one.packets_per_s is not None:
        raise RequestError(
            "load and packets_per_s say the same", place=path, mend="leave one of them out"
        )
    if isinstance(one.load, list):
        if len(one.load) != count:
            raise RequestError(
                f"{len(one.load)} loads for {count} queues",
                place=f"{path}.load",
                mend="give a load for each queue, or one number",
            )
        found.stated_loads.add(name)
        return [Fraction(str(one.load[number])) for number, _irq, _way in numbers]
    if one.packets_per_s is not None:
        each = Fraction(str(one.packets_per_s)) / len(numbers)
    elif one.load is not None:
        each = Fraction(str(one.load))
    else:
        each = Fraction(1)
        found.unstated.append(name.partition(":")[2])
    return [each] * len(numbers)


# ------------------------------------------------------------ interrupts of the facts
def _vectors(
    machine: Machine, name: str, count: int, direction: str, found: Devices
) -> list[tuple[int, int | None, str]]:
    """Return queue, interrupt and direction of each vector."""
    plain: list[tuple[int, int | None, str]] = [(at, None, direction) for at in range(count)]
    irqs = _irqs(machine, name)
    if not irqs:
        return plain
    named = {irq: str(machine.value("interrupt_name", irq) or "") for irq in irqs}
    if any(named.values()):
        return _by_name(named, name, count, direction, found) or plain
    first = 0
    if len(irqs) > count:
        first = 1 if _stores(machine, name) else 0
        side = "first" if first else "last"
        text = f"the {side} vectors of {name} belong to none of its queues"
        why = f"it has {len(irqs)} vectors for {count} queues, and no names of them"
        found.assumed.append(Assumption(text, why))
    kept = irqs[first : first + count]
    if len(kept) < count:
        found.warnings.append(f"{name} has {len(kept)} vectors for {count} queues")
    return [(at, irq, direction) for at, irq in enumerate(kept)]


def _irqs(machine: Machine, name: str) -> list[int]:
    around = (name, *(at for at in machine.ancestors(name) if kind_of(at) == "pci"))
    rows = machine.facts_of("interrupt")
    for at in around:
        irqs = [int(str(fact.args[1])) for fact in rows if fact.args[0] == at]
        if irqs:
            return sorted(irqs)
    return []


def _stores(machine: Machine, name: str) -> bool:
    return any(
        fact.args[0] == name and fact.args[1] == "storage"
        for fact in machine.facts_of("device_kind")
    )


def _by_name(
    named: Mapping[int, str], name: str, count: int, direction: str, found: Devices
) -> list[tuple[int, int | None, str]]:
    """Return the vectors that are named for a queue, in the order of the queues."""
    short = name.partition(":")[2]
    own = re.compile(rf"(?<![A-Za-z0-9]){re.escape(short)}(?![A-Za-z0-9])")
    mine = {irq: text for irq, text in named.items() if own.search(text)}
    rows: list[tuple[int, int | None, str]] = []
    for irq, text in (mine or named).items():
        number, way = queue_named(text)
        if number is None or (way not in {"combined", direction} and direction != "combined"):
            continue
        if number < count:
            rows.append((number, irq, way))
    rest = [irq for irq, text in (mine or named).items() if not _OTHER.search(text)]
    if not rows and len(rest) == count:
        text = f"the vectors of {name} are those of its queues, in order"
        found.assumed.append(Assumption(text, "their names tell no queues, but their number does"))
        return [(at, irq, direction) for at, irq in enumerate(rest)]
    rows.sort(key=lambda row: (row[0], row[2], row[1] or 0))
    if rows and len({row[0] for row in rows}) < count:
        found.warnings.append(
            f"the names of the interrupts of {name} tell of {len({r[0] for r in rows})} of its"
            f" {count} queues: the others are left out"
        )
    return rows


def queue_named(text: str) -> tuple[int | None, str]:
    """Return the queue that an interrupt's name tells, None for none, and its direction.

    Of a shared vector the first name that tells one counts.
    """
    found = [_named(part.strip()) for part in text.split(",")]
    return next((one for one in found if one[0] is not None), (None, "combined"))


def _named(first: str) -> tuple[int | None, str]:
    if match := _NVME.search(first):
        number = int(match[1])
        return (number - 1 if number else None), "combined"
    match = _QUEUE.search(first)
    if match is None or _OTHER.search(first.partition("@")[0]) or len(match[1]) > 6:
        return None, "combined"
    if _BOTH.search(first):
        return int(match[1]), "combined"
    both = bool(_SENDS.search(first)), bool(_RECEIVES.search(first))
    way = {(True, False): "tx", (False, True): "rx"}.get(both, "combined")
    return int(match[1]), way


# ------------------------------------------------------------ what is now
def _delivered(machine: Machine, request: InterruptsRequest) -> dict[int, tuple[int, ...]]:
    """Return the PUs of each interrupt: those of the request before those of the facts."""
    found: dict[int, list[int]] = {}
    for fact in machine.facts_of("interrupt_pu"):
        if machine.has(str(fact.args[1])):
            found.setdefault(int(str(fact.args[0])), []).append(index_of(str(fact.args[1])))
    rows = {irq: tuple(sorted(pus)) for irq, pus in found.items()}
    for key, value in request.current.affinity.items():
        path = f"interrupts request $.current.affinity.{key}"
        if not (key.isascii() and key.isdigit() and len(key) < 11):
            raise RequestError(f"{key!r} is no interrupt", place=path, mend="keys are numbers")
        rows[int(key)] = _affinity(value, machine, path)
    return rows


def _affinity(value: str | int | list[int], machine: Machine, path: str) -> tuple[int, ...]:
    if isinstance(value, str):
        try:
            pus = list(bitmap.members(bitmap.parse_list(value)))
        except ValueError as fault:
            text = f"{value[:40]!r} is no list of PUs"
            raise RequestError(text, place=path, mend='write "0-3,8"') from fault
    else:
        pus = [value] if isinstance(value, int) else value
    unknown = [pu for pu in pus if not machine.has(f"pu:{pu}")]
    if unknown:
        text = f"{machine.name} has no pu:{unknown[0]}"
        last = max(machine.pus, default=0)
        raise RequestError(text, place=path, mend=f"PUs go up to {last}")
    return tuple(sorted(set(pus)))


def _check_irqs(machine: Machine, found: Devices, request: InterruptsRequest) -> None:
    seen: dict[int, Queue] = {}
    for queue in found.queues:
        if queue.irq is None:
            continue
        if queue.irq in seen:
            raise RequestError(
                f"interrupt {queue.irq} is that of {seen[queue.irq].words} and of {queue.words}",
                place="interrupts request $.device",
                mend="give each queue a vector of its own, or ask for one of the devices",
            )
        seen[queue.irq] = queue
        if queue.managed and not queue.now:
            raise RequestError(
                f"the managed interrupt {queue.irq} is delivered to an unknown PU",
                place="interrupts request $.managed",
                mend=f'say where: [current.affinity] {queue.irq} = "0"',
            )
        if queue.managed and all(machine.unusable(f"pu:{pu}") for pu in queue.now):
            found.warnings.append(
                f"the managed interrupt {queue.irq} of {queue.words} is on PU {spans(queue.now)},"
                " which cannot be used"
            )
    for irq in request.managed:
        if irq not in seen:
            found.warnings.append(f"managed interrupt {irq} is of no queue that was asked for")
