"""Bindings: a placement, or forwarding tables, as commands and files of other programs.

Adding a target is one module with `DOES`, `NEEDS` and `write(placement)` or `write(tables)`, a line
in `TARGETS` or `TABLE_TARGETS`, and its tests. Names of tasks are a user's text: no module writes
one unquoted. What a target cannot say, or does differently, stands in the notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, cast

from skb.bindings.placement import Placement, Written, placement_of
from skb.bindings.tables import Tables, tables_of
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
    """What a module of a target offers."""

    DOES: str
    NEEDS: str

    def write(self, placement: Placement) -> Written: ...


class TableTarget(Protocol):
    """What a module of a target of forwarding tables offers."""

    DOES: str
    NEEDS: str

    def write(self, tables: Tables) -> Written: ...


def bind(machine: Machine, decision: Mapping[str, Any], to: str) -> Binding:
    """Write a placement or links decision for a target; `machine` is the snapshot that it read.

    Raises `RequestError` for another target or question, for a decision without an answer, and
    where the target cannot express the decision.
    """
    links = decision["question"] == "links"
    targets = TABLE_TARGETS if links else TARGETS
    if to not in targets:
        near = get_close_matches(to, targets, n=1)
        known = f"targets {'of links ' if links else ''}are: {', '.join(targets)}"
        raise RequestError(
            f"cannot bind to {to!r}", mend=f"did you mean {near[0]}? {known}" if near else known
        )
    module = import_module(f"skb.bindings.{targets[to]}")
    does: str = module.DOES
    needs: str = module.NEEDS
    if links:
        made = cast(TableTarget, module).write(tables_of(machine, decision))
    else:
        made = cast(Target, module).write(placement_of(machine, decision))
    return Binding(
        decision=str(decision["id"]),
        machine=machine.name,
        target=to,
        does=does,
        needs=needs,
        text=made.text,
        undo=made.undo,
        tasks=made.tasks,
        notes=made.notes,
    )
