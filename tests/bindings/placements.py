"""Placement decisions for the tests of bindings: asked for, or written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skb.decision import Limits
from skb.machine import Machine
from skb.questions.placement import decide
from skb.relations import Value
from tests.questions.placement_machines import machine

HOSTILE = (
    "a; rm -rf ~",
    "two\nlines",
    'it\'s "quoted" `id` $(id)',
    "*",
    "-rf",
    "../../etc",
    "END",
    "-->]]><x>&",
    "größe",
    "a" * 300,
    " ",
)


def asked(small: Machine, **request: Any) -> dict[str, Any]:
    """Return the decision about a request, as it is stored."""
    return decide(small, request, Limits()).to_json()


def seated(seats: Mapping[str, tuple[list[int], int | None]], **more: Any) -> dict[str, Any]:
    """Return a decision that seats tasks as told: name, PUs in order, node; `more` by task name."""
    tasks = [{"name": name, **more.get(name, {})} for name in seats]
    return {
        "id": "0123456789abcdef",
        "question": "placement",
        "status": "optimal",
        "request": {"task": tasks},
        "answer": {
            "tasks": {n: {"pus": pus, "numa_node": node} for n, (pus, node) in seats.items()}
        },
    }


def with_devices() -> Machine:
    """Return two packages with an NVIDIA GPU, an AMD GPU and a NIC each, in unlike PCI order."""
    extra: list[tuple[str, tuple[Value, ...]]] = []

    def device(package: int, address: str, vendor: str, *names: tuple[str, str]) -> None:
        pci = f"pci:0000:{address}"
        extra.append(("contains", (f"package:{package}", pci)))
        extra.append(("pci_id", (pci, "0000", vendor, "0000")))
        for name, kind in names:
            extra.append(("contains", (pci, f"device:{name}")))
            extra.append(("device_kind", (f"device:{name}", kind)))

    device(0, "c1:00.0", "10de", ("gpu0", "gpu"))
    device(1, "21:00.0", "10de", ("gpu1", "gpu"))
    device(0, "31:00.0", "1002", ("gpu2", "gpu"), ("opencl0d0", "coprocessor"))
    device(1, "a1:00.0", "15b3", ("mlx5_0", "openfabrics"), ("ib0", "network"))
    device(0, "02:00.0", "8086", ("eth0", "network"))
    return machine(2, 2, 2, extra=tuple(extra))
