"""What all targets of `buffers` read: the flows of a decision, in the order of the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skb.bindings.writing import head
from skb.errors import CheckError, RequestError
from skb.machine import Machine, kind_of

_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")
_ADDRESS = re.compile(r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_PACKET_BYTES, _BLOCK_BYTES, _QUEUE_DEPTH = 1500, 4096, 32


@dataclass(frozen=True, slots=True)
class Held:
    """A ring: its kind, its node (None in a GPU), where it lies in words, and its bytes."""

    kind: str
    numa: int | None
    place: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One flow: its device (with PCI address, empty where unknown), consumer and rings.

    `packet_bytes` is that of a block where `depth`, the queue's, is not None.
    """

    name: str
    device: str
    address: str
    pu: int | None
    packet_bytes: int
    outgoing: bool
    depth: int | None
    rings: tuple[Held, ...]

    @property
    def payload(self) -> Held:
        return self.rings[0]


@dataclass(frozen=True, slots=True)
class Lanes:
    """A `buffers` decision with the snapshot that it read."""

    id: str
    machine: Machine
    lanes: tuple[Lane, ...]

    @property
    def short(self) -> str:
        """The beginning of the decision's id, as people type it."""
        return self.id[:8]

    @property
    def pus(self) -> tuple[int, ...]:
        """The PUs that consume."""
        return tuple(sorted({lane.pu for lane in self.lanes if lane.pu is not None}))

    def bytes_by_node(self) -> dict[int, int]:
        """Return the bytes of all rings at each node."""
        found: dict[int, int] = {}
        for lane in self.lanes:
            for ring in lane.rings:
                if ring.numa is not None:
                    found[ring.numa] = found.get(ring.numa, 0) + ring.size_bytes
        return found

    def heading(self, does: str, needs: str, notes: tuple[str, ...]) -> list[str]:
        """Return the lines that begin a file, without comment signs."""
        return head(f"buffers {self.short}", self.machine, does, needs, notes)


def lanes_of(machine: Machine, decision: Mapping[str, Any]) -> Lanes:
    """Read a decision as it is stored; raise `RequestError` where it has no answer."""
    id_ = str(decision["id"])
    rows = decision["answer"].get("flows")
    if not rows:
        raise RequestError(
            f"decision {id_} is {decision['status']}: it places nothing that could be bound",
            mend=f"skb why {id_[:8]}",
        )
    asked = decision["request"]["flow"]
    if {str(flow["name"]) for flow in asked} != set(rows):
        raise CheckError(f"the flows of decision {id_} are not those of its request")
    found = []
    for flow in asked:
        name = str(flow["name"])
        if _IMPOSSIBLE.search(name):
            raise RequestError(
                f"the flow's name {name!r} has a character that no command can take",
                mend="rename the flow and ask again",
            )
        found.append(_lane(machine, name, flow, rows[name]))
    return Lanes(id_, machine, tuple(found))


def _lane(machine: Machine, name: str, flow: Mapping[str, Any], row: Mapping[str, Any]) -> Lane:
    device = str(flow["device"])
    if not device.startswith(("device:", "pci:")):
        device = f"device:{device}"
    stored = flow.get("direction") in ("read", "write") or bool(
        flow.get("block_bytes") or flow.get("queue_depth")
    )
    size = flow.get("packet_bytes", _PACKET_BYTES)
    if stored:
        size = flow.get("block_bytes") or _BLOCK_BYTES
    held = [("payload", row), *row.get("rings", {}).items()]
    return Lane(
        name=name,
        device=device,
        address=_address(machine, device),
        pu=row.get("consumer_pu", _fixed(flow.get("consumer"))),
        packet_bytes=int(size),
        outgoing=flow.get("direction") in ("tx", "write"),
        depth=int(flow.get("queue_depth") or _QUEUE_DEPTH) if stored else None,
        rings=tuple(
            Held(kind, ring["numa_node"], str(ring["place"]), int(ring["bytes"]))
            for kind, ring in held
        ),
    )


def _fixed(consumer: Any) -> int | None:
    text = str(consumer).removeprefix("pu:")
    return int(text) if text.isascii() and text.isdigit() else None


def _address(machine: Machine, device: str) -> str:
    """Return the PCI address of the function that a device belongs to, empty where unknown."""
    for at in (device, *machine.ancestors(device)):
        address = at.partition(":")[2]
        if kind_of(at) == "pci" and _ADDRESS.fullmatch(address):
            return address
    return ""
