"""Links between GPUs, switches and CPUs of an NCCL file: NVLink, XGMI, C2C and PCIe switches.

A link stands for all parallel links between two ends; `link_count` has their number. NVLink's
bandwidth is NCCL's own figure for one link of each generation (`src/graph/topo.h`), in one
direction; of XGMI and of newer generations it is not stated. A link to a GPU is stated by both
GPUs; one to a switch or CPU only by the GPU, and holds in both directions.
"""

from __future__ import annotations

from skb.relations import Fact, Source
from skb.sources.hwloc_facts import Collector
from skb.sources.nccl_cpus import suppose, whole
from skb.sources.nccl_devices import Devices, Gpu, normal_busid
from skb.sources.xml_limits import Node

_MIB = 1 << 20
# first compute capability of a generation, last, GB/s of one link in one direction
_NVLINK_GBPS = (
    (60, 62, 18.0),
    (70, 75, 20.0),
    (80, 80, 20.0),
    (86, 86, 12.0),
    (90, 90, 20.6),
    (100, 103, 40.1),
)
_KINDS = {"nvlink": "NVLink", "xgmi": "XGMI"}
_SWITCH, _CPUS = "068000", ("068001", "0600")
_COUNT_LIMIT = 1024


class _Links:
    """Collects links, one for each direction."""

    def __init__(self, devices: Devices, out: Collector) -> None:
        self.devices = devices
        self.out = out
        self.stated: dict[tuple[str, str], str] = {}
        self.pairs: list[tuple[str, str]] = []
        self._gpus = {gpu.function.id: gpu for gpu in reversed(devices.gpus)}
        self._switch = ""
        self.left_out: list[str] = []
        self.unpriced = 0

    def state(self, gpu: Gpu, node: Node) -> None:
        """State an `nvlink` or `xgmi` element."""
        kind = _KINDS[node.tag]
        count = whole(node, "count", self.devices.place) or 0
        text = node.attributes.get("target", "")
        code = node.attributes.get("tclass", "").strip().lower().removeprefix("0x")
        here = f"{gpu.id} -> {text[:20]} (line {node.line})"
        if not 0 < count <= _COUNT_LIMIT:
            self.left_out.append(f"{here}: count is {count}")
            return
        busid = normal_busid(text)
        function = self.devices.functions.get(busid)
        other = self._gpus.get(function.id) if function else None
        if function is gpu.function:
            self.left_out.append(f"{here}: a link to itself")
            return
        bandwidth = self._bandwidth(gpu, node.tag, count)
        if other is not None:
            self._link(gpu.id, other.id, kind, count, bandwidth)
            self.pairs.append((gpu.id, other.id))
        elif code.startswith(_CPUS):
            # the processor next to the GPU, as NCCL takes it
            self._both(gpu.id, gpu.function.cpu.id, kind, count, bandwidth)
        elif code.startswith(_SWITCH) or not code:
            end = function.id if function else self._hidden_switch(code)
            self._both(gpu.id, end, kind, count, bandwidth)
        else:
            self.left_out.append(f"{here}: the target is not in the file")

    def _hidden_switch(self, code: str) -> str:
        """The switch that is not seen from inside a virtual machine; NCCL takes all for one."""
        if not self._switch:
            self._switch = "device:nvswitch"
            suppose(self.out, self._switch)
            self.out.say("device_kind", self._switch, "other")
            seen = "" if code else ", and without a class taken for a switch, as NCCL does"
            self.out.notes.append(
                f"the NVSwitch is no PCI function of the file{seen}: {self._switch} stands for all"
            )
        return self._switch

    def c2c(self, gpu: Gpu, node: Node) -> None:
        """State a `c2c` element: links to the processor next to the GPU, each with `bw` MB/s."""
        count = whole(node, "count", self.devices.place) or 0
        speed = whole(node, "bw", self.devices.place) or 0
        if not 0 < count <= _COUNT_LIMIT or speed < 0 or gpu.function.cpu.id == "machine:0":
            self.left_out.append(f"{gpu.id} -> CPU (line {node.line}): count {count}")
            return
        bandwidth = speed * count * 1e6 / _MIB
        self._both(gpu.id, gpu.function.cpu.id, "C2C", count, bandwidth, Source.DISCOVERED)

    def pcilinks(self) -> None:
        """State the links between ports of PCIe switches."""
        for function, node in self.devices.pcilinks:
            text = node.attributes.get("target", "")
            other = self.devices.functions.get(normal_busid(text))
            if other is None or other is function:
                self.left_out.append(f"{function.id} -> {text[:20]} (line {node.line})")
            else:
                self._link(function.id, other.id, "PCIe", 1, 0.0)

    def _bandwidth(self, gpu: Gpu, tag: str, count: int) -> float:
        """MiB/s of `count` links in one direction, 0 where it is unknown."""
        sm = whole(gpu.node, "sm", self.devices.place) or 0
        found = (speed for first, last, speed in _NVLINK_GBPS if first <= sm <= last)
        speed = next(found, 0.0) if tag == "nvlink" else 0.0
        self.unpriced += not speed
        return speed * count * 1e9 / _MIB

    def _both(
        self,
        first: str,
        second: str,
        kind: str,
        count: int,
        bandwidth: float,
        source: Source = Source.DATASHEET,
    ) -> None:
        self._link(first, second, kind, count, bandwidth, source)
        self._link(second, first, kind, count, bandwidth, source)

    def _link(
        self,
        first: str,
        second: str,
        kind: str,
        count: int,
        bandwidth: float,
        source: Source = Source.DATASHEET,
    ) -> None:
        if (first, second) in self.stated:
            self.left_out.append(f"{first} -> {second} as {kind}: stated twice")
            return
        self.stated[first, second] = kind
        self.out.say("link", first, second, kind)
        self.out.say("link_count", first, second, count)
        if bandwidth:
            args = (first, second, round(bandwidth, 3))
            self.out.facts.append(Fact("link_bandwidth", args, source.value, self.out.by))


def state_links(devices: Devices, out: Collector) -> None:
    """State every link, and note those that lack their reverse or lead nowhere."""
    links = _Links(devices, out)
    for gpu in devices.gpus:
        for node in gpu.node.children:
            if node.tag in _KINDS:
                links.state(gpu, node)
            elif node.tag == "c2c":
                links.c2c(gpu, node)
    links.pcilinks()
    lone = [f"{a} -> {b}" for a, b in links.pairs if (b, a) not in links.stated]
    if lone:
        out.notes.append(f"links without their reverse: {', '.join(lone)[:400]}")
    if links.left_out:
        out.notes.append(f"links that were left out: {', '.join(links.left_out)[:400]}")
    if links.unpriced:
        out.notes.append(
            f"{links.unpriced} links have no bandwidth: NCCL states none for this kind of GPU"
        )
