"""Made-up Linux machines: files of sysfs and procfs, and archives of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from skb.relations import check_set
from skb.sources import sysfs
from skb.sources.description import Description

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
LINK = "-> "


def machine(cpus: int = 4, threads: int = 2, package: int = 4) -> dict[str, str]:
    """Files of a machine with SMT siblings beside each other and one L2 per core."""
    files = {f"{CPU}/online": f"0-{cpus - 1}", f"{CPU}/present": f"0-{cpus - 1}"}

    def mask(number: int, size: int) -> str:
        return f"{((1 << size) - 1) << number // size * size:x}"

    for number in range(cpus):
        base = f"{CPU}/cpu{number}"
        files |= {
            f"{base}/topology/physical_package_id": str(number // package),
            f"{base}/topology/package_cpus": mask(number, package),
            f"{base}/topology/core_id": str(number // threads),
            f"{base}/topology/core_cpus": mask(number, threads),
            f"{base}/cache/index2/level": "2",
            f"{base}/cache/index2/type": "Unified",
            f"{base}/cache/index2/size": "512K",
            f"{base}/cache/index2/shared_cpu_map": mask(number, threads),
            f"{base}/cache/index2/coherency_line_size": "64",
            f"{base}/cache/index2/ways_of_associativity": "8",
            f"{base}/cache/index2/number_of_sets": "1024",
        }
    return files


def node(number: int, cpus: str, kib: int, distance: str = "10") -> dict[str, str]:
    return {
        f"{NODE}/node{number}/cpulist": cpus,
        f"{NODE}/node{number}/meminfo": f"Node {number} MemTotal:  {kib} kB\nNode MemFree: 1 kB",
        f"{NODE}/node{number}/distance": distance,
    }


def pci(path: str, code: str, **more: str) -> dict[str, str]:
    """A PCI function at a path below sys/devices, known to the bus."""
    busid = path.rpartition("/")[2]
    files = {"class": code, "vendor": "0x15b3", "device": "0x1017", **more}
    found = {f"sys/devices/{path}/{name}": text for name, text in files.items()}
    return {**found, f"sys/bus/pci/devices/{busid}": f"{LINK}../../../devices/{path}"}


def archive(files: Mapping[str, str], mode: str = "w", top: str = "host/") -> bytes:
    """A tar archive of files and links, below a folder as hwloc-gather-topology writes them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for path, text in files.items():
            member = tarfile.TarInfo(top + path)
            if text.startswith(LINK):
                member.type, member.linkname = tarfile.SYMTYPE, text[len(LINK) :]
                tar.addfile(member)
            else:
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def describe(files: Mapping[str, str]) -> Description:
    description = sysfs.read(archive(files), "/somewhere/tiny.tar")
    check_set(description.facts)
    return description
