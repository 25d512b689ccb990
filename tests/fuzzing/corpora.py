"""What the fuzzer begins with: small samples of each format, and the words of its language.

The samples lie beside this file, so that a run needs nothing else; where real files lie beside the
checkout, those of a moderate size are added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skb.relations import relations
from skb.resources import bundled_machines
from tests.machines import SHARED
from tests.sources import linux

_REAL_LIMIT_BYTES = 30_000


@dataclass(frozen=True)
class Corpus:
    """Samples of one format that are mutated, and tokens that are put into them."""

    samples: tuple[bytes, ...]
    tokens: tuple[bytes, ...]


def _sample(name: str) -> bytes:
    return (Path(__file__).parent / "samples" / name).read_bytes()


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in text.split())


def _real(*patterns: str) -> tuple[bytes, ...]:
    """Real files of a moderate size."""
    found = [path for pattern in patterns for path in sorted(SHARED.glob(pattern))]
    return tuple(path.read_bytes() for path in found if path.stat().st_size <= _REAL_LIMIT_BYTES)


_HWLOC_WORDS = _words(
    "object topology info page_type distances2 distances2hetero indexes u64values memattr "
    "memattr_value cpukind memtier support userdata Machine Package Socket Core PU NUMANode Node "
    "Group Die L1Cache L2Cache L3Cache L1iCache Cache MemCache Bridge PCIDev OSDev Misc type "
    "os_index cpuset complete_cpuset allowed_cpuset nodeset complete_nodeset gp_index subtype "
    "local_memory cache_size cache_linesize cache_associativity cache_type bridge_type bridge_pci "
    "pci_busid pci_type pci_link_speed osdev_type depth name value 0xf...f 0xffffffff,0xffffffff "
    "0x00000000 , ,, 0x 3.0 2.0 1.0 0-1 1-1 <object> </object> <object/> <!DOCTYPE <!ENTITY "
    "0000:[00-ff] 10000:00:00.0 nbobjs indexing gp os kind MemoryTier Backend CXLDevice"
)


def tree_files() -> dict[str, str]:
    """Files of a small Linux machine with two nodes, a NIC and cgroup limits."""
    function = "pci0000:00/0000:02:00.0"
    return (
        linux.machine(8)
        | linux.node(0, "0-3", 1_000_000, "10 21")
        | linux.node(1, "4-7", 2_000_000, "21 10")
        | linux.pci(function, "0x020000", numa_node="0", local_cpus="0f", irq="16")
        | {
            f"sys/devices/{function}/net/eth0/address": "00:11:22:33:44:55",
            f"sys/devices/{function}/net/eth0/speed": "10000",
            f"sys/devices/{function}/current_link_speed": "8.0 GT/s PCIe",
            f"sys/devices/{function}/current_link_width": "8",
            "sys/class/net/eth0": f"{linux.LINK}../../devices/{function}/net/eth0",
            "sys/devices/system/node/node0/access0/initiators/read_latency": "90",
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: A CPU\ncpu MHz\t\t: 2000.0\n",
            "proc/self/status": "Cpus_allowed_list:\t0-6\nMems_allowed_list:\t0-1\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-5",
        }
    )


@cache
def corpora() -> Mapping[str, Corpus]:
    """Return the corpus of each source by the name of its module."""
    predicates = _words(" ".join(relations()))
    native = (
        _sample("tiny.toml"),
        *(path.read_bytes()[:6000] for path in bundled_machines().values()),
    )
    keys = tuple(sorted(set(re.findall(rb"\w+", _sample("tiny.toml")))))
    return {
        "hwloc": Corpus(
            (
                _sample("tiny.v1.xml"),
                _sample("tiny.v2.xml"),
                _sample("tiny.v2.xml"),
                _sample("tiny.v1.xml"),
                *_real("hwloc/*.xml"),
            ),
            _HWLOC_WORDS,
        ),
        "nccl": Corpus(
            (_sample("tiny.nccl.xml"), *_real("nccl/*.xml")),
            _words(
                " ".join(re.findall(r"\w+", _sample("tiny.nccl.xml").decode()))
                + " <pci> </pci> </system> -1"
            ),
        ),
        "native": Corpus(
            native,
            (*keys, *predicates, b"[[part]]", b"[facts.measured]", b"= [", b"[[", b'"""', b"pu:9"),
        ),
        "sysfs": Corpus(
            archives(), _words("0-3 0,2 ff -> ../.. sys proc cpu0 node0 4-1 0-4294967295")
        ),
        "mctop": Corpus(
            (_sample("tiny.mct"), *_real("mctop/*.mct")), _words("#HWCs #Nodes SMT # 0 1 28 88 1e9")
        ),
        "pair_list": Corpus(
            (
                _sample("tiny.pairs.txt"),
                *_real("smelt/tomme/*.txt", "smelt/brie/*.txt", "smelt/*/pairwise*"),
            ),
            _words("# src_core dest_core cost stderr 0 1 2 -1 10.5"),
        ),
        "latency_matrix": Corpus(
            (_sample("tiny.lower.csv"), _sample("tiny.labels.csv"), *_real("core-to-core/*.csv")),
            _words(", ,, ; CPU0 0 1.5 nan -"),
        ),
        "barrelfish": Corpus(
            (_sample("tiny.facts"), *_real("barrelfish/*.facts", "barrelfish/*.dat")),
            _words(
                "16'ff 2'101 36'zz ( ) [ ] . , :- addr mem io X _ 'q' \"s\" /* */ % corename bar "
                "bridge device memory_affinity cpu_affinity 0'a 1.0e10 -1 - \\+ ; -> | {}"
            ),
        ),
        **_networks(),
    }


def _networks() -> dict[str, Corpus]:
    """Networks and forwarding tables."""
    return {
        "opensm": Corpus(
            (_sample("tiny.lft"),),
            _words("Unicast lids [0x0-0x8] of switch Lid guid 0x1 (package:3): 0x0001 255 SL '' #"),
        ),
        "dot": Corpus(
            (_sample("tiny.dot"),),
            _words(
                'strict graph digraph subgraph node edge -> -- { } [ ] = ; , : " < > /* */ // #'
                " next_hop channel mib_s latency_ns port count dir both back machine:0 -1 1e9"
            ),
        ),
        "links_json": Corpus(
            (_sample("tiny.links.json"),),
            _words('{ } [ ] : , "a" "package:0" 1e99 -1 null "channel" "load" "next_hop" \\ud800'),
        ),
    }


def archives() -> tuple[bytes, ...]:
    """Archives of the small tree, plain and compressed."""
    files = tree_files()
    small = linux.machine(2)
    made = [linux.archive(files), linux.archive(small)]
    made += [linux.archive(small, mode) for mode in ("w:gz", "w:bz2", "w:xz")]
    return tuple(made)
