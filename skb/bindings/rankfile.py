"""Open MPI's rankfile, with the numbers of the operating system (mpirun(1) of 4.1, "Rankfiles").

A rankfile counts cores logically unless `rmaps_rank_file_physical` is set; then a slot is the OS
index of a PU. Those of Open MPI 5 count logically only: there ranks are bound by taskset.
"""

from __future__ import annotations

from skb.bindings.placement import Placement, Written
from skb.bindings.writing import comment, heading, place

DOES = "Binds MPI ranks on this host to the PUs of their tasks, in the order of the request."
NEEDS = "Open MPI up to 4.1; no privilege."


def write(placement: Placement) -> Written:
    """Write one line for each rank, and in comments the mpirun that reads them."""
    count = len(placement.seats)
    notes = (
        "Open MPI binds a rank to the cores that hold its PUs, so to all threads of a core.",
        "Memory follows the first touch of each rank; a rankfile cannot say a NUMA node.",
    )
    tasks = {
        seat.name: (f"rank {rank}=localhost slot={','.join(map(str, sorted(seat.pus)))}",)
        for rank, seat in enumerate(placement.seats)
    }
    run = f"mpirun -np {count} --mca rmaps_rank_file_physical 1 --rankfile FILE COMMAND"
    newer = " : ".join(f"-np 1 taskset -c {seat.cpu_list} COMMAND" for seat in placement.seats)
    parts = [heading(placement, DOES, NEEDS, notes)]
    parts += [f"# Run: {run}\n", "# Open MPI 5 counts cores logically; there, the same as\n"]
    parts += [f"#   mpirun --bind-to none {newer}\n"]
    for seat in placement.seats:
        parts.append(comment(place(seat)) + tasks[seat.name][0] + "\n")
    return Written("".join(parts), tasks, notes=notes)
