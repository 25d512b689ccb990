"""Random PCI trees, the fill series, and stand-ins for systems of which only sums are published.

Sums and windows of the stand-ins are those of A. Schüpbach et al., *A declarative language approach
to device configuration* (ASPLOS 2011), table 3, in MiB; their registers are drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skb.machine import Machine
from skb.relations import Fact

KIB, MIB = 1 << 10, 1 << 20
BASE = 0xB0000000
# a series ends where so much is full and nothing more fits
FULL = 0.96
MOST = 0.97
# sizes in MiB of the instances that are compared with the clingo and CP-SAT prototypes
MIXED = (1, 1, 1, 2, 4, 8, 16, 32, 64, 256)


# what each of the first eight bridges of the published series is behind
PUBLISHED = (0, 1, 2, 2, 1, 5, 0, 0)


@dataclass(frozen=True, slots=True)
class StandIn:
    """A system as published: sum of all registers and the window, in bytes."""

    total: int
    window: int


STAND_INS: Mapping[str, StandIn] = {
    "nos3": StandIn(int(312.25 * MIB), 1248 * MIB),
    "nos4": StandIn(int(256.375 * MIB), 544 * MIB),
    "nos5": StandIn(int(256.375 * MIB), 512 * MIB),
    "nos6": StandIn(int(16.5625 * MIB), 37 * MIB),
    "sbrinz1": StandIn(int(128.3125 * MIB), 256 * MIB),
    "sbrinz2": StandIn(129 * MIB, 256 * MIB),
    "ziger": StandIn(int(8.234375 * MIB), 32 * MIB),
}


@dataclass(frozen=True, slots=True)
class Device:
    """A function: the bridge that it is behind, and size and space of its registers."""

    bridge: int
    bars: tuple[tuple[int, str], ...]


def machine_of_tree(
    name: str,
    parents: Sequence[int],
    devices: Sequence[Device],
    window: int,
    base: int = BASE,
    more: Sequence[Fact] = (),
) -> Machine:
    """Return a machine: bridge 0 is the host bridge, `parents[n]` what bridge n + 1 is behind."""
    facts = [
        Fact("contains", ("machine:0", "bridge:0")),
        Fact("pci_window", ("bridge:0", "memory", base, window)),
    ]
    for at, parent in enumerate(parents, 1):
        facts.append(Fact("contains", (f"bridge:{parent}", f"bridge:{at}")))
    slots: dict[int, int] = {}
    for device in devices:
        slot = slots.get(device.bridge, 0)
        slots[device.bridge] = slot + 1
        bus, rest = device.bridge, slot // 8
        pci = f"pci:{bus // 256:04x}:{bus % 256:02x}:{rest % 32:02x}.{slot % 8}"
        if rest >= 32:
            pci = f"pci:{1 + rest // 32:04x}:{bus % 256:02x}:{rest % 32:02x}.{slot % 8}"
        facts.append(Fact("contains", (f"bridge:{device.bridge}", pci)))
        for index, (size, space) in enumerate(device.bars):
            facts.append(Fact("pci_bar", (pci, index, size, space)))
    return Machine(name, [*facts, *more])


def mixed(count: int, seed: int = 0) -> Machine:
    """Return so many registers of 1 to 256 MiB behind a quarter as many bridges."""
    draw = random.Random(seed * 77 + count)
    bridges: list[int] = []
    for _ in range(max(1, count // 4)):
        bridges.append(draw.randrange(len(bridges) + 1) if draw.random() < 0.4 else 0)
    devices = [
        Device(draw.randrange(len(bridges) + 1), ((draw.choice(MIXED) * MIB, "prefetchable64"),))
        for _ in range(count)
    ]
    return machine_of_tree(f"mixed{count}", bridges, devices, 64 << 30, 64 << 30)


def random_tree(seed: int, bars: int = 8, prefetchable: bool = True) -> Machine:
    """Return a small tree of registers from 256 bytes to 8 MiB, of both kinds of memory."""
    draw = random.Random(seed)
    bridges = [draw.randrange(at + 1) for at in range(draw.randint(0, 4))]
    kinds = [
        "memory32",
        "memory64",
        *(["prefetchable32", "prefetchable64"] if prefetchable else []),
    ]
    sizes = [256, 4 * KIB, 64 * KIB, 512 * KIB, *(MIB << n for n in (0, 0, 1, 1, 2, 3))]
    devices = [
        Device(draw.randint(0, len(bridges)), ((draw.choice(sizes), draw.choice(kinds)),))
        for _ in range(bars)
    ]
    return machine_of_tree(f"tree{seed}", bridges, devices, 64 * MIB)


def fill_series(seed: int, window: int = 512 * MIB, most: float = MOST) -> Iterator[Machine]:
    """Add one register after the other, bus by bus, until so much of the window is needed.

    There are 16 buses with 10 registers each, 128 KiB to 64 MiB on the first and down to 16 KiB on
    the last, behind 15 bridges; what would pass the share is left out, and ends a full series.
    """
    draw = random.Random(seed)
    bridges = [draw.randrange(max(0, at - 3), at + 1) for at in range(15)]
    chosen: list[Device] = []
    total = 0
    for bus in range(16):
        first = 17 if bus < 9 else 14
        sizes = [1 << bits for bits in range(first, first + 10)]
        draw.shuffle(sizes)
        for size in sizes:
            if total + size > most * window:
                if total > FULL * window:
                    return
            else:
                total += size
                chosen.append(Device(bus, ((size, "memory64"),)))
                yield machine_of_tree(f"fill{seed}", bridges, chosen, window)


def published_series() -> Iterator[Machine]:
    """Add the 33 registers of the published series one after the other, up to 96.8 % of 512 MiB.

    The first three buses have ten each, 128 KiB to 64 MiB, then a fourth gets its first, and 32 and
    64 MiB lie behind a bridge behind a bridge without registers. An I/O APIC follows the window,
    whose first address the published orders keep off, with the one before it.
    """
    sizes = [16 * MIB, 32 * MIB, 64 * MIB, *(KIB << bits for bits in range(7, 14))]
    rows = [(bus, size) for bus in range(3) for size in sizes]
    rows += [(3, 16 * MIB), (6, 32 * MIB), (6, 64 * MIB)]
    devices = [Device(bus, ((size, "memory64"),)) for bus, size in rows]
    window = 512 * MIB
    behind = Fact(
        "reserved_range", ("machine:0", BASE + window, 4 * KIB, "registers of I/O APIC 0")
    )
    yield from filled(machine_of_tree("published", PUBLISHED, devices, window, more=[behind]))


def filled(machine: Machine, most: float = MOST) -> Iterator[Machine]:
    """Add one register of a machine after the other, until so much of its windows is needed.

    Registers of ports, and those behind no host bridge with a window, are left out.
    """
    windows = {
        str(fact.args[0]): int(fact.args[3])
        for fact in machine.facts
        if fact.predicate == "pci_window" and fact.args[1] != "io"
    }
    room, total = sum(windows.values()), 0
    taken: list[Fact] = []
    others = [fact for fact in machine.facts if fact.predicate != "pci_bar"]
    for fact in machine.facts:
        if fact.predicate != "pci_bar" or fact.args[3] == "io":
            continue
        if windows.keys().isdisjoint(machine.ancestors(str(fact.args[0]))):
            continue
        total += int(fact.args[2])
        if total > most * room:
            return
        taken.append(fact)
        yield Machine(machine.name, [*others, *taken])


def stand_in(name: str) -> Machine:
    """Return registers at random that add up to a published sum, behind four bridges."""
    system = STAND_INS[name]
    draw = random.Random(name)
    left = system.total
    devices: list[Device] = []
    while left:
        # the largest power of two that fits comes first, as one large register does in those
        size = 1 << (left.bit_length() - 1)
        if devices and size > 4 * KIB and draw.random() < 0.5:
            size >>= draw.randint(1, 2)
        size = max(size, 4 * KIB)
        left -= min(size, left)
        kind = "prefetchable32" if size >= 16 * MIB and draw.random() < 0.5 else "memory32"
        devices.append(Device(draw.randint(0, 4), ((size, kind),)))
    return machine_of_tree(name, [0, 0, 0, 1], devices, system.window)
