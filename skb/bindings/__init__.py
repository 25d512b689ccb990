"""Bindings: decisions as commands and files of other programs.

Adding a target is one module with `DOES`, `NEEDS` and `write(what)`, a line in the targets of its
question, and its tests; `what` is what the question's reader makes of the decision. Adding a
question is a line in `FAMILIES`. Names of tasks are a user's text: no module writes one unquoted.
What a target cannot say, or does differently, stands in the notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, cast

from skb.bindings.placement import Written
from skb.errors import RequestError
from skb.machine import Machine

TARGETS = {
    "taskset": "taskset",
    "numactl": "numactl",
    "systemd": "systemd",
    "cpuset": "cpuset",
    "rankfile": "rankfile",
    "slurm": "slurm",
    "kubelet": "kubelet",
    "libvirt": "libvirt",
    "env": "environment",
}
TABLE_TARGETS = {"opensm": "opensm", "dot": "tables_dot"}
VECTOR_TARGETS = {
    "irq": "irq",
    "steering": "steering",
    "ethtool": "ethtool",
    "irqbalance": "irqbalance",
}
FLOW_TARGETS = {"dpdk": "dpdk", "spdk": "spdk", "numactl": "flows_numactl"}

# by question: its targets, and the module and function that read a decision for them
FAMILIES: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "placement": (TARGETS, "placement", "placement_of"),
    "links": (TABLE_TARGETS, "tables", "tables_of"),
    "interrupts": (VECTOR_TARGETS, "vectors", "vectors_of"),
    "buffers": (FLOW_TARGETS, "flows", "lanes_of"),
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A decision for one target: `text` is what one runs or gives to the program.

    `does` and `needs` are one sentence each, `undo` says how to take it back (empty where nothing
    stays), `tasks` the lines that matter by task, `notes` what is different from what one
    may expect.
    """

    decision: str
    machine: str
    target: str
    does: str
    needs: str
    text: str
    undo: str
    tasks: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the binding as plain values."""
        return asdict(self)


class Target(Protocol):
    """What a module of a target offers: `write` takes what its question's reader returns."""

    DOES: str
    NEEDS: str

    def write(self, what: Any, /) -> Written: ...


def bind(machine: Machine, decision: Mapping[str, Any], to: str) -> Binding:
    """Write a decision for a target; `machine` is the snapshot that it read.

    Raises `RequestError` for another target or question, for a decision without an answer, and
    where the target cannot express the decision.
    """
    question = decision["question"]
    if question not in FAMILIES:
        raise RequestError(
            f"decision {decision['id']} answers {question}, which cannot be bound",
            mend=f"answers of {', '.join(FAMILIES)} can",
        )
    targets, reader, function = FAMILIES[question]
    if to not in targets:
        near = get_close_matches(to, targets, n=1)
        of = f"of {question} " if targets is not TARGETS else ""
        known = f"targets {of}are: {', '.join(targets)}"
        raise RequestError(
            f"cannot bind to {to!r}", mend=f"did you mean {near[0]}? {known}" if near else known
        )
    module = cast(Target, import_module(f"skb.bindings.{targets[to]}"))
    read = getattr(import_module(f"skb.bindings.{reader}"), function)
    made = module.write(read(machine, decision))
    return Binding(
        decision=str(decision["id"]),
        machine=machine.name,
        target=to,
        does=module.DOES,
        needs=module.NEEDS,
        text=made.text,
        undo=made.undo,
        tasks=made.tasks,
        notes=made.notes,
    )
