"""The request of `buffers`: flows between a device, a ring in memory and a core; capacities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from skb.decision import Assumption
from skb.errors import NotFoundError, RequestError
from skb.machine import Machine, kind_of
from skb.questions.buffers_consumers import Consumer, ConsumerName, Task, consumer_of
from skb.questions.question import Raw, read_request

Name = Annotated[str, Meta(min_length=1, max_length=200)]
NodeName = int | str
Share = Annotated[float, Meta(ge=0, le=1)]
BLOCK_BYTES, QUEUE_DEPTH, RING_BYTES = 4096, 32, 256 * 1024
PACKET_BYTES, HEADER_BYTES, PACKETS_PER_S = 1500, 64, 5e4


class FlowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One flow of packets, or of blocks of a storage device.

    `pattern` or `touched` say how much of a packet the consumer touches; `header_split` puts
    headers and payload in rings of their own; `descriptor_bytes` (of a packet, 0: not priced) adds
    a ring that both sides touch. `block_bytes` and `queue_depth` are those of a storage device.
    """

    name: Name
    device: Name
    direction: Literal["rx", "tx", "read", "write"] = "rx"
    consumer: ConsumerName | None = None
    pattern: Literal["forward", "consume", "headers"] | None = None
    touched: Share | None = None
    forward: bool | None = None
    packet_bytes: Annotated[int, Meta(ge=1, le=2**24)] = PACKET_BYTES
    header_bytes: Annotated[int, Meta(ge=0, le=2**24)] = HEADER_BYTES
    packets_per_s: Annotated[float, Meta(gt=0, le=1e12)] = PACKETS_PER_S
    ring_bytes: Annotated[int, Meta(ge=1, le=2**50)] = RING_BYTES
    header_split: bool = False
    descriptor_bytes: Annotated[int, Meta(ge=0, le=4096)] = 0
    block_bytes: Annotated[int, Meta(ge=1, le=2**24)] | None = None
    queue_depth: Annotated[int, Meta(ge=1, le=2**20)] | None = None
    direct: bool | None = None
    load: Share | None = None
    numa_node: NodeName | None = None
    not_numa_node: NodeName | list[NodeName] | None = None
    headers_numa_node: NodeName | None = None
    descriptors_numa_node: NodeName | None = None
    pu: int | None = None


class TaskRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A task that consumes flows: where it may run, and the share of a PU that it takes."""

    name: Name
    at: ConsumerName = "any"
    load: Share = 1.0


class CapacityRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What an object gives at most: ring bytes of a NUMA node or of a GPU's memory, bytes of the
    caches at a node that DMA may fill, bandwidth of a node or device, or load of a PU.
    """

    object: Name
    bytes: Annotated[int, Meta(ge=0, le=2**60)] | None = None
    cache_bytes: Annotated[int, Meta(ge=0, le=2**60)] | None = None
    load: Annotated[float, Meta(ge=0, le=4096)] | None = None
    mib_s: Annotated[float, Meta(ge=0, le=1e12)] | None = None


class BuffersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Flows to give a NUMA node each, and the capacities that they share."""

    flow: Annotated[list[FlowRequest], Meta(min_length=1, max_length=4096)]
    capacity: list[CapacityRequest] = []
    task: Annotated[list[TaskRequest], Meta(max_length=4096)] = []


def whole(number: Fraction) -> Fraction:
    """Return a whole number as an int, which counts as a fraction and is many times as fast."""
    return number if number.denominator != 1 else number.numerator  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow with everything decided that the request left open.

    `touched` is the exact fraction of a packet that the consumer touches; `only` the nodes demanded
    by kind of ring, `never` the nodes refused to its payload; `load` the share of its PU (0: it is
    not counted); `split_bytes` the headers that have a ring of their own (0: none).
    """

    name: str
    device: str
    outgoing: bool
    consumer: Consumer
    touched: Fraction
    forwarded: bool
    packet_bytes: int
    packets_per_s: Fraction
    ring_bytes: int
    split_bytes: int
    descriptor_bytes: int
    queue_depth: int | None
    direct: bool | None
    load: Fraction
    only: Mapping[str, tuple[int, ...]]
    never: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """A limit that the user sets: on `memory` or `cache` (bytes), `bandwidth` (bytes per second)
    or `load` (PUs).
    """

    object: str
    of: str
    limit: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that fits its machine."""

    flows: tuple[Flow, ...]
    capacities: tuple[Capacity, ...]
    tasks: Mapping[str, Task]


def read_buffers(raw: Raw, machine: Machine) -> Asked:
    """Return what is asked; raise `RequestError` for what does not fit the machine."""
    request = read_request(raw, BuffersRequest, "buffers")
    if not machine.numa:
        raise RequestError(
            f"{machine.name} has no NUMA node", mend="add [[memory]] to its description"
        )
    _distinct([flow.name for flow in request.flow], "flow")
    _distinct([task.name for task in request.task], "task")
    tasks = {
        task.name: _task(task, machine, f"buffers request $.task[{position}]")
        for position, task in enumerate(request.task)
    }
    flows = tuple(_flow(flow, machine, tasks, _at(i)) for i, flow in enumerate(request.flow))
    capacities = tuple(
        limit
        for position, entry in enumerate(request.capacity)
        for limit in capacity_of(entry, machine, f"buffers request $.capacity[{position}]")
    )
    return Asked(flows, capacities, tasks)


def _distinct(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            raise RequestError(
                f"two {what}s are named {name!r}",
                place=f"buffers request $.{what}[{position}]",
                mend="rename one of them",
            )
        seen.add(name)


def _task(task: TaskRequest, machine: Machine, place: str) -> Task:
    at = consumer_of(task.at, machine, {}, f"{place}.at")
    if not at.pus:
        raise RequestError(
            f"task {task.name!r} runs on no PU", place=f"{place}.at", mend="name PUs or a part"
        )
    return Task(task.name, at.pus, task.load)


def _at(position: int) -> str:
    return f"buffers request $.flow[{position}]"


def _flow(flow: FlowRequest, machine: Machine, tasks: Mapping[str, Task], place: str) -> Flow:
    consumer = consumer_of(flow.consumer, machine, tasks, f"{place}.consumer")
    if flow.pu is not None:
        number = node_of(flow.pu, machine, f"{place}.pu", "pu")
        consumer = replace(consumer, pus=tuple(p for p in consumer.pus if p == number))
        if not consumer.pus:
            raise RequestError(
                f"pu:{number} is not among the consumers of flow {flow.name!r}",
                place=f"{place}.pu",
                mend="leave pu out, or add it to consumer",
            )
    device = _device(flow.device, machine, place)
    touched, forwarded = _pattern(flow, consumer, place)
    stored = _stored(flow, machine, device, place)
    packet = (flow.block_bytes or BLOCK_BYTES) if stored else flow.packet_bytes
    depth = (flow.queue_depth or QUEUE_DEPTH) if stored else None
    if flow.header_split and not 0 < flow.header_bytes < packet:
        raise RequestError(
            f"flow {flow.name!r} splits off headers of {flow.header_bytes} bytes from packets of"
            f" {packet}",
            place=place,
            mend="give header_bytes below packet_bytes, or leave header_split out",
        )
    refused = flow.not_numa_node
    listed = refused if isinstance(refused, list) else [] if refused is None else [refused]
    wanted = {
        "payload": flow.numa_node,
        "headers": flow.headers_numa_node,
        "descriptors": flow.descriptors_numa_node,
    }
    usual = 1.0 if consumer.free and not consumer.task else 0.0
    return Flow(
        name=flow.name,
        device=device,
        outgoing=flow.direction in {"tx", "write"},
        consumer=consumer,
        touched=touched,
        forwarded=forwarded,
        packet_bytes=packet,
        packets_per_s=whole(Fraction(str(flow.packets_per_s))),
        ring_bytes=depth * packet if depth and flow.ring_bytes == RING_BYTES else flow.ring_bytes,
        split_bytes=flow.header_bytes if flow.header_split else 0,
        descriptor_bytes=flow.descriptor_bytes,
        queue_depth=depth,
        direct=flow.direct,
        load=Fraction(str(usual if flow.load is None else flow.load))
        if consumer.pus
        else Fraction(0),
        only={
            kind: (node_of(node, machine, place),)
            for kind, node in wanted.items()
            if node is not None
        },
        never=tuple(node_of(node, machine, place) for node in listed),
    )


def _stored(flow: FlowRequest, machine: Machine, device: str, place: str) -> bool:
    """Return whether a flow moves blocks of a storage device."""
    asked = flow.direction in {"read", "write"} or flow.block_bytes or flow.queue_depth
    kinds = {
        str(fact.args[1]) for fact in machine.facts_of("device_kind") if fact.args[0] == device
    }
    if asked and kinds and "storage" not in kinds:
        raise RequestError(
            f"{device} is no storage device: it has no blocks, and neither reads nor writes",
            place=place,
            mend="use direction rx or tx, packet_bytes and ring_bytes",
        )
    return bool(asked)


def _pattern(flow: FlowRequest, consumer: Consumer, place: str) -> tuple[Fraction, bool]:
    """Return the touched fraction and whether the bytes leave through the device again."""
    pattern, nobody = flow.pattern, not consumer.pus and not consumer.gpu
    if pattern is None and flow.touched is None:
        pattern = "forward" if nobody else "consume"
    share = min(Fraction(1), Fraction(flow.header_bytes, flow.packet_bytes))
    implied = {"forward": Fraction(0), "consume": Fraction(1), "headers": share}
    if flow.touched is not None:
        touched = Fraction(str(flow.touched))
    else:
        touched = implied[str(pattern)]
    forwarded = nobody if pattern is None else pattern != "consume"
    if nobody and touched > 0:
        raise RequestError(
            f"flow {flow.name!r} touches packets but has no consumer",
            place=place,
            mend='add consumer = PU, or pattern = "forward"',
        )
    return touched, forwarded if flow.forward is None else flow.forward


def _device(device: str, machine: Machine, place: str) -> str:
    name = device if kind_of(device) in {"device", "pci"} and ":" in device else f"device:{device}"
    if not machine.has(name):
        have = ", ".join(machine.of_kind("device")[:20])
        raise RequestError(
            f"{machine.name} has no {name}",
            place=f"{place}.device",
            mend=f"it has {have}" if have else "it describes no devices",
        )
    return name


def node_of(node: NodeName, machine: Machine, place: str, kind: str = "numa") -> int:
    """Return the number of a NUMA node (or PU) that a request names."""
    number = str(node).removeprefix(f"{kind}:")
    if not (number.isascii() and number.isdigit()):
        raise RequestError(f"{node!r} is not a NUMA node", place=place, mend='give 1 or "numa:1"')
    return int(_known(f"{kind}:{int(number)}", machine, place).partition(":")[2])


def _known(name: str, machine: Machine, place: str) -> str:
    try:
        return machine.require(name)
    except NotFoundError as fault:
        raise RequestError(fault.message, place=place, mend=fault.mend) from fault


def capacity_of(entry: CapacityRequest, machine: Machine, place: str) -> list[Capacity]:
    """Return the limits of one entry."""
    kind = kind_of(entry.object)
    if kind not in {"numa", "device", "pci", "pu"}:
        raise RequestError(
            f"{entry.object!r} has no capacity that buffers use",
            place=place,
            mend="limit a NUMA node (bytes, cache_bytes or mib_s), a device or a pci function"
            " (mib_s; a GPU also bytes) or a PU (load)",
        )
    name = _known(entry.object, machine, place)
    values = {
        "bytes": (entry.bytes, {"numa"}),
        "cache_bytes": (entry.cache_bytes, {"numa"}),
        "mib_s": (entry.mib_s, {"numa", "device", "pci"}),
        "load": (entry.load, {"pu"}),
    }
    if name in machine.of_device_kind("gpu"):
        values["bytes"] = (entry.bytes, {"device"})
    if all(value is None for value, _ in values.values()):
        raise RequestError(f"the capacity of {name} has no value", place=place, mend="add bytes")
    for key, (value, kinds) in values.items():
        if value is not None and kind not in kinds:
            raise RequestError(
                f"{name} holds no rings" if key == "bytes" else f"{name} has no {key}",
                place=place,
                mend="bytes belong to a NUMA node or GPU, cache_bytes to a NUMA node, load to a"
                " PU; use mib_s",
            )
    texts = {
        "bytes": ("memory", f"{name} gives at most {entry.bytes} bytes to rings", 1),
        "cache_bytes": (
            "cache",
            f"the caches at {name} give at most {entry.cache_bytes} bytes to rings",
            1,
        ),
        "mib_s": ("bandwidth", f"{name} carries at most {entry.mib_s or 0:g} MiB/s", 2**20),
        "load": ("load", f"{name} carries a load of at most {entry.load or 0:g}", 1),
    }
    return [
        Capacity(name, texts[key][0], Fraction(str(value)) * texts[key][2], texts[key][1])
        for key, (value, _) in values.items()
        if value is not None
    ]


_DEFAULTS: Mapping[str, float] = {
    "block_bytes": BLOCK_BYTES,
    "queue_depth": QUEUE_DEPTH,
    "packet_bytes": PACKET_BYTES,
    "header_bytes": HEADER_BYTES,
    "packets_per_s": PACKETS_PER_S,
    "ring_bytes": RING_BYTES,
}


def defaulted(raw: Raw) -> tuple[Assumption, ...]:
    """Return the numbers of the flows that the request leaves to us."""
    rows: dict[str, list[str]] = {}
    for flow in raw["flow"]:
        split = flow.get("header_split", False)
        if split or (flow.get("pattern") == "headers" and "touched" not in flow):
            _note(rows, flow, "header_bytes")
        stored = flow.get("direction") in {"read", "write"} or {"block_bytes", "queue_depth"} & set(
            flow
        )
        for key in ("block_bytes", "queue_depth") if stored else ("packet_bytes", "ring_bytes"):
            _note(rows, flow, key)
        _note(rows, flow, "packets_per_s")
    return tuple(
        Assumption(fact, f"the request does not say, for {', '.join(names)}")
        for fact, names in sorted(rows.items())
    )


def _note(rows: dict[str, list[str]], flow: Mapping[str, Any], key: str) -> None:
    if key not in flow:
        default = _DEFAULTS[key]
        rows.setdefault(f"{key} = {default:g}", []).append(str(flow["name"]))
