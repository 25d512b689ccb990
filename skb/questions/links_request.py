"""The request of the links question: what may be asked of a machine's interconnect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Raw

MOST_CHANNELS = 64
Channels = Annotated[int, msgspec.Meta(ge=0, le=MOST_CHANNELS)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
FINEST = 10**6
"""Weights are decimal fractions; what is finer than this share is rounded."""


class TrafficRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Messages from one part to another; a part inside a node stands for the node."""

    from_: str = msgspec.field(name="from")
    to: str
    weight: Weight = 1.0


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An entry of the table that is given: `from` forwards to `next` what goes to `to`."""

    from_: str = msgspec.field(name="from")
    to: str
    next: str


class Tables(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Tables that exist: the neighbour by node and destination, and channels by destination."""

    next_hop: dict[str, dict[str, str]]
    channel: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=MOST_CHANNELS)]] = {}


class LinksRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table for all nodes of one `level`: a kind of part, "all" that links join, or the piece of
    the interconnect that a part, such as "device:nvswitch", is in.

    `virtual_channels` 0 or absent is the least number that is enough. `minimal` allows shortest
    paths only. `off` names nodes ("package:3") and links (["package:0", "package:1"], both
    directions) that must not be used. `traffic` has rows, or is a matrix in the order of the nodes:
    a line for each sender. With `failures` the answer has the next-best table under
    each single link failure. What waits for links is simulated with packets of `packet_bytes`, all
    at once, and at such a `rate` that the fullest link is busy for that share of the time.
    """

    level: str | None = None
    virtual_channels: Channels = 0
    minimal: bool = True
    traffic: list[TrafficRow | list[Weight]] | Literal["uniform"] = "uniform"
    off: list[str | tuple[str, str]] = []
    require: list[Entry] = []
    failures: bool = False
    current: Tables | None = None
    packet_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**30)] = 64
    rate: Annotated[float, msgspec.Meta(ge=0.001, le=1)] = 0.8


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an entry forced: `from=package:0 to=package:5 next=package:1`."""
    if set(clause) != {"from", "to", "next"}:
        raise RequestError(
            "the alternative names no entry of the table",
            place="not",
            mend='write "from=package:0 to=package:5 next=package:1"',
        )
    return {**raw, "require": [*raw.get("require", []), dict(clause)]}
