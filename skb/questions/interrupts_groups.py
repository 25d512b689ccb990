"""Interrupt multicast: which PUs one message reaches together.

An x2APIC in logical cluster mode reaches up to 16 PUs of one cluster with one write: the cluster is
the APIC ID without its last four bits (Intel SDM, volume 3, 10.12.10.2). APIC IDs that no fact
states are assumed as firmware makes them: package, core and thread, each in a field of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from skb.decision import Assumption
from skb.machine import Machine, kind_of, object_order
from skb.questions.interrupts_request import InterruptsRequest, pus_of

CLUSTER = 16


def groups(
    machine: Machine, request: InterruptsRequest
) -> tuple[list[dict[str, Any]], tuple[Assumption, ...]]:
    """Return for each group the clusters to be written to, and what was assumed."""
    if not request.ipi_groups:
        return [], ()
    ids, stated = apic_ids(machine)
    rows = []
    for place, group in enumerate(request.ipi_groups):
        path = f"interrupts request $.ipi_groups[{place}]"
        pus = sorted(pus_of(group, machine, request.tasks, path))
        usable = [pu for pu in pus if not machine.unusable(f"pu:{pu}")]
        clusters: dict[int, list[int]] = defaultdict(list)
        for pu in usable:
            clusters[ids[pu] // CLUSTER].append(pu)
        rows.append(
            {
                "pus": usable,
                "left_out": [pu for pu in pus if pu not in usable],
                "writes": len(clusters),
                "clusters": [
                    {
                        "cluster": cluster,
                        "pus": inside,
                        "mask": f"{sum(1 << ids[pu] % CLUSTER for pu in inside):04x}",
                    }
                    for cluster, inside in sorted(clusters.items())
                ],
            }
        )
    if stated:
        return rows, ()
    text = "APIC IDs are package, core and thread, each in as many bits as the largest needs"
    return rows, (Assumption(text, "no fact states the APIC IDs of the PUs"),)


def apic_ids(machine: Machine) -> tuple[Mapping[int, int], bool]:
    """Return the APIC ID of each PU, and whether facts state them."""
    stated = {}
    for pu in machine.pus:
        value = machine.value("apic_id", f"pu:{pu}")
        if isinstance(value, int):
            stated[pu] = value
    if len(stated) == len(machine.pus) and len(set(stated.values())) == len(stated):
        return stated, True
    packages: dict[str, list[int]] = defaultdict(list)
    for pu in machine.pus:
        packages[machine.package_of[pu]].append(pu)
    rows = []
    for number, package in enumerate(sorted(packages, key=object_order)):
        cores: dict[str, list[int]] = defaultdict(list)
        for pu in packages[package]:
            cores[machine.core_of[pu]].append(pu)
        order = sorted(cores, key=lambda core: (_index(core), core))
        for place, core in enumerate(order):
            rows += [(number, place, thread, pu) for thread, pu in enumerate(cores[core])]
    threads = _bits(max(row[2] for row in rows))
    cores_bits = _bits(max(row[1] for row in rows))
    return {
        pu: (number << cores_bits + threads) | (place << threads) | thread
        for number, place, thread, pu in rows
    }, False


def _index(core: str) -> int:
    number = core.partition(":")[2]
    return int(number) if kind_of(core) in {"core", "pu"} and number.isdigit() else -1


def _bits(largest: int) -> int:
    return largest.bit_length()
