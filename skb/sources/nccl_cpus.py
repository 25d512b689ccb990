"""The `cpu` elements of an NCCL file: a NUMA node, the PUs near it, and what processor it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.errors import DescriptionError
from skb.relations import Fact, Source
from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector, normal_isa
from skb.sources.sysfs_cpus import Nest, Place, nest
from skb.sources.xml_limits import Node

MACHINE = "machine:0"
# Linux is built for at most that many
PU_LIMIT = 8192
_INFOS = {"vendor": "CPUVendor", "familyid": "CPUFamilyNumber", "modelid": "CPUModelNumber"}


@dataclass(slots=True, eq=False)
class Cpu:
    """One `cpu` element: node number (-1 unknown), set of PUs, and the part that stands for it."""

    node: Node
    place: str
    number: int
    cpuset: int
    id: str = MACHINE

    @property
    def known(self) -> bool:
        """Whether something says where what hangs below it is."""
        return self.id != MACHINE


def whole(node: Node, name: str, place: str) -> int | None:
    """Read a whole number of an attribute, None where it is missing or empty.

    Raises `DescriptionError` where it is no number.
    """
    text = node.attributes.get(name, "").strip()
    if not text:
        return None
    try:
        number = int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        number = 1 << 63
    if abs(number) >= 1 << 63 or len(text) > 20:
        raise DescriptionError(
            f"{node.tag}: {name} is {text[:40]!r}, not a whole number",
            place=f"{place}:{node.line}",
            mend="write a decimal number",
        )
    return number


def read_cpus(top: Node, place: str) -> list[Cpu]:
    """Read the `cpu` elements; raise `DescriptionError` where there is none or two clash."""
    cpus = [_read(child, place) for child in top.children if child.tag == "cpu"]
    if not cpus:
        raise DescriptionError(
            "the system has no cpu element",
            place=f"{place}:{top.line}",
            mend="give the whole file that NCCL_TOPO_DUMP_FILE wrote",
        )
    numbers: dict[int, Cpu] = {}
    for cpu in cpus:
        other = numbers.setdefault(cpu.number, cpu)
        if cpu.number >= 0 and other is not cpu:
            raise DescriptionError(
                f"NUMA node {cpu.number} is described twice, first in line {other.node.line}",
                place=cpu.place,
                mend="give each cpu element its own numaid",
            )
    _refuse_overlap(cpus)
    return cpus


def _refuse_overlap(cpus: Sequence[Cpu]) -> None:
    seen = 0
    for cpu in cpus:
        if cpu.cpuset & seen:
            other = next(one for one in cpus if one.cpuset & cpu.cpuset)
            shared = bitmap.to_list(other.cpuset & cpu.cpuset)
            raise DescriptionError(
                f"PUs {shared[:80]} are in the affinity of NUMA node {cpu.number} and of "
                f"{other.number} (line {other.node.line})",
                place=cpu.place,
                mend="a PU is near one NUMA node: mend the masks",
            )
        seen |= cpu.cpuset


def _read(node: Node, place: str) -> Cpu:
    where = f"{place}:{node.line}"
    number = whole(node, "numaid", place)
    if number is not None and not -1 <= number < bitmap.NUMBER_LIMIT:
        raise DescriptionError(
            f"numaid {number} is no number of a NUMA node", place=where, mend="write 0 or above"
        )
    text = node.attributes.get("affinity", "").strip()
    try:
        cpuset = bitmap.parse_words(text) if text else 0
    except ValueError as fault:
        raise DescriptionError(
            f"affinity is {text[:40]!r}: {fault}",
            place=where,
            mend="write 32-bit hexadecimal words, the highest first, such as 00000000,0000ffff",
        ) from fault
    if cpuset < 0 or cpuset.bit_length() > PU_LIMIT:
        raise DescriptionError(
            f"affinity has PUs beyond number {PU_LIMIT - 1}",
            place=where,
            mend="write the words of the mask as Linux does",
        )
    return Cpu(node, where, -1 if number is None else number, cpuset)


def state_cpus(cpus: Sequence[Cpu], out: Collector) -> Nest:
    """State groups, PUs and NUMA nodes; set the part that stands for each element."""
    online = 0
    places: list[Place] = []
    groups: dict[int, Place] = {}
    for index, cpu in enumerate(cpus):
        online |= cpu.cpuset
        if cpu.cpuset:
            groups[index] = Place("group", cpu.cpuset)
            places.append(groups[index])
            places += [Place("pu", 1 << number) for number in bitmap.members(cpu.cpuset)]
    found = nest(places, online)
    open_places = [found.root]
    while open_places:
        place = open_places.pop()
        for child in place.children:
            out.say("contains", place.id, child.id)
            open_places.append(child)
    for index, cpu in enumerate(cpus):
        if index in groups:
            cpu.id = groups[index].id
        _state_node(cpu, out)
    _state_isa(cpus, out)
    return found


def _state_node(cpu: Cpu, out: Collector) -> None:
    """State the NUMA node of an element, and say what it does not tell."""
    here = f"the cpu element in line {cpu.node.line}"
    if cpu.number >= 0:
        name = f"numa:{cpu.number}"
        if cpu.known:
            out.say("contains", cpu.id, name)
        else:
            suppose(out, name)
            out.notes.append(
                f"{name} has no affinity: it has no PUs of its own, or the file leaves them out; "
                "what is below it hangs at the node's place, the machine"
            )
    elif cpu.known:
        out.notes.append(f"{here} names no NUMA node (numaid -1): its PUs have none")
    else:
        out.notes.append(
            f"{here} names neither NUMA node nor PUs: where its devices are is unknown"
        )
    words = {label: cpu.node.attributes.get(name, "") for name, label in _INFOS.items()}
    if cpu.known:
        out.infos(cpu.id, words)


def suppose(out: Collector, name: str) -> None:
    """Hang a part at the machine because nothing says where it is: any other source overrules."""
    out.facts.append(Fact("contains", (MACHINE, name), Source.DEFAULT.value, out.by))


def _state_isa(cpus: Sequence[Cpu], out: Collector) -> None:
    found = {cpu: normal_isa(cpu.node.attributes.get("arch", ""))[:60] for cpu in cpus}
    isas = {isa for isa in found.values() if isa}
    if len(isas) == 1:
        out.say("isa", MACHINE, isas.pop())
        return
    for cpu, isa in found.items():
        if isa and cpu.known:
            out.say("isa", cpu.id, isa)
