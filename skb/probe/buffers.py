"""Memory for measuring: page-aligned, near a PU by first touch, or bound to a node by the kernel.

System call numbers: Linux `arch/*/entry/syscalls`; Arm and RISC-V share the generic table.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from contextlib import suppress
from pathlib import Path

import numpy as np

from skb.probe.primitives import Words

_MBIND = {"x86_64": 237, "aarch64": 235, "riscv64": 235, "ppc64le": 259, "s390x": 268}
_GET_MEMPOLICY = {"x86_64": 239, "aarch64": 236, "riscv64": 236, "ppc64le": 260, "s390x": 269}
_MPOL_BIND = 2
_NODE_OF_ADDRESS = 1 | 2
_MASK_WORDS = 16


def allocate(size_bytes: int, *, huge: bool = False) -> Words:
    """Return page-aligned words that nobody has touched; huge pages are asked for, not promised."""
    pages = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if huge:
        # where they are refused the chase contains page walks: `huge_pages` lets the report say so
        with suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype=np.int64)


def alone(count: int) -> Words:
    """Return words of zero that share no cache line with anything else."""
    return allocate(8 * count)[:count]


def huge_pages() -> bool:
    """Tell whether the kernel gives huge pages to those who ask."""
    try:
        text = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="ascii")
    except OSError:
        return False
    return "[never]" not in text


def bind(words: Words, node: int) -> bool:
    """Bind untouched words to a NUMA node; False where the kernel or a sandbox does not let us."""
    number = _MBIND.get(platform.machine())
    if number is None or node >= _MASK_WORDS * 64:
        return False
    mask = (ctypes.c_ulong * _MASK_WORDS)()
    mask[node // 64] = 1 << node % 64
    done = _call(number, words.ctypes.data, words.nbytes, _MPOL_BIND, mask, _MASK_WORDS * 64 + 1, 0)
    return done == 0


def node_of(words: Words) -> int | None:
    """Return the node that holds the first of some touched words, None where nobody says."""
    number = _GET_MEMPOLICY.get(platform.machine())
    if number is None:
        return None
    node = ctypes.c_int(-1)
    address = ctypes.c_void_p(words.ctypes.data)
    done = _call(number, ctypes.byref(node), None, 0, address, _NODE_OF_ADDRESS)
    return node.value if done == 0 else None


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    given = [ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments]
    return int(library.syscall(ctypes.c_long(number), *given))


def available_bytes(node: int) -> int:
    """Return how much of a node's memory may be taken now: half of what is free and permitted."""
    free = [_meminfo("/proc/meminfo", "MemAvailable")]
    free.append(_meminfo(f"/sys/devices/system/node/node{node}/meminfo", "MemFree"))
    limit, used = (_number(f"/sys/fs/cgroup/{name}") for name in ("memory.max", "memory.current"))
    if limit is not None and used is not None:
        free.append(max(0, limit - used))
    known = [size for size in free if size is not None]
    return min(known, default=0) // 2


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _meminfo(path: str, key: str) -> int | None:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(f"{key}:")
        if rest and (not name or name.startswith("Node ")):
            return int(rest.split()[0]) * 1024
    return None
