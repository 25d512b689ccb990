"""Root complexes, bridges, functions and their registers out of a Barrelfish file.

A bridge is numbered by the first bus behind it, so that one bridge has one number in every file
about a machine; a bridge whose bus is not stated is 256 and its address (bus * 256 + device * 8 +
function). Predicates: `usr/acpi/acpi.c` and `usr/pci/pci.c` of Barrelfish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from skb.arguments import INTEGER_LIMIT
from skb.relations import Fact, Source, Value
from skb.sources.barrelfish_book import Address, Book, listed
from skb.sources.hwloc_facts import Collector

_UNNAMED = 256
_BRIDGE_CLASS = "0604"
_LEFT = "windows that end before they begin were left out"


@dataclass(slots=True)
class Root:
    """A root complex by its first bus; the last is None where it is not stated."""

    first: int
    last: int | None = None

    @property
    def id(self) -> str:
        return f"bridge:{self.first}"


@dataclass(slots=True)
class Function:
    """A PCI function: what it is, and the first bus behind it where it is a bridge."""

    address: Address
    code: str
    vendor: str
    device: str
    pin: int = -1
    secondary: int | None = None
    bridge: bool = False

    @property
    def id(self) -> str:
        at = self.address
        if not self.bridge:
            return f"pci:{at.busid}"
        if self.secondary is not None:
            return f"bridge:{self.secondary}"
        return f"bridge:{_UNNAMED + at.bus * 256 + at.slot * 8 + (at.function or 0)}"


class Tree:
    """The functions by address, and what holds each bus."""

    def __init__(self, book: Book, out: Collector) -> None:
        self.book = book
        self.out = out
        self.roots: dict[int, Root] = {}
        self.names: dict[str, int] = {}
        self.functions: dict[Address, Function] = {}
        self._twins: list[Function] = []
        self._windows: list[tuple[str, str, int, int, str]] = []
        self._read_roots()
        self._read_functions()
        self._behind = self._bridges_by_bus()

    # ------------------------------------------------------------ roots
    def _read_roots(self) -> None:
        for row in self.book.rows("rootcomplex_addr", "wa"):
            name, address = row.values
            if self.book.settle(self.names, name, address.bus, row.text):
                self.roots.setdefault(address.bus, Root(address.bus))
        begins: dict[Address, int] = {}
        for row in self.book.rows("rootbridge", "arr"):
            address, (_word, first, last), window = row.values
            if not first <= last <= 255:
                self.book.fault("ranges of buses that no PCI has were left out", row.text)
                first, last = address.bus, None
            root = self.roots.setdefault(first, Root(first))
            begins[address] = first
            if root.last is not None and last is not None and root.last != last:
                self.book.fault("facts that contradict an earlier one were left out", row.text)
            else:
                root.last = last
            self._window(root.id, window, row.text)
        for row in self.book.rows("rootbridge_address_window", "ar"):
            address, window = row.values
            first = begins.get(address, address.bus)
            root = self.roots.setdefault(first, Root(first))
            self._window(root.id, window, row.text)
        self._check_buses()

    def _window(self, name: str, window: tuple[str, int, int], text: str) -> None:
        word, low, high = window
        space = {"mem": "memory", "io": "io"}.get(word, "")
        if not space:
            self.book.fault("windows of an unknown kind were left out", text)
        elif high < low:
            self.book.fault(_LEFT, text)
        elif high == 0:
            self.book.fault("windows of no size were left out", text)
        else:
            self._windows.append((name, space, low, high, text))

    def _check_buses(self) -> None:
        stated = sorted(self.roots.values(), key=lambda root: root.first)
        for root, after in pairwise(stated):
            if root.last is not None and root.last >= after.first:
                self.book.fault(
                    "ranges of buses of two root complexes overlap",
                    f"{root.first} to {root.last} and {after.first}",
                )

    def state_windows(self) -> None:
        """State the windows; `rootbridge` repeats one of them, or several that touch."""
        end: dict[tuple[str, str], int] = {}
        last, before = -1, ""
        ordered = sorted(set(self._windows), key=lambda w: (w[1], w[2], -w[3], w[0]))
        for name, space, low, high, text in ordered:
            if high <= end.get((name, space), -1):
                self.book.fault("windows inside another of the same root complex say no more", text)
                continue
            end[name, space] = high
            self.out.claim("pci_window", name, space, low, high - low + 1)
            if space == "memory":
                if low <= last:
                    self.book.fault("windows that overlap were kept", f"{text} and {before}")
                if high > last:
                    last, before = high, text

    # ------------------------------------------------------------ functions
    def _read_functions(self) -> None:
        for row in self.book.rows("bridge", "waiiiiin"):
            _bus, address, vendor, device, base, sub, _interface, secondary = row.values
            known = secondary if secondary <= 255 else None
            if known is None:
                self.book.fault("bridges to a bus that no PCI has were kept without it", row.text)
            for at in address.functions:
                self._keep(at, (base << 8 | sub, vendor, device, -1), row.text, True, known)
        for row in self.book.rows("device", "waiiiiis"):
            _bus, address, vendor, device, base, sub, _interface, pin = row.values
            for at in address.functions:
                self._keep(at, (base << 8 | sub, vendor, device, pin), row.text)
        older = list(self.book.rows("device", "waiii"))
        if older:
            self.book.fault(
                "device facts of the older form, without interrupt pin and with the whole class "
                "register, were read as such",
                f"{len(older)} of device/5, first {older[0].text}",
            )
        for row in older:
            # the older form has the whole class register: class, interface and revision
            _bus, address, vendor, device, register = row.values
            for at in address.functions:
                self._keep(at, (register >> 16, vendor, device, -1), row.text)

    def _keep(
        self,
        address: Address,
        numbers: tuple[int, int, int, int],
        text: str,
        bridge: bool = False,
        secondary: int | None = None,
    ) -> None:
        code, vendor, device, pin = numbers
        if max(code, vendor, device) > 0xFFFF or not -1 <= pin <= 3:
            self.book.fault("functions with numbers that no PCI has were left out", text)
            return
        digits = f"{code:04x}"
        made = Function(
            address,
            digits,
            f"{vendor:04x}",
            f"{device:04x}",
            pin,
            secondary,
            bridge or digits == _BRIDGE_CLASS,
        )
        other = self.functions.setdefault(address, made)
        if other != made and secondary is not None and other.bridge:
            self.book.fault(
                "two bridges at one address, which no PCI has, were kept, because they lead to "
                "different buses",
                text,
            )
            self._twins.append(made)
        elif other != made:
            self.book.fault("facts that contradict an earlier one were left out", text)

    @property
    def every(self) -> list[Function]:
        """Every function, also the second one at an address."""
        return [*self.functions.values(), *self._twins]

    def _bridges_by_bus(self) -> dict[int, Function]:
        """What leads to each bus; a bridge to a bus that is taken, or to itself, leads nowhere."""
        found: dict[int, Function] = {}
        for function in self.every:
            bus = function.secondary
            if bus is None:
                continue
            text = f"{function.address.busid} to bus {bus}"
            if bus in self.roots or bus in found:
                self.book.fault("bridges to a bus that something else leads to, kept without", text)
                function.secondary = None
            elif self._circle(function, found):
                self.book.fault("bridges that lead to themselves, kept without their bus", text)
                function.secondary = None
            else:
                found[bus] = function
        return found

    def _circle(self, function: Function, found: Mapping[int, Function]) -> bool:
        bus, seen = function.address.bus, {function.secondary}
        while bus not in seen:
            seen.add(bus)
            if bus not in found:
                return False
            bus = found[bus].address.bus
        return True

    # ------------------------------------------------------------ statements
    def state(self, place_of: Mapping[int, str]) -> None:
        """State the tree; `place_of` is the part that a root complex is at, by its first bus."""
        lost = []
        for first in sorted(self.roots):
            if first in place_of:
                self.out.say("contains", place_of[first], self.roots[first].id)
            else:
                self._suppose("contains", "machine:0", self.roots[first].id)
                lost.append(self.roots[first].id)
        if lost:
            self.out.notes.append(
                f"nothing says which package a root complex is at; at the machine: {listed(lost)}"
            )
        self._state_buses()
        self._state_functions()

    def _suppose(self, predicate: str, *args: Value) -> None:
        self.out.facts.append(Fact(predicate, args, Source.DEFAULT.value, self.out.by))

    def _state_buses(self) -> None:
        open_ended = [first for first in sorted(self.roots) if self.roots[first].last is None]
        for first, root in self.roots.items():
            if root.last is not None:
                self.out.claim("bridge_buses", root.id, 0, first, root.last)
            else:
                above = min((bus for bus in self.roots if bus > first), default=256)
                self._suppose("bridge_buses", root.id, 0, first, above - 1)
        if open_ended:
            self.out.notes.append(
                "no rootbridge fact states the last bus of a root complex; it is taken to reach "
                f"up to the next one: {listed(self.roots[first].id for first in open_ended)}"
            )
        last = {bus: bus for bus in self._behind}
        for function in self.every:
            bus = function.address.bus
            while bus in self._behind:
                # every bridge on the way up reaches at least as far as what is behind it
                own = max(function.address.bus, function.secondary or 0)
                last[bus] = max(last[bus], own)
                bus = self._behind[bus].address.bus
        for bus, bridge in self._behind.items():
            self.out.say("bridge_buses", bridge.id, 0, bus, last[bus])

    def _holder(self, bus: int) -> tuple[str, bool]:
        """What a bus hangs under, and whether a fact says so."""
        if bus in self._behind:
            return self._behind[bus].id, True
        if bus in self.roots:
            return self.roots[bus].id, True
        below = [first for first in self.roots if first <= bus]
        if below and bus <= (self.roots[max(below)].last or 255):
            return self.roots[max(below)].id, False
        return "machine:0", False

    def _state_functions(self) -> None:
        unsaid: dict[int, str] = {}
        for function in self.every:
            holder, said = self._holder(function.address.bus)
            if said:
                self.out.say("contains", holder, function.id)
            else:
                self._suppose("contains", holder, function.id)
                unsaid[function.address.bus] = holder
            codes = (function.code, function.vendor, function.device)
            self.out.say("pci_id", function.id, *codes)
            if function.bridge:
                self.out.say("info", function.id, "PCIBusID", function.address.busid)
            if function.pin >= 0:
                self.out.say("interrupt_pin", function.id, function.pin)
        if unsaid:
            told = (f"bus {bus} at {holder}" for bus, holder in sorted(unsaid.items()))
            self.out.notes.append(
                "no bridge or rootbridge fact leads to some buses; their functions hang at the "
                f"root complex before them, else at the machine: {listed(told)}"
            )
        self._state_pathless()

    def _state_pathless(self) -> None:
        lone = [f.address.busid for f in self.every if f.bridge and f.secondary is None]
        if lone:
            self.out.notes.append(f"no fact says which bus is behind the bridges {listed(lone)}")


def state_registers(book: Book, tree: Tree, out: Collector) -> None:
    """State size, space and present address of every base address register."""
    strangers: dict[str, int] = {}
    crooked = []
    known: dict[tuple[str, int], tuple[int, int, str]] = {}
    for row in book.rows("bar", "aiiiwwi"):
        address, index, base, size, word, prefetch, bits = row.values
        space = _space(word, prefetch, bits)
        if not space or index > 6 or not size or base + size >= INTEGER_LIMIT:
            book.fault("registers with values that no PCI has were left out", row.text)
            continue
        for at in address.functions:
            function = tree.functions.get(at)
            if function is None:
                if address.function is not None:
                    strangers[at.busid] = strangers.get(at.busid, 0) + 1
                continue
            if not book.settle(known, (function.id, index), (base, size, space), row.text):
                continue
            out.say("pci_bar", function.id, index, size, space)
            out.say("pci_bar_base", function.id, index, base)
            if base % size:
                crooked.append(f"{function.id} {index}")
    if strangers:
        book.fault(
            f"{sum(strangers.values())} registers of functions that no device or bridge fact "
            "names were left out",
            listed(strangers),
        )
    if crooked:
        out.notes.append(
            f"{len(crooked)} registers hold an address that is no multiple of their size, as it "
            f"must be; kept as stated: {listed(crooked)}"
        )


def _space(word: str, prefetch: str, bits: int) -> str:
    """The address space of a register; `vf` is memory of a virtual function."""
    if word == "io":
        return "io"
    if word not in {"mem", "vf"} or bits not in {32, 64}:
        return ""
    kinds = {"prefetchable": f"prefetchable{bits}", "nonprefetchable": f"memory{bits}"}
    return kinds.get(prefetch, "")
