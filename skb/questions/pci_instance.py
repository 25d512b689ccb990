"""The instance of the pci question: for each host bridge what must lie in which windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from skb.decision import Assumption
from skb.engines.pci_packing import Problem
from skb.engines.pci_tree import LOW, Bar, Range, Root, Window, up
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.pci_request import PciRequest, number
from skb.questions.pci_tree_facts import Register, Tree, is_bridge, tree_of
from skb.wording import counted, listed

SHOWN = 6
# room is kept in whole pages of memory, and in as many I/O ports as a bridge's device may have
PAGE, PORTS = 4096, 16
MEMORY, IO = "memory", "io"
_LIES_IN = {
    "memory": frozenset({"memory", "prefetchable"}),
    "prefetchable": frozenset({"prefetchable"}),
    "io": frozenset({"io"}),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """Addresses where nothing may lie, and why; `user` where the request says so."""

    low: int
    high: int
    text: str
    domain: str

    @property
    def id(self) -> str:
        return f"reserved:{self.low:#x}"


@dataclass(frozen=True, slots=True)
class Room:
    """Room that is kept behind a bridge in one space."""

    bridge: str
    space: str
    size: int

    @property
    def id(self) -> str:
        return f"hotplug:{self.bridge}:{self.space}"


@dataclass(frozen=True, slots=True)
class Group:
    """What is decided at once: memory, or I/O ports, below one host bridge."""

    host: str
    domain: str
    roots: tuple[Root, ...]


@dataclass(slots=True)
class Instance:
    """What is asked; `pins` are the addresses that registers must have and who says so."""

    machine: Machine
    request: PciRequest
    tree: Tree
    groups: tuple[Group, ...]
    spaces: frozenset[str]
    taken: tuple[Taken, ...]
    rooms: tuple[Room, ...]
    pins: dict[tuple[str, int], tuple[int, str]]
    grains: Mapping[str, int]
    assumed: list[Assumption] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    # ------------------------------------------------------------ for the engine
    def problem(
        self,
        group: Group,
        pins: Mapping[tuple[str, int], int],
        taken: Sequence[Range],
        rooms: Sequence[Room] | None = None,
        without: frozenset[tuple[str, int]] = frozenset(),
    ) -> Problem:
        """Return what the engine packs: with these pins, ranges and rooms, `without` registers."""
        kept = self.rooms if rooms is None else rooms
        spaces = ("io",) if group.domain == IO else ("memory", "prefetchable")
        bars: list[Bar] = []
        windows: list[Window] = []
        for space in spaces:
            if space not in self.spaces:
                continue
            own, inner, _ = self._inside(group.host, space, pins, kept, without, True)
            bars += own
            windows += inner
        grain = min(self.grains[space] for space in spaces)
        return Problem(group.roots, tuple(bars), tuple(windows), tuple(taken), grain)

    def _inside(
        self,
        bridge: str,
        space: str,
        pins: Mapping[tuple[str, int], int],
        rooms: Sequence[Room],
        without: frozenset[tuple[str, int]],
        host: bool,
    ) -> tuple[list[Bar], list[Window], bool]:
        bars = []
        windows = []
        hollow = False
        for child in self.tree.children.get(bridge, ()):
            for register in self.registers_of(child):
                key = (child, register.index)
                if self.lies_in(register, host) == space and key not in without:
                    bars.append(
                        Bar(register.name, register.size, space, register.low, pins.get(key))
                    )
            if is_bridge(child):
                own, inner, bare = self._inside(child, space, pins, rooms, without, False)
                if own or inner:
                    windows.append(
                        Window(
                            f"{child} {space}",
                            space,
                            self.grains[space],
                            tuple(own),
                            tuple(inner),
                            space != "prefetchable",
                            bare,
                        )
                    )
                else:
                    hollow = True
        for room in rooms:
            if (room.bridge, room.space) == (bridge, space):
                low = space != "prefetchable"
                bars += [
                    Bar(f"{bridge} room {space} {at}", size, space, low)
                    for at, size in enumerate(powers(room.size))
                ]
        return bars, windows, hollow

    def lies_in(self, register: Register, host: bool) -> str:
        """Return the space of the window that a register lies in."""
        together = self.request.prefetchable == "with-memory" and not host
        return "memory" if register.space == "prefetchable" and together else register.space

    def registers_of(self, pci: str) -> Iterator[Register]:
        """The registers of a function that are asked about."""
        for index in range(7):
            register = self.tree.registers.get((pci, index))
            if register is not None and register.space in self.spaces:
                yield register

    def asked(self, group: Group) -> Iterator[Register]:
        """Every register of a group, by slot."""
        for name in self.tree.below(group.host):
            for register in self.registers_of(name):
                if (register.space == IO) == (group.domain == IO):
                    yield register

    def taken_in(self, group: Group) -> list[Taken]:
        """What is taken inside a group's windows."""
        return [
            each
            for each in self.taken
            if each.domain == group.domain
            and any(each.low < root.end and root.base < each.high for root in group.roots)
        ]


def powers(size: int) -> list[int]:
    """Return the powers of two that make up a number, the largest first."""
    return [1 << bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]


def bare_instance(machine: Machine, request: PciRequest) -> Instance:
    """Read tree and windows, without pins and ranges; raise `RequestError` for what is wrong."""
    tree = tree_of(machine, request)
    grains = _grains(request)
    groups, spaces, assumed, warnings = _groups(tree, request)
    made = Instance(
        machine,
        request,
        tree,
        groups,
        spaces,
        (),
        _rooms(tree, request, spaces),
        {},
        grains,
        assumed,
        [*tree.warnings, *warnings],
    )
    if not any(True for group in groups for _ in made.asked(group)) and not made.rooms:
        raise RequestError(
            f"{machine.name} states no registers behind "
            f"{listed(list(dict.fromkeys(group.host for group in groups)), SHOWN)}",
            place="pci",
            mend="add [[bar]] rows to the request, or import a description with registers",
        )
    return made


def _grains(request: PciRequest) -> dict[str, int]:
    grains = {}
    for space in ("memory", "prefetchable", "io"):
        grain = number(getattr(request.align, space), f"$.align.{space}")
        if grain < 1 or grain & (grain - 1) or grain >= LOW:
            raise RequestError(
                f"windows cannot be aligned to {grain} bytes",
                place=f"pci request $.align.{space}",
                mend="give a power of two below 4 GiB, such as 1048576",
            )
        grains[space] = grain
    return grains


# ------------------------------------------------------------------ host bridges
def _groups(
    tree: Tree, request: PciRequest
) -> tuple[tuple[Group, ...], frozenset[str], list[Assumption], list[str]]:
    """Return the groups, the spaces that are asked about, and what was left out."""
    hosts = tree.hosts
    named = [tree.find(name, f"$.below[{at}]", True) for at, name in enumerate(request.below)]
    for at, name in enumerate(named):
        if name not in hosts:
            raise RequestError(
                f"{name} is no host bridge",
                place=f"pci request $.below[{at}]",
                mend=f"host bridges are: {listed(hosts, SHOWN)}",
            )
    chosen = list(dict.fromkeys(named))
    windows = _windows(tree, request, hosts)
    groups = []
    warnings = []
    for host in chosen or hosts:
        own = windows.get(host, [])
        for domain in (MEMORY, IO):
            roots = tuple(
                Root(host, _LIES_IN[space], low, high)
                for space, low, high in own
                if (space == IO) == (domain == IO)
            )
            if roots:
                groups.append(Group(host, domain, roots))
    if not groups:
        names = listed(chosen or hosts, SHOWN) or tree.machine.name
        raise RequestError(
            f"no window of a host bridge is stated for {names}",
            place="pci request $.window",
            mend='add [[window]] with bridge, space, base and size, such as base = "0xd0000000"',
        )
    there = frozenset().union(*(root.spaces for group in groups for root in group.roots))
    spaces = frozenset(request.space or there)
    for at, space in enumerate(request.space):
        if space not in there:
            raise RequestError(
                f"no window of a host bridge takes {space}",
                place=f"pci request $.space[{at}]",
                mend=f'add [[window]] with space = "{space}"',
            )
    warnings += _left_out(tree, groups, spaces, bool(request.below), bool(request.space))
    return tuple(groups), spaces, [], warnings


def _windows(
    tree: Tree, request: PciRequest, hosts: Sequence[str]
) -> dict[str, list[tuple[str, int, int]]]:
    """Return space, base and end of the windows of each host bridge."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    replaced = set()
    for at, row in enumerate(request.window):
        place = f"$.window[{at}]"
        if row.bridge is None and len(hosts) != 1:
            raise RequestError(
                f"{tree.machine.name} has {counted(len(hosts), 'host bridge')}",
                place=f"pci request {place}.bridge",
                mend=f"name one of {listed(hosts, SHOWN)}" if hosts else "add a [[bridge]]",
            )
        host = hosts[0] if row.bridge is None else tree.find(row.bridge, f"{place}.bridge", True)
        if host not in hosts:
            raise RequestError(
                f"{host} is no host bridge: the windows of others are decided",
                place=f"pci request {place}.bridge",
                mend=f"host bridges are: {listed(hosts, SHOWN)}",
            )
        base, size = number(row.base, f"{place}.base"), number(row.size, f"{place}.size")
        if not size or base + size > 1 << 64:
            raise RequestError(
                f"a window of {size} bytes at {base:#x} is not inside 64 bits",
                place=f"pci request {place}.size",
                mend="give a size of at least 1 that ends below 2^64",
            )
        found.setdefault(host, []).append((row.space, base, base + size))
        replaced.add((host, row.space))
    for fact in tree.machine.facts_of("pci_window"):
        host, space = str(fact.args[0]), str(fact.args[1])
        base, size = int(str(fact.args[2])), int(str(fact.args[3]))
        if host in hosts and size and (host, space) not in replaced:
            found.setdefault(host, []).append((space, base, base + size))
    return {host: _joined(host, rows) for host, rows in found.items()}


def _joined(host: str, rows: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Return windows of one host bridge that do not overlap: those that touch become one."""
    joined: list[tuple[str, int, int]] = []
    for space, low, high in sorted(set(rows), key=lambda row: (row[0] == IO, row[1], row[2])):
        if joined and (joined[-1][0] == IO) == (space == IO) and low < joined[-1][2]:
            if joined[-1][0] != space:
                raise RequestError(
                    f"the memory and prefetchable windows of {host} overlap at {low:#x}",
                    place="pci request $.window",
                    mend="state windows that lie apart",
                )
            joined[-1] = (space, joined[-1][1], max(high, joined[-1][2]))
        elif joined and joined[-1][0] == space and low == joined[-1][2]:
            joined[-1] = (space, joined[-1][1], high)
        else:
            joined.append((space, low, high))
    return joined


def _left_out(
    tree: Tree, groups: Sequence[Group], spaces: frozenset[str], below: bool, chosen: bool
) -> list[str]:
    """Say which registers nobody decides, because no window that is stated leads to them."""
    there = {(group.host, space) for group in groups for r in group.roots for space in r.spaces}
    lost: dict[str, list[str]] = {}
    for (pci, _index), register in tree.registers.items():
        host = tree.host_of(tree.parents[pci])
        if host is None:
            lost.setdefault("behind no host bridge", []).append(register.name)
        elif chosen and register.space not in spaces:
            continue
        elif (host, register.space) not in there and not (
            below and host not in {group.host for group in groups}
        ):
            text = f"{register.space} registers behind {host}, which states no window for them"
            lost.setdefault(text, []).append(register.name)
    return [
        f"left out: {counted(len(names), 'register')}, {text}: {listed(names, SHOWN)}"
        for text, names in lost.items()
    ]


def _rooms(tree: Tree, request: PciRequest, spaces: frozenset[str]) -> tuple[Room, ...]:
    found: dict[tuple[str, str], int] = {}
    for at, row in enumerate(request.hotplug):
        place = f"$.hotplug[{at}]"
        bridge = tree.find(row.bridge, f"{place}.bridge", True)
        for space in ("memory", "prefetchable", "io"):
            size = number(getattr(row, space), f"{place}.{space}")
            if size and space not in spaces:
                raise RequestError(
                    f"no window of a host bridge takes {space}",
                    place=f"pci request {place}.{space}",
                    mend=f'add [[window]] with space = "{space}"',
                )
            found[bridge, space] = found.get((bridge, space), 0) + size
    return tuple(
        Room(bridge, space, up(size, PORTS if space == IO else PAGE))
        for (bridge, space), size in found.items()
        if size
    )


# ------------------------------------------------------------------ words
def window_words(root: Root) -> str:
    """Name a window of a host bridge."""
    kind = "I/O" if IO in root.spaces else "memory" if MEMORY in root.spaces else "prefetchable"
    return f"the {kind} window of {root.name} at {root.base:#x}"


def amount(size: int) -> str:
    """Write bytes with a binary unit where that is exact to three digits."""
    for unit, bits in (
        ("EiB", 60),
        ("PiB", 50),
        ("TiB", 40),
        ("GiB", 30),
        ("MiB", 20),
        ("KiB", 10),
    ):
        if size >= 1 << bits:
            return f"{size / (1 << bits):.6g} {unit}"
    return counted(size, "byte")
