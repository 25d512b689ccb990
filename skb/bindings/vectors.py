"""What the targets of an interrupts decision read: vectors with their PUs, and steering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skb.bindings.writing import comment, head
from skb.errors import RequestError
from skb.machine import Machine, kind_of

# names that the store cuts are not compared
_WHOLE = 200


@dataclass(frozen=True, slots=True)
class Vector:
    """One queue's vector: `irq` None where nobody states it, `title` what the driver calls it,
    `pci` the address of the device's function or nothing.
    """

    device: str
    queue: int
    way: str
    irq: int | None
    title: str
    pu: int
    managed: bool
    pci: str

    @property
    def words(self) -> str:
        """The queue for people."""
        side = "" if self.way == "combined" else f"{self.way} "
        return f"{self.device} {side}queue {self.queue}"


@dataclass(frozen=True, slots=True)
class Vectors:
    """An interrupts decision with the snapshot that it read."""

    id: str
    machine: Machine
    rows: tuple[Vector, ...]
    answer: Mapping[str, Any]

    @property
    def short(self) -> str:
        """The beginning of the decision's id, as people type it."""
        return self.id[:8]

    @property
    def written(self) -> tuple[Vector, ...]:
        """Vectors whose affinity is written: those with a number, and not managed.

        Raises `RequestError` where there is none.
        """
        rows = tuple(row for row in self.rows if row.irq is not None and not row.managed)
        if not rows:
            raise RequestError(
                f"decision {self.short} knows no interrupt that may be written",
                mend="discover the host, or give `vectors` in the request",
            )
        return rows

    def heading(self, does: str, needs: str, notes: Iterable[str]) -> str:
        """Return the comment that begins a file."""
        lines = head(f"interrupts {self.short}", self.machine, does, needs, notes)
        return "".join(comment(line) for line in lines)

    def networks(self) -> dict[str, Mapping[str, Any]]:
        """Return the steering of each network device by its name in the system.

        Those of InfiniBand verbs (`mlx5_0`) have none: their interfaces are other devices.
        """
        found: Mapping[str, Mapping[str, Any]] = self.answer["steering"]
        facts = self.machine.facts_of("device_kind")
        verbs = {str(fact.args[0]) for fact in facts if fact.args[1] == "openfabrics"}
        return {name.partition(":")[2]: row for name, row in found.items() if name not in verbs}


def vectors_of(machine: Machine, decision: Mapping[str, Any]) -> Vectors:
    """Read a decision as it is stored; raise `RequestError` where it moves nothing."""
    id_ = str(decision["id"])
    answer = decision["answer"]
    if not answer.get("queues"):
        raise RequestError(
            f"decision {id_} is {decision['status']}: it has no interrupts that could be bound",
            mend=f"skb why {id_[:8]}",
        )
    rows = []
    for row in answer["queues"]:
        name = str(row["device"])
        if "/" in name or ".." in name:
            raise RequestError(
                f"{name} is no name of a device that the system could have",
                mend="ask for the other devices",
            )
        around = (name, *machine.ancestors(name))
        pci = next((at.partition(":")[2] for at in around if kind_of(at) == "pci"), "")
        title = str(row["name"])
        rows.append(
            Vector(
                device=name.partition(":")[2],
                queue=row["queue"],
                way=row["way"],
                irq=row["irq"],
                title="" if len(title) >= _WHOLE else title,
                pu=row["pu"],
                managed=bool(row["managed"]),
                pci=pci,
            )
        )
    return Vectors(id_, machine, tuple(rows), answer)
