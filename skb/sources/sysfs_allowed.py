"""What of a Linux machine may be used: control groups, affinity, isolated and offline PUs.

Files: Linux `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/cpusets.rst`, `cpuset(7)`.
Control groups are read where hwloc reads them; in a container their path may not be visible, then
the nearest group above it counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector, state_absent
from skb.sources.sysfs_cpus import CPU, Nest, offline_cpus
from skb.sources.sysfs_memory import NODE, MemoryNode
from skb.sources.sysfs_tree import FileTree, numbered, read_list, read_number

_CGROUP = "sys/fs/cgroup"
# no limit in version 1: the largest number of pages
_UNLIMITED = 1 << 62
_OUTSIDE = "outside the cpuset of the cgroup"


def state_allowed(
    tree: FileTree, nest: Nest, nodes: list[MemoryNode], out: Collector, *, live: bool
) -> None:
    """State what the control group and, live, the affinity of this process leave out."""
    cpus = _cgroup_set(tree, "cpus")
    affinity = sum(1 << number for number in os.sched_getaffinity(0)) if live else -1
    for number in bitmap.members(nest.root.cpuset):
        if cpus is not None and not cpus >> number & 1:
            out.say("disallowed", f"pu:{number}", _OUTSIDE)
        elif not affinity >> number & 1:
            out.say("disallowed", f"pu:{number}", "outside the affinity of the exporting process")
    memory = _cgroup_set(tree, "mems")
    for node in nodes:
        if memory is not None and not memory >> node.number & 1:
            out.say("disallowed", node.id, _OUTSIDE)
    if live:
        _state_limits(tree, nest, out)


def state_offline(tree: FileTree, nest: Nest, nodes: list[MemoryNode], out: Collector) -> None:
    """State PUs and nodes that are there but offline, and PUs that the system keeps off."""
    online = nest.root.cpuset
    state_absent("pu", offline_cpus(tree, online), out)
    there = sum(1 << number for number in numbered(tree, NODE, "node") if number < 1 << 15)
    state_absent("numa", there & ~sum(1 << node.number for node in nodes) if there else 0, out)
    for file, what in (("isolated", "scheduler"), ("nohz_full", "tick")):
        for number in bitmap.members((read_list(tree, f"{CPU}/{file}") or 0) & online):
            out.say("isolated", f"pu:{number}", what)


def _groups(tree: FileTree, controller: str) -> Iterator[tuple[str, bool]]:
    """Folders of this process's control groups, inner ones first, and whether of version 2."""
    for line in (tree.read("proc/self/cgroup") or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        unified = controllers == ""
        if not unified and controller not in controllers.split(","):
            continue
        bases = [_CGROUP, f"{_CGROUP}/unified"] if unified else [f"{_CGROUP}/{controllers}"]
        if not unified:
            bases += [
                f"{_CGROUP}/{controller}",
                *(["dev/cpuset"] if controller == "cpuset" else []),
            ]
        parts = [part for part in path.split("/")[:64] if part not in {"", "..", "."}]
        for base in dict.fromkeys(bases):
            for end in range(len(parts), -1, -1):
                yield "/".join([base, *parts[:end]]), unified


def _cgroup_set(tree: FileTree, what: str) -> int | None:
    """The effective cpuset of this process's control group; None where there is none."""
    old = (f"cpuset.effective_{what}", f"cpuset.{what}", f"effective_{what}", what)
    for folder, unified in _groups(tree, "cpuset"):
        for file in (f"cpuset.{what}.effective",) if unified else old:
            if found := read_list(tree, f"{folder}/{file}"):
                return found
    return None


def _state_limits(tree: FileTree, nest: Nest, out: Collector) -> None:
    """State the tightest limit of time and memory of this process's control groups."""
    times: list[float] = []
    sizes: list[int] = []
    for folder, unified in _groups(tree, "cpu"):
        if unified:
            quota, _, period = (tree.read(f"{folder}/cpu.max") or "").partition(" ")
        else:
            quota = tree.read(f"{folder}/cpu.cfs_quota_us") or ""
            period = tree.read(f"{folder}/cpu.cfs_period_us") or ""
        if quota.isdigit() and period.isdigit() and len(quota + period) < 30 and int(period):
            times.append(int(quota) / int(period))
    for folder, unified in _groups(tree, "memory"):
        file = "memory.max" if unified else "memory.limit_in_bytes"
        size = read_number(tree, f"{folder}/{file}")
        if size is not None and 0 <= size < _UNLIMITED:
            sizes.append(size)
    if times:
        out.say("cpu_limit", nest.root.id, round(min(times), 6))
    if sizes:
        out.say("memory_limit", nest.root.id, min(sizes))
