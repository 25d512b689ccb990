"""Linux sysfs: the running system, a folder with a captured tree, or an archive of one.

The tree of parts is built as lstopo builds it, so that the same machine gives the same structure
from here and from hwloc XML. Virtual machines and containers lack many files; what is missing is
not said.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path, PurePath

from skb.errors import DescriptionError
from skb.sources import bitmap
from skb.sources.description import Description
from skb.sources.hwloc_facts import Collector, normal_isa
from skb.sources.sysfs_archive import is_archive, read_archive
from skb.sources.sysfs_cpus import CPU, Nest, nest, offline_cpus, online_cpus, read_places
from skb.sources.sysfs_devices import Devices
from skb.sources.sysfs_kinds import (
    captured_isa,
    read_cpuinfo,
    read_dmi,
    state_clock,
    state_kinds,
    state_packages,
)
from skb.sources.sysfs_memory import MemoryNode, groups_for, note_total, read_nodes, state_nodes
from skb.sources.sysfs_tree import FileTree, FolderTree, read_list

FORMAT = "Linux sysfs"
_CGROUP = "sys/fs/cgroup"


def recognises(head: bytes) -> bool:
    """Whether this is a tar archive, plain or compressed."""
    return is_archive(head)


def read(data: bytes, place: str) -> Description:
    """Read an archive of a captured tree.

    Raises `DescriptionError` where it is damaged or holds no sysfs tree, `TooLargeError` where it
    unpacks beyond the limits of `sysfs_archive`.
    """
    return _describe(read_archive(data, place), place, live=False)


def discover(root: Path = Path("/")) -> Description:
    """Describe the running system, or the captured tree in a folder.

    Raises `DescriptionError` where the folder holds no CPUs.
    """
    live = root.resolve() == Path("/")
    return _describe(FolderTree(root), "sysfs" if live else str(root), live=live)


def _describe(tree: FileTree, place: str, *, live: bool) -> Description:
    cpuinfo = read_cpuinfo(tree)
    # sandboxes such as gVisor have /proc/cpuinfo alone
    online = online_cpus(tree) or sum(1 << number for number in cpuinfo)
    if not online:
        raise DescriptionError(
            f"no online CPU in {CPU}",
            place=place,
            mend="give the folder that holds sys and proc of a Linux machine",
        )
    out = Collector(PurePath(place).name or place)
    places = read_places(tree, online)
    nodes = read_nodes(tree, online)
    built = nest([*places, *groups_for(nodes, places, online)], online)
    out.notes.extend(built.notes)
    _state_places(built, out)
    state_nodes(tree, nodes, built, out)
    Devices(tree, built, nodes, out).state()
    words = _uname(tree, live=live)
    dmi = read_dmi(tree)
    out.infos("machine:0", {**dmi, **{key: words[key] for key in _KEPT if words.get(key)}})
    state_packages(built, cpuinfo, out)
    state_kinds(tree, built, cpuinfo, out)
    state_clock(tree, built, cpuinfo, out)
    uname = words.get("Architecture", "")
    if isa := normal_isa(uname) if live else captured_isa(tree, cpuinfo, uname):
        out.say("isa", "machine:0", isa)
    if live:
        _state_allowed(tree, built, nodes, out)
    _note_absent(tree, online, out)
    note_total(tree, nodes, out)
    return Description(
        name=words.get("HostName", "")[:200],
        format=FORMAT,
        facts=tuple(out.facts),
        title=" ".join(dmi[key] for key in ("DMISysVendor", "DMIProductName") if key in dmi),
        notes=tuple(out.notes),
    )


_KEPT = ("OSName", "OSRelease", "OSVersion", "Architecture")


def _uname(tree: FileTree, *, live: bool) -> dict[str, str]:
    """Words about the operating system; hwloc-gather-topology keeps them in a file of its own."""
    if live:
        uname = platform.uname()
        return {
            "HostName": uname.node,
            "OSName": uname.system,
            "OSRelease": uname.release,
            "OSVersion": uname.version,
            "Architecture": uname.machine,
        }
    words = {}
    for line in (tree.read("proc/hwloc-nofile-info") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            words[key.strip()] = value.strip()[:400]
    return words


def _state_places(built: Nest, out: Collector) -> None:
    """State containment, numbers and cache sizes of the tree of PUs."""
    for parent in built.places:
        for child in parent.children:
            out.say("contains", parent.id, child.id)
        if parent.os_index is not None:
            out.say("os_index", parent.id, parent.os_index)
        if parent.size:
            out.say("cache_size", parent.id, parent.size)
        if parent.line:
            out.say("cache_line", parent.id, parent.line)
        if parent.ways:
            out.say("cache_ways", parent.id, parent.ways)


def _state_allowed(tree: FileTree, built: Nest, nodes: list[MemoryNode], out: Collector) -> None:
    """State what the cgroup and the affinity of this process leave out."""
    cpus = _cgroup_set(tree, "cpus")
    affinity = sum(1 << number for number in os.sched_getaffinity(0))
    for number in bitmap.members(built.root.cpuset):
        if cpus is not None and not cpus >> number & 1:
            out.say("disallowed", f"pu:{number}", "outside the cpuset of the cgroup")
        elif not affinity >> number & 1:
            out.say("disallowed", f"pu:{number}", "outside the affinity of the exporting process")
    memory = _cgroup_set(tree, "mems")
    for node in nodes:
        if memory is not None and not memory >> node.number & 1:
            out.say("disallowed", node.id, "outside the cpuset of the cgroup")


def _cgroup_set(tree: FileTree, what: str) -> int | None:
    """The effective cpuset of this process's cgroup, version 2 or 1; None where there is none."""
    for line in (tree.read("proc/self/cgroup") or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers == "":
            base, file = _CGROUP, f"cpuset.{what}.effective"
        elif "cpuset" in controllers.split(","):
            base, file = f"{_CGROUP}/cpuset", f"cpuset.effective_{what}"
        else:
            continue
        parts = [part for part in path.split("/") if part not in {"", "..", "."}]
        # a cgroup without the controller inherits; in a container the path may not be visible
        for end in range(len(parts), -1, -1):
            found = read_list(tree, "/".join([base, *parts[:end], file]))
            if found:
                return found
    return None


def _note_absent(tree: FileTree, online: int, out: Collector) -> None:
    if offline := offline_cpus(tree, online):
        out.notes.append(
            f"{offline.bit_count()} CPUs are offline and no objects: "
            f"{bitmap.to_list(offline)[:200]}"
        )
    if isolated := (read_list(tree, f"{CPU}/isolated") or 0) & online:
        out.notes.append(f"isolated from the scheduler: PUs {bitmap.to_list(isolated)[:200]}")
