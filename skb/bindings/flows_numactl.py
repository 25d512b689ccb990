"""numactl: the consumer's PU and the payload's node, for programs with a process for each flow."""

from __future__ import annotations

from skb.bindings.flows import Lane, Lanes
from skb.bindings.placement import Written
from skb.bindings.writing import comment, shown

DOES = "Starts each flow's COMMAND on its consumer's PU, with its buffers on their NUMA node."
NEEDS = "no privilege; PUs and nodes must be in the caller's own cpuset."


def write(lanes: Lanes) -> Written:
    """Write one line for each flow that has a PU or a node."""
    notes = (
        "one node for all that a process allocates: rings apart (headers, descriptors) need"
        " numa_alloc_onnode or mbind inside the program",
    )
    rows = {lane.name: (_line(lane),) for lane in lanes.lanes}
    text = "".join(comment(line) for line in lanes.heading(DOES, NEEDS, notes))
    for lane in lanes.lanes:
        rings = ", ".join(f"{ring.kind} in {ring.place}" for ring in lane.rings)
        text += "\n" + comment(f"flow {shown(lane.name)}: {rings}") + rows[lane.name][0] + "\n"
    return Written(text, rows, notes=notes)


def _line(lane: Lane) -> str:
    words = ["numactl"]
    if lane.pu is not None:
        words.append(f"--physcpubind={lane.pu}")
    if lane.payload.numa is not None:
        words.append(f"--membind={lane.payload.numa}")
    return " ".join([*words, "--", "COMMAND"])
