"""The PCI tree of an NCCL file, with its GPUs and network devices.

Names follow hwloc's, so that both describe one device: `nvmlN` for NCCL's `dev` N, which is NVML's
number, and `rsmiN` on AMD's GPUs; network devices by their name. A GPU or adapter that the file
gives as a mere PCI function is `gpuN` or `nicN` in the file's order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skb.errors import DescriptionError
from skb.sources.hwloc_facts import Collector
from skb.sources.nccl_cpus import Cpu, suppose, whole
from skb.sources.sysfs_cpus import Nest
from skb.sources.sysfs_devices import lane_speed
from skb.sources.xml_limits import Node

_BUSID = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_CODE = re.compile(r"0x([0-9a-f]{2,6})", re.I)
_SPEED = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) ?GT/s")
_AMD = "1002"
# Linux names of RDMA devices; a network device of NCCL's socket transport is an interface instead
_VERBS = re.compile(r"(mlx[45]|bnxt_re|irdma|rdmap|efa|hfi|hns|qedr|ib[ps]|roce|ocrdma|cxgb)\w*")
_REFUSED = re.compile(r"[\s,()\"'<>&]")
_DOMAIN_LIMIT = 0xFFFF


@dataclass(slots=True, eq=False)
class Function:
    """A PCI function: its part, its class and vendor in hexadecimal, and the devices on it."""

    id: str
    code: str
    vendor: str
    cpu: Cpu
    devices: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Gpu:
    """A `gpu` element: its device, and the function that it is on."""

    id: str
    node: Node
    function: Function


class Devices:
    """States functions, bridges and devices of one `cpu` element after the other."""

    def __init__(self, place: str, nest: Nest, out: Collector) -> None:
        self.place = place
        self.nest = nest
        self.out = out
        self.functions: dict[str, Function] = {}
        self.gpus: list[Gpu] = []
        self.pcilinks: list[tuple[Function, Node]] = []
        self._lines: dict[str, int] = {}
        self._names: set[str] = set()
        self._bridges = 0
        self._mute: list[Function] = []
        self._invented: list[str] = []
        self._virtual: list[str] = []
        self._unknown_speeds = 0

    def state(self, cpu: Cpu) -> None:
        """State everything below a `cpu` element."""
        for child in cpu.node.children:
            if child.tag == "pci":
                self._state_function(child, cpu.id, cpu)
            elif child.tag == "nic":
                for net in child.children:
                    # NCCL hangs what is on no PCI bus at the first CPU, wherever it is
                    self._state_net(net, None)

    def _state_function(self, node: Node, parent: str, cpu: Cpu) -> None:
        busid = self._busid(node)
        code = self._hexadecimal(node, "class")
        inner = any(child.tag == "pci" for child in node.children)
        if code.startswith("0604") or inner:
            name = f"bridge:{self._bridges}"
            self._bridges += 1
        else:
            name = f"pci:{busid}"
        vendor = self._hexadecimal(node, "vendor")
        function = Function(name, code, vendor, cpu)
        self.functions[busid] = function
        if parent == "machine:0":
            suppose(self.out, name)
        else:
            self.out.say("contains", parent, name)
        if name.startswith("bridge:"):
            self.out.say("info", name, "PCIBusID", busid)
            if busid.startswith("ffff:ff:"):
                self._invented.append(f"{busid} ({name})")
        self._state_codes(node, function)
        for child in node.children:
            if child.tag == "pci":
                self._state_function(child, name, cpu)
            elif child.tag == "gpu":
                self._state_gpu(child, function)
            elif child.tag == "nic":
                for net in child.children:
                    self._state_net(net, function)
            elif child.tag == "pcilink":
                self.pcilinks.append((function, child))
        if not function.devices and function.code[:2] in {"03", "02"} and not inner:
            self._mute.append(function)

    def _busid(self, node: Node) -> str:
        where = f"{self.place}:{node.line}"
        text = node.attributes.get("busid", "")
        busid = normal_busid(text)
        if not busid:
            raise DescriptionError(
                f"busid is {text[:40]!r}", place=where, mend="write domain:bus:device.function"
            )
        if busid in self._lines:
            raise DescriptionError(
                f"busid {busid} is described twice, first in line {self._lines[busid]}",
                place=where,
                mend="describe each PCI function once",
            )
        self._lines[busid] = node.line
        return busid

    def _hexadecimal(self, node: Node, name: str) -> str:
        """Digits of a number such as 0x10de, in lower case; an empty text where it is missing."""
        text = node.attributes.get(name, "").strip()
        match = _CODE.fullmatch(text)
        if text and not match:
            raise DescriptionError(
                f"{name} is {text[:40]!r}, not a hexadecimal number",
                place=f"{self.place}:{node.line}",
                mend="write it as sysfs does, such as 0x030200",
            )
        return match[1].lower() if match else ""

    def _state_codes(self, node: Node, function: Function) -> None:
        device = self._hexadecimal(node, "device")
        # class 0x030200 is base class, subclass and programming interface
        code = function.code[:4].ljust(4, "0") if function.code else ""
        if code and function.vendor and device:
            self.out.say(
                "pci_id", function.id, code, function.vendor.rjust(4, "0"), device.rjust(4, "0")
            )
        elif code:
            self.out.say("info", function.id, "PCIClass", code)
        if speed := self._link_speed(node):
            self.out.say("pci_link_speed", function.id, speed)
        else:
            self._unknown_speeds += 1

    def _link_speed(self, node: Node) -> float:
        """GB/s in one direction; 0 where rate or width is empty, 0 or no number."""
        match = _SPEED.match(node.attributes.get("link_speed", "").strip())
        width = whole(node, "link_width", self.place) or 0
        if not match or not 0 < width <= 64:
            return 0.0
        return round(lane_speed(float(match[1])) * width, 6)

    def _state_gpu(self, node: Node, function: Function) -> None:
        number = whole(node, "dev", self.place)
        gcn = node.attributes.get("gcn", "").strip()
        amd = function.vendor == _AMD or bool(gcn)
        if number is None or number < 0:
            name = self._name(f"gpu{len(self.gpus)}")
            self.out.notes.append(f"the GPU in line {node.line} has no number; it is {name}")
        else:
            name = self._name(f"{'rsmi' if amd else 'nvml'}{number}")
        self._begin(name, function, ("gpu", "coprocessor"))
        self.gpus.append(Gpu(name, node, function))
        infos = {"NCCLRank": node.attributes.get("rank", "")}
        if (direct := node.attributes.get("gdr", "")) in {"0", "1"}:
            infos["GPUDirectRDMA"] = "yes" if direct == "1" else "no"
        # AMD's sm is a number of processors, not a capability
        sm = None if amd else whole(node, "sm", self.place)
        if sm and 10 <= sm < 1000:
            self.out.say("programmable", name, f"sm_{sm}")
        elif gcn:
            isa = gcn if gcn.startswith("gfx") else f"gfx{gcn}"
            self.out.say("programmable", name, _REFUSED.sub("_", isa)[:60])
        self.out.infos(name, infos)

    def _state_net(self, node: Node, function: Function | None) -> None:
        # `gin`, `rma` and `coll` are further uses of the same adapter
        text = node.attributes.get("name", "")
        if node.tag != "net" or not text:
            return
        base = _REFUSED.sub("_", text)[:180]
        name = self._name(base)
        if name != f"device:{base}":
            self.out.notes.append(f"the network device {base[:60]} is there twice; one is {name}")
        verbs = (function and function.code.startswith("0207")) or _VERBS.match(text)
        self._begin(name, function, ("network", "openfabrics") if verbs else ("network",))
        if function is None:
            self._virtual.append(name)
        if (speed := whole(node, "speed", self.place)) and speed > 0:
            self.out.say("device_speed", name, speed)
        direct = {"0": "no", "1": "yes"}.get(node.attributes.get("gdr", ""), "")
        port = node.attributes.get("port", "")
        self.out.infos(name, {"Port": port, "GPUDirectRDMA": direct})

    def _name(self, base: str) -> str:
        name, number = f"device:{base}", 1
        while name in self._names:
            number += 1
            name = f"device:{base}#{number}"
        self._names.add(name)
        return name

    def _begin(self, name: str, function: Function | None, kinds: tuple[str, ...]) -> None:
        if function is None:
            suppose(self.out, name)
        else:
            self.out.say("contains", function.id, name)
            function.devices.append(name)
        for kind in kinds:
            self.out.say("device_kind", name, kind)

    def note(self) -> None:
        """State the GPUs and adapters that are mere functions, and say what is in doubt."""
        self._state_mute()
        if self._invented:
            self.out.notes.append(
                "switches with an invented bus number, which no bus scan finds: "
                f"{', '.join(self._invented)[:400]}"
            )
        if self._virtual:
            self.out.notes.append(
                f"on no PCI bus, so that nobody knows what they are near: "
                f"{', '.join(self._virtual)[:400]}"
            )
        if self._unknown_speeds:
            self.out.notes.append(
                f"{self._unknown_speeds} of {len(self.functions)} PCI functions have no link "
                "speed in the file (NCCL itself would assume 16 lanes of PCIe 3)"
            )

    def _state_mute(self) -> None:
        counts = {"gpu": 0, "nic": 0}
        for function in self._mute:
            base = "gpu" if function.code.startswith("03") else "nic"
            kinds: tuple[str, ...] = ("gpu",) if base == "gpu" else ("network",)
            if function.code.startswith("0207"):
                kinds = ("network", "openfabrics")
            self._begin(self._name(f"{base}{counts[base]}"), function, kinds)
            counts[base] += 1
        if self._mute:
            self.out.notes.append(
                f"{counts['gpu']} GPUs and {counts['nic']} network adapters are in the file "
                "without number and name; gpuN and nicN count them in the file's order"
            )


def normal_busid(text: str) -> str:
    """Domain in at least four digits, lower case; an empty text where it is no address."""
    match = _BUSID.fullmatch(text.strip().lower())
    if match is None or int(match[3], 16) > 31:
        return ""
    domain = int(match[1], 16)
    digits = f"{domain:04x}" if domain <= _DOMAIN_LIMIT else f"{domain:08x}"
    return f"{digits}:{match[2]}:{match[3]}.{match[4]}"
