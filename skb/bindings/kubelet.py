"""Kubernetes: the kubelet's static CPU manager, and pods that it gives PUs of their own.

Kubernetes' documents: "Control CPU Management Policies on the Node", "Control Topology Management
Policies on a Node", KubeletConfiguration v1beta1.
"""

from __future__ import annotations

import math

from skb.bindings.environment import gpu_vendor
from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, distinct, heading, label, place
from skb.errors import RequestError
from skb.wording import spans

DOES = "Leaves exactly the placement's PUs to pods, and asks for pods of the tasks' sizes."
NEEDS = "administration of the node: drain it, change its kubelet's configuration, restart it."
_RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}


def write(placement: Placement) -> Written:
    """Write a KubeletConfiguration and one pod for each task as YAML documents."""
    # those that only the caller may not use are online too: pods must not get them
    gone = placement.machine.usability.because
    online = {pu for pu in placement.machine.pus if f"pu:{pu}" not in gone}
    rest = sorted(online - set(placement.used))
    if not rest:
        raise RequestError(
            "the placement takes every PU, and the kubelet must keep at least one",
            place="kubelet",
            mend="ask again with allowed = [...] that leaves one out",
        )
    names = distinct(label(seat.name) for seat in placement.seats)
    notes = _notes(placement)
    parts = [heading(placement, DOES, NEEDS, notes), _configuration(placement, rest)]
    tasks = {}
    for seat, name in zip(placement.seats, names, strict=True):
        tasks[seat.name] = tuple(_amounts(placement, seat))
        parts.append(_pod(placement, seat, name))
    return Written(
        "".join(parts),
        tasks,
        "put the former KubeletConfiguration back and restart the kubelet",
        notes,
    )


def _notes(placement: Placement) -> tuple[str, ...]:
    found = [
        "The kubelet chooses by itself: no pod can be told which PU or NUMA node it gets. Only "
        "the set of PUs that pods may have, and how many each gets, is in our hands.",
        "Before the restart remove /var/lib/kubelet/cpu_manager_state; to undo, put the former "
        "configuration back the same way.",
        "IMAGE, and MEMORY where the request states none, are yours to fill in.",
    ]
    if any(not _exclusive(seat) for seat in placement.seats):
        found.append(
            "A task with a load below 1 asks for a fraction: it has no PU of its own and runs on "
            "the shared ones, those reserved included."
        )
    return tuple(found)


def _configuration(placement: Placement, rest: list[int]) -> str:
    lines = [
        "apiVersion: kubelet.config.k8s.io/v1beta1",
        "kind: KubeletConfiguration",
        "cpuManagerPolicy: static",
    ]
    if all(placement.whole_cores(seat) for seat in placement.seats):
        lines += ["cpuManagerPolicyOptions:", '  full-pcpus-only: "true"']
    nodes = placement.machine.numa_of_pu
    inside = all(len({nodes[pu] for pu in seat.pus}) == 1 for seat in placement.seats)
    policy = "single-numa-node" if inside and placement.machine.numa else "best-effort"
    lines += [f'reservedSystemCPUs: "{spans(rest)}"', f"topologyManagerPolicy: {policy}"]
    return "\n".join(lines) + "\n"


def _pod(placement: Placement, seat: Seat, name: str) -> str:
    amounts = "".join(f"        {line}\n" for line in _amounts(placement, seat))
    return (
        f"---\n{comment(place(seat))}apiVersion: v1\nkind: Pod\nmetadata:\n  name: skb-{name}\n"
        f'spec:\n  containers:\n  - name: "{name}"\n    image: IMAGE\n    resources:\n'
        f"      requests:\n{amounts}      limits:\n{amounts}"
    )


def _exclusive(seat: Seat) -> bool:
    return seat.load == 1


def _amounts(placement: Placement, seat: Seat) -> list[str]:
    """Return the resources of a container; requests equal limits, so that it is Guaranteed."""
    milli = math.ceil(1000 * seat.load * len(seat.pus))
    # a whole number would make it exclusive
    amount = str(len(seat.pus)) if _exclusive(seat) else f"{milli - (milli % 1000 == 0)}m"
    memory = f"{math.ceil(seat.memory_mib)}Mi" if seat.memory_mib else "MEMORY"
    found = [f'cpu: "{amount}"', f"memory: {memory}"]
    vendors = [gpu_vendor(placement.machine, device) for device in seat.devices]
    for vendor, resource in _RESOURCES.items():
        if vendors.count(vendor):
            found.append(f"{resource}: {vendors.count(vendor)}")
    return found
