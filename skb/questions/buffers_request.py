"""The request of `buffers`: flows between a device, a ring in memory and a core; capacities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from skb.decision import Assumption
from skb.errors import NotFoundError, RequestError
from skb.machine import Machine, kind_of
from skb.questions.question import Raw, read_request

Name = Annotated[str, Meta(min_length=1, max_length=200)]
NodeName = int | str


class FlowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One flow of packets; `pattern` or `touched` say how much of a packet the consumer touches."""

    name: Name
    device: Name
    direction: Literal["rx", "tx"] = "rx"
    consumer: int | str | None = None
    pattern: Literal["forward", "consume", "headers"] | None = None
    touched: Annotated[float, Meta(ge=0, le=1)] | None = None
    forward: bool | None = None
    packet_bytes: Annotated[int, Meta(ge=1, le=2**24)] = 1500
    header_bytes: Annotated[int, Meta(ge=0, le=2**24)] = 64
    packets_per_s: Annotated[float, Meta(gt=0, le=1e12)] = 5e4
    ring_bytes: Annotated[int, Meta(ge=1, le=2**50)] = 256 * 1024
    numa_node: NodeName | None = None
    not_numa_node: NodeName | list[NodeName] | None = None


class CapacityRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What an object gives at most: ring bytes of a NUMA node, or bandwidth of a node or device."""

    object: Name
    bytes: Annotated[int, Meta(ge=0, le=2**60)] | None = None
    mib_s: Annotated[float, Meta(ge=0, le=1e12)] | None = None


class BuffersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Flows to give a NUMA node each, and the capacities that they share."""

    flow: Annotated[list[FlowRequest], Meta(min_length=1, max_length=4096)]
    capacity: list[CapacityRequest] = []


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow with everything decided that the request left open.

    `touched` is the exact fraction of a packet that the consumer touches; `consumer` a PU or None;
    `only` the nodes demanded, `never` the nodes refused.
    """

    name: str
    device: str
    direction: str
    consumer: int | None
    touched: Fraction
    forwarded: bool
    packet_bytes: int
    packets_per_s: Fraction
    ring_bytes: int
    only: tuple[int, ...]
    never: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """A limit that the user sets: on `memory` (bytes) or `bandwidth` (bytes per second)."""

    object: str
    of: str
    limit: Fraction
    text: str


def read_buffers(raw: Raw, machine: Machine) -> tuple[tuple[Flow, ...], tuple[Capacity, ...]]:
    """Return the flows and capacities; raise `RequestError` for what does not fit the machine."""
    request = read_request(raw, BuffersRequest, "buffers")
    if not machine.numa:
        raise RequestError(
            f"{machine.name} has no NUMA node", mend="add [[memory]] to its description"
        )
    names = [flow.name for flow in request.flow]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise RequestError(
                f"two flows are named {name!r}", place=_at(position), mend="rename one of them"
            )
    flows = tuple(_flow(flow, machine, _at(i)) for i, flow in enumerate(request.flow))
    capacities = tuple(
        limit
        for position, entry in enumerate(request.capacity)
        for limit in _capacity(entry, machine, f"buffers request $.capacity[{position}]")
    )
    return flows, capacities


def _at(position: int) -> str:
    return f"buffers request $.flow[{position}]"


def _flow(flow: FlowRequest, machine: Machine, place: str) -> Flow:
    consumer = _consumer(flow.consumer, machine, place)
    touched, forwarded = _pattern(flow, consumer, place)
    refused = flow.not_numa_node
    listed = refused if isinstance(refused, list) else [] if refused is None else [refused]
    return Flow(
        name=flow.name,
        device=_device(flow.device, machine, place),
        direction=flow.direction,
        consumer=consumer,
        touched=touched,
        forwarded=forwarded,
        packet_bytes=flow.packet_bytes,
        packets_per_s=Fraction(str(flow.packets_per_s)),
        ring_bytes=flow.ring_bytes,
        only=() if flow.numa_node is None else (_node(flow.numa_node, machine, place),),
        never=tuple(_node(node, machine, place) for node in listed),
    )


def _pattern(flow: FlowRequest, consumer: int | None, place: str) -> tuple[Fraction, bool]:
    """Return the touched fraction and whether the bytes leave through the device again."""
    pattern = flow.pattern
    if pattern is None and flow.touched is None:
        pattern = "forward" if consumer is None else "consume"
    share = min(Fraction(1), Fraction(flow.header_bytes, flow.packet_bytes))
    implied = {"forward": Fraction(0), "consume": Fraction(1), "headers": share}
    if flow.touched is not None:
        touched = Fraction(str(flow.touched))
    else:
        touched = implied[str(pattern)]
    forwarded = consumer is None if pattern is None else pattern != "consume"
    if consumer is None and touched > 0:
        raise RequestError(
            f"flow {flow.name!r} touches packets but has no consumer",
            place=place,
            mend='add consumer = PU, or pattern = "forward"',
        )
    return touched, forwarded if flow.forward is None else flow.forward


def _consumer(consumer: int | str | None, machine: Machine, place: str) -> int | None:
    if consumer is None or consumer == "none":
        return None
    text = str(consumer)
    number = text.removeprefix("pu:")
    if not (number.isascii() and number.isdigit()):
        raise RequestError(
            f"consumer {text!r} is not a PU",
            place=f"{place}.consumer",
            mend='give a PU such as 5 or "pu:5", or "none"; place a task first and name its PU',
        )
    return int(_known(f"pu:{int(number)}", machine, f"{place}.consumer").partition(":")[2])


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


def _node(node: NodeName, machine: Machine, place: str) -> int:
    number = str(node).removeprefix("numa:")
    if not (number.isascii() and number.isdigit()):
        raise RequestError(f"{node!r} is not a NUMA node", place=place, mend='give 1 or "numa:1"')
    return int(_known(f"numa:{int(number)}", machine, place).partition(":")[2])


def _known(name: str, machine: Machine, place: str) -> str:
    try:
        return machine.require(name)
    except NotFoundError as fault:
        raise RequestError(fault.message, place=place, mend=fault.mend) from fault


def _capacity(entry: CapacityRequest, machine: Machine, place: str) -> list[Capacity]:
    kind = kind_of(entry.object)
    if kind not in {"numa", "device", "pci"}:
        raise RequestError(
            f"{entry.object!r} has no capacity that buffers use",
            place=place,
            mend="limit a NUMA node (bytes or mib_s), a device or a pci function (mib_s)",
        )
    name = _known(entry.object, machine, place)
    if entry.bytes is None and entry.mib_s is None:
        raise RequestError(f"the capacity of {name} has no value", place=place, mend="add bytes")
    if entry.bytes is not None and kind != "numa":
        raise RequestError(
            f"{name} holds no rings", place=place, mend="bytes belong to a NUMA node; use mib_s"
        )
    found = []
    if entry.bytes is not None:
        text = f"{name} gives at most {entry.bytes} bytes to rings"
        found.append(Capacity(name, "memory", Fraction(entry.bytes), text))
    if entry.mib_s is not None:
        limit = Fraction(str(entry.mib_s)) * 2**20
        text = f"{name} carries at most {entry.mib_s:g} MiB/s"
        found.append(Capacity(name, "bandwidth", limit, text))
    return found


def defaulted(raw: Raw) -> tuple[Assumption, ...]:
    """Return the numbers of the flows that the request leaves to us."""
    rows: dict[str, list[str]] = {}
    for flow in raw["flow"]:
        if flow.get("pattern") == "headers" and "touched" not in flow:
            _note(rows, flow, "header_bytes")
        for key in ("packet_bytes", "packets_per_s", "ring_bytes"):
            _note(rows, flow, key)
    return tuple(
        Assumption(fact, f"the request does not say, for {', '.join(names)}")
        for fact, names in sorted(rows.items())
    )


def _note(rows: dict[str, list[str]], flow: Mapping[str, Any], key: str) -> None:
    if key not in flow:
        default = next(f for f in msgspec.structs.fields(FlowRequest) if f.name == key).default
        rows.setdefault(f"{key} = {default:g}", []).append(str(flow["name"]))
