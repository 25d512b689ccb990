"""What the judge of pci reads for itself: tree, registers, windows, pins and ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from skb.machine import Machine

Range = tuple[int, int]
GRAINS = {"memory": 1 << 20, "prefetchable": 1 << 20, "io": 4096}
FOUR_GIB = 2**32
PAGE = 4096
_EXPONENTS = {"K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def size_of(value: int | str) -> int:
    """Read bytes from a number or a text with hexadecimal digits or a unit."""
    if isinstance(value, int):
        return value
    text = value.strip().upper()
    if text.startswith("0X"):
        digits = text[2:]
        if digits and all(letter in "0123456789ABCDEF" for letter in digits):
            return int(digits, 16)
    text = text.removesuffix("B").removesuffix("I")
    power = _EXPONENTS.get(text[-1:], 0)
    # a hexadecimal number may carry a unit too, such as 0x10 MiB
    count = int(text[:-1] if power else text, 0 if text.startswith("0X") else 10)
    return count << 10 * power


@dataclass(slots=True)
class Asked:
    """The tree by parent, the registers as (size, kind of space), and what bounds them."""

    machine: Machine
    request: Mapping[str, Any]
    parent: dict[str, str] = field(default_factory=dict)
    bars: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    present: dict[tuple[str, int], int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    # ------------------------------------------------------------ tree
    def bridges_above(self, name: str) -> list[str]:
        """The bridges that a part is behind, the nearest first, the host bridge last."""
        found = []
        at = self.parent.get(name, "")
        while at.startswith("bridge:"):
            found.append(at)
            at = self.parent.get(at, "")
        return found

    def named(self, name: str, bridge: bool = False) -> str:
        """Return the part that a request means."""
        if name in self.parent and (not bridge or name.startswith("bridge:")):
            return name
        short = name.removeprefix("pci:").lower()
        short = short if short.count(":") == 2 else f"0000:{short}"
        domain, _, rest = short.partition(":")
        known = self.names.get(f"{int(domain, 16):04x}:{rest}", [])
        return next(part for part in known if not bridge or part.startswith("bridge:"))

    def hosts(self) -> set[str]:
        return {
            part
            for part, above in self.parent.items()
            if part.startswith("bridge:") and not above.startswith("bridge:")
        }

    # ------------------------------------------------------------ windows
    def windows(self) -> list[tuple[str, str, int, int]]:
        """Host bridge, space, base and end of every window of a host bridge."""
        hosts = self.hosts()
        given = []
        for row in self.request.get("window", []):
            host = next(iter(hosts))
            if row.get("bridge") is not None:
                host = self.named(row["bridge"], True)
            base = size_of(row["base"])
            given.append((host, row.get("space", "memory"), base, base + size_of(row["size"])))
        replaced = {(host, space) for host, space, _low, _high in given}
        for fact in self.machine.facts_of("pci_window"):
            host, space = str(fact.args[0]), str(fact.args[1])
            base, size = int(str(fact.args[2])), int(str(fact.args[3]))
            if host in hosts and (host, space) not in replaced and size:
                given.append((host, space, base, base + size))
        below = {self.named(name, True) for name in self.request.get("below", [])} or hosts
        whole: list[tuple[str, str, int, int]] = []
        for row in sorted(row for row in given if row[0] in below):
            last = whole[-1] if whole else row
            if whole and last[:2] == row[:2] and row[2] <= last[3]:
                # a host bridge forwards two windows that touch as one
                whole[-1] = (*last[:3], max(last[3], row[3]))
            else:
                whole.append(row)
        return whole

    def spaces(self) -> set[str]:
        """The spaces that are asked about."""
        there = {space for _host, space, _low, _high in self.windows()}
        there |= {"prefetchable"} if "memory" in there else set()
        return set(self.request.get("space", [])) or there

    def expected(self) -> Iterator[tuple[str, int]]:
        """Every register that must be in the answer."""
        windows, spaces = self.windows(), self.spaces()
        for (pci, index), (_size, kind) in self.bars.items():
            above = self.bridges_above(pci)
            space = plain(kind)
            if not above or space not in spaces:
                continue
            if any(host == above[-1] and takes(own, space) for host, own, _a, _b in windows):
                yield pci, index

    def space_behind(self, pci: str, kind: str) -> str:
        """The space of the bridge windows that lead to a register."""
        together = self.request.get("prefetchable") == "with-memory"
        if plain(kind) == "prefetchable" and together and len(self.bridges_above(pci)) > 1:
            return "memory"
        return plain(kind)

    def grain(self, space: str) -> int:
        return size_of(self.request.get("align", {}).get(space, GRAINS[space]))

    # ------------------------------------------------------------ pins and ranges
    def io_apics(self) -> list[int]:
        return [int(str(fact.args[1])) for fact in self.machine.facts_of("ioapic")]

    def holds_io_apic(self, key: tuple[str, int]) -> bool:
        base, size = self.present.get(key), self.bars[key][0]
        if base is None or self.bars[key][1] == "io":
            return False
        return any(
            base <= page and page + PAGE <= base + max(size, PAGE) for page in self.io_apics()
        )

    def pins(self) -> dict[tuple[str, int], int]:
        """The address of each register that must have one."""
        found = {}
        for row in self.request.get("pin", []):
            key = (self.named(row["pci"]), row["bar"])
            found[key] = self.present[key] if row.get("base") is None else size_of(row["base"])
        keep = self.request.get("keep", ["ioapic"])
        windows = self.windows()
        for key in self.expected():
            base = self.present.get(key)
            if base is None or key in found:
                continue
            code = self.machine.fact("pci_id", key[0])
            usb = code is not None and str(code.args[1]).lower().zfill(4) == "0c03"
            if (
                "all" in keep
                or ("usb" in keep and usb)
                or ("ioapic" in keep and self.holds_io_apic(key))
            ):
                end = base + self.bars[key][0]
                if any(low <= base and end <= high for _host, _space, low, high in windows):
                    found[key] = base
        return found

    def reserved(self, memory: bool) -> list[Range]:
        """Ranges where nothing may lie; not the page of an I/O APIC in a register that stays."""
        rows = []
        for row in self.request.get("reserved", []):
            if (row.get("space", "memory") == "memory") == memory:
                rows.append((size_of(row["base"]), size_of(row["base"]) + size_of(row["size"])))
        if not memory:
            return rows
        for fact in self.machine.facts_of("reserved_range"):
            base = int(str(fact.args[1]))
            rows.append((base, base + int(str(fact.args[2]))))
        rows += [(base, base + PAGE) for base in self.io_apics()]
        own = [
            (base, base + max(self.bars[key][0], PAGE))
            for key, base in self.pins().items()
            if self.holds_io_apic(key) and base == self.present.get(key)
        ]
        if "ioapic" not in self.request.get("keep", ["ioapic"]):
            own = []
        return [(a, b) for a, b in rows if not any(x <= a and b <= y for x, y in own)]


def plain(kind: str) -> str:
    """The space of a register without its width."""
    return kind.removesuffix("32").removesuffix("64")


def takes(window: str, space: str) -> bool:
    """Whether a host bridge's window of one space may hold another."""
    return window == space or (window == "memory" and space == "prefetchable")


def read_asked(machine: Machine, request: Mapping[str, Any]) -> Asked:
    """Read the tree with what the request adds."""
    asked = Asked(machine, request)
    for fact in machine.facts_of("contains"):
        if str(fact.args[1]).startswith(("bridge:", "pci:")):
            asked.parent[str(fact.args[1])] = str(fact.args[0])
    for part in asked.parent:
        if part.startswith("pci:"):
            asked.names.setdefault(part.removeprefix("pci:").lower(), []).append(part)
    for fact in machine.facts_of("info"):
        if fact.args[1] == "PCIBusID":
            asked.names.setdefault(str(fact.args[2]).lower(), []).append(str(fact.args[0]))
    for row in request.get("bridge", []):
        name = row["name"] if row["name"].startswith("bridge:") else f"bridge:{row['name']}"
        above = row.get("at")
        asked.parent[name] = "machine:0" if above is None else asked.named(above, True)
    for fact in machine.facts_of("pci_bar"):
        pci, index, size, kind = fact.args
        if size and str(pci) in asked.parent:
            _keep(asked, str(pci), int(str(index)), int(str(size)), str(kind))
    bases = {
        (str(f.args[0]), int(str(f.args[1]))): int(str(f.args[2]))
        for f in machine.facts_of("pci_bar_base")
    }
    for row in request.get("bar", []):
        try:
            pci = asked.named(row["pci"])
        except StopIteration:
            short = row["pci"].removeprefix("pci:").lower()
            pci = f"pci:{short if short.count(':') == 2 else f'0000:{short}'}"
            asked.parent[pci] = asked.named(row["at"], True)
            asked.names[pci.removeprefix("pci:")] = [pci]
        asked.bars.pop((pci, row["bar"]), None)
        if size_of(row["size"]):
            _keep(asked, pci, row["bar"], size_of(row["size"]), row.get("space", "memory32"))
    for key, base in bases.items():
        if base and key in asked.bars and base % asked.bars[key][0] == 0:
            asked.present[key] = base
    return asked


def _keep(asked: Asked, pci: str, index: int, size: int, kind: str) -> None:
    whole = 1
    while whole < size:
        whole *= 2
    asked.bars[pci, index] = (whole, kind)
