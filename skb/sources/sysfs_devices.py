"""PCI functions, bridges and devices from `/sys/bus/pci` and `/sys/class`.

Files: Linux `Documentation/ABI/testing/sysfs-bus-pci`, `sysfs-class-net`, `sysfs-bus-dax`. Speeds
of PCI links are current ones in GB/s and one direction, of network devices in Mb/s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_addresses import state_windows
from skb.sources.sysfs_cpus import Nest
from skb.sources.sysfs_interrupts import state_interrupts, state_queues
from skb.sources.sysfs_memory import MemoryNode
from skb.sources.sysfs_tree import FileTree, numbered, read_list, read_number, read_words

_PCI = "sys/bus/pci/devices"
_BUSID = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):[0-9a-f]{2}\.[0-7]")
_HOST = re.compile(r"pci([0-9a-f]{4,8}):([0-9a-f]{2})")
_BRIDGE_CLASS = "0604"
_RATE = re.compile(r"(\d{1,4}(?:\.\d)?) Gb/sec")
_SPEED = re.compile(r"(\d{1,3}(?:\.\d)?) GT/s")
# /sys/class folder, pattern of names, kinds
_CLASSES = (
    ("net", re.compile(r"[^/\s]+"), ("network",)),
    ("infiniband", re.compile(r"[^/\s]+"), ("network", "openfabrics")),
    ("bxi", re.compile(r"[^/\s]+"), ("network",)),
    ("block", re.compile(r"(?!nvme\d+c\d+n\d+)[^/\s]+"), ("storage",)),
    ("drm", re.compile(r"card\d+"), ("gpu",)),
    ("accel", re.compile(r"accel\d+"), ("coprocessor",)),
    ("ve", re.compile(r"ve\d+"), ("coprocessor",)),
    ("dma", re.compile(r"dma\d+chan\d+"), ("dma",)),
)
_VIRTUAL = "sys/devices/virtual/"
_SUBSYSTEM = "sys/devices/virtual/nvme-subsystem/"
_REFUSED = re.compile(r"[\s,()\"'<>&]")
# linux/ioport.h
_IO, _MEMORY, _PREFETCH, _MEMORY_64, _UNSET = 0x100, 0x200, 0x2000, 0x100000, 0x20000000


@dataclass(slots=True)
class Function:
    """A PCI function: its address, what is above it, and what is inside."""

    busid: str
    path: str
    bridge: bool
    id: str = ""
    children: list[Function] = field(default_factory=list)


class Devices:
    """States the PCI tree first, then the devices of the operating system on it."""

    def __init__(self, tree: FileTree, nest: Nest, nodes: list[MemoryNode], out: Collector) -> None:
        self.tree = tree
        self.nest = nest
        self.nodes = {node.number: node for node in nodes}
        self.out = out
        self._bridges = 0
        self._functions: dict[str, Function] = {}
        self._names: dict[str, int] = {}
        self._bus_hosts: dict[str, str] = {}
        self.interrupts: set[int] = set()

    def state(self) -> None:
        for name in self.tree.names(_PCI):
            path = self.tree.resolve(f"{_PCI}/{name}")
            if path and _BUSID.fullmatch(name):
                code = self._code(path, "class")
                self._functions[name] = Function(name, path, code.startswith(_BRIDGE_CLASS))
        for host, functions in sorted(self._hosts().items()):
            self._state_host(host, functions)
        state_windows(self.tree, self._bus_hosts, self.out)
        for folder, pattern, kinds in _CLASSES:
            for name in self.tree.names(f"sys/class/{folder}"):
                path = self.tree.resolve(f"sys/class/{folder}/{name}")
                if path and pattern.fullmatch(name):
                    self._state_device(name, path, folder, kinds)
        self._state_dax()
        self._state_cxl()
        state_interrupts(self.tree, sorted(self.interrupts), self.nest, self.out)

    def _hosts(self) -> dict[str, list[Function]]:
        """Hang every function below its bridge; return the topmost ones by host bridge."""
        hosts: dict[str, list[Function]] = {}
        for function in self._functions.values():
            above = function.path.split("/")[:-1]
            parent = self._functions.get(above[-1]) if above else None
            if parent is not None and parent.bridge:
                parent.children.append(function)
                continue
            host = next((part for part in reversed(above) if _HOST.fullmatch(part)), "")
            hosts.setdefault(host or "pci" + function.busid[:-5], []).append(function)
        return hosts

    def _state_host(self, host: str, functions: list[Function]) -> None:
        name = self._next_bridge()
        self.out.say("contains", self._local(functions[0].path), name)
        match = _HOST.fullmatch(host)
        if match:
            self._bus_hosts[f"{match[1]}:{match[2]}"] = name
            first = int(match[2], 16)
            last = max(first, max(self._last_bus(function) for function in functions))
            self.out.say("bridge_buses", name, int(match[1], 16), first, last)
        for function in functions:
            self._state_function(function, name)

    def _next_bridge(self) -> str:
        self._bridges += 1
        return f"bridge:{self._bridges - 1}"

    def _last_bus(self, function: Function) -> int:
        below = [self._last_bus(child) for child in function.children]
        own = read_number(self.tree, f"{function.path}/subordinate_bus_number") or 0
        return max(own, int(function.busid[-7:-5], 16), *below, 0)

    def _state_function(self, function: Function, parent: str) -> None:
        path = function.path
        function.id = self._next_bridge() if function.bridge else f"pci:{function.busid}"
        self.out.say("contains", parent, function.id)
        codes = [self._code(path, file) for file in ("class", "vendor", "device")]
        if all(codes):
            self.out.say("pci_id", function.id, *codes)
        subsystem = [self._code(path, f"subsystem_{file}") for file in ("vendor", "device")]
        if any(word.strip("0") for word in subsystem):
            self.out.infos(function.id, {"PCISubsystem": ":".join(subsystem)})
        if speed := _link_speed(self.tree, path):
            self.out.say("pci_link_speed", function.id, speed)
        if function.bridge:
            self._state_bridge(function)
        else:
            self._state_resources(function)
        for child in function.children:
            self._state_function(child, function.id)

    def _state_bridge(self, function: Function) -> None:
        self.out.say("info", function.id, "PCIBusID", function.busid)
        first = read_number(self.tree, f"{function.path}/secondary_bus_number")
        last = read_number(self.tree, f"{function.path}/subordinate_bus_number")
        if first and last and first <= last:
            domain = int(function.busid.partition(":")[0], 16)
            self.out.say("bridge_buses", function.id, domain, first, last)

    def _state_resources(self, function: Function) -> None:
        """Interrupt numbers, and the size and space of every base address register."""
        interrupts = numbered(self.tree, f"{function.path}/msi_irqs", "")
        legacy = read_number(self.tree, f"{function.path}/irq") or 0
        for number in interrupts or ([legacy] if legacy > 0 else []):
            self.interrupts.add(number)
            self.out.say("interrupt", function.id, number)
        lines = (self.tree.read(f"{function.path}/resource") or "").splitlines()
        for index, line in enumerate(lines[:6]):
            if found := _bar(line):
                base, size, space = found
                self.out.say("pci_bar", function.id, index, size, space)
                if base:
                    self.out.say("pci_bar_base", function.id, index, base)

    def _code(self, path: str, file: str) -> str:
        """Four hexadecimal digits; of the class without the programming interface."""
        text = self.tree.read(f"{path}/{file}") or ""
        return text[2:6].lower() if re.fullmatch(r"0x[0-9a-fA-F]{4,6}", text) else ""

    def _state_device(self, name: str, path: str, folder: str, kinds: tuple[str, ...]) -> None:
        if folder == "block" and self.tree.read(f"{path}/partition") is not None:
            return
        if path.startswith(_SUBSYSTEM):
            path = self._controller(path) or path
        if path.startswith(_VIRTUAL):
            return
        device = self._begin(name, self._owner(path), kinds)
        if folder == "net":
            self._state_network(device, path)
        elif folder == "infiniband":
            if match := _RATE.match(self.tree.read(f"{path}/ports/1/rate") or ""):
                self.out.say("device_speed", device, round(float(match[1]) * 1000))
        elif folder == "block":
            self._state_disk(device, path)
        elif folder == "drm":
            renders = [n for n in self.tree.names(f"{path}/device/drm") if n.startswith("render")]
            if renders:
                self.out.infos(device, {"RenderNode": ", ".join(renders)[:200]})

    def _state_network(self, device: str, path: str) -> None:
        for direction in ("rx", "tx"):
            if count := len(numbered(self.tree, f"{path}/queues", f"{direction}-")):
                self.out.say("device_queues", device, direction, count)
        state_queues(self.tree, device, path, self.out)
        if (speed := read_number(self.tree, f"{path}/speed")) and speed > 0:
            self.out.say("device_speed", device, speed)
        if address := (self.tree.read(f"{path}/address") or "").strip("0:"):
            self.out.infos(device, {"Address": self.tree.read(f"{path}/address") or address})

    def _state_disk(self, device: str, path: str) -> None:
        """Words about a disk as lstopo writes them; the kernel counts sectors of 512 bytes."""
        infos = {}
        if (size := read_number(self.tree, f"{path}/size")) and size > 0:
            infos["Size"] = f"{size // 2}KiB"
        if sector := read_number(self.tree, f"{path}/queue/hw_sector_size"):
            infos["SectorSize"] = str(sector)
        if number := self.tree.read(f"{path}/dev"):
            infos["LinuxDeviceID"] = number[:40]
        for name, file in (("Vendor", "vendor"), ("Model", "model")):
            if text := self.tree.read(f"{path}/device/{file}"):
                infos[name] = text[:200]
        self.out.infos(device, infos)
        queues = len(numbered(self.tree, f"{path}/mq", ""))
        if queues:
            self.out.say("device_queues", device, "combined", queues)

    def _begin(self, name: str, owner: str, kinds: tuple[str, ...]) -> str:
        base = f"device:{_REFUSED.sub('_', name)[:180]}"
        device = base
        while device in self._names:
            self._names[base] += 1
            device = f"{base}#{self._names[base]}"
        self._names[device] = 1
        self.out.say("contains", owner, device)
        for kind in kinds:
            self.out.say("device_kind", device, kind)
        return device

    def _controller(self, path: str) -> str | None:
        """The first controller of an NVMe disk that is reached over several."""
        subsystem = "/".join(path.split("/")[:5])
        for name in self.tree.names(subsystem):
            if re.fullmatch(r"nvme\d+", name):
                return self.tree.resolve(f"{subsystem}/{name}")
        return None

    def _owner(self, path: str) -> str:
        """The PCI function that a device is on, else the part that its node number names."""
        for part in reversed(path.split("/")):
            function = self._functions.get(part)
            if function is not None and function.id:
                return function.id
        return self._local(f"{path}/device")

    def _local(self, path: str) -> str:
        """The part whose PUs are local to a device; the machine where that is unknown."""
        cpus = read_words(self.tree, f"{path}/local_cpus")
        if cpus is None:
            cpus = read_list(self.tree, f"{path}/local_cpulist")
        number = read_number(self.tree, f"{path}/numa_node")
        if not cpus and number in self.nodes:
            cpus = self.nodes[number].cpuset
        cpus = (cpus or 0) & self.nest.root.cpuset
        return self.nest.covering(cpus).id if cpus else self.nest.root.id

    def _state_dax(self) -> None:
        """DAX devices that are not turned into NUMA nodes."""
        nodes = set(self.tree.names("sys/bus/dax/drivers/kmem"))
        for name in self.tree.names("sys/bus/dax/devices"):
            path = self.tree.resolve(f"sys/bus/dax/devices/{name}")
            if not path or name in nodes:
                continue
            persistent = "ndbus" in path
            kinds = ("storage", "memory") if persistent else ("memory",)
            size = read_number(self.tree, f"{path}/size")
            device = self._begin(name, self._local(path), kinds)
            if size and size > 0:
                self.out.infos(device, {"Size": f"{size // 1024}KiB"})
            self.out.infos(device, {"Subtype": "NVM" if persistent else "SPM"})

    def _state_cxl(self) -> None:
        """Memory devices on CXL, as lstopo shows them: sizes in KiB, storage where persistent."""
        for name in self.tree.names("sys/bus/cxl/devices"):
            path = self.tree.resolve(f"sys/bus/cxl/devices/{name}")
            if not path or not re.fullmatch(r"mem\d+", name):
                continue
            infos = {"Subtype": "CXLMem"}
            for kind in ("ram", "pmem"):
                size = read_number(self.tree, f"{path}/{kind}/size") or 0
                if size > 0:
                    infos[f"CXL{kind.upper()}Size"] = f"{size // 1024}KiB"
            persistent = "CXLPMEMSize" in infos
            kinds = ("storage", "memory") if persistent else ("memory",)
            self.out.infos(self._begin(name, self._owner(path), kinds), infos)


def _link_speed(tree: FileTree, path: str) -> float:
    """GB/s in one direction, 0 where unknown; 8b/10b up to 5 GT/s, 128b/130b above, as in hwloc."""
    match = _SPEED.match(tree.read(f"{path}/current_link_speed") or "")
    width = read_number(tree, f"{path}/current_link_width") or 0
    if not match or not 0 < width <= 64:
        return 0.0
    return round(lane_speed(float(match[1])) * width, 6)


def lane_speed(transfers: float) -> float:
    """GB/s of one lane in one direction, from GT/s."""
    return transfers * 0.1 if transfers <= 5 else transfers * 128 / 130 / 8


def _bar(line: str) -> tuple[int, int, str] | None:
    """Address, 0 where none is given, size and space of a line of `resource`: start, end, flags."""
    words = line.split()
    if len(words) != 3 or not all(re.fullmatch(r"0x[0-9a-fA-F]{1,16}", word) for word in words):
        return None
    start, end, flags = (int(word, 16) for word in words)
    size = end - start + 1
    if end <= start or size >= 1 << 63:
        return None
    base = 0 if flags & _UNSET or start >= 1 << 63 else start
    if flags & _IO:
        return base, size, "io"
    if not flags & _MEMORY:
        return None
    return (
        base,
        size,
        f"{'prefetchable' if flags & _PREFETCH else 'memory'}{64 if flags & _MEMORY_64 else 32}",
    )
