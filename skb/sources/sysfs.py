"""Linux sysfs: the running system, a folder with a captured tree, or an archive of one.

The tree of parts is built as lstopo builds it, so that the same machine gives the same structure
from here and from hwloc XML. Virtual machines and containers lack many files; what is missing is
not said.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path, PurePath

from skb.errors import DescriptionError
from skb.sources.description import Description
from skb.sources.hwloc_facts import Collector, normal_isa
from skb.sources.sysfs_allowed import state_allowed, state_offline
from skb.sources.sysfs_archive import is_archive, read_archive
from skb.sources.sysfs_cpus import CPU, Nest, nest, online_cpus, read_places
from skb.sources.sysfs_devices import Devices
from skb.sources.sysfs_interrupts import state_apic_ids
from skb.sources.sysfs_kinds import (
    captured_isa,
    read_cpuinfo,
    read_dmi,
    state_clock,
    state_kinds,
    state_packages,
)
from skb.sources.sysfs_load import measure_load
from skb.sources.sysfs_memory import groups_for, note_total, read_nodes, state_nodes
from skb.sources.sysfs_tree import FileTree, FolderTree

FORMAT = "Linux sysfs"


def recognises(head: bytes) -> bool:
    """Whether this is a tar archive, plain or compressed."""
    return is_archive(head)


def read(data: bytes, place: str) -> Description:
    """Read an archive of a captured tree.

    Raises `DescriptionError` where it is damaged or holds no sysfs tree, `TooLargeError` where it
    unpacks beyond the limits of `sysfs_archive`.
    """
    return _describe(read_archive(data, place), place, live=False)


def discover(root: Path = Path("/"), *, load: bool = False) -> Description:
    """Describe the running system, with `load` also how busy it is, or a captured tree in a folder.

    Raises `DescriptionError` where the folder holds no CPUs; a captured tree has no load.
    """
    live = root.resolve() == Path("/")
    root = root if live else _captured(root)
    tree = FolderTree(root)
    description = _describe(tree, "sysfs" if live else str(root), live=live)
    if not (load and live):
        return description
    pus = [str(fact.args[1]) for fact in description.facts if fact.predicate == "contains"]
    loads = measure_load(tree, [name for name in pus if name.startswith("pu:")], "/proc/stat")
    return replace(description, facts=(*description.facts, *loads))


def _captured(folder: Path) -> Path:
    """Return the folder inside another where it alone holds a tree, as archives unpack; else it."""
    try:
        if (folder / "sys").exists() or (folder / "proc").exists():
            return folder
        # a link could lead to the tree of this host
        folders = [path for path in folder.iterdir() if not path.is_symlink()]
        inside = [path for path in folders if (path / CPU).is_dir()]
    except OSError:
        return folder
    return inside[0] if len(inside) == 1 else folder


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
    places = read_places(tree, online, place)
    nodes = read_nodes(tree, online)
    built = nest([*places, *groups_for(nodes, places, online)], online)
    out.notes.extend(built.notes)
    _state_places(built, out)
    state_nodes(tree, nodes, built, out)
    Devices(tree, built, nodes, out).state()
    words = _uname(tree, live=live)
    dmi = read_dmi(tree)
    kept = {key: words[key] for key in _KEPT if words.get(key)}
    smt = tree.read(f"{CPU}/smt/control") or ""
    out.infos("machine:0", {**dmi, **kept, **({"SMTControl": smt[:40]} if smt else {})})
    state_packages(built, cpuinfo, out)
    state_kinds(tree, built, cpuinfo, out)
    state_clock(tree, built, cpuinfo, out)
    state_apic_ids(cpuinfo, built, out)
    uname = words.get("Architecture", "")
    if isa := normal_isa(uname) if live else captured_isa(tree, cpuinfo, uname):
        out.say("isa", "machine:0", isa)
    state_allowed(tree, built, nodes, out, live=live)
    state_offline(tree, built, nodes, out)
    note_total(tree, nodes, out)
    return Description(
        name=words.get("HostName", "")[:200],
        format=FORMAT,
        facts=tuple(out.facts),
        title=" ".join(dmi[key] for key in ("DMISysVendor", "DMIProductName") if key in dmi),
        notes=out.all_notes(),
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
        if parent.subtype:
            out.infos(parent.id, {"Subtype": parent.subtype})
