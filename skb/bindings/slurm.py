"""Slurm: a batch script whose srun binds each task by mask; srun(1), --cpu-bind and --mem-bind.

Masks are hexadecimal over OS indexes; the first one is of the lowest task on the node.
"""

from __future__ import annotations

from skb.bindings.placement import Placement, Seat, Written
from skb.bindings.writing import comment, heading, place

DOES = "Runs COMMAND once for each task on one node, each bound to its PUs and NUMA node."
NEEDS = "the whole node (--exclusive), and the task/affinity or task/cgroup plugin."


def write(placement: Placement) -> Written:
    """Write a script for sbatch; tasks are in the order of the request."""
    seats = placement.seats
    memory, notes = _memory(seats)
    notes = ("Slurm refuses masks outside the job's allocation.", *notes)
    masks = ",".join(_mask(seat) for seat in seats)
    words = ["srun", f"--ntasks={len(seats)}", f"--cpu-bind=mask_cpu:{masks}", *memory]
    if placement.shared:
        words.append("--overcommit")
        notes = (*notes, "--overcommit stands because tasks share PUs.")
    line = " ".join([*words, "COMMAND"])
    parts = ["#!/bin/sh\n#SBATCH --nodes=1\n#SBATCH --exclusive\n"]
    parts += [f"#SBATCH --ntasks={len(seats)}\n", heading(placement, DOES, NEEDS, notes)]
    parts += [comment(place(seat)) for seat in seats]
    tasks = {seat.name: (_mask(seat),) for seat in seats}
    return Written(f"{''.join(parts)}{line}\n", tasks, notes=notes)


def _mask(seat: Seat) -> str:
    return hex(sum(1 << pu for pu in seat.pus))


def _memory(seats: tuple[Seat, ...]) -> tuple[list[str], tuple[str, ...]]:
    """Return the option for memory and its notes; srun knows one policy for all tasks."""
    nodes = [seat.numa for seat in seats]
    if None in nodes:
        return [], ("The machine states no NUMA nodes for some task: memory is not bound.",)
    listed = ",".join(str(node) for node in nodes)
    if all(seat.strict for seat in seats):
        return [f"--mem-bind=map_mem:{listed}"], ()
    strict = [seat for seat in seats if seat.strict]
    mixed = ("srun has one memory policy for all tasks: nodes are preferred, not bound.",)
    return [f"--mem-bind=prefer,map_mem:{listed}"], mixed if strict else ()
