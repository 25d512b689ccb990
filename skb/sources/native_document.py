"""The tables and keys of a native description; an unknown key is refused by name."""

from __future__ import annotations

import msgspec


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every entry has: who says so."""

    source: str = "asserted"


class Source(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A source of the description: its kind and what it is."""

    kind: str
    text: str
    when: str = ""


class Head(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[machine]`."""

    name: str
    title: str = ""
    clock_mhz: float | None = None
    isa: str = ""
    source: str = "asserted"
    sources: dict[str, Source] = {}
    notes: list[str] = []


class Tree(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[structure]`."""

    tree: str
    pu_order: str = "depth-first"


class Part(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[part]]`: an object or a subtree, with attributes of its cores."""

    parent: str = "machine:0"
    tree: str = ""
    id: str = ""
    os_index: int | None = None
    core_kind: str = ""
    isa: str = ""
    capacity: int | None = None
    clock_mhz: float | None = None


class Cache(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[cache]]`."""

    level: str
    objects: list[str] = []
    size_bytes: int | None = None
    size_kib: int | None = None
    size_mib: int | None = None
    line_bytes: int | None = None
    ways: int | None = None


class Memory(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[memory]]`."""

    numa: int | list[int] | None = None
    size_bytes: int | None = None
    size_mib: int | None = None
    size_gib: int | None = None
    kind: str = ""


class Link(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[link]]`."""

    from_: str = msgspec.field(name="from")
    to: str
    kind: str = "link"
    mib_s: float | None = None
    latency_ns: float | None = None
    cycles: float | None = None
    width_bits: int | None = None
    one_way: bool = False


class Device(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[device]]`."""

    name: str
    kind: str | list[str]
    at: str = "machine:0"
    pci: str = ""
    link_gbytes_per_s: float | None = None
    speed_mbps: float | None = None
    queues: dict[str, int] = {}
    isa: str = ""


class Latency(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[latency]]`."""

    within: str = ""
    hops: int | None = None
    cache: str = ""
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    access: str = "access"
    latency_ns: float | None = None
    cycles: float | None = None


class Bandwidth(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[bandwidth]]`."""

    from_: str = msgspec.field(name="from")
    to: str
    mib_s: float
    access: str = "access"


class Message(Entry, forbid_unknown_fields=True, kw_only=True):
    """`[[message]]`."""

    within: str = ""
    hops: int | None = None
    from_: str | int = msgspec.field(name="from", default="")
    to: str | int = ""
    transport: str = "cache_line"
    samples: int | None = None
    send_ns: float | None = None
    receive_ns: float | None = None
    propagation_ns: float | None = None
    gap_ns: float | None = None
    round_trip_ns: float | None = None
    send_cycles: float | None = None
    receive_cycles: float | None = None
    propagation_cycles: float | None = None
    gap_cycles: float | None = None
    round_trip_cycles: float | None = None


class Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A fact of `[facts.SOURCE]` that was measured: its arguments, samples and spread."""

    args: list[str | int | float]
    samples: int | None = None
    spread: float | None = None


class Document(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A whole native description."""

    machine: Head
    structure: Tree | None = None
    part: list[Part] = []
    cache: list[Cache] = []
    memory: list[Memory] = []
    link: list[Link] = []
    device: list[Device] = []
    latency: list[Latency] = []
    bandwidth: list[Bandwidth] = []
    message: list[Message] = []
    facts: dict[str, dict[str, list[list[str | int | float] | Row]]] = {}
