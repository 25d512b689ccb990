"""libvirt: pinning of virtual machines; libvirt's "Domain XML format", CPU and NUMA tuning."""

from __future__ import annotations

import re
from typing import Any

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import distinct, slug

DOES = "Pins the vCPUs of one virtual machine for each task to its PUs, its memory to its node."
NEEDS = "the right to change the domains (group libvirt or root); merge with virsh edit."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write(placement: Placement) -> Written:
    """Write `vcpu`, `cputune` and `numatune` of each task's domain."""
    from lxml import etree

    names = distinct(slug(seat.name) for seat in placement.seats)
    notes = (
        "The first vCPU is on the task's first PU; emulator threads share the task's PUs.",
        "These are parts to merge into a domain, not whole domains. Undo: take them out again, "
        "or virsh vcpupin DOMAIN VCPU 0-N.",
    )
    head = f" placement {placement.short}. {DOES} Needs: {NEEDS} {' '.join(notes)} "
    domains = [_domain(seat, name) for seat, name in zip(placement.seats, names, strict=True)]
    top = domains[0]
    if len(domains) > 1:
        top = etree.Element("domains")
        top.extend(domains)
    top.insert(0, etree.Comment(head.replace("--", "- ")))
    etree.indent(top)
    tasks = {
        seat.name: tuple(f"vcpupin {vcpu} {pu}" for vcpu, pu in enumerate(seat.pus))
        for seat in placement.seats
    }
    return Written(etree.tostring(top, encoding="unicode") + "\n", tasks, notes=notes)


def _domain(seat: Seat, name: str) -> Any:
    from lxml import etree

    domain = etree.Element("domain")
    etree.SubElement(domain, "name").text = name
    if name != seat.name:
        etree.SubElement(domain, "title").text = _CONTROL.sub(" ", seat.name)
    vcpu = etree.SubElement(domain, "vcpu", placement="static", cpuset=seat.cpu_list)
    vcpu.text = str(len(seat.pus))
    tune = etree.SubElement(domain, "cputune")
    for number, pu in enumerate(seat.pus):
        etree.SubElement(tune, "vcpupin", vcpu=str(number), cpuset=str(pu))
    etree.SubElement(tune, "emulatorpin", cpuset=seat.cpu_list)
    if seat.numa is not None:
        mode = "strict" if seat.strict else "preferred"
        memory = etree.SubElement(domain, "numatune")
        etree.SubElement(memory, "memory", mode=mode, nodeset=str(seat.numa))
    return domain
