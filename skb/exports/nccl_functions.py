"""The PCI functions and bridges that lead to GPUs and network devices, as NCCL wants them."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property

from skb.machine import Machine, kind_of

_BUSID = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_FUNCTIONS = frozenset({"pci", "bridge"})
_KINDS = frozenset({"gpu", "coprocessor", "network", "openfabrics"})
_CLASSES = ("03", "02", "12", "0b40")
# GT/s, and GB/s of one lane in one direction after the encoding (PCI-SIG; 8b/10b, 128b/130b)
_LANES = (
    ("2.5", 0.25),
    ("5", 0.5),
    ("8", 8 * 128 / 130 / 8),
    ("16", 16 * 128 / 130 / 8),
    ("32", 32 * 128 / 130 / 8),
    ("64", 64 * 242 / 256 / 8),
    # what some count for it, as if it were encoded like the others
    ("64", 64 * 128 / 130 / 8),
)
_WIDTHS = (16, 8, 4, 2, 1, 32, 12)
_TOLERANCE = 0.005


def link_attributes(gbytes_per_s: float | None) -> dict[str, str]:
    """Return rate and width of a PCI link with this bandwidth, empty where none has it.

    NCCL multiplies the two, so that of several pairs with one bandwidth the widest serves.
    """
    for width in _WIDTHS:
        for rate, lane in _LANES:
            if gbytes_per_s and abs(lane * width - gbytes_per_s) <= _TOLERANCE * gbytes_per_s:
                return {"link_speed": f"{rate} GT/s", "link_width": str(width)}
    return {"link_speed": "", "link_width": ""}


class Functions:
    """What is on the way to a GPU or NIC; `tops` are the outermost functions and bridges."""

    def __init__(self, machine: Machine, notes: list[str]) -> None:
        self.machine = machine
        self._devices: dict[str, list[str]] = defaultdict(list)
        self._below: dict[str, list[str]] = defaultdict(list)
        self.tops: list[str] = []
        self.homeless: list[str] = []
        wanted = dict.fromkeys(self._wanted())
        for device in machine.of_kind("device"):
            if self.kinds(device) & _KINDS:
                function = self.function_of(device)
                if function:
                    self._devices[function].append(device)
                    wanted[function] = None
                else:
                    self.homeless.append(device)
        for function in wanted:
            self._add_way(function)
        if self.homeless:
            notes.append(
                "NCCL finds devices on PCI only; of these, network devices hang at the first CPU "
                f"and others are left out: {', '.join(self.homeless)[:400]}"
            )
        unknown = [name for name in self._seen if not self.attributes(name)["link_speed"]]
        if unknown:
            notes.append(
                f"{len(unknown)} PCI links have no speed that PCIe has; NCCL reads them on the "
                "host, or assumes 16 lanes of PCIe 3"
            )

    @cached_property
    def _kinds(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for fact in self.machine.facts_of("device_kind"):
            found[str(fact.args[0])].add(str(fact.args[1]))
        return {name: frozenset(kinds) for name, kinds in found.items()}

    def kinds(self, device: str) -> frozenset[str]:
        return self._kinds.get(device, frozenset())

    def _wanted(self) -> list[str]:
        """Return the functions whose class is that of a GPU, accelerator or network adapter."""
        facts = self.machine.facts_of("pci_id")
        return [
            str(fact.args[0])
            for fact in facts
            if str(fact.args[1]).startswith(_CLASSES) and self.bus(str(fact.args[0]))
        ]

    def bus(self, name: str) -> str:
        """Return the bus id of a function or bridge, empty for a host bridge or an odd name."""
        if kind_of(name) == "pci":
            text = name.partition(":")[2]
        else:
            text = str(self.machine.value("info", name, "PCIBusID") or "")
        return text if _BUSID.fullmatch(text) else ""

    def function_of(self, name: str) -> str:
        """Return the function that a device is on, or the part itself; empty where there is
        none.
        """
        for at in (name, *self.machine.ancestors(name)):
            if kind_of(at) in _FUNCTIONS and self.bus(at):
                return at
        return ""

    @cached_property
    def _seen(self) -> dict[str, None]:
        return {}

    def _add_way(self, name: str) -> None:
        """Add a function and the bridges above it; host bridges have no bus id and are passed."""
        if name in self._seen:
            return
        self._seen[name] = None
        above = next((at for at in self.machine.ancestors(name) if self._is_way(at)), "")
        if above:
            self._below[above].append(name)
            self._add_way(above)
        else:
            self.tops.append(name)

    def _is_way(self, name: str) -> bool:
        return kind_of(name) in _FUNCTIONS and bool(self.bus(name))

    def devices_of(self, name: str) -> list[str]:
        return self._devices.get(name, [])

    def below(self, name: str) -> list[str]:
        return self._below.get(name, [])

    def code(self, name: str) -> str:
        """Return the class of a function: as stated, else by what is on it."""
        identity = self.machine.fact("pci_id", name)
        stated = str(identity.args[1]) if identity else ""
        stated = stated or str(self.machine.value("info", name, "PCIClass") or "")
        if stated:
            return f"0x{stated[:4]}00"
        kinds = {kind for device in self.devices_of(name) for kind in self.kinds(device)}
        if kinds & {"gpu", "coprocessor"}:
            return "0x030200"
        if "openfabrics" in kinds:
            return "0x020700"
        return "0x020000" if kinds else "0x060400"

    def attributes(self, name: str) -> dict[str, str]:
        """Return the attributes of a `pci` element."""
        found = {"busid": self.bus(name), "class": self.code(name)}
        identity = self.machine.fact("pci_id", name)
        if identity is not None:
            found |= {"vendor": f"0x{identity.args[2]}", "device": f"0x{identity.args[3]}"}
        elif any(re.match(r"device:rsmi\d", device) for device in self.devices_of(name)):
            # AMD's management interface knows AMD's devices only
            found["vendor"] = "0x1002"
        return found | link_attributes(self.machine.number("pci_link_speed", name))
