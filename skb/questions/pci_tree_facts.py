"""The PCI tree of a machine with what a request adds: bridges, registers, where they hang."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from skb.arguments import KINDS
from skb.errors import RequestError
from skb.machine import Machine, kind_of, object_order
from skb.questions.pci_request import PciRequest, number

_BUSID = re.compile(r"(?:pci:)?(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])")
MOST_BAR = 6
MOST_REGISTERS = 10_000
DEEPEST = 64
USB_CLASS = "0c03"


@dataclass(slots=True)
class Register:
    """A register as stated: `space` without its width, `base` at present, None where unset."""

    pci: str
    index: int
    size: int
    space: str
    low: bool
    base: int | None
    stated: int

    @property
    def name(self) -> str:
        return f"{self.pci} bar {self.index}"


@dataclass(slots=True)
class Tree:
    """Bridges and functions by what they hang under, and their registers."""

    machine: Machine
    parents: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    registers: dict[tuple[str, int], Register] = field(default_factory=dict)
    by_address: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> list[str]:
        """The host bridges: bridges that are behind none."""
        return sorted(
            (name for name, at in self.parents.items() if is_bridge(name) and not is_bridge(at)),
            key=object_order,
        )

    def below(self, name: str) -> Iterator[str]:
        """Everything behind a bridge, in the order of its slots."""
        for child in self.children.get(name, ()):
            yield child
            yield from self.below(child)

    def host_of(self, name: str) -> str | None:
        """Return the host bridge of a part, None where there is none."""
        found = None
        at: str | None = name
        while at is not None:
            found = at if is_bridge(at) else found
            at = self.parents.get(at)
        return found

    def find(self, name: str, place: str, bridge: bool = False) -> str:
        """Return the part that a request calls `bridge:3`, `pci:0000:01:00.0` or `01:00.0`."""
        if name in self.parents and (is_bridge(name) or not bridge):
            return name
        found = [n for n in self.by_address.get(busid(name), ()) if is_bridge(n) or not bridge]
        if len(found) == 1:
            return found[0]
        kind = "bridge" if bridge else "PCI function"
        known = [n for n in self.parents if is_bridge(n) == bridge][:6]
        raise RequestError(
            f"{self.machine.name} has {'several' if found else 'no'} {kind} {name}",
            place=f"pci request {place}",
            mend=f"there are {', '.join(found or known)}" if found or known else "add a [[bridge]]",
        )


def is_bridge(name: str) -> bool:
    return kind_of(name) == "bridge"


def busid(name: str) -> str:
    """Return a PCI address with its domain, or an empty string."""
    found = _BUSID.fullmatch(name)
    if not found:
        return ""
    return f"{int(found[1] or '0', 16):04x}:{found[2]}:{found[3]}.{found[4]}".lower()


def tree_of(machine: Machine, request: PciRequest) -> Tree:
    """Read the tree; raise `RequestError` for what the request has wrong."""
    tree = Tree(machine)
    for fact in machine.facts_of("contains"):
        parent, child = str(fact.args[0]), str(fact.args[1])
        if kind_of(child) in ("bridge", "pci"):
            tree.parents[child] = parent
    for fact in machine.facts_of("info"):
        if fact.args[1] == "PCIBusID" and str(fact.args[0]) in tree.parents:
            tree.by_address.setdefault(busid(str(fact.args[2])), []).append(str(fact.args[0]))
    for name in tree.parents:
        if not is_bridge(name) and busid(name):
            tree.by_address.setdefault(busid(name), []).append(name)
    _added_bridges(tree, request)
    _stated(tree)
    _added_bars(tree, request)
    _check_size(tree)
    for name in sorted(tree.parents, key=object_order):
        tree.children.setdefault(tree.parents[name], []).append(name)
    return tree


def _check_size(tree: Tree) -> None:
    """Refuse what no PCI tree is, before anything walks down it."""
    if len(tree.registers) > MOST_REGISTERS:
        raise RequestError(
            f"{len(tree.registers)} registers are more than {MOST_REGISTERS}",
            place="pci",
            mend="ask about fewer host bridges, each as a machine of its own",
        )
    for name in tree.parents:
        depth, at = 0, name
        while at in tree.parents:
            depth, at = depth + 1, tree.parents[at]
            if depth > DEEPEST:
                raise RequestError(
                    f"{name} is behind more than {DEEPEST} bridges",
                    place="pci",
                    mend="correct the contains facts, or the bridge rows of the request",
                )


def _added_bridges(tree: Tree, request: PciRequest) -> None:
    for at, row in enumerate(request.bridge):
        place = f"$.bridge[{at}]"
        name = row.name if row.name.startswith("bridge:") else f"bridge:{row.name}"
        if name in tree.parents:
            raise RequestError(
                f"there is a {name} already",
                place=f"pci request {place}.name",
                mend="choose another name",
            )
        if kind_of(name) not in KINDS or not re.fullmatch(r"[^\s,()\"'<>&]{1,200}", name):
            raise RequestError(
                f"{row.name!r} is no name of a bridge",
                place=f"pci request {place}.name",
                mend='name it as "bridge:900"',
            )
        tree.parents[name] = (
            "machine:0" if row.at is None else tree.find(row.at, f"{place}.at", True)
        )


def _stated(tree: Tree) -> None:
    """Read the registers of the facts."""
    machine = tree.machine
    bases = {
        (str(f.args[0]), int(str(f.args[1]))): int(str(f.args[2]))
        for f in machine.facts_of("pci_bar_base")
    }
    for fact in machine.facts_of("pci_bar"):
        pci, index, size = str(fact.args[0]), int(str(fact.args[1])), int(str(fact.args[2]))
        if size and pci in tree.parents:
            _add(tree, pci, index, size, str(fact.args[3]), bases.get((pci, index)))


def _added_bars(tree: Tree, request: PciRequest) -> None:
    seen: set[tuple[str, int]] = set()
    for at, row in enumerate(request.bar):
        place = f"$.bar[{at}]"
        if not 0 <= row.bar <= MOST_BAR:
            raise RequestError(
                f"no function has a register {row.bar}",
                place=f"pci request {place}.bar",
                mend=f"registers are 0 to {MOST_BAR}",
            )
        size = number(row.size, f"{place}.size")
        if row.at is not None and not tree.by_address.get(busid(row.pci)) and busid(row.pci):
            pci = f"pci:{busid(row.pci)}"
            tree.parents[pci] = tree.find(row.at, f"{place}.at", True)
            tree.by_address[busid(row.pci)] = [pci]
        else:
            pci = tree.find(row.pci, f"{place}.pci")
        if (pci, row.bar) in seen:
            raise RequestError(
                f"{pci} bar {row.bar} has two rows",
                place=f"pci request {place}",
                mend="leave one of them out",
            )
        seen.add((pci, row.bar))
        old = tree.registers.pop((pci, row.bar), None)
        if size:
            _add(tree, pci, row.bar, size, row.space, old.base if old else None)


def _add(tree: Tree, pci: str, index: int, size: int, word: str, base: int | None) -> None:
    """Keep a register; one whose size is no power of two decodes up to the next."""
    whole = 1 << (size - 1).bit_length()
    if whole != size:
        tree.warnings.append(
            f"{pci} bar {index} states {size} bytes, which is no power of two: {whole} are taken"
        )
    space = word.rstrip("0123456789")
    low = word.endswith("32") or space == "io"
    if whole >= 1 << (32 if low else 63):
        raise RequestError(
            f"{pci} bar {index} of {size} bytes fits no address space of {32 if low else 64} bits",
            place="pci",
            mend="correct its size, or make it a 64-bit register",
        )
    held = base if base and base % whole == 0 else None
    tree.registers[pci, index] = Register(pci, index, whole, space, low, held, size)
