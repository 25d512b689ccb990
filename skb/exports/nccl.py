"""NCCL topology XML, for `NCCL_TOPO_FILE`: NUMA nodes, the PCI way to GPUs and NICs, GPU links.

Attributes are those that NCCL's `src/graph/xml.cc` and `topo.cc` ask for; what is not known is left
out where NCCL fills it on the host, and empty where it would fail. NCCL hangs everything on NUMA
nodes; packages, cores and caches have no place in it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

from skb.exports.bits import bits_of, words
from skb.exports.nccl_functions import Functions
from skb.machine import Machine, kind_of, object_order

MEDIA_TYPE = "application/xml"
SUFFIX = ".xml"
_ARCHES = {"x86_64": "x86_64", "aarch64": "arm64", "ppc64le": "ppc64"}
_NUMBER = re.compile(r"(?:nvml|rsmi)(\d{1,6})(?:#\d+)?")
_ISA = re.compile(r"sm_(\d{2,3})")
_HIDDEN_SWITCH = "fffffff:ffff:ff"
_MIB = 1 << 20
_SAID = frozenset(("contains", "isa", "pci_id", "pci_link_speed", "device_kind", "device_speed"))
_LINKS = {"nvlink": "nvlink", "xgmi": "xgmi"}


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write the system, and say what has no place in it."""
    from lxml import etree

    writer = _Writer(machine)
    top = etree.Element("system", version="1")
    writer.fill(top)
    return etree.tostring(top, pretty_print=True, encoding="unicode"), tuple(writer.notes)


class _Writer:
    """Writes one `cpu` for each NUMA node with PUs, and the way to each GPU and NIC below it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.notes: list[str] = []
        self.functions = Functions(machine, self.notes)
        self._pus: dict[int, list[int]] = defaultdict(list)
        for pu, nodes in machine.numa_of_pu.items():
            self._pus[nodes[0] if nodes else -1].append(pu)
        self._width = len(words(bits_of(machine.pus)))
        self._spread: list[str] = []

    def fill(self, top: Any) -> None:
        """Add every element below `system`."""
        tops = sorted(self.functions.tops, key=object_order)
        below: dict[int, list[str]] = defaultdict(list)
        for name in tops:
            below[self._node(name)].append(name)
        on_no_bus = [one for one in self.functions.homeless if self._is_net(one)]
        for node in sorted({*self._pus, *below}, key=lambda number: (number < 0, number)):
            element = self._cpu(top, node)
            for name in below.get(node, ()):
                self._pci(element, name)
            # NCCL itself hangs what is on no PCI bus at the first CPU
            self._nics(element, on_no_bus)
            on_no_bus = []
        if self._spread:
            self.notes.append(
                "local to several NUMA nodes, written below the first, or below -1 where to all: "
                f"{', '.join(self._spread)[:400]}"
            )
        self._note_unsaid()

    def _node(self, name: str) -> int:
        """Return the NUMA node that a part is below, -1 where it is near all or none."""
        near = {
            nodes[0] if (nodes := self.machine.numa_of_pu[pu]) else -1
            for pu in self.machine.pus_of(name)
        }
        if len(near) > 1:
            self._spread.append(name)
        return -1 if not near or (len(near) > 1 and len(near) == len(self._pus)) else min(near)

    def _cpu(self, top: Any, node: int) -> Any:
        from lxml import etree

        bits = bits_of(self._pus.get(node, ()))
        mask = words(bits)
        mask = ["00000000"] * (self._width - len(mask)) + mask
        attributes = {"numaid": str(node), "affinity": ",".join(mask)}
        pus = self._pus.get(node) or list(self.machine.pus[:1])
        isa = self.machine.inherited("isa", f"pu:{pus[0]}") if pus else None
        if isa is not None:
            attributes["arch"] = _ARCHES.get(str(isa), str(isa))
        around = self.machine.ancestors(f"pu:{pus[0]}") if pus else ()
        for name, word in (
            ("vendor", "CPUVendor"),
            ("familyid", "CPUFamilyNumber"),
            ("modelid", "CPUModelNumber"),
        ):
            found = (self.machine.value("info", at, word) for at in around)
            value = next((one for one in found if one is not None), None)
            if value is not None:
                attributes[name] = _clean(str(value))
        return etree.SubElement(top, "cpu", attributes)

    def _pci(self, parent: Any, name: str) -> None:
        """Add a function or bridge, its GPU or NICs, and what is behind it."""
        from lxml import etree

        functions = self.functions
        element = etree.SubElement(parent, "pci", functions.attributes(name))
        devices = functions.devices_of(name)
        if gpu := next((one for one in devices if _NUMBER.fullmatch(_bare(one))), None):
            self._gpu(element, gpu, devices)
        self._nics(element, [one for one in devices if self._is_net(one)])
        for child in sorted(functions.below(name), key=object_order):
            self._pci(element, child)

    def _is_net(self, name: str) -> bool:
        """Tell whether a network device has a name; `nicN` is our word for one without."""
        network = "network" in self.functions.kinds(name)
        return network and not re.fullmatch(r"nic\d+", _bare(name))

    def _nics(self, element: Any, nets: list[str]) -> None:
        from lxml import etree

        if nets:
            nic = etree.SubElement(element, "nic")
            for net in nets:
                etree.SubElement(nic, "net", self._net(net))

    def _gpu(self, parent: Any, name: str, aliases: list[str]) -> None:
        from lxml import etree

        machine = self.machine
        number = _NUMBER.fullmatch(_bare(name))
        attributes = {"dev": number[1] if number else ""}
        isas = [f.args[1] for f in machine.facts_of("programmable") if f.args[0] in aliases]
        match = next((m for isa in isas if (m := _ISA.fullmatch(str(isa)))), None)
        if match:
            attributes["sm"] = match[1]
        elif gcn := next((str(isa) for isa in isas if str(isa).startswith("gfx")), ""):
            attributes["gcn"] = _clean(gcn)
        rank = machine.value("info", name, "NCCLRank")
        attributes |= {} if rank is None else {"rank": _clean(str(rank))}
        attributes |= self._direct(name)
        element = etree.SubElement(parent, "gpu", attributes)
        self._links(element, aliases)

    def _direct(self, name: str) -> dict[str, str]:
        word = self.machine.value("info", name, "GPUDirectRDMA")
        return {} if word is None else {"gdr": "1" if word == "yes" else "0"}

    def _links(self, element: Any, names: list[str]) -> None:
        """Add the links of a GPU: to GPUs, to switches, and to the processor next to it."""
        from lxml import etree

        machine = self.machine
        for first in names:
            for second in machine.links.get(first, ()):
                kind = str(machine.value("link", first, second))
                count = int(machine.number("link_count", first, second) or 1)
                if kind.lower() == "c2c":
                    bandwidth = machine.number("link_bandwidth", first, second) or 0.0
                    speed = round(bandwidth * _MIB / 1e6 / count)
                    etree.SubElement(element, "c2c", bw=str(speed), count=str(count))
                elif tag := _LINKS.get(kind.lower()):
                    target, code = self._target(second)
                    etree.SubElement(element, tag, target=target, count=str(count), tclass=code)
                else:
                    self.notes.append(f"NCCL knows no link of kind {kind}: {first} to {second}")

    def _target(self, name: str) -> tuple[str, str]:
        """Return bus id and class of the other end of a link."""
        function = self.functions.function_of(name)
        if function:
            return self.functions.bus(function), self.functions.code(function)
        if kind_of(name) in {"device", "pci", "bridge"}:
            return _HIDDEN_SWITCH, "0x068000"
        return _HIDDEN_SWITCH, "0x060000"

    def _net(self, name: str) -> dict[str, str]:
        base, mark, number = _bare(name).rpartition("#")
        attributes = {"name": _clean(base if mark and number.isdigit() else _bare(name))}
        speed = self.machine.number("device_speed", name)
        attributes |= {} if speed is None else {"speed": str(round(speed))}
        port = self.machine.value("info", name, "Port")
        attributes |= {} if port is None else {"port": _clean(str(port))}
        return attributes | self._direct(name)

    def _note_unsaid(self) -> None:
        machine = self.machine
        unseen = [n for n in machine.numa if n not in self._pus]
        if unseen:
            self.notes.append(f"NUMA nodes without PUs of their own are left out: {unseen}")
        left = Counter(fact.predicate for fact in machine.facts if fact.predicate not in _SAID)
        if left:
            self.notes.append(
                "NCCL keeps NUMA nodes, GPUs, network devices, the PCI way to them and links of "
                f"GPUs; {left.total()} facts of {len(left)} other predicates are left out or "
                "only in part, and what is inside a NUMA node"
            )


def _bare(name: str) -> str:
    return name.partition(":")[2]


def _clean(text: str) -> str:
    """Return a text that NCCL's own parser reads: no quotes, at most 255 characters."""
    return re.sub(r"[^\x20-\x7e]|[\"<>&]", "?", text)[:255]
