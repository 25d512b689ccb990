"""Environment variables: threads of OpenMP, and the GPU and the NIC that a task has.

Sources: OpenMP 5.2 (OMP_PLACES, OMP_PROC_BIND), libgomp (GOMP_CPU_AFFINITY), LLVM and Intel OpenMP
(KMP_AFFINITY), CUDA and ROCm (visible devices), NCCL and UCX (network devices).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, heading, place
from skb.machine import Machine, kind_of

DOES = "Starts a COMMAND with one OpenMP thread on each PU of its task, seeing the task's devices."
NEEDS = "no privilege; it binds what reads the variables, nothing else."
_GPU = frozenset({"gpu", "coprocessor"})  # hwloc calls cuda0 a co-processor, nvml0 a GPU
_VENDORS = {"10de": "nvidia", "1002": "amd"}
_NAMES = (
    (re.compile(r"(nvml|cuda|nvidia)", re.IGNORECASE), "nvidia"),
    (re.compile(r"(rsmi|amdgpu|hip)", re.IGNORECASE), "amd"),
)


def write(placement: Placement) -> Written:
    """Write a script: sh FILE TASK COMMAND... sets the task's variables and starts the command."""
    machine = placement.machine
    tasks = {
        seat.name: tuple(f"{key}={value}" for key, value in _variables(machine, seat))
        for seat in placement.seats
    }
    notes = _notes(placement)
    parts = ["#!/bin/sh\n", heading(placement, DOES, NEEDS, notes)]
    parts.append('# Run: sh FILE TASK COMMAND...\ncase "${1:-}" in\n')
    for seat in placement.seats:
        parts.append(f"{comment(place(seat))}{shlex.quote(seat.name)})\n")
        for key, value in _variables(machine, seat):
            parts.append(f"  export {key}={shlex.quote(value)}\n")
        parts.append("  ;;\n")
    parts.append("*)\n  printf '%s\\n' \"no task of this placement is called ${1:-}\" >&2\n")
    parts.append('  exit 2 ;;\nesac\nshift\nexec "$@"\n')
    return Written("".join(parts), tasks, notes=notes)


def _notes(placement: Placement) -> tuple[str, ...]:
    found = ["All OpenMP variables say the same; each runtime reads its own."]
    devices = [device for seat in placement.seats for device in seat.devices]
    gpus = [device for device in devices if _GPU & _kinds(placement.machine, device)]
    if any(_gpu_number(placement.machine, device) is not None for device in gpus):
        found.append(
            "GPUs are numbered by PCI address among those that the snapshot knows; ROCm usually "
            "counts so too, but promises nothing: compare with rocm-smi --showbus."
        )
    unknown = [d for d in gpus if _gpu_number(placement.machine, d) is None]
    if unknown:
        found.append(f"No variable for {', '.join(unknown)}: its maker or PCI address is unknown.")
    return tuple(found)


def _variables(machine: Machine, seat: Seat) -> list[tuple[str, str]]:
    """Return names and values; places are in the order of the answer, the home PU first."""
    found = [
        ("OMP_NUM_THREADS", str(len(seat.pus))),
        ("OMP_PLACES", ",".join(f"{{{pu}}}" for pu in seat.pus)),
        ("OMP_PROC_BIND", "close"),
        ("GOMP_CPU_AFFINITY", " ".join(map(str, seat.pus))),
        (
            "KMP_AFFINITY",
            f"granularity=fine,explicit,proclist=[{','.join(map(str, seat.pus))}]",
        ),
    ]
    return [*found, *_gpus(machine, seat.devices), *_networks(machine, seat.devices)]


def _gpus(machine: Machine, devices: Iterable[str]) -> list[tuple[str, str]]:
    numbers: dict[str, list[int]] = {"nvidia": [], "amd": []}
    for device in devices:
        number = _gpu_number(machine, device)
        if number is not None:
            numbers[gpu_vendor(machine, device)].append(number)
    found = []
    if numbers["nvidia"]:
        found = [
            ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            ("CUDA_VISIBLE_DEVICES", ",".join(map(str, numbers["nvidia"]))),
        ]
    if numbers["amd"]:
        found.append(("ROCR_VISIBLE_DEVICES", ",".join(map(str, numbers["amd"]))))
    return found


def _gpu_number(machine: Machine, device: str) -> int | None:
    """Return the place of a GPU among those of its maker by PCI address, None where unknown."""
    vendor, own = gpu_vendor(machine, device), _pci(machine, device)
    if not vendor or not own:
        return None
    addresses = {
        _pci(machine, other)
        for kind in _GPU
        for other in machine.of_device_kind(kind)
        if gpu_vendor(machine, other) == vendor
    }
    return sorted(addresses, key=_by_number).index(own) if own in addresses else None


def gpu_vendor(machine: Machine, device: str) -> str:
    """Return `nvidia` or `amd` of a GPU, by its PCI vendor, else by its driver's name, else ''."""
    if not _GPU & _kinds(machine, device):
        return ""
    identity = machine.fact("pci_id", f"pci:{_pci(machine, device)}")
    if identity is not None:
        return _VENDORS.get(str(identity.args[2]).lower().removeprefix("0x"), "")
    name = device.partition(":")[2]
    return next((vendor for pattern, vendor in _NAMES if pattern.match(name)), "")


def _networks(machine: Machine, devices: Iterable[str]) -> list[tuple[str, str]]:
    """Return what makes NCCL and UCX use the NICs; one PCI function may be both kinds."""
    sockets: list[str] = []
    fabrics: list[str] = []
    for device in devices:
        if _kinds(machine, device) & {"network", "openfabrics"}:
            for twin in _twins(machine, device):
                kinds = _kinds(machine, twin)
                name = twin.partition(":")[2]
                if "openfabrics" in kinds:
                    fabrics.append(name)
                elif "network" in kinds:
                    sockets.append(name)
    found = []
    if fabrics:
        found.append(("NCCL_IB_HCA", f"={','.join(fabrics)}"))
    if sockets:
        found.append(("NCCL_SOCKET_IFNAME", f"={','.join(sockets)}"))
    if fabrics or sockets:
        ports = [f"{name}:1" for name in fabrics] or sockets
        found.append(("UCX_NET_DEVICES", ",".join(ports)))
    return found


def _twins(machine: Machine, device: str) -> tuple[str, ...]:
    """Return all devices of the PCI function of a device, itself included."""
    parent = machine.parent(device)
    if parent is None or kind_of(parent) != "pci":
        return (device,)
    return tuple(name for name in machine.children(parent) if kind_of(name) == "device")


def _kinds(machine: Machine, device: str) -> set[str]:
    return {str(f.args[1]) for f in machine.facts_of("device_kind") if f.args[0] == device}


def _pci(machine: Machine, device: str) -> str:
    """Return the PCI address of a device, empty where it has none."""
    above = (at for at in machine.ancestors(device) if kind_of(at) == "pci")
    return next(above, "").partition(":")[2]


def _by_number(address: str) -> tuple[int, str]:
    """Sort key: domains may have five digits and more, the rest is of one length."""
    return len(address), address
