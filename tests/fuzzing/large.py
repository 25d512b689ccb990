"""Inputs near the limit of 64 MiB, and small ones that unpack or nest to much more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping

from skb.sources import SIZE_LIMIT_BYTES
from tests.fuzzing.corpora import corpora
from tests.sources import linux

Makers = Mapping[str, Callable[[], bytes]]
_ZEROS = bytes(64 * 1024 * 1024)


def _filled(head: bytes, piece: bytes, tail: bytes = b"") -> bytes:
    """Repeat a piece up to the size limit; `%d` in it is the number of the repetition."""
    room = SIZE_LIMIT_BYTES - len(head) - len(tail)
    if b"%d" not in piece:
        return head + piece * (room // len(piece)) + tail
    pieces, size, number = [], 0, 0
    while size < room - len(piece) - 20:
        pieces.append(piece.replace(b"%d", b"%d" % number))
        size += len(pieces[-1])
        number += 1
    return head + b"".join(pieces) + tail


def _many_files(count: int, mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for number in range(count):
            member = tarfile.TarInfo(f"sys/devices/system/cpu/cpu{number}/topology/core_id")
            member.size = 2
            tar.addfile(member, io.BytesIO(b"1\n"))
    return stream.getvalue()


def _big_files(count: int, size: int) -> bytes:
    files = linux.machine(4)
    files |= {f"sys/devices/system/cpu/cpu0/topology/big{n}": "1" * size for n in range(count)}
    return linux.archive(files)


def _matrix(size: int, comma: bytes = b",") -> bytes:
    row = comma.join(b"12.5" for _ in range(size)) + b"\n"
    return (row * size)[:SIZE_LIMIT_BYTES]


def _pairs(size: int) -> bytes:
    head = b"# src_core\tdest_core\tcost\tstderr\n"
    rows = (b"%d\t%d\t12.5\t0.5\n" % (a, b) for a in range(size) for b in range(size))
    return (head + b"".join(rows))[:SIZE_LIMIT_BYTES]


def _mct(size: int) -> bytes:
    head = b"#big #HWCs %d #Nodes 2 SMT 1\n" % size
    rows = (b"%d    %d    88\n" % (a, b) for a in range(size) for b in range(size))
    return (head + b"".join(rows))[:SIZE_LIMIT_BYTES]


def _flat_hwloc(pus: int) -> bytes:
    """A flat hwloc machine of many PUs, whose sets are as long as they must be."""
    words = (pus + 31) // 32
    every = b",".join([b"0xffffffff"] * words)
    parts = [
        b'<topology version="2.0"><object type="Machine" os_index="0" gp_index="1" cpuset="%s"'
        b' complete_cpuset="%s" allowed_cpuset="%s" nodeset="0x1" complete_nodeset="0x1"'
        b' allowed_nodeset="0x1"><object type="NUMANode" os_index="0" gp_index="2" cpuset="%s"'
        b' complete_cpuset="%s" nodeset="0x1" complete_nodeset="0x1" local_memory="1"/>'
        % (every, every, every, every, every)
    ]
    for pu in range(pus):
        mask = b"0x%08x" % (1 << pu % 32) + b",0x0" * (pu // 32)
        parts.append(
            b'<object type="PU" os_index="%d" gp_index="%d" cpuset="%s" complete_cpuset="%s"'
            b' nodeset="0x1" complete_nodeset="0x1"/>' % (pu, pu + 3, mask, mask)
        )
    return (b"".join(parts) + b"</object></topology>")[:SIZE_LIMIT_BYTES]


def _hwloc() -> Makers:
    sample = corpora()["hwloc"].samples[0]
    return {
        "hwloc: a machine of 4,096 PUs": lambda: _flat_hwloc(4096),
        "hwloc: infos without end": lambda: _filled(
            sample.partition(b"<object")[0], b'<info name="a" value="%d"/>\n'
        ),
        "hwloc: one text": lambda: _filled(b"<topology>", b"a"),
        "hwloc: one comment": lambda: _filled(b"<topology><!--", b"a ", b"--></topology>"),
        "hwloc: nested": lambda: _filled(b"<topology>", b"<object>"),
        "hwloc: blanks before it": lambda: _filled(b"", b" ", sample),
        "hwloc: elements up to their limit": lambda: (
            sample.partition(b"<object")[0]
            + b'<object type="Misc" name="m"/>' * 199_000
            + b"</topology>"
        ),
        "hwloc: infos up to the limit of elements": lambda: sample.replace(
            b'<info name="Backend" value="Linux"/>', b'<info name="Backend" value="x"/>' * 199_000
        ),
    }


def _nccl() -> Makers:
    sample = corpora()["nccl"].samples[0]
    return {
        "nccl: PCI functions without end": lambda: _filled(
            b'<system version="1"><cpu numaid="0" affinity="f" arch="x86_64">',
            b'<pci busid="0000:%d:00.0" class="0x030200" link_speed="16 GT/s" link_width="16"/>\n',
            b"</cpu></system>",
        ),
        "nccl: functions up to the limit of elements": lambda: sample.replace(
            b"<nic>",
            b"</pci>"
            + b"".join(
                b'<pci busid="%04x:%02x:%02x.%x" class="0x020000" link_speed="" link_width="0"/>'
                % (n >> 16, n >> 8 & 255, n >> 3 & 31, n & 7)
                for n in range(190_000)
            )
            + b'<pci busid="f000:00:00.0" class="0x020700"><nic>',
        ),
    }


def _native() -> Makers:
    sample = corpora()["native"].samples[0]
    return {
        "native: facts without end": lambda: _filled(
            sample + b"\n[facts.measured]\nlatency = [", b'["pu:0", "pu:%d", 1.5],\n', b"]\n"
        ),
        "native: parts without end": lambda: _filled(
            sample, b'[[part]]\nparent = "machine:0"\ntree = "core:1 pu:1"\n'
        ),
        "native: large trees without end": lambda: _filled(
            sample, b'[[part]]\ntree = "pu:99999"\n'
        ),
        "native: a chain of parts": lambda: (
            sample
            + b"".join(
                b'[[part]]\nparent = "group:%d"\ntree = "group:1"\n' % n for n in range(20_000)
            )
        ),
        "native: one long text": lambda: _filled(sample + b'\n[facts.measured]\nx = "', b"a", b'"'),
        "native: nested": lambda: _filled(sample + b"\n[facts.measured]\nx = ", b"["),
        "native: dotted keys": lambda: _filled(sample + b"\n[facts.measured]\n", b"a.", b"a = 1"),
        "native: no end of line": lambda: _filled(b"[machine]\n", b"a"),
        "native: 450 PUs with a latency per pair": lambda: (
            sample
            + b'[[part]]\ntree = "core:225 pu:2"\n[facts.measured]\nlatency = ['
            + b"".join(
                b'["pu:%d", "pu:%d", 12.5],\n' % (a, b)
                for a in range(450)
                for b in range(450)
                if a != b
            )
            + b"]\n"
        ),
    }


def _sysfs() -> Makers:
    return {
        "sysfs: 200,000 files": lambda: gzip.compress(_many_files(200_000, "w"), 1),
        "sysfs: 100 files of 500 KB": lambda: _big_files(100, 500_000),
        "sysfs: gzip of 4 GiB of nothing": lambda: gzip.compress(_ZEROS, 9) * 64,
        "sysfs: bzip2 of 4 GiB of nothing": lambda: bz2.compress(_ZEROS) * 64,
        "sysfs: xz of 4 GiB of nothing": lambda: lzma.compress(_ZEROS, preset=0) * 64,
        "sysfs: gzip of noise": lambda: b"\x1f\x8b\x08" + _filled(b"", b"\x91\x03abcdefgh%d"),
        "sysfs: 90,000 files": lambda: gzip.compress(_many_files(90_000, "w"), 1),
        "sysfs: 4,096 CPUs": lambda: linux.archive(linux.machine(4096)),
    }


def _mctop() -> Makers:
    sample = corpora()["mctop"].samples[0]
    return {
        "mctop: 1,500 contexts": lambda: _mct(1500),
        "mctop: lines without end": lambda: _filled(sample, b"0    1    %d\n"),
        "mctop: 770 contexts": lambda: _mct(770),
    }


def _pair_list() -> Makers:
    sample = corpora()["pair_list"].samples[0]
    return {
        "pair list: 1,500 cores": lambda: _pairs(1500),
        "pair list: lines without end": lambda: _filled(sample, b"0\t1\t%d\t1\n"),
        "pair list: one line": lambda: _filled(sample, b"1 "),
        "pair list: 770 cores": lambda: _pairs(770),
    }


def _latency_matrix() -> Makers:
    return {
        "latency matrix: 1,024 rows": lambda: _matrix(1024),
        "latency matrix: 3,600 rows": lambda: _matrix(3600),
        "latency matrix: commas": lambda: _filled(b"1,2\n", b","),
        "latency matrix: empty rows": lambda: _filled(b"1,2\n3,4\n", b",\n"),
        "latency matrix: a digit": lambda: _filled(b"1,2\n3,", b"9"),
        "latency matrix: 770 rows": lambda: _matrix(770),
    }


def _barrelfish() -> Makers:
    sample = corpora()["barrelfish"].samples[0]
    bar = b"bar(addr(0, 2, 0), %d, 3556769792, 4096, mem, nonprefetchable, 32).\n"
    return {
        "barrelfish: facts without end": lambda: _filled(sample, bar),
        "barrelfish: nested": lambda: _filled(sample + b"bar(", b"a("),
        "barrelfish: a list without end": lambda: _filled(sample + b"x([", b"1,"),
        "barrelfish: one atom": lambda: _filled(sample + b"x(", b"a"),
        "barrelfish: a comment without end": lambda: _filled(sample + b"/*", b" *"),
        "barrelfish: a number": lambda: _filled(sample + b"x(16'", b"f", b").\n"),
        "barrelfish: 16 MB of facts": lambda: (
            sample + b"".join(bar.replace(b"%d", b"%d" % n) for n in range(230_000))
        )[:16_000_000],
        "barrelfish: 16 MB of other facts": lambda: (sample + b"f(1).\n" * 3_000_000)[:16_000_000],
    }


def _no_format() -> Makers:
    return {
        "no format: zeros": lambda: _ZEROS,
        "no format: spaces": lambda: _filled(b"", b" "),
        "no format: lines": lambda: _filled(b"", b"\n"),
        "no format: UTF-16": lambda: _filled(b"\xff\xfe", b"a\0"),
        "no format: brackets": lambda: _filled(b"", b"["),
        "no format: less than": lambda: _filled(b"", b"<"),
    }


def large_inputs() -> Makers:
    """Return how each large input is made, under what it is."""
    kinds = (
        _hwloc,
        _nccl,
        _native,
        _sysfs,
        _mctop,
        _pair_list,
        _latency_matrix,
        _barrelfish,
        _no_format,
    )
    return {what: maker for kind in kinds for what, maker in kind().items()}
