"""Rows of `skb bench decisions` about interrupts: bundled machines and one of 24 packages.

Each answer is judged by the checker; beside it stand the sum of distances that networkx's network
simplex finds, whether any queue could sit on a nearer or emptier core, and whether the script that
`skb bind` writes, run by sh in a copy of /proc, is undone byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from skb.benching.routing_rows import Check, Row, in_time, proven, row_of, timed
from skb.bindings import bind
from skb.checkers.interrupts import check
from skb.checkers.interrupts_asked import Asked
from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions.interrupts import decide
from skb.resources import bundled_machines
from skb.sources import read, read_path

SECONDS = 5.0
SUITE = "interrupts"
# queues of each device: fewer than near cores, as many as a large NIC has, more than cores
QUEUES = (4, 16, 64)
MOST_DEVICES = 8
_LARGE = """
[machine]
name = "24-packages"
[structure]
tree = "package:24 numa:1 l3:1 core:8 pu:2"
"""
_DEVICE = '[[device]]\nname = "{name}"\nkind = "{kind}"\nat = "package:{at}"\n'


def rows(limit: float, machines: Sequence[Machine] = ()) -> Iterator[Row]:
    """Return a row for each machine, number of queues and rule; `limit` in seconds each.

    Without machines they are bundled ones and one of 24 packages.
    """
    for machine in machines or _bundled():
        names = _devices(machine)
        if not names:
            continue
        for count in QUEUES:
            request = {"device": [{"name": name, "queues": count} for name in names]}
            for spill in ("share", "next-nearest"):
                yield _row(machine, {**request, "spill": spill}, f"{count} queues, {spill}", limit)
        yield _closed(machine, names, limit)
        yield _undone(machine, names, limit)


def fits(machine: Machine) -> bool:
    """Return whether a machine has devices whose queues are decided about."""
    return bool(machine.pus and _devices(machine))


def _bundled() -> Iterator[Machine]:
    """Yield the two-package EPYC, the GPU node, and 24 packages with NICs and disks on four."""
    files = bundled_machines()
    for name in ("epyc-7401-2p", "ex235a"):
        yield Machine(name, read_path(files[name]).facts)
    text = _LARGE
    for number, (kind, at) in enumerate([("network", 0), ("network", 4), ("storage", 4)]):
        text += _DEVICE.format(name=f"{kind[:3]}{number}", kind=kind, at=at)
    text += _DEVICE.format(name="ib0", kind="network", at=6)
    yield Machine("24-packages", read(text.encode(), "24-packages.toml").facts)


def _devices(machine: Machine) -> list[str]:
    """Return NICs and disks, one for each PCI function."""
    found = [*machine.of_device_kind("network"), *machine.of_device_kind("storage")]
    return list(dict.fromkeys(found))[:MOST_DEVICES]


def _row(machine: Machine, request: Mapping[str, Any], title: str, limit: float) -> Row:
    seconds = min(SECONDS, limit)
    answer = timed(lambda: decide(machine, request, Limits(seconds=seconds)))
    found = answer.found
    checks: list[Check] = [proven(found), in_time(answer, seconds)]
    beside = ""
    if found.answer:
        least = _simplex(machine, found)
        value = found.objective.value or 0.0
        miss = "" if abs(value - least) <= 1e-9 * value else f"the simplex finds {least:,g}"
        checks.append(("nearest", miss))
        checks.append(("even within one vector", _uneven(machine, found)))
        spilled, most = len(found.answer["spill"]), found.answer["max_load"]
        beside = f"simplex {least:,g}; {spilled} spilled, {most:g} on a core"
    faults = check(machine, found)
    return row_of(
        SUITE,
        f"{machine.name}, {title}",
        found.objective.unit,
        answer,
        checks,
        beside=beside,
        faults=faults,
    )


def _closed(machine: Machine, names: Sequence[str], limit: float) -> Row:
    """Exclude the first core near the first device."""
    near = sorted(machine.pus_of(names[0]))
    closed = [machine.core_of[near[0]]]
    request = {"device": [{"name": name, "queues": 8} for name in names], "exclude": closed}
    return _row(machine, request, "8 queues, a near core excluded", limit)


def _simplex(machine: Machine, found: Decision) -> float:
    """Return the least sum of distances in nanoseconds, under the number of queues for a core."""
    import networkx

    judge = Asked(machine, found.request, list(found.answer["queues"]))
    fill = found.answer["fill"]
    counts = Counter(row["device"] for row in found.answer["queues"])
    graph = networkx.DiGraph()
    graph.add_node("end", demand=sum(counts.values()))
    for core in set(machine.core_of.values()):
        room = {} if fill is None else {"capacity": fill}
        graph.add_edge(("core", core), "end", weight=0, **room)
    for device, count in counts.items():
        far = judge.far(device)
        graph.add_node(("device", device), demand=-count)
        nearest: dict[str, int] = {}
        for pu in judge.open(device):
            core = machine.core_of[pu]
            nearest[core] = min(far[pu], nearest.get(core, far[pu]))
        for core, weight in nearest.items():
            graph.add_edge(("device", device), ("core", core), weight=weight)
    cost, _flow = networkx.network_simplex(graph)
    return float(cost) / 1000


def _uneven(machine: Machine, found: Decision) -> str:
    """Return which queue has a core as near as its own with two vectors less, or nothing."""
    judge = Asked(machine, found.request, list(found.answer["queues"]))
    count = Counter(row["core"] for row in found.answer["queues"])
    for row in found.answer["queues"]:
        far = judge.far(row["device"])
        for pu in judge.open(row["device"]):
            core = machine.core_of[pu]
            if far[pu] <= far[row["pu"]] and count[core] < count[row["core"]] - 1:
                return f"queue {row['queue']} of {row['device']} could be on {core}"
    return ""


def _undone(machine: Machine, names: Sequence[str], limit: float) -> Row:
    """Bind a decision, apply and undo it in a copy of /proc, and compare every byte."""
    vectors = {name: list(range(100 + 50 * at, 116 + 50 * at)) for at, name in enumerate(names)}
    devices = [{"name": name, "vectors": irqs} for name, irqs in vectors.items()]
    irqs = [irq for row in vectors.values() for irq in row]
    affinity = {str(irq): str(machine.pus[irq % len(machine.pus)]) for irq in irqs}
    request = {"device": devices, "current": {"affinity": affinity}}
    seconds = min(SECONDS, limit)
    answer = timed(lambda: decide(machine, request, Limits(seconds=seconds)))
    text = bind(machine, answer.found.to_json(), "irq").text
    with tempfile.TemporaryDirectory() as folder:
        said = _run(Path(folder), text, answer.found, affinity)
    checks: list[Check] = [proven(answer.found), ("undo restores every byte", said)]
    return row_of(
        SUITE,
        f"{machine.name}, {len(irqs)} vectors applied and undone",
        answer.found.objective.unit,
        answer,
        checks,
        beside=f"{len(answer.found.answer['moves'])} moves",
        faults=check(machine, answer.found),
    )


def _run(folder: Path, text: str, found: Decision, affinity: Mapping[str, str]) -> str:
    """Return what went wrong, or nothing."""
    pci = {row["irq"]: row["device"].partition(":")[2] for row in found.answer["queues"]}
    for irq, device in pci.items():
        file = folder / f"proc/irq/{irq}/smp_affinity_list"
        file.parent.mkdir(parents=True)
        # not every kernel ends the line, and what a file says is kept as it is
        file.write_text(affinity[str(irq)] + ("\n" if irq % 3 else ""))
        mark = folder / f"sys/class/net/{device}/device/msi_irqs/{irq}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    script = folder / "irq.sh"
    script.write_text(text)
    roots = {"PROC_ROOT": "proc", "SYSFS_ROOT": "sys", "STATE_DIR": "run"}
    env = {"PATH": os.environ["PATH"], **{key: str(folder / at) for key, at in roots.items()}}
    run = partial(subprocess.run, env=env, capture_output=True, text=True, check=False)
    before = _bytes(folder)
    for verb in ("apply", "undo"):
        done = run(["sh", str(script), verb])
        if done.returncode:
            return f"{verb} failed: {done.stderr.strip()[:200]}"
        if verb == "apply":
            wrong = [row for row in found.answer["queues"] if _said(folder, row) != row["pu"]]
            if wrong:
                return f"apply did not write interrupt {wrong[0]['irq']}"
    return "" if _bytes(folder) == before else "undo left another state"


def _said(folder: Path, row: Mapping[str, Any]) -> int:
    return int((folder / f"proc/irq/{row['irq']}/smp_affinity_list").read_text())


def _bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
