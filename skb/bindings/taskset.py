"""taskset (util-linux): the affinity of a new command or of a running process; taskset(1)."""

from __future__ import annotations

from skb.bindings.placement import Placement, Written
from skb.bindings.writing import comment, heading, place
from skb.wording import spans

DOES = "Starts each task's COMMAND on its PUs, or moves the running process PID there."
NEEDS = "nothing for your own processes; CAP_SYS_NICE for those of others."


def write(placement: Placement) -> Written:
    """Write two lines for each task: to start it, and to move it with all its threads."""
    notes = (
        "taskset binds no memory; a process that has run elsewhere keeps its pages there.",
        "A process may change its affinity again; --to cpuset holds it.",
    )
    tasks = {
        seat.name: (f"taskset -c {seat.cpu_list} COMMAND", f"taskset -a -cp {seat.cpu_list} PID")
        for seat in placement.seats
    }
    undo = f"taskset -a -cp {spans(placement.machine.usable_pus)} PID"
    parts = [heading(placement, DOES, NEEDS, notes), comment(f"Undo, for each process: {undo}")]
    for seat in placement.seats:
        parts.append("\n" + comment(place(seat)) + "\n".join(tasks[seat.name]) + "\n")
    return Written("".join(parts), tasks, undo, notes)
