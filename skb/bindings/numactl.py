"""numactl: PUs and memory policy of a new command; numactl(8)."""

from __future__ import annotations

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, heading, place

DOES = "Starts each task's COMMAND on its PUs, with its memory on its NUMA node."
NEEDS = "no privilege; PUs and nodes must be in the caller's own cpuset."


def write(placement: Placement) -> Written:
    """Write one line for each task; memory that was asked for is bound, else preferred."""
    notes = (
        "--membind stands where the task asked for memory: it fails when the node is full; "
        "--preferred then takes from other nodes.",
    )
    tasks = {seat.name: (_line(seat),) for seat in placement.seats}
    parts = [heading(placement, DOES, NEEDS, notes)]
    for seat in placement.seats:
        parts.append("\n" + comment(place(seat)) + tasks[seat.name][0] + "\n")
    return Written("".join(parts), tasks, notes=notes)


def _line(seat: Seat) -> str:
    words = ["numactl", f"--physcpubind={seat.cpu_list}"]
    if seat.numa is not None:
        words.append(f"--{'membind' if seat.strict else 'preferred'}={seat.numa}")
    return " ".join([*words, "--", "COMMAND"])
